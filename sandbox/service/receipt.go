package service

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// What receipts say, as far as the service treats them apart. A delivery
// receipt has no type, or "inactive" from a client that is not in front.
const (
	receiptInactive = "inactive"
	receiptRetry    = "retry"
	receiptSender   = "sender" // by an own device, for an own message
	receiptPeer     = "peer_msg"
	receiptRead     = "read"
	receiptReadSelf = "read-self"
	receiptPlayed   = "played"
)

// receiveReceipt acknowledges a companion's receipt, takes the messages it is
// about off the companion's queue, and passes it on.
func (w *World) receiveReceipt(c *connection, node *stanza.Node) {
	d := c.device
	c.send(w.receiptAck(node))
	participant := stanza.Text(node, "participant")
	for _, id := range receiptIDs(node) {
		d.settle("message", id, participant)
	}
	w.routeReceipt(party{d.Account, d.ID}, node)
	w.phonesAnswer()
}

// receiptIDs are the messages a receipt is about.
func receiptIDs(node *stanza.Node) []string {
	ids := []string{stanza.Text(node, "id")}
	if list := stanza.Child(node, "list"); list != nil {
		for _, item := range stanza.Children(list, "item") {
			ids = append(ids, stanza.Text(&item, "id"))
		}
	}
	return ids
}

func (w *World) receiptAck(node *stanza.Node) stanza.Node {
	ack := stanza.Node{Tag: "ack", Attrs: stanza.Attrs{
		"class": "receipt", "id": stanza.Text(node, "id"), "t": w.opts.Now().Unix(),
	}}
	if to, ok := stanza.JID(node, "to"); ok {
		ack.Attrs["from"] = to
	}
	if participant, ok := stanza.JID(node, "participant"); ok {
		ack.Attrs["participant"] = participant
	}
	if kind := stanza.Text(node, "type"); kind != "" {
		ack.Attrs["type"] = kind
	}
	return ack
}

// routeReceipt passes a receipt on to whom it concerns: the author of the
// message, and of what was read also the reader's own other companions.
func (w *World) routeReceipt(reader party, node *stanza.Node) {
	to, ok := stanza.JID(node, "to")
	if !ok {
		return
	}
	switch {
	case stanza.Text(node, "type") == receiptRetry:
		w.routeRetry(reader, to, node)
	case to.Server == types.GroupServer:
		w.receiptToGroup(reader, to, node)
	case to.Server == types.DefaultUserServer, to.Server == types.LegacyUserServer, to.Server == types.HiddenUserServer:
		w.receiptToPerson(reader, to, node)
	}
}

// receiptToGroup tells the author of a group's message.
func (w *World) receiptToGroup(reader party, to types.JID, node *stanza.Node) {
	g, ok := w.groups.Get(to)
	if !ok || !isMember(g, reader.account) {
		return
	}
	author, ok := stanza.JID(node, "participant")
	if !ok {
		return
	}
	a := w.account(author)
	if a == nil {
		return
	}
	lid := byLID(g)
	receipt := w.receiptCopy(node)
	receipt.Attrs["from"] = to
	receipt.Attrs["participant"] = reader.jid(lid)
	receipt.Attrs["addressing_mode"] = string(types.AddressingModePN)
	if lid {
		receipt.Attrs["addressing_mode"] = string(types.AddressingModeLID)
	}
	addAlternative(receipt.Attrs, "participant", reader.account, lid)
	switch {
	case a != reader.account:
		if stanza.Text(node, "type") != receiptReadSelf {
			w.tellCompanions(a, 0, receipt)
			w.phoneHears(a, reader, to, node)
		}
		if isRead(node) {
			own := receipt
			own.Attrs = with(receipt.Attrs, "recipient", author.ToNonAD())
			w.tellCompanions(reader.account, reader.device, own)
		}
	case author.Device != reader.device:
		w.tellDevice(a, author.Device, receipt)
	}
}

// receiptToPerson tells the author of a direct message; a receipt among the
// devices of one account goes to the one that sent the message.
func (w *World) receiptToPerson(reader party, to types.JID, node *stanza.Node) {
	author := w.account(to)
	if author == nil {
		return
	}
	lid := to.Server == types.HiddenUserServer
	receipt := w.receiptCopy(node)
	receipt.Attrs["from"] = reader.jid(lid)
	if author == reader.account {
		if recipient, ok := stanza.JID(node, "recipient"); ok {
			receipt.Attrs["recipient"] = recipient
		}
		// The phone, device 0, needs no receipts: its queue is its memory.
		if to.Device != reader.device {
			w.tellDevice(author, to.Device, receipt)
		}
		return
	}
	if stanza.Text(node, "type") != receiptReadSelf && !author.blocks(reader.account) {
		addAlternative(receipt.Attrs, "sender", reader.account, lid)
		w.tellCompanions(author, 0, receipt)
		w.phoneHears(author, reader, reader.account.LID, node)
	}
	if isRead(node) {
		own := w.receiptCopy(node)
		own.Attrs["from"], own.Attrs["recipient"] = reader.jid(lid), to.ToNonAD()
		w.tellCompanions(reader.account, reader.device, own)
	}
}

// receiptCopy is a receipt as it is passed on, still without an address. That
// the reader's client was not in front is not passed on.
func (w *World) receiptCopy(node *stanza.Node) stanza.Node {
	receipt := stanza.Node{Tag: "receipt", Content: node.Content, Attrs: stanza.Attrs{
		"id": stanza.Text(node, "id"), "t": w.opts.Now().Unix(),
	}}
	if kind := stanza.Text(node, "type"); kind != "" && kind != receiptInactive {
		receipt.Attrs["type"] = kind
	}
	return receipt
}

// isRead tells whether a receipt says that a person saw the message, which the
// person's other devices want to know as well.
func isRead(node *stanza.Node) bool {
	switch stanza.Text(node, "type") {
	case receiptRead, receiptReadSelf, receiptPlayed:
		return true
	}
	return false
}

// tellCompanions gives a receipt to an account's companions but one.
func (w *World) tellCompanions(a *Account, except uint16, receipt stanza.Node) {
	for _, d := range a.companions() {
		if d.ID != except {
			w.push(d, receipt)
		}
	}
}

func (w *World) tellDevice(a *Account, id uint16, receipt stanza.Node) {
	if d := a.Devices[id]; d != nil {
		w.push(d, receipt)
	}
}
