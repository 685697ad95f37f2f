package session

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/util/keys"
)

// own makes whatsmeow save and delete the device through the session, and
// watches its decryptions.
func (o *ownedDevice) own(device *store.Device) *store.Device {
	device.Container = o
	if _, watched := device.EventBuffer.(watchedBuffer); device.EventBuffer != nil && !watched {
		device.EventBuffer = watchedBuffer{device.EventBuffer, o}
		device.Sessions = watchedSessions{device.Sessions}
		device.Identities = watchedIdentities{device.Identities}
		device.PreKeys = watchedPreKeys{device.PreKeys}
		device.SenderKeys = watchedSenderKeys{device.SenderKeys}
	}
	return device
}

// watchedBuffer watches the decryptions of one device.
//
// It counts those in work, so that a new connection can wait for those of the
// one before. Without that, a message that is delivered again while its first
// delivery is being decrypted is found neither decrypted nor decryptable (its
// key was just used); whatsmeow then drops and acknowledges it, and if the
// first delivery fails to be stored, it is lost.
//
// And it tells a failure of the database from one of the cipher. whatsmeow
// takes both for a message that cannot be decrypted, and acknowledges it.
type watchedBuffer struct {
	store.EventBuffer
	device *ownedDevice
}

// GetBufferedEvent implements store.EventBuffer.
func (b watchedBuffer) GetBufferedEvent(ctx context.Context, ciphertextHash [32]byte) (*store.BufferedEvent, error) {
	event, err := b.EventBuffer.GetBufferedEvent(ctx, ciphertextHash)
	if err != nil {
		b.device.keysFailed(ctx, fmt.Errorf("read the buffer of events: %w", err))
	}
	return event, err
}

// PutBufferedEvent implements store.EventBuffer.
func (b watchedBuffer) PutBufferedEvent(ctx context.Context, ciphertextHash [32]byte, plaintext []byte, sent time.Time) error {
	return noted(ctx, b.EventBuffer.PutBufferedEvent(ctx, ciphertextHash, plaintext, sent))
}

// DoDecryptionTxn implements store.EventBuffer.
func (b watchedBuffer) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	b.device.decrypting.begin()
	defer b.device.decrypting.end()
	var database storageErrors
	var inside error
	err := b.EventBuffer.DoDecryptionTxn(ctx, func(ctx context.Context) error {
		inside = unpanicked(context.WithValue(ctx, storageErrorsKey{}, &database), decrypt)
		return inside
	})
	switch {
	case err == nil:
	case database.first != nil:
		b.device.keysFailed(ctx, database.first)
	case inside == nil: // the transaction did not begin, or was not committed
		b.device.keysFailed(ctx, err)
	}
	return err
}

// unpanicked turns a panic into an error, inside the transaction: dbutil would
// leave it open for ever, and the write lock with it.
func unpanicked(ctx context.Context, decrypt func(context.Context) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("decryption panicked: %v\n%s", value, debug.Stack())
		}
	}()
	return decrypt(ctx)
}

// storageErrors collects, through the context of a decryption, what the
// database refused during it. One goroutine uses it.
type storageErrors struct{ first error }

type storageErrorsKey struct{}

// noted passes an error of the database on.
func noted(ctx context.Context, err error) error {
	seen, decrypting := ctx.Value(storageErrorsKey{}).(*storageErrors)
	// A stored key of the wrong length will not be better the next time.
	if err != nil && decrypting && seen.first == nil && !errors.Is(err, sqlstore.ErrInvalidLength) {
		seen.first = err
	}
	return err
}

// The stores that the cipher uses, all of whose errors are the database's.
type (
	watchedSessions   struct{ store.SessionStore }
	watchedIdentities struct{ store.IdentityStore }
	watchedPreKeys    struct{ store.PreKeyStore }
	watchedSenderKeys struct{ store.SenderKeyStore }
)

func (w watchedSessions) GetSession(ctx context.Context, address string) ([]byte, error) {
	session, err := w.SessionStore.GetSession(ctx, address)
	return session, noted(ctx, err)
}

func (w watchedSessions) HasSession(ctx context.Context, address string) (bool, error) {
	has, err := w.SessionStore.HasSession(ctx, address)
	return has, noted(ctx, err)
}

func (w watchedSessions) PutSession(ctx context.Context, address string, session []byte) error {
	return noted(ctx, w.SessionStore.PutSession(ctx, address, session))
}

func (w watchedSessions) DeleteSession(ctx context.Context, address string) error {
	return noted(ctx, w.SessionStore.DeleteSession(ctx, address))
}

func (w watchedIdentities) PutIdentity(ctx context.Context, address string, key [32]byte) error {
	return noted(ctx, w.IdentityStore.PutIdentity(ctx, address, key))
}

func (w watchedIdentities) DeleteIdentity(ctx context.Context, address string) error {
	return noted(ctx, w.IdentityStore.DeleteIdentity(ctx, address))
}

func (w watchedIdentities) IsTrustedIdentity(ctx context.Context, address string, key [32]byte) (bool, error) {
	trusted, err := w.IdentityStore.IsTrustedIdentity(ctx, address, key)
	return trusted, noted(ctx, err)
}

func (w watchedPreKeys) GetPreKey(ctx context.Context, id uint32) (*keys.PreKey, error) {
	key, err := w.PreKeyStore.GetPreKey(ctx, id)
	return key, noted(ctx, err)
}

func (w watchedPreKeys) RemovePreKey(ctx context.Context, id uint32) error {
	return noted(ctx, w.PreKeyStore.RemovePreKey(ctx, id))
}

func (w watchedSenderKeys) PutSenderKey(ctx context.Context, group, user string, session []byte) error {
	return noted(ctx, w.SenderKeyStore.PutSenderKey(ctx, group, user, session))
}

func (w watchedSenderKeys) GetSenderKey(ctx context.Context, group, user string) ([]byte, error) {
	session, err := w.SenderKeyStore.GetSenderKey(ctx, group, user)
	return session, noted(ctx, err)
}
