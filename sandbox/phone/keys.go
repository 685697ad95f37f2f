package phone

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"muster/sandbox/stanza"
)

// maxKeyID is the highest id a pre-key can have: ids are three bytes on the
// wire, and 0 means "none" in a message.
const maxKeyID = 1<<24 - 1

// Bundle is what one device needs to start a Signal session with another:
// identity, signed pre-key and, while the stock lasts, a one-time key.
type Bundle struct {
	RegistrationID  uint32
	Identity        [32]byte
	SignedID        uint32
	SignedKey       [32]byte
	SignedSignature [64]byte  // of 05 ‖ SignedKey, by Identity
	PreKeyID        uint32    // meaningless without PreKey
	PreKey          *[32]byte // nil when there was none left
}

// Bundle makes the bundle that is served for device 0, with a fresh one-time
// key. The phone keeps that key until a message uses it. Should the random
// source fail, the bundle comes without one, as if the stock were empty.
func (p *Phone) Bundle() Bundle {
	b := Bundle{
		RegistrationID:  p.device.RegistrationID,
		Identity:        p.Identity(),
		SignedID:        p.device.SignedPreKey.KeyID,
		SignedKey:       *p.device.SignedPreKey.Pub,
		SignedSignature: *p.device.SignedPreKey.Signature,
	}
	if pair, err := newKeyPair(p.random); err == nil {
		b.PreKeyID, b.PreKey = p.vault.addPreKey(pair), pair.Pub
	}
	return b
}

// Nodes renders the bundle as the children that `encrypt/key` answers with,
// and that a retry receipt carries inside <keys>: registration (4 bytes), type
// (05), identity, skey and, when there is a one-time key, key.
func (b Bundle) Nodes() []stanza.Node {
	nodes := []stanza.Node{
		{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, b.RegistrationID)},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: b.Identity[:]},
		{Tag: "skey", Content: []stanza.Node{
			{Tag: "id", Content: keyIDBytes(b.SignedID)},
			{Tag: "value", Content: b.SignedKey[:]},
			{Tag: "signature", Content: b.SignedSignature[:]},
		}},
	}
	if b.PreKey != nil {
		nodes = append(nodes, stanza.Node{Tag: "key", Content: []stanza.Node{
			{Tag: "id", Content: keyIDBytes(b.PreKeyID)},
			{Tag: "value", Content: b.PreKey[:]},
		}})
	}
	return nodes
}

// keyIDBytes is a key id as three big-endian bytes.
func keyIDBytes(id uint32) []byte {
	return binary.BigEndian.AppendUint32(nil, id)[1:]
}

// ParseBundle reads a bundle from the node that holds its children: a <user>
// of an `encrypt/key` answer, or a retry receipt, in which all but the
// registration sits inside <keys>.
func ParseBundle(n *stanza.Node) (Bundle, error) {
	var b Bundle
	registration := childBytes(n, "registration")
	if len(registration) != 4 {
		return Bundle{}, fmt.Errorf("registration has %d bytes, not 4", len(registration))
	}
	b.RegistrationID = binary.BigEndian.Uint32(registration)
	if nested := stanza.Child(n, "keys"); nested != nil {
		n = nested
	}
	if err := fill(b.Identity[:], childBytes(n, "identity"), "identity"); err != nil {
		return Bundle{}, err
	}
	signed := stanza.Child(n, "skey")
	if signed == nil {
		return Bundle{}, errors.New("signed pre-key is missing")
	}
	id, key, err := parseKey(signed)
	if err != nil {
		return Bundle{}, fmt.Errorf("signed pre-key: %w", err)
	}
	b.SignedID, b.SignedKey = id, key
	if err = fill(b.SignedSignature[:], childBytes(signed, "signature"), "signature"); err != nil {
		return Bundle{}, fmt.Errorf("signed pre-key: %w", err)
	}
	if oneTime := stanza.Child(n, "key"); oneTime != nil {
		if id, key, err = parseKey(oneTime); err != nil {
			return Bundle{}, fmt.Errorf("one-time key: %w", err)
		}
		b.PreKeyID, b.PreKey = id, &key
	}
	return b, nil
}

// parseKey reads <id> (3 bytes) and <value> (32 bytes).
func parseKey(n *stanza.Node) (id uint32, key [32]byte, err error) {
	raw := childBytes(n, "id")
	if len(raw) != 3 {
		return 0, key, fmt.Errorf("id has %d bytes, not 3", len(raw))
	}
	id = binary.BigEndian.Uint32(append([]byte{0}, raw...))
	return id, key, fill(key[:], childBytes(n, "value"), "value")
}

// childBytes is the content of the child with the tag; nil without one.
func childBytes(n *stanza.Node, tag string) []byte {
	child := stanza.Child(n, tag)
	if child == nil {
		return nil
	}
	return stanza.Bytes(child)
}

// fill copies a field that has a fixed length.
func fill(dst, src []byte, field string) error {
	if len(src) != len(dst) {
		return fmt.Errorf("%s has %d bytes, not %d", field, len(src), len(dst))
	}
	copy(dst, src)
	return nil
}

// signal is the bundle in libsignal's terms.
func (b Bundle) signal(device types.JID) *prekey.Bundle {
	id, key := optional.NewEmptyUint32(), ecc.ECPublicKeyable(nil)
	if b.PreKey != nil {
		id, key = optional.NewOptionalUint32(b.PreKeyID), ecc.NewDjbECPublicKey(*b.PreKey)
	}
	return prekey.NewBundle(b.RegistrationID, uint32(device.Device), id, b.SignedID,
		key, ecc.NewDjbECPublicKey(b.SignedKey), b.SignedSignature,
		identity.NewKey(ecc.NewDjbECPublicKey(b.Identity)))
}

// newKeyPair makes a Curve25519 key pair from the reader; keys.NewKeyPair
// would not let it be chosen.
func newKeyPair(random io.Reader) (*keys.KeyPair, error) {
	var private [32]byte
	if _, err := io.ReadFull(random, private[:]); err != nil {
		return nil, err
	}
	private[0] &= 248
	private[31] &= 127
	private[31] |= 64
	return keys.NewKeyPairFromPrivateKey(private), nil
}

// randomBytes reads n bytes.
func randomBytes(random io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, err
	}
	return b, nil
}

// randomUint32 reads one number.
func randomUint32(random io.Reader) (uint32, error) {
	b, err := randomBytes(random, 4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}
