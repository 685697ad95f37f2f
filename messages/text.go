package messages

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/internal/address"
	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/session"
)

// MaxText is the most that a text message carries, in bytes of UTF-8.
const MaxText = 65536

// TextRequest asks to send a text.
type TextRequest struct {
	SessionID string
	// To is a person (phone JID, LID or phone number) or a group.
	To   string
	Text string // 1 to MaxText bytes, not only white space
}

// Validate checks the address and the length.
func (r TextRequest) Validate() error {
	_, err := r.parse()
	return err
}

func (r TextRequest) parse() (types.JID, error) {
	if strings.TrimSpace(r.Text) == "" {
		return types.EmptyJID, fault.Field("text", "must not be empty")
	}
	if len(r.Text) > MaxText {
		return types.EmptyJID, fault.Field("text", "has %d bytes; %d is the most", len(r.Text), MaxText)
	}
	return address.Chat("to", r.To)
}

// Sent is a message that WhatsApp has taken for delivery. That says nothing of
// whether it has reached anybody.
type Sent struct {
	ID        string
	Timestamp time.Time // WhatsApp's
	// To is the chat: a group's JID, a phone JID, or a LID whose phone is not known.
	To string
}

// SendText sends a text, encrypted for every device of everyone in the chat. A
// number without a WhatsApp account is refused naming "to"; a group that the
// account is not in, with not_in_group; one where only admins may post, with
// not_admin.
func (s *Service) SendText(ctx context.Context, req TextRequest) (Sent, error) {
	to, err := req.parse()
	if err != nil {
		return Sent{}, err
	}
	if to, err = s.resolve(ctx, req.SessionID, to); err != nil {
		return Sent{}, err
	}
	id, err := messageID(ctx)
	if err != nil {
		return Sent{}, err
	}
	sent, err := s.send(ctx, req.SessionID, to, id, &waE2E.Message{Conversation: proto.String(req.Text)})
	if err != nil {
		return Sent{}, err
	}
	sent.To = s.shown(ctx, req.SessionID, to)
	return sent, nil
}

// shown is the chat as answers name it: a person by phone where it is known.
// What cannot be looked up now is shown as it was sent to, since the message is
// on its way whatever happens here.
func (s *Service) shown(ctx context.Context, sessionID string, to types.JID) string {
	if to.Server == types.HiddenUserServer {
		if phone, err := s.sessions.PNForLID(ctx, sessionID, to); err == nil && !phone.IsEmpty() {
			return phone.String()
		}
	}
	return to.String()
}

// send sends a message once, and once more when WhatsApp refused it only
// because the client's idea of the group was out of date.
func (s *Service) send(ctx context.Context, sessionID string, to types.JID, id types.MessageID, message *waE2E.Message) (Sent, error) {
	for again := false; ; again = true {
		var answer whatsmeow.SendResponse
		var number int
		err := s.sessions.Do(ctx, sessionID, session.Write, func(ctx context.Context, client *whatsmeow.Client) (err error) {
			answer, err = client.SendMessage(ctx, to, message, whatsmeow.SendRequestExtra{ID: id})
			if number = refusalNumber(err); number != 0 {
				return refused(to, number, err)
			}
			return err
		})
		switch {
		case err == nil:
			return Sent{ID: answer.ID, Timestamp: answer.Timestamp, To: to.String()}, nil
		case number == numberStale && !again && to.Server == types.GroupServer:
			if err = s.refresh(ctx, sessionID, to); err != nil {
				return Sent{}, err
			}
		case number == numberForbidden && to.Server == types.GroupServer:
			return Sent{}, s.explain(ctx, sessionID, to, err)
		default:
			return Sent{}, err
		}
	}
}

// noteMessage is the name of the note that has a message's id.
const noteMessage = "message"

// messageID is the id of the message that a repeatable request sends: always
// the same one, because whoever gets a message twice under one id shows it
// once. Other requests leave the choice to the client: it is empty.
func messageID(ctx context.Context) (id types.MessageID, err error) {
	attempt := idempotency.From(ctx)
	if attempt == nil {
		return "", nil
	}
	if _, err = attempt.Noted(noteMessage, &id); err != nil {
		return "", err
	}
	if id == "" {
		var random [9]byte
		_, _ = rand.Read(random[:]) // never fails, see crypto/rand
		id = whatsmeow.WebMessageIDPrefix + strings.ToUpper(hex.EncodeToString(random[:]))
		if err = attempt.Note(ctx, noteMessage, id); err != nil {
			return "", err
		}
	}
	attempt.Settle()
	return id, nil
}
