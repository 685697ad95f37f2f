package phone

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"go.mau.fi/whatsmeow/util/keys"
)

const (
	linkCodeLength   = 8
	linkCodeAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ"
	// linkCodeRounds are the PBKDF2 rounds from a code to a key.
	linkCodeRounds = 2 << 16

	// A wrapped ephemeral key: salt, counter-mode IV, encrypted public key.
	wrappedSalt = 32
	wrappedIV   = 16
	wrappedSize = wrappedSalt + wrappedIV + 32

	// A wrapped key bundle: salt, GCM nonce, and the sealed two identities and
	// the companion's share of the secret.
	bundleSalt  = 32
	bundleNonce = 12
	bundleSize  = bundleSalt + bundleNonce + 3*32 + 16
)

// CodeLink is one linking through a code that the user typed into the phone,
// from there until the companion has answered. Finish may be called again
// after ErrWrongCode.
type CodeLink struct {
	phone              *Phone
	ephemeral          *keys.KeyPair
	companionEphemeral []byte
	wrapped            []byte
}

// StartCodeLink begins a linking with the code, in any case and with or
// without its dash, and the 80 bytes that the companion sent as
// link_code_pairing_wrapped_companion_ephemeral_pub. ErrBadCode is about the
// code's form only; whether it is the right one shows in Finish.
func (p *Phone) StartCodeLink(code string, wrappedCompanionEphemeral []byte) (*CodeLink, error) {
	code, err := cleanCode(code)
	if err != nil {
		return nil, err
	}
	if len(wrappedCompanionEphemeral) != wrappedSize {
		return nil, fmt.Errorf("the wrapped companion key has %d bytes, not %d", len(wrappedCompanionEphemeral), wrappedSize)
	}
	salt := wrappedCompanionEphemeral[:wrappedSalt]
	iv := wrappedCompanionEphemeral[wrappedSalt : wrappedSalt+wrappedIV]
	companion, err := linkCodeCrypt(code, salt, iv, wrappedCompanionEphemeral[wrappedSalt+wrappedIV:])
	if err != nil {
		return nil, err
	}
	ephemeral, err := newKeyPair(p.random)
	if err != nil {
		return nil, fmt.Errorf("make the ephemeral key: %w", err)
	}
	head, err := randomBytes(p.random, wrappedSalt+wrappedIV)
	if err != nil {
		return nil, fmt.Errorf("draw salt and IV: %w", err)
	}
	sealed, err := linkCodeCrypt(code, head[:wrappedSalt], head[wrappedSalt:], ephemeral.Pub[:])
	if err != nil {
		return nil, err
	}
	return &CodeLink{
		phone:              p,
		ephemeral:          ephemeral,
		companionEphemeral: companion,
		wrapped:            slices.Concat(head, sealed),
	}, nil
}

// cleanCode brings a typed code into the form that is hashed.
func cleanCode(code string) (string, error) {
	code = strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, code))
	if len(code) != linkCodeLength {
		return "", fmt.Errorf("%w: it has eight characters", ErrBadCode)
	}
	for _, r := range code {
		if !strings.ContainsRune(linkCodeAlphabet, r) {
			return "", fmt.Errorf("%w: it has no %q", ErrBadCode, r)
		}
	}
	return code, nil
}

// linkCodeCrypt encrypts or decrypts (it is the same) under the code.
func linkCodeCrypt(code string, salt, iv, text []byte) ([]byte, error) {
	key, err := pbkdf2.Key(sha256.New, code, salt, linkCodeRounds, 32)
	if err != nil {
		return nil, fmt.Errorf("derive the key of the code: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("prepare the cipher of the code: %w", err)
	}
	out := make([]byte, len(text))
	cipher.NewCTR(block, iv).XORKeyStream(out, text)
	return out, nil
}

// Hello is what the server passes to the companion as primary_hello: the
// phone's ephemeral key wrapped under the code (80 bytes), and its identity.
func (l *CodeLink) Hello() (wrappedPrimaryEphemeral []byte, primaryIdentity [32]byte) {
	return slices.Clone(l.wrapped), l.phone.Identity()
}

// Finish opens the key bundle of companion_finish and agrees on the ADV secret
// (32 bytes) that SignCompanion needs. It returns ErrWrongCode when the bundle
// does not open or names other identities; the companion never notices a wrong
// code by itself.
func (l *CodeLink) Finish(companionIdentity [32]byte, keyBundle []byte) (advSecret []byte, err error) {
	if len(keyBundle) != bundleSize {
		return nil, fmt.Errorf("the key bundle has %d bytes, not %d", len(keyBundle), bundleSize)
	}
	shared, err := agree(l.ephemeral, l.companionEphemeral)
	if err != nil {
		return nil, fmt.Errorf("%w: ephemeral keys: %w", ErrWrongCode, err)
	}
	key := hkdfutil.SHA256(shared, keyBundle[:bundleSalt], []byte("link_code_pairing_key_bundle_encryption_key"), 32)
	nonce, sealed := keyBundle[bundleSalt:bundleSalt+bundleNonce], keyBundle[bundleSalt+bundleNonce:]
	opened, err := gcmutil.Decrypt(key, nonce, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWrongCode, err)
	}
	own := l.phone.Identity()
	if string(opened[:32]) != string(companionIdentity[:]) || string(opened[32:64]) != string(own[:]) {
		return nil, fmt.Errorf("%w: the bundle is for other identities", ErrWrongCode)
	}
	identities, err := agree(l.phone.device.IdentityKey, companionIdentity[:])
	if err != nil {
		return nil, fmt.Errorf("%w: identity keys: %w", ErrWrongCode, err)
	}
	return hkdfutil.SHA256(slices.Concat(shared, identities, opened[64:]), nil, []byte("adv_secret"), 32), nil
}

// agree is X25519. It refuses public keys of low order, whose result would be
// all zeros.
func agree(own *keys.KeyPair, public []byte) ([]byte, error) {
	private, err := ecdh.X25519().NewPrivateKey(own.Priv[:])
	if err != nil {
		return nil, err
	}
	theirs, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return private.ECDH(theirs)
}
