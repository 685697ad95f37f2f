package messages

import (
	"context"

	"muster/internal/fault"
	"muster/messages/media"
)

// ForwardRequest asks to send a message of the inbox on to another chat.
type ForwardRequest struct {
	Envelope
	MessageID string
	// From is the chat that the message is in; it may be empty.
	From string
}

// Validate checks the ids and the address.
func (r ForwardRequest) Validate() error {
	if err := (Ref{MessageID: r.MessageID, To: r.From}).Validate(); err != nil {
		return err
	}
	_, err := r.parse()
	return err
}

// Forward sends a message of the inbox on, marked as forwarded.
func (s *Service) Forward(ctx context.Context, req ForwardRequest) (Sent, error) {
	if err := req.Validate(); err != nil {
		return Sent{}, err
	}
	found, err := s.inbox.Message(ctx, MessageRequest{SessionID: req.SessionID, ID: req.MessageID, Chat: req.From})
	if err != nil {
		return Sent{}, err
	}
	if found.Content.Kind == "" || !found.RevokedAt.IsZero() {
		return Sent{}, fault.Field("message_id", "the content of this message is not kept")
	}
	forwarded, err := found.Content.Forward()
	if err != nil {
		return Sent{}, err
	}
	if forwarded.Media != nil {
		file := *forwarded.Media
		// What was uploaded once can be had under the same keys by others, but
		// WhatsApp does not keep it for ever: a file that is here is sent anew. The
		// hash alone does not make it this message's: its sender says it.
		sum, ok := media.SumOf(file.SHA256)
		if kept := found.Media; ok && kept != nil && kept.State == MediaStored && kept.Hash == sum.String() {
			file.Key, file.DirectPath, file.EncSHA256, file.URL = nil, "", nil, ""
		}
		forwarded.Media = &file
	}
	return s.post(ctx, req.Envelope, func(_ context.Context, l *letter) error {
		l.content = forwarded
		return nil
	})
}
