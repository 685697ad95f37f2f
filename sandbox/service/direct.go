package service

import (
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// routeToPerson delivers a message to a person: to each of their devices and to
// the sender's own others, or, when it has one ciphertext only, to the very
// device it is addressed to (peer messages and answers to retries). Someone who
// has blocked the sender gets nothing, and the sender is not told.
func (w *World) routeToPerson(sender party, to types.JID, node *stanza.Node) delivery {
	peer := w.account(to)
	if peer == nil || !peer.OnWhatsApp {
		return delivery{code: 404}
	}
	own := peer == sender.account
	if stanza.Text(node, "category") == "peer" && !own {
		return delivery{code: 403}
	}
	lid := to.Server == types.HiddenUserServer
	p := w.unpack(node)
	if p.single != nil {
		return w.routeToDevice(sender, party{peer, to.Device}, lid, p, node)
	}
	if to.Device != 0 {
		w.resendDirect(sender, party{peer, to.Device}, lid, p, node)
		return delivery{}
	}
	if !own {
		sender.account.talkedWith(peer)
	}
	if !own && !peer.blocks(sender.account) {
		attrs := w.directAttrs(sender, lid, node)
		w.handEach(peer.parties(), sender, p, attrs)
	}
	w.handEach(sender.account.parties(), sender, p, w.ownCopyAttrs(sender, peer, lid, node))
	return delivery{hash: missedDevices(sender, peer, lid, p)}
}

// handEach gives each device, except the sending one, its copy.
func (w *World) handEach(targets []party, sender party, p parcel, attrs stanza.Attrs) {
	for _, target := range targets {
		if target == sender {
			continue
		}
		if contents := p.contents(p.enc(target)); contents != nil {
			w.hand(target, stanza.Node{Tag: "message", Attrs: attrs, Content: contents})
		}
	}
}

// routeToDevice delivers a message that has one ciphertext.
func (w *World) routeToDevice(sender, target party, lid bool, p parcel, node *stanza.Node) delivery {
	if target.device != 0 && target.account.Devices[target.device] == nil {
		return delivery{code: 404}
	}
	if target.account != sender.account && target.account.blocks(sender.account) {
		return delivery{}
	}
	attrs := w.copyAttrs(sender, target.account, lid, node)
	w.hand(target, stanza.Node{Tag: "message", Attrs: attrs, Content: p.contents(p.single)})
	return delivery{}
}

// resendDirect answers a retry in the form of Baileys 6: the one device is
// listed under <participants>.
func (w *World) resendDirect(sender, target party, lid bool, p parcel, node *stanza.Node) {
	if target.account != sender.account && target.account.blocks(sender.account) {
		return
	}
	w.handEach([]party{target}, sender, p, w.copyAttrs(sender, target.account, lid, node))
}

// copyAttrs are the attributes of a copy for one device: the other party's, or
// the sender's own with the chat it went to.
func (w *World) copyAttrs(sender party, receiver *Account, lid bool, node *stanza.Node) stanza.Attrs {
	if receiver != sender.account {
		return w.directAttrs(sender, lid, node)
	}
	attrs := w.messageAttrs(sender, node)
	attrs["from"] = sender.jid(lid)
	if recipient, ok := stanza.JID(node, "recipient"); ok {
		attrs["recipient"] = recipient
		if peer := w.account(recipient); peer != nil {
			addAlternative(attrs, "peer_recipient", peer, recipient.Server == types.HiddenUserServer)
		}
	} else {
		addAlternative(attrs, "peer_recipient", receiver, lid)
	}
	return attrs
}

// directAttrs are the attributes of the copy the other party gets.
func (w *World) directAttrs(sender party, lid bool, node *stanza.Node) stanza.Attrs {
	attrs := w.messageAttrs(sender, node)
	attrs["from"] = sender.jid(lid)
	addAlternative(attrs, "sender", sender.account, lid)
	return attrs
}

// ownCopyAttrs are the attributes of the copy the sender's other devices get.
func (w *World) ownCopyAttrs(sender party, peer *Account, lid bool, node *stanza.Node) stanza.Attrs {
	attrs := w.messageAttrs(sender, node)
	attrs["from"] = sender.jid(lid)
	attrs["recipient"] = party{peer, 0}.jid(lid)
	addAlternative(attrs, "peer_recipient", peer, lid)
	return attrs
}

// addAlternative names a person in the addressing that the stanza does not use.
func addAlternative(attrs stanza.Attrs, role string, who *Account, lid bool) {
	if lid {
		attrs[role+"_pn"] = who.PN
	} else {
		attrs[role+"_lid"] = who.LID
	}
}

// missedDevices is the hash of all devices of both sides when the sender did
// not encrypt for exactly those; "" when it did.
func missedDevices(sender party, peer *Account, lid bool, p parcel) string {
	targets := peer.parties()
	if peer != sender.account {
		targets = append(targets, sender.account.parties()...)
	}
	complete := !p.stale
	devices := make([]types.JID, 0, len(targets))
	for _, target := range targets {
		devices = append(devices, target.jid(lid))
		complete = complete && (target == sender || slices.Contains(p.known, target))
	}
	if complete {
		return ""
	}
	return deviceHash(devices)
}

// talkedWith notes that two accounts have exchanged messages: from then on each
// learns of the other's devices.
func (a *Account) talkedWith(b *Account) {
	a.Talked[b.LID.User] = true
	b.Talked[a.LID.User] = true
}
