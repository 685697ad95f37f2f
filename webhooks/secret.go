package webhooks

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"muster/internal/fault"
)

// A secret is "whsec_" and 24 to 64 bytes in base64, as Standard Webhooks has it.
const (
	secretPrefix                             = "whsec_"
	shortestSecret, newSecret, longestSecret = 24, 32, 64
)

// makeSecret makes a random secret.
func makeSecret() string {
	var key [newSecret]byte
	_, _ = rand.Read(key[:]) // never fails, see crypto/rand
	return secretPrefix + base64.StdEncoding.EncodeToString(key[:])
}

// keyOf is the key inside a secret; ok is false for what is no secret.
func keyOf(secret string) (key []byte, ok bool) {
	encoded, found := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	return key, found && err == nil && len(key) >= shortestSecret && len(key) <= longestSecret
}

// checkSecret accepts a secret that a request brings. The value is not repeated.
func checkSecret(field, secret string) error {
	if _, ok := keyOf(secret); !ok {
		return fault.Field(field, "must be %s followed by %d to %d bytes in base64", secretPrefix, shortestSecret, longestSecret)
	}
	return nil
}

// sign puts the headers on a request that prove where it comes from: those of
// Standard Webhooks, https://www.standardwebhooks.com, with a signature for
// each secret that is valid, and those of the session-style API, an HMAC-SHA256
// of "timestamp.body" in hexadecimal, keyed with the text of the newest secret.
func sign(header http.Header, id string, at time.Time, body string, secrets []string) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	var signatures []string
	for _, secret := range secrets {
		if key, ok := keyOf(secret); ok {
			mac := digest(key, id, timestamp, body)
			signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac))
		}
	}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", timestamp)
	header.Set("webhook-signature", strings.Join(signatures, " "))
	if len(secrets) > 0 {
		header.Set("X-Webhook-Timestamp", timestamp)
		header.Set("X-Webhook-Signature", "sha256="+hex.EncodeToString(digest([]byte(secrets[0]), timestamp, body)))
	}
}

// digest is the HMAC-SHA256 of the parts with points between them.
func digest(key []byte, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	for i, part := range parts {
		if i > 0 {
			mac.Write([]byte{'.'})
		}
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
