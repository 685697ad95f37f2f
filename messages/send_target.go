package messages

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
	"muster/messages/content"
)

// Ref names a message that another one is about.
type Ref struct {
	SessionID string
	MessageID string
	// To is the chat that the message is in. It may be empty for a message that
	// the inbox has.
	To string
	// Sender is who has sent it, for a message that the inbox does not have: a
	// person, or the account itself.
	Sender string
	// SendAt is when to send what is about it; zero is now.
	SendAt time.Time
}

// Validate checks the ids.
func (r Ref) Validate() error {
	err := checkID("message_id", r.MessageID, false)
	if err == nil && r.To != "" {
		_, err = address.Chat("to", r.To)
	}
	if err == nil && r.Sender != "" {
		_, err = address.Person("sender", r.Sender)
	}
	return err
}

// referred is the message that a Ref names. Where the inbox does not have it,
// only its key is known.
type referred struct {
	Message
	known bool
}

// target is the message's key, as we would name it.
func (m referred) target() *content.Target {
	t := &content.Target{ID: m.ID, FromMe: m.FromMe}
	if !m.FromMe {
		t.Sender = m.Sender.address()
	}
	return t
}

// address is the JID that the person is best reached by.
func (p Person) address() types.JID {
	for _, text := range []string{p.LID, p.JID} {
		if jid, err := types.ParseJID(text); err == nil && text != "" {
			return jid
		}
	}
	return types.EmptyJID
}

// find looks a message up, in the inbox first.
func (s *Service) find(ctx context.Context, r Ref) (referred, error) {
	if err := r.Validate(); err != nil {
		return referred{}, err
	}
	found, err := s.inbox.Message(ctx, MessageRequest{SessionID: r.SessionID, ID: r.MessageID, Chat: r.To})
	if err == nil {
		return referred{Message: found.Message, known: true}, nil
	}
	if !fault.Is(err, fault.NotFound) || r.To == "" || r.Sender == "" {
		return referred{}, err
	}
	sender, err := address.Person("sender", r.Sender)
	if err != nil {
		return referred{}, err
	}
	mine, err := s.isMine(ctx, r.SessionID, sender)
	if err != nil {
		return referred{}, err
	}
	m := Message{ID: r.MessageID, Chat: r.To, FromMe: mine, Sender: Person{JID: sender.String()}}
	return referred{Message: m}, nil
}

// isMine tells whether the person is the session's own account.
func (s *Service) isMine(ctx context.Context, sessionID string, person types.JID) (bool, error) {
	own, err := s.sessions.Get(ctx, sessionID)
	if err != nil {
		return false, err
	}
	return person.String() == own.AccountJID() || person.String() == own.AccountLID(), nil
}

// about sends something about a message to its chat.
func (s *Service) about(ctx context.Context, r Ref, make func(m referred) (content.Content, error)) (Sent, error) {
	m, err := s.find(ctx, r)
	if err != nil {
		return Sent{}, err
	}
	c, err := make(m)
	if err != nil {
		return Sent{}, err
	}
	return s.sendPlain(ctx, Envelope{SessionID: r.SessionID, To: m.Chat, SendAt: r.SendAt}, c)
}

// ReactRequest asks to react to a message.
type ReactRequest struct {
	Ref
	Emoji string // empty takes our reaction back
}

// React reacts to a message.
func (s *Service) React(ctx context.Context, req ReactRequest) (Sent, error) {
	return s.about(ctx, req.Ref, func(m referred) (content.Content, error) {
		if !m.RevokedAt.IsZero() {
			return content.Content{}, fault.Field("message_id", "the message has been deleted")
		}
		return content.Content{Kind: content.KindReaction, Emoji: req.Emoji, Target: m.target()}, nil
	})
}

// EditRequest asks to replace the text or the caption of a message of ours.
type EditRequest struct {
	Ref
	Text string
}

// Edit replaces the text or the caption of a message of ours. WhatsApp's clients
// ignore it more than 20 minutes after the message was sent, so it is refused
// then.
func (s *Service) Edit(ctx context.Context, req EditRequest) (Sent, error) {
	if strings.TrimSpace(req.Text) == "" {
		return Sent{}, fault.Field("text", "must not be empty")
	}
	return s.about(ctx, req.Ref, func(m referred) (content.Content, error) {
		c := content.Content{Kind: content.KindEdit, Text: req.Text, Target: m.target()}
		if err := s.editable(m, req.SendAt); err != nil || !m.known {
			return c, err
		}
		if old := m.Content; old.Kind.HasMedia() {
			old.Text = req.Text
			c.Edited = &old
		}
		return c, nil
	})
}

// editable refuses what WhatsApp's clients would ignore.
func (s *Service) editable(m referred, at time.Time) error {
	if !m.FromMe {
		return fault.New(fault.Rejected, "only the sender of a message can edit it")
	}
	if !m.known {
		return nil
	}
	captioned := m.Kind == content.KindImage || m.Kind == content.KindVideo || m.Kind == content.KindDocument
	if now := s.now(); at.Before(now) {
		at = now
	}
	switch {
	case m.State != StateSent:
		return fault.New(fault.Conflict, "the message has not been sent yet")
	case !m.RevokedAt.IsZero():
		return fault.Field("message_id", "the message has been deleted")
	case m.Kind != content.KindText && !captioned:
		return fault.Field("message_id", "a message of the kind %s has no text to edit", m.Kind)
	case m.Content.Kind == "" || m.ViewOnce || captioned && m.Content.Media == nil:
		return fault.Field("message_id", "the content of the message is not kept, so it cannot be edited")
	case at.Sub(m.Timestamp) > whatsmeow.EditWindow:
		return fault.New(fault.Rejected, "WhatsApp takes edits for %d minutes after a message was sent", int(whatsmeow.EditWindow.Minutes()))
	}
	return nil
}

// Revoke deletes a message for everybody: one of ours, or, for admins of a
// group, one of somebody else's in it.
func (s *Service) Revoke(ctx context.Context, req Ref) (Sent, error) {
	return s.about(ctx, req, func(m referred) (content.Content, error) {
		if !m.FromMe && !strings.HasSuffix(m.Chat, "@"+types.GroupServer) {
			return content.Content{}, fault.New(fault.Rejected, "only the sender can delete a message in a chat of two")
		}
		return content.Content{Kind: content.KindRevoke, Target: m.target()}, nil
	})
}

// PinRequest asks to pin a message in its chat.
type PinRequest struct {
	Ref
	// Duration is how long: one of content.PinSeconds; 0 takes the pin away.
	Duration time.Duration
}

// Pin pins a message in its chat for everybody, or takes the pin away.
func (s *Service) Pin(ctx context.Context, req PinRequest) (Sent, error) {
	return s.about(ctx, req.Ref, func(m referred) (content.Content, error) {
		if !m.RevokedAt.IsZero() {
			return content.Content{}, fault.Field("message_id", "the message has been deleted")
		}
		pin := &content.Pin{Unpin: req.Duration == 0, Seconds: int64(req.Duration / time.Second)}
		return content.Content{Kind: content.KindPin, Pin: pin, Target: m.target()}, nil
	})
}
