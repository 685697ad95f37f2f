package service

import (
	"errors"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// ErrUnknownRecipient: nobody to write to has that number or JID.
var ErrUnknownRecipient = errors.New("no such recipient")

// SendText lets a phone send a text to a person, by number or JID, or to a
// group, by JID, encrypted for every device as a client does it. It returns the
// message's id.
//
// Errors: ErrUnknownPhone, ErrUnknownRecipient, and the service's own refusal
// as a *stanza.Error, such as 403 from a group where only admins may write.
func (w *World) SendText(number, to, text string) (id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return "", err
	}
	chat, err := w.recipient(to)
	if err != nil {
		return "", err
	}
	id = "3EB0" + strings.ToUpper(w.token(9))
	if err := w.phoneSends(a, chat, id, &waE2E.Message{Conversation: proto.String(text)}); err != nil {
		return "", err
	}
	w.commit()
	return id, nil
}

// recipient reads a group's JID, or a person's number or JID, which becomes
// their LID.
func (w *World) recipient(to string) (types.JID, error) {
	jid := types.NewJID(strings.TrimPrefix(to, "+"), types.DefaultUserServer)
	if strings.Contains(to, "@") {
		parsed, err := types.ParseJID(to)
		if err != nil {
			return types.EmptyJID, fmt.Errorf("%w: %w", ErrUnknownRecipient, err)
		}
		jid = parsed
	}
	if jid.Server == types.GroupServer {
		if _, ok := w.groups.Get(jid); !ok {
			return types.EmptyJID, fmt.Errorf("%w: %s", ErrUnknownGroup, jid)
		}
		return jid, nil
	}
	a := w.account(jid)
	if a == nil || !a.OnWhatsApp {
		return types.EmptyJID, fmt.Errorf("%w: %s", ErrUnknownRecipient, to)
	}
	return a.LID, nil
}

// phoneSends encrypts a message of a phone and sends it the way that a
// client's messages go, so that the same rules apply.
func (w *World) phoneSends(a *Account, chat types.JID, id string, message *waE2E.Message) error {
	compose := w.composeDirect
	if chat.Server == types.GroupServer {
		compose = w.composeGroup
	}
	node, err := compose(a, chat, message)
	if err != nil {
		return err
	}
	node.Attrs["id"], node.Attrs["to"], node.Attrs["type"] = id, chat, "text"
	if err := a.Phone.Remember(id, chat, message); err != nil {
		return err
	}
	result := w.routeMessage(party{a, 0}, &node)
	w.phonesAnswer()
	if result.code != 0 {
		return fmt.Errorf("message to %s: %w", chat, stanza.Refuse(result.code))
	}
	return nil
}

// composeDirect encrypts a message for each device of both sides.
func (w *World) composeDirect(a *Account, chat types.JID, message *waE2E.Message) (stanza.Node, error) {
	peer := w.account(chat)
	var list []stanza.Node
	if peer != a {
		list = w.encryptForEach(a, peer.parties(), message)
	}
	list = append(list, w.encryptForEach(a, a.parties(), phone.DeviceSent(chat, message))...)
	return stanza.Node{Tag: "message", Attrs: stanza.Attrs{"peer_recipient_pn": peer.PN},
		Content: []stanza.Node{{Tag: "participants", Content: list}}}, nil
}

// composeGroup encrypts a message under the phone's sender key, and that key
// for each device of the group. It encrypts nothing for a group that refuses
// the message: that would use up one-time keys of others, and the sender key.
func (w *World) composeGroup(a *Account, chat types.JID, message *waE2E.Message) (stanza.Node, error) {
	g, ok := w.groups.Get(chat)
	if !ok {
		return stanza.Node{}, fmt.Errorf("%w: %s", ErrUnknownGroup, chat)
	}
	if code := g.MayPost(a.LID); code != 0 {
		return stanza.Node{}, fmt.Errorf("message to %s: %w", chat, stanza.Refuse(code))
	}
	shared, key, err := a.Phone.EncryptGroup(chat, message)
	if err != nil {
		return stanza.Node{}, fmt.Errorf("encrypt for the group: %w", err)
	}
	var list []stanza.Node
	for _, member := range g.Members() {
		if other := w.account(member.LID); other != nil {
			list = append(list, w.encryptForEach(a, other.parties(), key)...)
		}
	}
	return stanza.Node{Tag: "message", Attrs: stanza.Attrs{}, Content: []stanza.Node{
		{Tag: "participants", Content: list}, shared,
	}}, nil
}

// encryptForEach makes the <to> of each device but the phone itself. A device
// that cannot be encrypted for is left out, as clients do: it will ask.
func (w *World) encryptForEach(a *Account, targets []party, message *waE2E.Message) []stanza.Node {
	var list []stanza.Node
	for _, target := range targets {
		if target == (party{a, 0}) {
			continue
		}
		enc, err := w.encryptFor(a, target, message)
		if err != nil {
			w.log.Warn().Err(err).Str("phone", a.PN.User).Msg("The phone cannot encrypt for a device")
			continue
		}
		list = append(list, stanza.Node{Tag: "to", Attrs: stanza.Attrs{"jid": target.jid(true)}, Content: []stanza.Node{enc}})
	}
	return list
}

// encryptFor encrypts for one device, fetching its keys when there is no
// session with it yet.
func (w *World) encryptFor(a *Account, target party, message *waE2E.Message) (stanza.Node, error) {
	device := target.jid(true)
	var bundle *phone.Bundle
	if !a.Phone.HasSession(device) {
		bundle = w.bundleFor(target)
	}
	enc, _, err := a.Phone.Encrypt(device, bundle, message)
	return enc, err
}
