package service

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// callSignals are the steps of a call that clients understand (whatsmeow's
// handleCallEvent). The sandbox passes them on; no sound ever flows.
var callSignals = map[string]bool{
	"offer": true, "offer_notice": true, "preaccept": true, "accept": true, "transport": true,
	"relaylatency": true, "reject": true, "terminate": true,
}

// receiveCall passes a step of a call on to the other side and acknowledges
// it, or refuses it in the acknowledgement: 404 when there is nobody, 501 for
// what the sandbox does not know, call links among it.
func (w *World) receiveCall(c *connection, node *stanza.Node) {
	to, addressed := stanza.JID(node, "to")
	step := stanza.First(node)
	if step == nil || !callSignals[step.Tag] {
		w.unknownStanza(node)
		c.send(callAck(node, 501))
		return
	}
	peer := w.account(to)
	if !addressed || peer == nil || !peer.OnWhatsApp {
		c.send(callAck(node, 404))
		return
	}
	c.send(callAck(node, 0))
	if peer == c.device.Account || peer.blocks(c.device.Account) {
		return
	}
	w.ring(peer, c.device, *step)
}

// ring queues a step of a call for every companion of the other side.
func (w *World) ring(peer *Account, from *Device, step stanza.Node) {
	for _, d := range peer.companions() {
		w.push(d, stanza.Node{
			Tag: "call",
			Attrs: stanza.Attrs{
				"from": from.LIDJID(), "sender_pn": from.PNJID(), "id": w.id(), "t": w.opts.Now().Unix(),
				"notify": from.Account.Name, "platform": "web", "version": "2",
			},
			Content: []stanza.Node{step},
		})
	}
}

// callAck acknowledges a call stanza; an error code of 0 is none.
func callAck(node *stanza.Node, code int) stanza.Node {
	from, ok := stanza.JID(node, "to")
	if !ok {
		from = types.ServerJID
	}
	attrs := stanza.Attrs{"class": "call", "id": stanza.Text(node, "id"), "from": from}
	if step := stanza.First(node); step != nil {
		attrs["type"] = step.Tag
	}
	if code != 0 {
		attrs["error"] = code
	}
	return stanza.Node{Tag: "ack", Attrs: attrs}
}
