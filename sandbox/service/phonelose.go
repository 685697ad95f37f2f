package service

import (
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// AskAgain has a phone lose a message that it received, and ask its sender for
// it once more, as a phone does that could not read it. It is in the inbox again
// once the sender has answered. Errors: ErrUnknownPhone, ErrUnknownMessage.
func (w *World) AskAgain(number, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(a.Inbox, func(m phone.Received) bool { return m.ID == id })
	if at < 0 {
		return fmt.Errorf("%w: %s", ErrUnknownMessage, id)
	}
	lost := a.Inbox[at]
	a.Inbox = slices.Concat(a.Inbox[:at], a.Inbox[at+1:])
	a.seen = nil // made anew from the inbox
	message := stanza.Node{Tag: "message", Attrs: stanza.Attrs{"id": id, "from": lost.From, "t": lost.At.Unix()}}
	if g, ok := w.groups.Get(lost.Chat); ok {
		sender, _ := w.party(lost.From)
		if sender.account == nil {
			return fmt.Errorf("%w: %s has nobody left to ask", ErrUnknownMessage, id)
		}
		message.Attrs["from"], message.Attrs["participant"] = lost.Chat, sender.jid(byLID(g))
	} else if lost.FromMe {
		message.Attrs["recipient"] = types.NewJID(lost.Chat.User, lost.Chat.Server)
	}
	w.phoneAsksAgain(a, askedAgain{lost.From, id}, &message)
	w.phonesAnswer()
	w.commit()
	return nil
}
