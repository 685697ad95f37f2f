package phone

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// vault holds in memory what whatsmeow's store.Device needs for Signal and app
// state. Its JSON form is part of a snapshot. What a phone has no use for
// (contacts, chat settings, tokens) is refused with errNotKept.
type vault struct {
	*store.NoopStore `json:"-"`

	NextPreKey uint32                `json:"next_pre_key"`
	PreKeys    map[uint32][]byte     `json:"pre_keys"` // private keys
	Sessions   map[string][]byte     `json:"sessions"` // by Signal address
	Identities map[string][]byte     `json:"identities"`
	SenderKeys map[string]senderKeys `json:"sender_keys"` // by group

	AppStateKey appStateKey            `json:"app_state_key"`
	Collections map[string]*collection `json:"collections"`

	// stale holds, by Signal address, the public ratchet keys under which the
	// phone sent before it was restored; see retire.
	stale map[string]map[[32]byte]bool
}

// senderKeys are the records of one group, by Signal address.
type senderKeys map[string][]byte

// appStateKey is the one key that all patches are encrypted with.
type appStateKey struct {
	ID          []byte `json:"id"`
	Data        []byte `json:"data"`
	Fingerprint []byte `json:"fingerprint"` // AppStateSyncKeyFingerprint
	Timestamp   int64  `json:"timestamp"`   // UNIX milliseconds; 0 until it is first shared
}

// collection is the state of one app-state collection.
type collection struct {
	Version uint64            `json:"version"`
	Hash    []byte            `json:"hash"`
	MACs    map[string][]byte `json:"macs"` // value MACs by index MAC in hex
}

var errNotKept = errors.New("the simulated phone does not keep this")

func newVault() *vault {
	return &vault{
		NoopStore:   &store.NoopStore{Error: errNotKept},
		NextPreKey:  1,
		PreKeys:     make(map[uint32][]byte),
		Sessions:    make(map[string][]byte),
		Identities:  make(map[string][]byte),
		SenderKeys:  make(map[string]senderKeys),
		Collections: make(map[string]*collection),
	}
}

// addAppStateKey makes the account's app-state key. Ids have six bytes: the
// device that made the key (two, zero for the phone) and an epoch. The
// fingerprint tells which devices there were then: the phone alone.
func (v *vault) addAppStateKey(random io.Reader, rawID uint32) error {
	epoch, err := randomUint32(random)
	if err != nil {
		return err
	}
	data, err := randomBytes(random, 32)
	if err != nil {
		return err
	}
	fingerprint, err := proto.Marshal(&waE2E.AppStateSyncKeyFingerprint{
		RawID:         &rawID,
		CurrentIndex:  proto.Uint32(0),
		DeviceIndexes: []uint32{0},
	})
	if err != nil {
		return err
	}
	v.AppStateKey = appStateKey{
		ID:          binary.BigEndian.AppendUint32([]byte{0, 0}, epoch),
		Data:        data,
		Fingerprint: fingerprint,
	}
	return nil
}

// addPreKey keeps a one-time key and returns its id, never one in use.
func (v *vault) addPreKey(pair *keys.KeyPair) uint32 {
	for {
		id := v.NextPreKey
		v.NextPreKey++
		if v.NextPreKey > maxKeyID {
			v.NextPreKey = 1
		}
		if _, taken := v.PreKeys[id]; !taken {
			v.PreKeys[id] = pair.Priv[:]
			return id
		}
	}
}

// GetPreKey returns nil for a key that is unknown or used.
func (v *vault) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	raw, ok := v.PreKeys[id]
	if !ok {
		return nil, nil
	}
	var private [32]byte
	if err := fill(private[:], raw, "pre-key"); err != nil {
		return nil, err
	}
	return &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey(private), KeyID: id}, nil
}

func (v *vault) RemovePreKey(_ context.Context, id uint32) error {
	delete(v.PreKeys, id)
	return nil
}

func (v *vault) PutIdentity(_ context.Context, address string, key [32]byte) error {
	v.Identities[address] = key[:]
	return nil
}

// IsTrustedIdentity is always true: a phone shows that a contact's key has
// changed, and goes on talking.
func (v *vault) IsTrustedIdentity(context.Context, string, [32]byte) (bool, error) {
	return true, nil
}

func (v *vault) GetSession(_ context.Context, address string) ([]byte, error) {
	return v.Sessions[address], nil
}

func (v *vault) HasSession(_ context.Context, address string) (bool, error) {
	_, ok := v.Sessions[address]
	return ok, nil
}

func (v *vault) PutSession(_ context.Context, address string, session []byte) error {
	v.Sessions[address] = session
	return nil
}

func (v *vault) PutSenderKey(_ context.Context, group, user string, record []byte) error {
	if v.SenderKeys[group] == nil {
		v.SenderKeys[group] = make(senderKeys)
	}
	v.SenderKeys[group][user] = record
	return nil
}

func (v *vault) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	return v.SenderKeys[group][user], nil
}

// dropSenderKey forgets one record; without one it does nothing.
func (v *vault) dropSenderKey(group string, user *protocol.SignalAddress) {
	delete(v.SenderKeys[group], user.String())
}

func (v *vault) GetAppStateSyncKey(_ context.Context, id []byte) (*store.AppStateSyncKey, error) {
	if string(id) != string(v.AppStateKey.ID) {
		return nil, nil
	}
	return &store.AppStateSyncKey{
		Data:        v.AppStateKey.Data,
		Fingerprint: v.AppStateKey.Fingerprint,
		Timestamp:   v.AppStateKey.Timestamp,
	}, nil
}

func (v *vault) PutAppStateVersion(_ context.Context, name string, version uint64, hash [128]byte) error {
	c := v.collection(name)
	c.Version, c.Hash = version, hash[:]
	return nil
}

func (v *vault) GetAppStateVersion(_ context.Context, name string) (version uint64, hash [128]byte, err error) {
	c, ok := v.Collections[name]
	if !ok {
		return 0, hash, nil
	}
	if err = fill(hash[:], c.Hash, "hash"); err != nil {
		return 0, hash, fmt.Errorf("collection %s: %w", name, err)
	}
	return c.Version, hash, nil
}

func (v *vault) PutAppStateMutationMACs(_ context.Context, name string, _ uint64, added []store.AppStateMutationMAC) error {
	c := v.collection(name)
	for _, mac := range added {
		c.MACs[hex.EncodeToString(mac.IndexMAC)] = mac.ValueMAC
	}
	return nil
}

func (v *vault) DeleteAppStateMutationMACs(_ context.Context, name string, removed [][]byte) error {
	c := v.collection(name)
	for _, index := range removed {
		delete(c.MACs, hex.EncodeToString(index))
	}
	return nil
}

func (v *vault) GetAppStateMutationMAC(_ context.Context, name string, index []byte) ([]byte, error) {
	c, ok := v.Collections[name]
	if !ok {
		return nil, nil
	}
	return c.MACs[hex.EncodeToString(index)], nil
}

// collection finds or makes the state of a collection.
func (v *vault) collection(name string) *collection {
	c, ok := v.Collections[name]
	if !ok {
		c = &collection{Hash: make([]byte, 128), MACs: make(map[string][]byte)}
		v.Collections[name] = c
	}
	return c
}

var (
	_ store.AllSessionSpecificStores = (*vault)(nil)
	_ store.LIDStore                 = (*vault)(nil)
)

// address names a device in Signal: the user, with "_1" behind it for a LID,
// and the device. Phone and LID forms of one device are two addresses.
func address(device types.JID) *protocol.SignalAddress { return device.SignalAddress() }
