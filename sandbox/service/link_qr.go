package service

import (
	"context"
	"encoding/base64"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// refCount is how many references a client gets: whatsmeow shows the first one
// for a minute only when exactly six remain, and each other for 20 seconds.
const refCount = 6

// offerLink gives a client that wants to be linked the references for its QR
// codes. They hold as long as the connection does; clients disconnect by
// themselves when they have shown the last one.
func (w *World) offerLink(c *connection) {
	if _, _, err := readRegistration(c.wire.Payload().GetDevicePairingData()); err != nil {
		w.log.Warn().Err(err).Msg("Client cannot be linked")
		c.finish(w.loginFailure(400))
		return
	}
	refs := make([]stanza.Node, 0, refCount)
	for range refCount {
		ref := w.newRef()
		c.refs = append(c.refs, ref)
		w.waiting[ref] = c
		refs = append(refs, stanza.Node{Tag: "ref", Content: []byte(ref)})
	}
	c.send(stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
		"from": types.ServerJID, "type": "set", "id": w.id(), "xmlns": "md",
	}, Content: []stanza.Node{{Tag: "pair-device", Content: refs}}})
	w.touch()
}

// newRef names a waiting client; QR codes separate their fields with commas,
// which base64 has none of.
func (w *World) newRef() string {
	return "2@" + base64.StdEncoding.EncodeToString(w.bytes(48))
}

// ScanQR lets the phone of a number scan the QR code that a client shows, and
// waits until the client has confirmed the link. It returns the new device's
// phone JID.
//
// Errors: ErrUnknownPhone, ErrNotOnWhatsApp, ErrBadQR, ErrStaleQR,
// ErrForeignQR, ErrTooManyDevices; and from the client ErrLinkRefused,
// ErrLinkLost, ErrLinkUnanswered when ctx, or a minute without one, ends.
func (w *World) ScanQR(ctx context.Context, number, text string) (types.JID, error) {
	ctx, cancel := withLinkWait(ctx)
	defer cancel()
	l, err := w.scan(number, text)
	if err != nil {
		return types.EmptyJID, err
	}
	return w.awaitLink(ctx, l)
}

func (w *World) scan(number, text string) (*linking, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return nil, err
	}
	code, err := phone.ParseQR(text)
	if err != nil {
		return nil, err
	}
	c := w.waiting[code.Ref]
	if c == nil {
		return nil, ErrStaleQR
	}
	identity := c.wire.Payload().GetDevicePairingData().GetEIdent()
	if code.Noise != c.wire.ClientStatic() || string(identity) != string(code.Identity[:]) {
		return nil, ErrForeignQR
	}
	l, err := w.beginLink(c, a, code.AdvSecret)
	if err != nil {
		return nil, fmt.Errorf("link %s: %w", a.PN.User, err)
	}
	w.touch()
	return l, nil
}
