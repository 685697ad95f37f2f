package service

import (
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Unlink logs companions of a phone out, as its user does in "Linked devices":
// one of them, by its JID of either kind, or with nil all of them.
//
// Errors: ErrUnknownPhone, ErrUnknownDevice.
func (w *World) Unlink(number string, device *types.JID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return err
	}
	devices := a.companions()
	if device != nil {
		d := w.device(*device)
		if d == nil || d.Account != a {
			return fmt.Errorf("%w: %s on %s", ErrUnknownDevice, device, number)
		}
		devices = []*Device{d}
	}
	for _, d := range devices {
		w.removeDevice(d)
	}
	w.touch()
	return nil
}

// iqRemoveCompanion lets a companion log out itself or another of its account.
func (w *World) iqRemoveCompanion(c *call) ([]stanza.Node, *stanza.Error) {
	remove := stanza.Child(c.iq, "remove-companion-device")
	if remove == nil {
		return nil, stanza.Refuse(501)
	}
	jid, ok := stanza.JID(remove, "jid")
	if !ok {
		return nil, stanza.Refuse(400)
	}
	if w.account(jid) != c.device.Account {
		return nil, stanza.Refuse(403)
	}
	if jid.Device == 0 {
		return nil, stanza.Refuse(405) // the phone is not a companion
	}
	d := w.device(jid)
	if d == nil {
		return nil, stanza.Refuse(404)
	}
	c.then(func() {
		if d == c.device && d.conn != nil {
			// It knows: whatsmeow's Logout promises no event for one's own doing.
			d.conn.retire()
			d.conn = nil
			w.wentOffline(d)
		}
		w.removeDevice(d)
		w.touch()
	})
	return nil, nil
}

// removeDevice ends a companion's link: its connection, what waits for it, and
// its place in everybody's device lists.
func (w *World) removeDevice(d *Device) {
	if d.Account.Devices[d.ID] != d {
		return // another request was faster
	}
	delete(d.Account.Devices, d.ID)
	d.Queue, d.held = nil, nil
	if d.conn != nil {
		d.conn.finish(deviceRemoved())
		d.conn = nil
		w.wentOffline(d)
	}
	w.announceDevice(d, "remove")
}

// deviceRemoved ends the stream of a client whose credentials are void.
func deviceRemoved() stanza.Node {
	node := streamError(401)
	node.Content = []stanza.Node{{Tag: "conflict", Attrs: stanza.Attrs{"type": "device_removed"}}}
	return node
}
