package service

import (
	"maps"

	"muster/sandbox/fault"
	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// push gives a stanza to a device: queued until it is acknowledged, and sent
// now when the device is on line. The node needs its "id" already.
func (w *World) push(d *Device, node stanza.Node) {
	w.enqueue(d, node)
	if d.online() {
		d.conn.send(node)
	}
}

// enqueue keeps a stanza until the device acknowledges it.
func (w *World) enqueue(d *Device, node stanza.Node) {
	d.Queue = append(d.Queue, Queued{
		Class: node.Tag, ID: stanza.Text(&node, "id"),
		Participant: stanza.Text(&node, "participant"), At: w.opts.Now(), Node: node,
	})
}

// notify gives a notification to a device under an id of its own, letting a
// scripted fault double it, hold it back or delay it.
func (w *World) notify(d *Device, node stanza.Node) {
	node.Attrs = maps.Clone(node.Attrs)
	node.Attrs["id"] = w.id()
	effect := w.faults.Match(fault.Stanza{
		Tag: "notification", Type: stanza.Text(&node, "type"), Child: childTag(&node),
		Group: groupFrom(&node), Account: d.Account.PN.User, Outgoing: true,
	})
	switch {
	case effect.DropReply:
		// A notification that is never delivered.
	case effect.Delay > 0:
		w.later(effect.Delay, func() { w.push(d, node) })
	case effect.Reorder:
		w.hold(d, node)
	default:
		w.push(d, node)
		if effect.Duplicate {
			d.sendAgain(node)
		}
		w.release(d)
	}
}

// sendAgain puts a stanza on the wire a second time without queueing it twice.
func (d *Device) sendAgain(node stanza.Node) {
	if d.online() {
		d.conn.send(node)
	}
}

// notifyAccount gives a notification to every companion of an account, except
// one where that is asked for.
func (w *World) notifyAccount(a *Account, node stanza.Node, except *Device) {
	for _, d := range a.companions() {
		if d != except {
			w.notify(d, node)
		}
	}
}

// deliverPushes hands out what the group model wants people to know.
func (w *World) deliverPushes(pushes []group.Push) {
	for _, p := range pushes {
		for _, lid := range p.To {
			if a := w.account(lid); a != nil {
				w.notifyAccount(a, p.Node, nil)
			}
		}
	}
}

// receiveAck takes a delivered stanza off the device's queue.
func (w *World) receiveAck(c *connection, node *stanza.Node) {
	c.device.settle(stanza.Text(node, "class"), stanza.Text(node, "id"), stanza.Text(node, "participant"))
}

// settle drops the queued stanza that was acknowledged.
func (d *Device) settle(class, id, participant string) {
	for i, q := range d.Queue {
		if q.Class == class && q.ID == id && (participant == "" || q.Participant == "" || q.Participant == participant) {
			d.Queue = append(d.Queue[:i:i], d.Queue[i+1:]...)
			return
		}
	}
}

// groupFrom is the group a notification comes from, or "".
func groupFrom(node *stanza.Node) string {
	if from, ok := stanza.JID(node, "from"); ok && from.Server == "g.us" {
		return from.String()
	}
	return ""
}
