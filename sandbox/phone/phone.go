// Package phone is the simulated primary phone of an account: device 0, the
// one that links companions, holds the account's identity key, shares the
// app-state keys and reads what it is sent.
//
// It is pure computation over its own state. It opens no sockets, starts no
// goroutines and takes no locks; the sandbox calls it under its world lock.
// Everything cryptographic is real: companions verify its signatures and open
// its Signal messages, and it opens theirs.
//
// Randomness comes from the reader given to New or Restore as far as the
// libraries allow. Out of its reach are the nonce of every signature, the
// ratchet keys that libsignal makes while it encrypts and decrypts, sender
// keys, and the initialisation vectors of app-state patches: libsignal and
// whatsmeow draw those from crypto/rand. A seeded phone therefore has the same
// identity, registration, pre-keys and app-state key each time, but not the
// same ciphertexts.
package phone

import (
	"errors"
	"fmt"
	"io"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// Phone is one account's primary phone. It is not safe for concurrent use.
type Phone struct {
	random io.Reader
	name   string
	// rawID names this incarnation of the account in everything it signs; a
	// phone that is set up anew gets another one.
	rawID uint32
	// lastKeyIndex is the highest key index a companion was ever signed with.
	lastKeyIndex uint32
	recent       []remembered

	vault     *vault
	device    *store.Device
	processor *appstate.Processor
}

// signedPreKeyID is the id of the one signed pre-key a phone keeps for life.
const signedPreKeyID = 1

// New sets up a phone for the account with the given phone JID and LID, both
// without a device, and its push name.
func New(pn, lid types.JID, name string, random io.Reader) (*Phone, error) {
	if err := checkOwner(pn, lid); err != nil {
		return nil, err
	}
	identity, err := newKeyPair(random)
	if err != nil {
		return nil, fmt.Errorf("make the identity key: %w", err)
	}
	signed, err := newKeyPair(random)
	if err != nil {
		return nil, fmt.Errorf("make the signed pre-key: %w", err)
	}
	registration, err := randomUint32(random)
	if err != nil {
		return nil, fmt.Errorf("draw the registration id: %w", err)
	}
	rawID, err := randomUint32(random)
	if err != nil {
		return nil, fmt.Errorf("draw the account's raw id: %w", err)
	}
	vault := newVault()
	if err = vault.addAppStateKey(random, rawID); err != nil {
		return nil, fmt.Errorf("make the app-state key: %w", err)
	}
	p := &Phone{random: random, name: name, rawID: rawID, vault: vault}
	p.attach(&store.Device{
		IdentityKey:  identity,
		SignedPreKey: &keys.PreKey{KeyPair: *signed, KeyID: signedPreKeyID, Signature: identity.Sign(signed)},
		// Registration ids are numbers from 1 to 16380.
		RegistrationID: 1 + registration%16380,
		ID:             &pn,
		LID:            lid,
	})
	return p, nil
}

// attach puts the phone's own stores under the device and makes the app-state
// processor that works on it.
func (p *Phone) attach(device *store.Device) {
	device.Log = waLog.Noop
	device.SetAllStores(p.vault)
	device.LIDs = p.vault
	device.Initialized = true
	p.device = device
	p.processor = appstate.NewProcessor(device, waLog.Noop)
}

// checkOwner refuses anything but a bare phone JID and a bare LID.
func checkOwner(pn, lid types.JID) error {
	if pn.User == "" || pn.Server != types.DefaultUserServer || pn != pn.ToNonAD() {
		return fmt.Errorf("%q is not a bare phone JID", pn.String())
	}
	if lid.User == "" || lid.Server != types.HiddenUserServer || lid != lid.ToNonAD() {
		return fmt.Errorf("%q is not a bare LID", lid.String())
	}
	return nil
}

// PN is the account's bare phone JID.
func (p *Phone) PN() types.JID { return *p.device.ID }

// LID is the account's bare LID.
func (p *Phone) LID() types.JID { return p.device.LID }

// Name is the push name. A companion may change it through the app state.
func (p *Phone) Name() string { return p.name }

// SetName changes the push name; companions learn it from PushNamePatch.
func (p *Phone) SetName(name string) { p.name = name }

// Identity is the public identity key of phone and account. Companions are
// signed with it and pin it for device 0.
func (p *Phone) Identity() [32]byte { return *p.device.IdentityKey.Pub }

// RegistrationID is the phone's Signal registration id.
func (p *Phone) RegistrationID() uint32 { return p.device.RegistrationID }

// owns tells whether the JID, in either addressing and with any device, is of
// the phone's own account.
func (p *Phone) owns(jid types.JID) bool {
	bare := jid.ToNonAD()
	return bare == p.PN() || bare == p.LID()
}

// errPanic is what a panic inside a library is reported as.
var errPanic = errors.New("the library gave up on its input")

// guard runs work that hands foreign bytes to libsignal or whatsmeow, both of
// which index into them without looking, and turns a panic into an error.
func guard(work func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: %v", errPanic, cause)
		}
	}()
	return work()
}
