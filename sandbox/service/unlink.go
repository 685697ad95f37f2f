package service

import (
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Unlink logs companions of a phone out, as its user does in "Linked devices":
// one of them, by its JID of either kind, or with nil all of them, those that
// are just being linked included.
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
	} else {
		w.dropUnconfirmed(a)
	}
	for _, d := range devices {
		w.removeDevice(d)
	}
	w.commit()
	return nil
}

// dropUnconfirmed makes the credentials void that clients have got and not
// confirmed.
func (w *World) dropUnconfirmed(a *Account) {
	for c := range w.conns {
		if l := c.linking; l != nil && l.device != nil && a.Unconfirmed[l.device.ID] == l.device {
			w.voidLink(c, fmt.Errorf("%w: the phone's user unlinked it", ErrLinkLost))
		}
	}
	clear(a.Unconfirmed)
}

// iqRemoveCompanion lets a companion log itself out. That is all that clients
// ask for (whatsmeow's Logout, Baileys' logout); that companions may not log
// out one another is reconstructed from there being no such button in them.
func (w *World) iqRemoveCompanion(c *call) ([]stanza.Node, *stanza.Error) {
	remove := stanza.Child(c.iq, "remove-companion-device")
	if remove == nil {
		return nil, stanza.Refuse(501)
	}
	jid, ok := stanza.JID(remove, "jid")
	if !ok {
		return nil, stanza.Refuse(400)
	}
	d := c.device
	switch {
	case w.account(jid) != d.Account:
		return nil, stanza.Refuse(403)
	case jid.Device == 0:
		return nil, stanza.Refuse(405) // the phone is not a companion
	case d.Account.Devices[jid.Device] == nil:
		return nil, stanza.Refuse(404)
	case jid.Device != d.ID:
		return nil, stanza.Refuse(403)
	}
	w.dropDevice(d)
	c.then(func() {
		if d.conn != nil {
			// It knows: whatsmeow's Logout promises no event for one's own doing.
			d.conn.retire()
			d.conn = nil
			w.wentOffline(d)
		}
		w.announceDevice(d, "remove")
		w.touch()
	})
	return nil, nil
}

// removeDevice ends a companion's link: its connection, what waits for it, and
// its place in everybody's device lists.
func (w *World) removeDevice(d *Device) {
	w.dropDevice(d)
	if d.conn != nil {
		d.conn.finish(deviceRemoved())
		d.conn = nil
		w.wentOffline(d)
	}
	w.announceDevice(d, "remove")
}

// dropDevice takes a companion, and what waits for it, off its account.
func (w *World) dropDevice(d *Device) {
	delete(d.Account.Devices, d.ID)
	d.Queue, d.held = nil, nil
}

// deviceRemoved ends the stream of a client whose credentials are void.
func deviceRemoved() stanza.Node {
	node := streamError(401)
	node.Content = []stanza.Node{{Tag: "conflict", Attrs: stanza.Attrs{"type": "device_removed"}}}
	return node
}
