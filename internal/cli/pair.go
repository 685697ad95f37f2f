package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

type pairCommand struct {
	Session string `arg:"" help:"The session's id. It must exist."`
	Phone   string `help:"Link by a code for this phone number instead of a QR code." placeholder:"NUMBER"`
	URL     string `name:"url" help:"Where the server is." default:"http://127.0.0.1:3451" env:"MUSTER_URL" placeholder:"URL"`
	Token   string `help:"A token that may use the session." env:"MUSTER_TOKEN" placeholder:"TOKEN"`
}

// Statuses and events of the API that matter here.
const (
	statusConnected = "connected"
	statusPasskey   = "passkey_required"
	eventResult     = "result"
)

// Run links a phone, or says why that failed.
func (p pairCommand) Run(ctx context.Context, term terminal) error {
	server, err := newClient(p.URL, p.Token, p.Session)
	if err != nil {
		return err
	}
	// Asking first tells a wrong name or token apart from a failed link.
	var current sessionState
	if err = server.call(ctx, http.MethodGet, "", nil, &current); err != nil {
		return err
	}
	var linked string
	if p.Phone != "" {
		linked, err = p.byCode(ctx, server, term)
	} else {
		linked, err = byQR(ctx, server, term)
	}
	if err != nil {
		return fmt.Errorf("session %s was not linked: %w", p.Session, err)
	}
	say(term.out, "Linked: %s\n", linked)
	return nil
}

// sessionState is what this command needs of a session.
type sessionState struct {
	Status     string `json:"status"`
	JID        string `json:"jid"`
	Reason     string `json:"reason"`
	ReasonText string `json:"reason_text"`
}

// failure words the end of an attempt that did not connect.
func (s sessionState) failure() error {
	words := []string{s.Status}
	for _, part := range []string{s.Reason, s.ReasonText} {
		if part != "" {
			words = append(words, part)
		}
	}
	return errors.New(strings.Join(words, ": "))
}

func byQR(ctx context.Context, server *client, term terminal) (string, error) {
	say(term.out, "On the phone: Settings, Linked devices, Link a device. Scan:\n")
	screen := newScreen(term.out)
	return follow(ctx, server, term, func(code string) error {
		screen.draw(code)
		return nil
	})
}

// byCode asks for a code once the linking is being watched: a phone that is
// quick could otherwise be linked before, and its success be missed.
func (p pairCommand) byCode(ctx context.Context, server *client, term terminal) (string, error) {
	asked := false
	return follow(ctx, server, term, func(string) error {
		if asked {
			return nil
		}
		asked = true
		var code struct {
			Code string `json:"code"`
		}
		request := map[string]any{"phone_number": p.Phone, "show_push_notification": true}
		if err := server.call(ctx, http.MethodPost, "/pair", request, &code); err != nil {
			return err
		}
		say(term.out, "On the phone: Settings, Linked devices, Link a device, Link with phone number. Type:\n\n    %s\n\n", code.Code)
		return nil
	})
}

// follow watches the linking to its end, which both ways tell over the stream
// of QR codes, and gives the linked account. show is called for each QR code,
// and again when the same one comes with another status.
func follow(ctx context.Context, server *client, term terminal, show func(code string) error) (linked string, err error) {
	err = server.stream(ctx, "/qr", func(e event) (bool, error) {
		var data struct {
			sessionState
			QR string `json:"qr"`
		}
		if err := json.Unmarshal(e.data, &data); err != nil {
			return true, fmt.Errorf("read the server's event: %w", err)
		}
		switch {
		case e.name == eventResult && data.Status == statusConnected:
			linked = data.JID
			return true, nil
		case e.name == eventResult:
			return true, data.failure()
		case data.Status == statusPasskey:
			say(term.out, "WhatsApp demands a passkey. Answer it over the API: GET and POST …/passkey.\n")
		case data.QR != "":
			return false, show(data.QR)
		}
		return false, nil
	})
	return linked, err
}
