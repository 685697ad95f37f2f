package service

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// What linking may fail with, besides ErrUnknownPhone.
var (
	// ErrBadQR and ErrBadCode: what was scanned or typed is no such thing.
	ErrBadQR   = phone.ErrBadQR
	ErrBadCode = phone.ErrBadCode
	// ErrWrongCode: the code is not the one the client shows. It may be tried
	// again while the client waits.
	ErrWrongCode = phone.ErrWrongCode
	// ErrStaleQR: no connected client offers this QR code; it was used, or its
	// client left.
	ErrStaleQR = errors.New("no client offers this QR code any more")
	// ErrForeignQR: the keys in the QR code are not those of the client that
	// the service gave its reference to.
	ErrForeignQR = errors.New("the QR code has other keys than the client that shows it")
	// ErrNoCodeAsked: no connected client has asked for a code for the number.
	ErrNoCodeAsked = errors.New("no client waits for a code for this number")
	// ErrNotOnWhatsApp: the number exists, but has no account to link to.
	ErrNotOnWhatsApp = errors.New("the number is not on WhatsApp")
	// ErrTooManyDevices: the account has as many companions as it may.
	ErrTooManyDevices = errors.New("the account has no room for another companion")
	// ErrLinkRefused: the client did not accept what the phone signed, or
	// answered wrongly.
	ErrLinkRefused = errors.New("the client refused the link")
	// ErrLinkLost: the client left before it confirmed. If it had its
	// credentials already, it may still sign in for some minutes.
	ErrLinkLost = errors.New("the client left before it confirmed the link")
	// ErrLinkUnanswered: the client did not answer in time.
	ErrLinkUnanswered = errors.New("the client did not answer")
)

const (
	// companionLimit is how many companions an account can have: "up to four
	// devices", says WhatsApp's help page on linked devices.
	companionLimit = 4
	// highestDevice bounds device numbers. On the wire they are one byte;
	// WhatsApp's have two digits.
	highestDevice = 99
	// linkWait bounds the wait for a client when the caller's context does not.
	linkWait = time.Minute
	// confirmLimit is how long a client that never confirmed may still sign in
	// with its new credentials.
	confirmLimit = 5 * time.Minute
)

// linking is a client that is being linked to an account: from the phone's
// consent to the client's confirmation.
type linking struct {
	account *Account
	secret  []byte           // proves the phone's signature to the client
	passkey *passkeyExchange // nil unless the account demands one
	device  *Device          // set once <pair-success> is on its way
	request string           // the id of <pair-success>
	outcome chan error       // gets one value
}

// settle ends the wait for a link. Only the first outcome counts.
func (l *linking) settle(err error) {
	select {
	case l.outcome <- err:
	default:
	}
}

// beginLink links the client of a connection to an account whose user has
// consented. The client's confirmation ends it.
func (w *World) beginLink(c *connection, a *Account, secret []byte) (*linking, error) {
	if err := w.roomFor(a); err != nil {
		return nil, err
	}
	l := &linking{account: a, secret: secret, outcome: make(chan error, 1)}
	if a.Passkey {
		if err := w.demandPasskey(c, l); err != nil {
			return nil, err
		}
	} else if err := w.sendPairSuccess(c, l); err != nil {
		return nil, err
	}
	w.withdrawOffer(c)
	c.linking = l
	return l, nil
}

// roomFor tells whether an account can have one more companion. Those that have
// their credentials and have not confirmed yet have a place as well.
func (w *World) roomFor(a *Account) error {
	w.forgetUnconfirmed(a)
	if taken := len(a.Devices) + len(a.Unconfirmed); taken >= companionLimit {
		return fmt.Errorf("%w: %s has %d, %d of them not confirmed yet", ErrTooManyDevices, a.PN.User, taken, len(a.Unconfirmed))
	}
	return nil
}

// sendPairSuccess makes the client a device of the account and tells it so.
//
// The client takes its credentials for good as soon as it has read this, and
// before it confirms. So the device is written to disk first; but it belongs to
// the account only when the client has confirmed, or signs in.
func (w *World) sendPairSuccess(c *connection, l *linking) error {
	d, err := w.newDevice(c, l.account)
	if err != nil {
		return err
	}
	now := w.opts.Now()
	identity, err := l.account.Phone.SignCompanion(d.Identity, l.secret, d.KeyIndex, now)
	if err != nil {
		return fmt.Errorf("sign the companion: %w", err)
	}
	l.account.Unconfirmed[d.ID] = d
	if err := w.save(); err != nil {
		delete(l.account.Unconfirmed, d.ID)
		return err
	}
	l.device, l.request = d, w.id()
	success := []stanza.Node{
		{Tag: "device-identity", Content: identity},
		{Tag: "device", Attrs: stanza.Attrs{"jid": d.PNJID(), "lid": d.LIDJID()}},
	}
	if l.account.Business {
		success = append(success, stanza.Node{Tag: "platform", Attrs: stanza.Attrs{"name": "smba"}},
			stanza.Node{Tag: "biz", Attrs: stanza.Attrs{"name": l.account.Name}})
	} else {
		success = append(success, stanza.Node{Tag: "platform", Attrs: stanza.Attrs{"name": "android"}})
	}
	c.send(stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
		"from": types.ServerJID, "type": "set", "id": l.request, "t": now.Unix(),
	}, Content: []stanza.Node{{Tag: "pair-success", Content: success}}})
	return nil
}

// newDevice makes the device that a client will be, from what it said of itself
// when it connected.
func (w *World) newDevice(c *connection, a *Account) (*Device, error) {
	keys, platform, err := readRegistration(c.wire.Payload().GetDevicePairingData())
	if err != nil {
		return nil, err
	}
	if err := w.roomFor(a); err != nil {
		return nil, err // others were faster since the passkey was asked for
	}
	index := a.NextDevice
	for a.deviceTaken(deviceNumber(index)) {
		index++
	}
	a.NextDevice = index + 1
	return &Device{
		ID: deviceNumber(index), Account: a, Noise: c.wire.ClientStatic(), Identity: keys.Identity,
		KeyIndex: uint32(index), Platform: platform, Linked: w.opts.Now(), Keys: keys,
	}, nil
}

// deviceNumber turns the count of an account's links, from 1 on, into a number
// that fits on the wire.
func deviceNumber(index uint16) uint16 { return (index-1)%highestDevice + 1 }

func (a *Account) deviceTaken(id uint16) bool {
	return a.Devices[id] != nil || a.Unconfirmed[id] != nil
}

// readRegistration checks the keys a client registers with.
func readRegistration(data *waWa6.ClientPayload_DevicePairingRegistrationData) (DeviceKeys, string, error) {
	fields := []struct {
		name  string
		value []byte
		size  int
	}{
		{"registration id", data.GetERegid(), 4}, {"key type", data.GetEKeytype(), 1},
		{"identity", data.GetEIdent(), 32}, {"signed key id", data.GetESkeyID(), 3},
		{"signed key", data.GetESkeyVal(), 32}, {"signed key signature", data.GetESkeySig(), 64},
	}
	for _, f := range fields {
		if len(f.value) != f.size {
			return DeviceKeys{}, "", fmt.Errorf("registration: %s has %d bytes, not %d", f.name, len(f.value), f.size)
		}
	}
	var props waCompanionReg.DeviceProps
	if err := proto.Unmarshal(data.GetDeviceProps(), &props); err != nil {
		return DeviceKeys{}, "", fmt.Errorf("registration: device properties: %w", err)
	}
	return DeviceKeys{
		Registration: binary.BigEndian.Uint32(data.GetERegid()), Type: data.GetEKeytype()[0],
		Identity:  [32]byte(data.GetEIdent()),
		SignedID:  binary.BigEndian.Uint32(append([]byte{0}, data.GetESkeyID()...)),
		SignedKey: [32]byte(data.GetESkeyVal()), SignedSig: [64]byte(data.GetESkeySig()),
	}, strings.ToLower(props.GetPlatformType().String()), nil
}

// linkAnswer takes the client's answer to <pair-success>. Its answer to the
// offer needs nothing.
func (w *World) linkAnswer(c *connection, node *stanza.Node) {
	l := c.linking
	if l == nil || l.device == nil || stanza.Text(node, "id") != l.request || l.account.Unconfirmed[l.device.ID] != l.device {
		return
	}
	if stanza.Text(node, "type") == "error" {
		delete(l.account.Unconfirmed, l.device.ID)
		reason := "without a reason"
		if e := stanza.Child(node, "error"); e != nil {
			reason = stanza.Text(e, "code") + " " + stanza.Text(e, "text")
		}
		l.settle(fmt.Errorf("%w: %s", ErrLinkRefused, reason))
		w.touch()
		return
	}
	var signed []byte
	if identity := stanza.Path(node, "pair-device-sign", "device-identity"); identity != nil {
		signed = stanza.Bytes(identity)
	}
	if err := l.account.Phone.VerifyCompanion(l.device.Identity, signed); err != nil {
		w.voidLink(c, fmt.Errorf("%w: %w", ErrLinkRefused, err))
		return
	}
	if err := w.adopt(l.device); err != nil {
		w.voidLink(c, err)
		return
	}
	c.finish(streamError(515)) // it is to connect again, as the device it is now
	l.settle(nil)
}

// voidLink ends a link whose client has its credentials already, and believes
// in them.
func (w *World) voidLink(c *connection, why error) {
	delete(c.linking.account.Unconfirmed, c.linking.device.ID)
	c.finish(deviceRemoved())
	c.linking.settle(why)
	w.touch()
}

// adopt makes a device that has proved to have its credentials one of the
// account's companions, and lets everybody know. It fails with
// ErrTooManyDevices.
func (w *World) adopt(d *Device) error {
	if len(d.Account.Devices) >= companionLimit {
		return fmt.Errorf("%w: %s has %d", ErrTooManyDevices, d.Account.PN.User, len(d.Account.Devices))
	}
	delete(d.Account.Unconfirmed, d.ID)
	w.seedAppState(d.Account) // before the device is there, which has no key to read it yet
	d.Account.Devices[d.ID] = d
	w.announceDevice(d, "add")
	if err := w.save(); err != nil {
		// Not lost: the state on disk has the device as unconfirmed, and its
		// next sign-in confirms it.
		w.log.Error().Err(err).Stringer("device", d.PNJID()).Msg("New device could not be written")
	}
	w.touch()
	return nil
}

// forgetUnconfirmed drops the devices whose clients had their time to confirm.
func (w *World) forgetUnconfirmed(a *Account) {
	for id, d := range a.Unconfirmed {
		if w.opts.Now().Sub(d.Linked) > confirmLimit {
			delete(a.Unconfirmed, id)
		}
	}
}

// withdrawLink ends what a connection offered or began, when it ends.
func (w *World) withdrawLink(c *connection) {
	w.withdrawOffer(c)
	if c.linking != nil {
		c.linking.settle(ErrLinkLost)
	}
}

// withdrawOffer makes a connection's QR codes and phone code void.
func (w *World) withdrawOffer(c *connection) {
	for _, ref := range c.refs {
		if w.waiting[ref].c == c {
			delete(w.waiting, ref)
		}
	}
	c.refs = nil
	for number, asked := range w.codeLinks {
		if asked.conn == c {
			delete(w.codeLinks, number)
			asked.settle(ErrLinkLost)
		}
	}
}

// awaitLink waits until the client has confirmed or refused.
func (w *World) awaitLink(ctx context.Context, l *linking) (types.JID, error) {
	select {
	case err := <-l.outcome:
		if err != nil {
			return types.EmptyJID, err
		}
		return l.device.PNJID(), nil
	case <-ctx.Done():
		return types.EmptyJID, fmt.Errorf("%w: %w", ErrLinkUnanswered, ctx.Err())
	case <-w.ctx.Done():
		return types.EmptyJID, fmt.Errorf("%w: the sandbox was closed", ErrLinkLost)
	}
}

// withLinkWait bounds a caller's context.
func withLinkWait(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, linkWait)
}

// linkable finds the account that a phone's user links to.
func (w *World) linkable(number string) (*Account, error) {
	a, err := w.byPhone(number)
	if err != nil {
		return nil, err
	}
	if !a.OnWhatsApp {
		return nil, fmt.Errorf("%w: %s", ErrNotOnWhatsApp, a.PN.User)
	}
	return a, nil
}
