package service

import "muster/sandbox/stanza"

// reorder makes a notification swap places with the device's next one: it is
// held back, unless one is held back already, which it overtakes.
func (w *World) reorder(d *Device, node stanza.Node) {
	if len(d.held) == 0 {
		w.hold(d, node)
		return
	}
	w.push(d, node)
	w.release(d)
}

// hold queues a notification without sending it. The device's next
// notification overtakes it; a reconnect before that delivers it in order.
func (w *World) hold(d *Device, node stanza.Node) {
	w.enqueue(d, node)
	d.held = append(d.held, stanza.Text(&node, "id"))
}

// release sends what was held back, unless a reconnect has delivered it.
func (w *World) release(d *Device) {
	held := d.held
	d.held = nil
	for _, id := range held {
		for _, q := range d.Queue {
			if q.Class == "notification" && q.ID == id {
				d.sendAgain(q.Node)
			}
		}
	}
}
