package service

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// receiveChatState passes "composing" and "paused" on to those in the chat who
// are on line now. It is not queued for the others: it would mean nothing later.
func (w *World) receiveChatState(c *connection, node *stanza.Node) {
	to, ok := stanza.JID(node, "to")
	state := stanza.First(node)
	if !ok || state == nil {
		return
	}
	if state.Tag != "composing" && state.Tag != "paused" {
		w.unknownStanza(node)
		return
	}
	content := []stanza.Node{*state}
	if to.Server == types.GroupServer {
		w.groupChatState(c.device, to, content)
		return
	}
	peer := w.account(to)
	if peer == nil || peer == c.device.Account || peer.blocks(c.device.Account) {
		return
	}
	attrs := stanza.Attrs{"from": c.device.LIDJID(), "sender_pn": c.device.PNJID()}
	if to.Server != types.HiddenUserServer {
		attrs = stanza.Attrs{"from": c.device.PNJID(), "sender_lid": c.device.LIDJID()}
	}
	sendOnline(peer, stanza.Node{Tag: "chatstate", Attrs: attrs, Content: content})
}

// groupChatState tells a group's other members, in the group's addressing.
func (w *World) groupChatState(from *Device, jid types.JID, content []stanza.Node) {
	g, ok := w.groups.Get(jid)
	if !ok {
		return
	}
	if _, member := g.Member(from.Account.LID); !member {
		return
	}
	attrs := stanza.Attrs{"from": g.JID, "addressing_mode": string(g.AddressingMode)}
	if g.AddressingMode == types.AddressingModePN {
		attrs["participant"], attrs["participant_lid"] = from.PNJID(), from.Account.LID
	} else {
		attrs["participant"], attrs["participant_pn"] = from.LIDJID(), from.Account.PN
	}
	for _, m := range g.Members() {
		if a := w.account(m.LID); a != nil && a != from.Account {
			sendOnline(a, stanza.Node{Tag: "chatstate", Attrs: attrs, Content: content})
		}
	}
}

// sendOnline gives a stanza to those companions that are connected.
func sendOnline(a *Account, node stanza.Node) {
	for _, d := range a.companions() {
		if d.online() {
			d.conn.send(node)
		}
	}
}
