package service

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
)

// scene gathers what a phone needs to know to write a message to a chat. It
// completes the content's mentions and references.
func (w *World) scene(a *Account, chat types.JID, c *phone.Content) (phone.Scene, error) {
	scene := phone.Scene{Chat: chat, Self: a.LID, Now: w.opts.Now(), Upload: w.media.Put}
	lid := true
	if g, ok := w.groups.Get(chat); ok {
		scene.Expires, lid = g.Ephemeral, byLID(g)
		scene.Self = party{a, 0}.jid(lid)
	}
	mentions := make([]string, 0, len(c.Mentions))
	for i, who := range c.Mentions {
		jid, err := parsePerson(who)
		if err != nil {
			return phone.Scene{}, fmt.Errorf("mentions[%d]: %w", i, err)
		}
		if other := w.account(jid); other != nil {
			jid = party{other, 0}.jid(lid)
		}
		mentions = append(mentions, jid.String())
	}
	c.Mentions = mentions
	var err error
	if scene.Target, err = w.target(a, chat, lid, c.Target); err != nil {
		return phone.Scene{}, fmt.Errorf("target: %w", err)
	}
	if scene.Quoted, err = w.target(a, chat, lid, c.Quoted); err != nil {
		return phone.Scene{}, fmt.Errorf("quoted: %w", err)
	}
	return scene, nil
}

// target finds a message of a chat that the phone has sent or received.
func (w *World) target(a *Account, chat types.JID, lid bool, reference *phone.Reference) (*phone.Target, error) {
	if reference == nil {
		return nil, nil
	}
	for i := len(a.Inbox) - 1; i >= 0; i-- {
		m := &a.Inbox[i]
		if m.ID != reference.ID || m.Chat.ToNonAD() != chat {
			continue
		}
		found := &phone.Target{ID: m.ID, Sender: m.From.ToNonAD(), FromMe: m.FromMe, Message: m.Message}
		if author := w.account(m.From); author != nil {
			found.Sender = party{author, 0}.jid(lid)
		}
		return found, nil
	}
	if to, message, ok := a.Phone.Recall(reference.ID); ok && to == chat {
		return &phone.Target{ID: reference.ID, Sender: party{a, 0}.jid(lid), FromMe: true, Message: message}, nil
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownMessage, reference.ID)
}

// openVote reads a vote that a phone received, as far as it has the poll.
func (w *World) openVote(a *Account, received *phone.Received) {
	if received.Kind != phone.KindVote {
		return
	}
	poll, err := w.target(a, received.Chat.ToNonAD(), true, received.Content.Target)
	if err != nil || poll == nil {
		w.log.Debug().Err(err).Str("phone", a.PN.User).Msg("The phone does not have the poll of a vote")
		return
	}
	chosen, err := phone.OpenVote(poll.Message, received.Message, poll.ID, w.names(poll.Sender), w.names(received.From))
	if err != nil {
		w.log.Debug().Err(err).Str("phone", a.PN.User).Msg("The phone cannot read a vote")
		return
	}
	received.Content.Votes, received.Content.Sealed = chosen, false
}

// names are the addresses of a person, the hidden one first.
func (w *World) names(jid types.JID) []types.JID {
	if a := w.account(jid); a != nil {
		return []types.JID{a.LID, a.PN}
	}
	return []types.JID{jid.ToNonAD()}
}

// Download fetches and decrypts the file of a message that a phone received or
// sent, from the sandbox's media host. Errors: ErrUnknownPhone,
// ErrUnknownMessage, phone.ErrNoFile.
func (w *World) Download(number, id string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return nil, err
	}
	for i := len(a.Inbox) - 1; i >= 0; i-- {
		if a.Inbox[i].ID == id {
			return phone.OpenFile(a.Inbox[i].Message, w.media.Get)
		}
	}
	if _, message, ok := a.Phone.Recall(id); ok {
		return phone.OpenFile(message, w.media.Get)
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownMessage, strings.ToValidUTF8(id, "?"))
}
