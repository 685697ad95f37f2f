package service

import (
	"maps"
	"slices"

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

// queueLimit bounds what waits for one device. The real service keeps what is
// not delivered for some weeks; a device that is away for good would otherwise
// fill the sandbox's memory and its state file.
const queueLimit = 20000

// enqueue keeps a stanza until the device acknowledges it.
func (w *World) enqueue(d *Device, node stanza.Node) {
	if d.StandIn {
		return
	}
	d.Queue = append(d.Queue, Queued{
		Class: node.Tag, ID: stanza.Text(&node, "id"),
		Participant: stanza.Text(&node, "participant"), At: w.opts.Now(), Node: node,
	})
	if len(d.Queue) > queueLimit {
		w.expire(d)
	}
}

// expire drops the oldest tenth of a queue that is full: receipts, calls and
// notifications first, messages only when there is nothing else.
func (w *World) expire(d *Device) {
	full := len(d.Queue)
	left := queueLimit / 10
	messages := 0
	for _, mayDrop := range []func(Queued) bool{
		func(q Queued) bool { return q.Class != "message" },
		func(Queued) bool { messages++; return true },
	} {
		d.Queue = slices.DeleteFunc(d.Queue, func(q Queued) bool {
			if left == 0 || !mayDrop(q) {
				return false
			}
			left--
			return true
		})
	}
	w.log.Warn().Stringer("device", d.PNJID()).Int("dropped", full-len(d.Queue)).Int("messages", messages).
		Msg("The queue of a device that does not acknowledge is full; its oldest stanzas are dropped")
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
		w.later(effect.Delay, func() {
			if d.linked() {
				w.push(d, node)
			}
		})
	case effect.Reorder:
		w.reorder(d, node)
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

// settle drops the queued stanza that was acknowledged. Mostly that is the
// oldest one, which goes without moving the others.
func (d *Device) settle(class, id, participant string) {
	at := slices.IndexFunc(d.Queue, func(q Queued) bool {
		return q.Class == class && q.ID == id && (participant == "" || q.Participant == "" || q.Participant == participant)
	})
	switch {
	case at == 0:
		d.Queue[0] = Queued{}
		d.Queue = d.Queue[1:]
	case at > 0:
		d.Queue = slices.Delete(d.Queue, at, at+1)
	}
}

// groupFrom is the group a notification comes from, or "".
func groupFrom(node *stanza.Node) string {
	if from, ok := stanza.JID(node, "from"); ok && from.Server == "g.us" {
		return from.String()
	}
	return ""
}
