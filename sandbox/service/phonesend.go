package service

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

var (
	// ErrUnknownRecipient: nobody to write to has that number or JID.
	ErrUnknownRecipient = errors.New("no such recipient")
	// ErrUnknownMessage: the phone has neither sent nor received that message.
	ErrUnknownMessage = errors.New("the phone has no such message")
)

// Outgoing is a message that a phone is to send.
type Outgoing struct {
	phone.Content
	// ID is what the message goes under; "" draws one. One that was sent before
	// makes a repeat, which receivers drop.
	ID string `json:"id,omitempty" doc:"Absent: one is drawn. One that was used before makes a repeat"`
	// Spoilt ciphertexts cannot be read: each receiver has to ask for the
	// message again, and gets it then.
	Spoilt bool `json:"spoilt,omitempty" doc:"Send ciphertexts that nobody can read; receivers ask again and get the message"`
}

// SendText lets a phone send a text; see Send.
func (w *World) SendText(number, to, text string) (id string, err error) {
	return w.Send(number, to, Outgoing{Content: phone.Content{Kind: phone.KindText, Text: text}})
}

// Send lets a phone send a message to a person, by number or JID, or to a
// group, by JID, encrypted for every device as a client does it. Files go
// through the sandbox's media host. It returns the message's id.
//
// Errors: ErrUnknownPhone, ErrUnknownRecipient, ErrUnknownMessage for a
// reference, the service's own refusal as a *stanza.Error, such as 403 from a
// group where only admins may write, and content that no phone could send,
// with the name of the field.
func (w *World) Send(number, to string, out Outgoing) (id string, err error) {
	if out.Kind == "" {
		out.Kind = phone.KindText
	}
	if err := out.Check(); err != nil {
		return "", err
	}
	return w.sendFrom(number, to, out.ID, out.Spoilt, func(a *Account, chat types.JID) (*waE2E.Message, error) {
		scene, err := w.scene(a, chat, &out.Content)
		if err != nil {
			return nil, err
		}
		return a.Phone.Compose(out.Content, scene)
	})
}

// SendRaw lets a phone send a message of any form, also one that no phone
// makes; see Send. With the id "" it draws one.
func (w *World) SendRaw(number, to, id string, message *waE2E.Message) (string, error) {
	return w.sendFrom(number, to, id, false, func(*Account, types.JID) (*waE2E.Message, error) { return message, nil })
}

// sendFrom finds phone and chat, has the message written, and sends it.
func (w *World) sendFrom(number, to, id string, spoilt bool, write func(*Account, types.JID) (*waE2E.Message, error)) (string, error) {
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
	message, err := write(a, chat)
	if err != nil {
		return "", err
	}
	if id == "" {
		id = "3EB0" + strings.ToUpper(w.token(9))
	}
	if err := w.phoneSends(a, chat, id, message, spoilt); err != nil {
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
func (w *World) phoneSends(a *Account, chat types.JID, id string, message *waE2E.Message, spoilt bool) error {
	compose := w.composeDirect
	if chat.Server == types.GroupServer {
		compose = w.composeGroup
	}
	node, err := compose(a, chat, message)
	if err != nil {
		return err
	}
	node.Attrs["id"], node.Attrs["to"] = id, chat
	phone.Label(&node, message)
	if spoilt {
		spoil(&node)
	}
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

// spoil makes the ciphertexts of a message unreadable, but not those that bring
// a group's key: what comes later can be read.
func spoil(node *stanza.Node) {
	var direct, shared []*stanza.Node
	children, _ := node.Content.([]stanza.Node)
	for i := range children {
		switch children[i].Tag {
		case "enc":
			shared = append(shared, &children[i])
		case "participants":
			list, _ := children[i].Content.([]stanza.Node)
			for j := range list {
				if enc := stanza.Child(&list[j], "enc"); enc != nil {
					direct = append(direct, enc)
				}
			}
		}
	}
	if len(shared) == 0 {
		shared = direct
	}
	for _, enc := range shared {
		if raw := bytes.Clone(stanza.Bytes(enc)); len(raw) > 0 {
			raw[len(raw)-1] ^= 0xff // of the signature, or the MAC
			enc.Content = raw
		}
	}
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
