package service

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// routeRetry passes a device's wish for another copy of a message to the one
// device that sent it, keys and all. In groups that device is the participant.
func (w *World) routeRetry(requester party, to types.JID, node *stanza.Node) {
	receipt := w.receiptCopy(node)
	for _, name := range []string{"category", "edit"} {
		if value := stanza.Text(node, name); value != "" {
			receipt.Attrs[name] = value
		}
	}
	author := to
	if to.Server == types.GroupServer {
		g, ok := w.groups.Get(to)
		if !ok || !isMember(g, requester.account) {
			return
		}
		if author, ok = stanza.JID(node, "participant"); !ok {
			return
		}
		lid := byLID(g)
		receipt.Attrs["from"] = to
		receipt.Attrs["participant"] = requester.jid(lid)
		addAlternative(receipt.Attrs, "participant", requester.account, lid)
		receipt.Attrs["addressing_mode"] = string(types.AddressingModePN)
		if lid {
			receipt.Attrs["addressing_mode"] = string(types.AddressingModeLID)
		}
	} else {
		lid := to.Server == types.HiddenUserServer
		receipt.Attrs["from"] = requester.jid(lid)
		if recipient, ok := stanza.JID(node, "recipient"); ok {
			receipt.Attrs["recipient"] = recipient
		} else {
			addAlternative(receipt.Attrs, "sender", requester.account, lid)
		}
	}
	target, ok := w.party(author)
	switch {
	case !ok || target == requester:
		return
	case target.device == 0:
		w.phoneResends(target.account, requester, receipt)
	default:
		w.push(target.account.Devices[target.device], receipt)
	}
}
