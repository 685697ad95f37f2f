package service

import (
	"errors"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// retryLimit is how often a phone asks for one message again; whatsmeow gives
// up at the same count.
const retryLimit = 5

// askedAgain names a message that a phone could not read: ids are only unique
// to their sender.
type askedAgain struct {
	from types.JID
	id   string
}

// phoneReceives delivers a message to a simulated phone, which reads it at
// once. It answers as a client would, with a delivery receipt, or when it
// cannot read it with a retry receipt; but not before phonesAnswer.
func (w *World) phoneReceives(a *Account, message stanza.Node) {
	from, chat, ok := w.messageSource(&message)
	if !ok || a.Off {
		return
	}
	received, err := a.Phone.Decrypt(from, chat, &message)
	asked := askedAgain{from, received.ID}
	switch {
	case err == nil:
		delete(a.asked, asked)
		w.phoneReply(a, &message, nil)
		w.phoneReads(a, received, &message)
	case errors.Is(err, phone.ErrDuplicate):
		w.phoneReply(a, &message, nil) // it was read before; the sender may rest
	case phone.NeedsRetry(err):
		w.log.Debug().Err(err).Stringer("from", from).Str("id", received.ID).Msg("The phone cannot read a message")
		w.phoneAsksAgain(a, asked, &message)
	}
}

// thenAnswer puts off what a phone says about something it was given.
func (w *World) thenAnswer(say func()) { w.answers = append(w.answers, say) }

// phonesAnswer lets the phones say what they have put off. Whoever routes a
// message calls it when the sender has its acknowledgement: phones are no
// faster than the service. What they say may make others answer in turn.
func (w *World) phonesAnswer() {
	for len(w.answers) > 0 {
		say := w.answers[0]
		w.answers = w.answers[1:]
		say()
	}
}

// messageSource tells which device a message comes from, by LID as Signal
// sessions go, and which chat it is of.
func (w *World) messageSource(message *stanza.Node) (from, chat types.JID, ok bool) {
	address, _ := stanza.JID(message, "from")
	chat = address
	if address.Server == types.GroupServer {
		address, _ = stanza.JID(message, "participant")
	}
	sender, ok := w.party(address)
	if !ok {
		return from, chat, false
	}
	from = sender.jid(true)
	if recipient, sent := stanza.JID(message, "recipient"); sent {
		chat = recipient
	} else if chat.Server != types.GroupServer {
		chat = from.ToNonAD()
	}
	return from, chat, true
}

// phoneReads takes in what a message says.
func (w *World) phoneReads(a *Account, received phone.Received, message *stanza.Node) {
	switch {
	case received.Kind == phone.KindSenderKey:
		return // brings a key, and nothing for a person
	case stanza.Text(message, "category") == "peer":
		w.thenAnswer(func() { w.phoneServes(a, received) })
		return
	}
	if a.keep(received) {
		w.openVote(a, &a.Inbox[len(a.Inbox)-1])
		w.touch()
	}
}

// keep puts a message into the inbox, unless it is there: a message that comes
// again under its id, from whichever device of its author, is the same message
// to a phone, whatever it says.
func (a *Account) keep(received phone.Received) (isNew bool) {
	if a.seen == nil {
		a.seen = make(map[messageName]bool, len(a.Inbox))
		for i := range a.Inbox {
			a.seen[nameOf(&a.Inbox[i])] = true
		}
	}
	name := nameOf(&received)
	if a.seen[name] {
		return false
	}
	a.seen[name] = true
	if over := len(a.Inbox) - inboxLimit + 1; over > 0 {
		for i := range a.Inbox[:over] {
			delete(a.seen, nameOf(&a.Inbox[i]))
		}
		clear(a.Inbox[:over]) // the array behind lives on until it is full
		a.Inbox = a.Inbox[over:]
	}
	a.Inbox = append(a.Inbox, received)
	return true
}

// messageName is what tells messages apart: ids are only unique to their author
// and chat.
type messageName struct {
	chat, author types.JID
	id           string
}

func nameOf(m *phone.Received) messageName {
	return messageName{m.Chat.ToNonAD(), m.From.ToNonAD(), m.ID}
}

// phoneReply sends a receipt for a message to where it came from. Without
// children it is a delivery receipt.
func (w *World) phoneReply(a *Account, message *stanza.Node, retry []stanza.Node) {
	attrs := stanza.Attrs{"id": stanza.Text(message, "id")}
	from, _ := stanza.JID(message, "from")
	attrs["to"] = from
	for _, name := range []string{"participant", "recipient"} {
		if jid, ok := stanza.JID(message, name); ok {
			attrs[name] = jid
		}
	}
	sender := from
	if participant, ok := stanza.JID(message, "participant"); ok {
		sender = participant
	}
	peer := stanza.Text(message, "category") == "peer"
	switch {
	case retry != nil:
		attrs["type"] = receiptRetry
		if peer {
			attrs["category"] = "peer"
		}
	case peer:
		attrs["type"] = receiptPeer
	case w.account(sender) == a:
		attrs["type"] = receiptSender
	}
	node := stanza.Node{Tag: "receipt", Attrs: attrs}
	if retry != nil {
		node.Content = retry
	}
	w.thenAnswer(func() { w.routeReceipt(party{a, 0}, &node) })
}

// phoneAsksAgain asks the sender to encrypt a message anew, a few times at most.
func (w *World) phoneAsksAgain(a *Account, asked askedAgain, message *stanza.Node) {
	if a.asked == nil || len(a.asked) >= inboxLimit {
		a.asked = map[askedAgain]int{} // senders that never answered are given up
	}
	a.asked[asked]++
	count := a.asked[asked]
	if count >= retryLimit {
		w.log.Warn().Str("id", asked.id).Stringer("from", asked.from).Str("phone", a.PN.User).
			Msg("The phone gives up on a message that it cannot read")
		return
	}
	t, _ := stanza.Int(message, "t")
	w.phoneReply(a, message, a.Phone.Retry(asked.id, t, count))
}

// phoneResends answers a retry receipt for a message that the phone has sent.
func (w *World) phoneResends(a *Account, requester party, receipt stanza.Node) {
	request, err := phone.ParseRetry(&receipt)
	if err != nil {
		w.log.Warn().Err(err).Str("phone", a.PN.User).Msg("Retry receipt cannot be read")
		return
	}
	if request.Count >= retryLimit {
		return
	}
	device := requester.jid(true)
	bundle := request.Bundle
	if bundle == nil && (request.Count > 1 || !a.Phone.HasSession(device)) {
		bundle = w.bundleFor(requester)
	}
	enc, _, err := a.Phone.Resend(device, bundle, request)
	if err != nil {
		w.log.Debug().Err(err).Str("phone", a.PN.User).Str("id", request.ID).Msg("The phone cannot send a message again")
		return
	}
	message := stanza.Node{Tag: "message", Attrs: stanza.Attrs{"id": request.ID, "type": "text"}, Content: []stanza.Node{enc}}
	if _, sent, ok := a.Phone.Recall(request.ID); ok {
		phone.Label(&message, sent)
	}
	from, _ := stanza.JID(&receipt, "from")
	message.Attrs["to"] = from
	for _, name := range []string{"participant", "recipient"} {
		if jid, ok := stanza.JID(&receipt, name); ok {
			message.Attrs[name] = jid
		}
	}
	if category := stanza.Text(&receipt, "category"); category != "" {
		message.Attrs["category"] = category
	}
	if result := w.routeMessage(party{a, 0}, &message); result.code != 0 {
		w.log.Debug().Int("code", result.code).Str("id", request.ID).Msg("The phone's repeated message was refused")
	}
}

// bundleFor takes what is needed for a session with a device, or nil.
func (w *World) bundleFor(p party) *phone.Bundle {
	request := &call{}
	bundle, ok := w.takeBundle(request, p.jid(true))
	for _, do := range request.after {
		do()
	}
	if !ok {
		return nil
	}
	return &bundle
}
