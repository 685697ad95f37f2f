package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// prefix makes a leaked token easy to recognise for secret scanners.
const prefix = "mst_"

// newSecret makes a token: 256 random bits, base64url, with the prefix.
func newSecret() string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails, see crypto/rand
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:])
}

// newID makes the name of a token for lists, logs and revocation.
func newID() string {
	var raw [6]byte
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// digest is what is stored of a token. A plain hash is enough: the input is
// random, so there is nothing to guess that a slow hash would protect.
func digest(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
