package wire

import (
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"go.mau.fi/whatsmeow/util/gcmutil"
)

const (
	keySize = 32
	// tagSize is what AES-GCM adds to a plaintext.
	tagSize = 16

	noiseXX       = "Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"
	noiseFallback = "Noise_XXfallback_25519_AESGCM_SHA256"
)

// symmetric is the Noise SymmetricState: the transcript hash, the chaining key
// and the handshake's current cipher.
//
// WhatsApp departs from the Noise specification in one point: the empty
// payload of the first message is not hashed. That is why the general
// libraries do not interoperate as a plain XX responder.
type symmetric struct {
	hash   [sha256.Size]byte
	chain  [sha256.Size]byte
	cipher sealer
}

// newSymmetric starts a transcript. A name of 32 bytes is used raw, any longer
// one by its hash.
func newSymmetric(name string, prologue intro) *symmetric {
	s := &symmetric{}
	if len(name) == len(s.hash) {
		copy(s.hash[:], name)
	} else {
		s.hash = sha256.Sum256([]byte(name))
	}
	s.chain = s.hash
	s.mixHash(prologue[:])
	return s
}

func (s *symmetric) mixHash(data []byte) {
	h := sha256.New()
	h.Write(s.hash[:])
	h.Write(data)
	h.Sum(s.hash[:0])
}

// mixKey mixes DH(private, peer) into the chaining key and starts a new cipher.
// It fails for a peer key of low order, whose secret would be all zero.
func (s *symmetric) mixKey(private *ecdh.PrivateKey, peer *ecdh.PublicKey) error {
	secret, err := private.ECDH(peer)
	if err != nil {
		return fmt.Errorf("key agreement: %w", err)
	}
	chain, key, err := s.expand(secret)
	if err != nil {
		return err
	}
	copy(s.chain[:], chain)
	s.cipher, err = newSealer(key)
	return err
}

// seal encrypts under the transcript so far and adds the ciphertext to it.
func (s *symmetric) seal(plaintext []byte) ([]byte, error) {
	sealed, err := s.cipher.seal(nil, plaintext, s.hash[:])
	if err != nil {
		return nil, err
	}
	s.mixHash(sealed)
	return sealed, nil
}

// open reverses seal.
func (s *symmetric) open(sealed []byte) ([]byte, error) {
	plaintext, err := s.cipher.open(nil, sealed, s.hash[:])
	if err != nil {
		return nil, err
	}
	s.mixHash(sealed)
	return plaintext, nil
}

// split ends the handshake with the two transport ciphers.
func (s *symmetric) split() (clientToServer, serverToClient sealer, err error) {
	first, second, err := s.expand(nil)
	if err != nil {
		return sealer{}, sealer{}, err
	}
	if clientToServer, err = newSealer(first); err != nil {
		return sealer{}, sealer{}, err
	}
	if serverToClient, err = newSealer(second); err != nil {
		return sealer{}, sealer{}, err
	}
	return clientToServer, serverToClient, nil
}

func (s *symmetric) expand(secret []byte) (first, second []byte, err error) {
	out, err := hkdf.Key(sha256.New, secret, s.chain[:], "", 2*keySize)
	if err != nil {
		return nil, nil, fmt.Errorf("derive keys: %w", err)
	}
	return out[:keySize], out[keySize:], nil
}

var errNonceExhausted = errors.New("the cipher's counter is used up")

// sealer is AES-256-GCM with a counter for a nonce: eight zero bytes and the
// counter, big-endian. One sealer serves one direction.
type sealer struct {
	aead    cipher.AEAD
	counter uint64
}

func newSealer(key []byte) (sealer, error) {
	aead, err := gcmutil.Prepare(key)
	if err != nil {
		return sealer{}, fmt.Errorf("prepare cipher: %w", err)
	}
	return sealer{aead: aead}, nil
}

// seal appends the ciphertext to dst.
func (s *sealer) seal(dst, plaintext, extra []byte) ([]byte, error) {
	nonce, err := s.next()
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(dst, nonce[:], plaintext, extra), nil
}

// open appends the plaintext to dst.
func (s *sealer) open(dst, sealed, extra []byte) ([]byte, error) {
	nonce, err := s.next()
	if err != nil {
		return nil, err
	}
	plaintext, err := s.aead.Open(dst, nonce[:], sealed, extra)
	if err != nil {
		return nil, fmt.Errorf("decrypt %d bytes: %w", len(sealed), err)
	}
	return plaintext, nil
}

func (s *sealer) next() ([12]byte, error) {
	var nonce [12]byte
	if s.counter > math.MaxUint32 {
		return nonce, errNonceExhausted
	}
	binary.BigEndian.PutUint32(nonce[8:], uint32(s.counter))
	s.counter++
	return nonce, nil
}
