package apptest

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"muster/internal/config"
	"muster/sandbox"
)

// Apart makes a configuration use a sandbox that was started by itself, so
// that a test can act on it before, between and after servers.
func Apart(wa *sandbox.Server) func(*config.Config) {
	return func(c *config.Config) {
		root := wa.RootKey()
		c.Sandbox.Enabled = false
		c.WA = config.WA{Endpoint: wa.Endpoint(), RootKey: hex.EncodeToString(root[:])}
	}
}

// Link makes a session and links it to the phone by QR, as a person would; it
// returns once the session is connected.
func (p *Program) Link(t testing.TB, wa *sandbox.Server, id, number string) {
	t.Helper()
	if status := p.Call(t, http.MethodPost, "/api/v1/sessions", map[string]string{"id": id}, nil); status != http.StatusCreated {
		t.Fatalf("make the session %s: %d", id, status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/v1/sessions/"+id+"/qr?format=stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.Token())
	stream, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("link %s: %v", id, err)
	}
	defer func() { _ = stream.Body.Close() }()
	if err = scan(t, wa, number, bufio.NewScanner(stream.Body)); err != nil {
		t.Fatalf("link %s: %v", id, err)
	}
}

// scan shows the phone the first code of a stream, and waits for the result.
func scan(t testing.TB, wa *sandbox.Server, number string, lines *bufio.Scanner) error {
	t.Helper()
	var event string
	var scanned bool
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		if name == "event" {
			event = value
		}
		if name != "data" {
			continue
		}
		var data struct{ QR, Status string }
		if err := json.Unmarshal([]byte(value), &data); err != nil {
			return err
		}
		switch {
		case event == "result" && data.Status == "connected":
			return nil
		case event == "result":
			return errors.New(value)
		case event == "qr" && !scanned:
			if _, err := wa.ScanQR(t.Context(), number, data.QR); err != nil {
				return err
			}
			scanned = true
		}
	}
	return errors.Join(errors.New("the stream of QR codes ended early"), lines.Err())
}
