package service

import (
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Receipt is what a phone was told about messages of its account.
type Receipt struct {
	IDs  []string  // of the messages
	Kind string    // "delivered", "read" or "played"
	Chat types.JID // the group, or the reader
	From types.JID // the reader's device, by LID
	At   time.Time
}

// receiptLimit bounds what a phone remembers of receipts: of a group's message
// there is one from every device of every member.
const receiptLimit = 4000

// phoneHears notes a receipt for messages of a phone's account. Those from
// clients that are not in front count like others.
func (w *World) phoneHears(a *Account, reader party, chat types.JID, node *stanza.Node) {
	kind := "delivered"
	switch stanza.Text(node, "type") {
	case "", receiptInactive:
	case receiptRead, receiptPlayed:
		kind = stanza.Text(node, "type")
	default:
		return // between devices
	}
	if len(a.receipts) >= 2*receiptLimit {
		a.receipts = slices.Delete(a.receipts, 0, len(a.receipts)-receiptLimit)
	}
	a.receipts = append(a.receipts, Receipt{
		IDs: receiptIDs(node), Kind: kind, Chat: chat.ToNonAD(), From: reader.jid(true), At: w.opts.Now(),
	})
	w.touch()
}

// Receipts is what a phone was told about its account's messages since the
// program started, oldest first.
func (w *World) Receipts(number string) ([]Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return nil, err
	}
	return slices.Clone(a.receipts), nil
}

// MarkRead lets a phone's user see messages that it received, by id, or with
// played listen to them: their authors get a receipt, unless the phone's
// privacy setting keeps it from them. Errors: ErrUnknownPhone, ErrUnknownMessage.
func (w *World) MarkRead(number string, ids []string, played bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return err
	}
	kind := receiptRead
	switch {
	case played:
		kind = receiptPlayed
	case a.Privacy["readreceipts"] == "none":
		kind = receiptReadSelf
	}
	nodes := make([]stanza.Node, 0, len(ids))
	for _, id := range ids {
		node, ok := w.readReceipt(a, id, kind)
		if !ok {
			return fmt.Errorf("%w: %s", ErrUnknownMessage, id)
		}
		nodes = append(nodes, node)
	}
	for i := range nodes {
		w.routeReceipt(party{a, 0}, &nodes[i])
	}
	w.commit()
	return nil
}

// readReceipt makes the receipt for a message in a phone's inbox that others
// have sent.
func (w *World) readReceipt(a *Account, id, kind string) (stanza.Node, bool) {
	for i := len(a.Inbox) - 1; i >= 0; i-- {
		m := &a.Inbox[i]
		if m.ID != id || m.FromMe {
			continue
		}
		attrs := stanza.Attrs{"id": id, "type": kind, "to": m.Chat.ToNonAD(), "t": w.opts.Now().Unix()}
		if g, ok := w.groups.Get(m.Chat); ok {
			attrs["participant"] = m.From.ToNonAD()
			if author := w.account(m.From); author != nil {
				attrs["participant"] = party{author, 0}.jid(byLID(g))
			}
		}
		return stanza.Node{Tag: "receipt", Attrs: attrs}, true
	}
	return stanza.Node{}, false
}
