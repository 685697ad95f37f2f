package service

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// refCount is how many references a client gets: whatsmeow shows the first one
// for a minute only when exactly six remain, and each other for 20 seconds.
const refCount = 6

// How long clients show the first code, and each other. A code is void when the
// client has replaced it; the grace is for the way to the client and back.
const (
	firstRefLife = time.Minute
	refLife      = 20 * time.Second
	refGrace     = time.Second
)

// offer is a reference that a client shows as a QR code, until it expires.
type offer struct {
	c       *connection
	expires time.Time
}

// offerLink gives a client that wants to be linked the references for its QR
// codes. Clients disconnect by themselves when they have shown the last one.
func (w *World) offerLink(c *connection) {
	if _, _, err := readRegistration(c.wire.Payload().GetDevicePairingData()); err != nil {
		w.log.Warn().Err(err).Msg("Client cannot be linked")
		c.finish(w.loginFailure(400))
		return
	}
	refs := make([]stanza.Node, 0, refCount)
	expires := w.opts.Now().Add(refGrace)
	for i := range refCount {
		ref := w.newRef()
		c.refs = append(c.refs, ref)
		if i == 0 {
			expires = expires.Add(firstRefLife)
		} else {
			expires = expires.Add(refLife)
		}
		w.waiting[ref] = offer{c, expires}
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
	shown, known := w.waiting[code.Ref]
	if !known || w.opts.Now().After(shown.expires) {
		return nil, ErrStaleQR
	}
	c := shown.c
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
