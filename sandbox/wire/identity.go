package wire

import (
	"crypto/ecdh"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

const (
	// validBefore makes up for clients whose clock is behind.
	validBefore = 24 * time.Hour
	validYears  = 10
)

// Identity is who the server proves to be in the Noise handshake: its static
// key and the certificate chain from a root that its clients are told to trust
// (whatsmeow.WACertPubKey). The private keys of the root and of the
// intermediate are forgotten once they have signed.
//
// An Identity does not change after NewIdentity or UnmarshalJSON; any number
// of connections may share it.
type Identity struct {
	root   [keySize]byte
	static *ecdh.PrivateKey
	chain  []byte // encoded waCert.CertChain
}

// NewIdentity makes a fresh identity, valid from a day before now to ten years
// after it. The keys are drawn from random; signatures add randomness of their
// own, so equal input makes equal keys but not equal certificates.
func NewIdentity(random io.Reader, now time.Time) (*Identity, error) {
	var drawn [3]*ecdh.PrivateKey
	for i := range drawn {
		key, err := drawKey(random)
		if err != nil {
			return nil, err
		}
		drawn[i] = key
	}
	root, intermediate, static := drawn[0], drawn[1], drawn[2]
	chain, err := issueChain(root, intermediate, static.PublicKey(), now.Add(-validBefore), now.AddDate(validYears, 0, 0))
	if err != nil {
		return nil, err
	}
	return &Identity{root: [keySize]byte(root.PublicKey().Bytes()), static: static, chain: chain}, nil
}

// RootPublic is the public key of the certificate root.
func (id *Identity) RootPublic() [32]byte { return id.root }

// identityFile is the JSON shape of an Identity; the values are base64.
type identityFile struct {
	Root   []byte `json:"root"`   // public key of the root, 32 bytes
	Static []byte `json:"static"` // private static key, 32 bytes
	Chain  []byte `json:"chain"`  // encoded waCert.CertChain
}

// MarshalJSON writes the identity for a state file. It holds a private key.
func (id *Identity) MarshalJSON() ([]byte, error) {
	if id.static == nil {
		return nil, fmt.Errorf("encode identity: it is empty")
	}
	return json.Marshal(identityFile{Root: id.root[:], Static: id.static.Bytes(), Chain: id.chain})
}

// UnmarshalJSON reads what MarshalJSON wrote, and fails unless the chain leads
// from the root to the static key. On failure the identity is left as it was.
func (id *Identity) UnmarshalJSON(data []byte) error {
	var file identityFile
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("decode identity: %w", err)
	}
	if len(file.Root) != keySize {
		return fmt.Errorf("decode identity: root key of %d bytes, want %d", len(file.Root), keySize)
	}
	static, err := ecdh.X25519().NewPrivateKey(file.Static)
	if err != nil {
		return fmt.Errorf("decode identity: static key: %w", err)
	}
	root := [keySize]byte(file.Root)
	if err := checkChain(file.Chain, root, [keySize]byte(static.PublicKey().Bytes())); err != nil {
		return fmt.Errorf("decode identity: %w", err)
	}
	*id = Identity{root: root, static: static, chain: file.Chain}
	return nil
}

// drawKey reads a private key from random. ecdh.GenerateKey is no choice here:
// it ignores the reader it is given.
func drawKey(random io.Reader) (*ecdh.PrivateKey, error) {
	var seed [keySize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	key, err := ecdh.X25519().NewPrivateKey(seed[:])
	if err != nil {
		return nil, fmt.Errorf("draw key: %w", err)
	}
	return key, nil
}
