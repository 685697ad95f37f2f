package idempotency

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
)

// Seal encrypts an answer's body under the caller's secret and the request's
// key: answers may hold secrets that the database is not to know (a new
// token's), and nobody but who asked can repeat the request anyway.
func Seal(secret, key string, body []byte) ([]byte, error) {
	box, err := newBox(secret, key)
	if err != nil {
		return nil, err
	}
	return box.Seal(nil, nil, body, nil), nil
}

// Open decrypts what Seal has made with the same secret and key.
func Open(secret, key string, sealed []byte) ([]byte, error) {
	box, err := newBox(secret, key)
	if err != nil {
		return nil, err
	}
	body, err := box.Open(nil, nil, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("open the stored answer: %w", err)
	}
	return body, nil
}

func newBox(secret, key string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, []byte(secret), []byte(key), "muster stored answer", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of stored answers: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of stored answers: %w", err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher of stored answers: %w", err)
	}
	return box, nil
}
