package messages

import (
	"context"
	"strings"

	"muster/internal/fault"
	"muster/messages/content"
)

// MaxText is the most that a text message carries, in bytes of UTF-8.
const MaxText = content.MaxText

// TextRequest asks to send a text.
type TextRequest struct {
	Envelope
	Text string // 1 to MaxText bytes, not only white space
}

// Validate checks the address and the length.
func (r TextRequest) Validate() error {
	if err := checkText(r.Text); err != nil {
		return err
	}
	_, err := r.parse()
	return err
}

func checkText(text string) error {
	if strings.TrimSpace(text) == "" {
		return fault.Field("text", "must not be empty")
	}
	if len(text) > MaxText {
		return fault.Field("text", "has %d bytes; %d is the most", len(text), MaxText)
	}
	return nil
}

// SendText sends a text, encrypted for every device of everyone in the chat. A
// number without a WhatsApp account is refused naming "to"; a group that the
// account is not in, with not_in_group; one where only admins may post, with
// not_admin.
func (s *Service) SendText(ctx context.Context, req TextRequest) (Sent, error) {
	if err := req.Validate(); err != nil {
		return Sent{}, err
	}
	return s.post(ctx, req.Envelope, func(_ context.Context, l *letter) error {
		l.content = content.Content{Kind: content.KindText, Text: req.Text}
		return nil
	})
}
