package phone

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// snapshotFormat is raised when an older snapshot can no longer be read.
const snapshotFormat = 1

// snapshot is a phone as JSON. It holds private keys.
type snapshot struct {
	Format          int          `json:"format"`
	PN              types.JID    `json:"pn"`
	LID             types.JID    `json:"lid"`
	Name            string       `json:"name"`
	RawID           uint32       `json:"raw_id"`
	LastKeyIndex    uint32       `json:"last_key_index"`
	RegistrationID  uint32       `json:"registration_id"`
	Identity        []byte       `json:"identity"`   // private
	SignedKey       []byte       `json:"signed_key"` // private
	SignedID        uint32       `json:"signed_id"`
	SignedSignature []byte       `json:"signed_signature"`
	Recent          []remembered `json:"recent"`
	Vault           *vault       `json:"vault"`
}

// Snapshot serialises everything the phone knows, private keys included.
// Restore continues from it: what others have sent, pre-keys handed out, app
// state and the messages that can be sent again. A CodeLink under way is lost.
func (p *Phone) Snapshot() ([]byte, error) {
	data, err := json.Marshal(snapshot{
		Format:          snapshotFormat,
		PN:              p.PN(),
		LID:             p.LID(),
		Name:            p.name,
		RawID:           p.rawID,
		LastKeyIndex:    p.lastKeyIndex,
		RegistrationID:  p.device.RegistrationID,
		Identity:        p.device.IdentityKey.Priv[:],
		SignedKey:       p.device.SignedPreKey.Priv[:],
		SignedID:        p.device.SignedPreKey.KeyID,
		SignedSignature: p.device.SignedPreKey.Signature[:],
		Recent:          p.recent,
		Vault:           p.vault,
	})
	if err != nil {
		return nil, fmt.Errorf("serialise the phone of %s: %w", p.PN(), err)
	}
	return data, nil
}

// Restore makes the phone of a snapshot. It sends nothing under keys that it has
// sent under before, since more may have been sent after the snapshot: groups
// get a new sender key, and HasSession is false for every device until there is
// a new session. What others send in the old sessions can still be read.
func Restore(data []byte, random io.Reader) (*Phone, error) {
	s := snapshot{Vault: newVault()}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("parse the phone's snapshot: %w", err)
	}
	if s.Format != snapshotFormat {
		return nil, fmt.Errorf("the phone's snapshot has format %d, not %d", s.Format, snapshotFormat)
	}
	if err := checkOwner(s.PN, s.LID); err != nil {
		return nil, fmt.Errorf("the phone's snapshot: %w", err)
	}
	var identity, signed [32]byte
	var signature [64]byte
	for _, field := range []struct {
		into, from []byte
		name       string
	}{
		{identity[:], s.Identity, "identity key"},
		{signed[:], s.SignedKey, "signed pre-key"},
		{signature[:], s.SignedSignature, "signature of the signed pre-key"},
	} {
		if err := fill(field.into, field.from, field.name); err != nil {
			return nil, fmt.Errorf("the phone's snapshot: %w", err)
		}
	}
	if err := s.Vault.check(); err != nil {
		return nil, fmt.Errorf("the phone's snapshot: %w", err)
	}
	if err := s.Vault.retire(address(s.LID).String()); err != nil {
		return nil, fmt.Errorf("the phone's snapshot: %w", err)
	}
	p := &Phone{
		random: random, name: s.Name, rawID: s.RawID, lastKeyIndex: s.LastKeyIndex,
		recent: s.Recent, vault: s.Vault,
	}
	p.attach(&store.Device{
		IdentityKey: keys.NewKeyPairFromPrivateKey(identity),
		SignedPreKey: &keys.PreKey{
			KeyPair: *keys.NewKeyPairFromPrivateKey(signed), KeyID: s.SignedID, Signature: &signature,
		},
		RegistrationID: s.RegistrationID,
		ID:             &s.PN,
		LID:            s.LID,
	})
	return p, nil
}

// check finds what would fail later in a vault that was read from JSON, and
// makes the maps that a null left out.
func (v *vault) check() error {
	if v == nil {
		return errors.New("there is no vault")
	}
	if v.NextPreKey == 0 || v.NextPreKey > maxKeyID {
		return fmt.Errorf("next pre-key %d is out of range", v.NextPreKey)
	}
	if len(v.AppStateKey.ID) == 0 || len(v.AppStateKey.Data) != 32 {
		return errors.New("the app-state key is incomplete")
	}
	for name, c := range v.Collections {
		if c == nil || len(c.Hash) != 128 {
			return fmt.Errorf("collection %q has no hash", name)
		}
		if c.MACs == nil {
			c.MACs = make(map[string][]byte)
		}
	}
	fresh := newVault()
	v.NoopStore = fresh.NoopStore
	v.PreKeys = orElse(v.PreKeys, fresh.PreKeys)
	v.Sessions = orElse(v.Sessions, fresh.Sessions)
	v.Identities = orElse(v.Identities, fresh.Identities)
	v.SenderKeys = orElse(v.SenderKeys, fresh.SenderKeys)
	v.Collections = orElse(v.Collections, fresh.Collections)
	return nil
}

func orElse[K comparable, V any](m, otherwise map[K]V) map[K]V {
	if m == nil {
		return otherwise
	}
	return m
}
