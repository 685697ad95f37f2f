package webhooks_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"muster/webhooks"
)

const (
	secretA = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	secretB = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA="
)

// verifies asks the public library.
func verifies(t *testing.T, secret string, request got) bool {
	t.Helper()
	library, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	// The clock of these tests is not the library's.
	return library.VerifyIgnoringTimestamp(request.body, request.header) == nil
}

// seeded is what software for the session-style API computes.
func seeded(secret string, request got) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(request.header.Get("X-Webhook-Timestamp") + "." + string(request.body)))
	return request.header.Get("X-Webhook-Signature") == "sha256="+hex.EncodeToString(mac.Sum(nil))
}

// Requests are signed with every secret that is valid, and the public library
// agrees.
func TestSignatures(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		to := receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL, Secret: secretA})
		next := func() got {
			r.t.Helper()
			before := len(to.requests())
			r.emit(subject("a", "ünï"))
			return to.wait(r.t, before+1)[before]
		}
		check := func(what string, request got, a, b bool) {
			r.t.Helper()
			if verifies(r.t, secretA, request) != a || verifies(r.t, secretB, request) != b {
				r.t.Errorf("%s: the signature is %s", what, request.header.Get("webhook-signature"))
			}
		}
		request := next()
		check("at first", request, true, false)
		if !seeded(secretA, request) || request.header.Get("X-Webhook-Timestamp") != request.header.Get("webhook-timestamp") {
			r.t.Errorf("the other signature is %v", request.header)
		}
		tampered := request
		tampered.body = append([]byte("x"), request.body...)
		check("tampered", tampered, false, false)

		b := secretB
		if _, err := r.hooks.Update(r.t.Context(), webhooks.UpdateRequest{ID: e.ID, Secret: &b}); err != nil {
			r.t.Fatal(err)
		}
		request = next()
		check("with both", request, true, true)
		if !seeded(secretB, request) {
			r.t.Error("the other signature is not made with the newest secret")
		}
		r.clock.advance(webhooks.DefaultOverlap + time.Second)
		check("after a day", next(), false, true)

		none := time.Duration(0)
		_, made, err := r.hooks.Rotate(r.t.Context(), webhooks.RotateRequest{ID: e.ID, Overlap: &none})
		if err != nil || !strings.HasPrefix(made, "whsec_") {
			r.t.Fatalf("a new secret is %q, %v", made, err)
		}
		request = next()
		check("after the last rotation", request, false, false)
		if !verifies(r.t, made, request) {
			r.t.Error("the secret that was made does not verify")
		}
	})
}

// With the real clock the library accepts the timestamp too.
func TestTimestamp(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		r.clock.advance(time.Since(r.clock.Now()))
		to := receive(r.t)
		_, secret, err := r.hooks.Create(r.t.Context(), webhooks.CreateRequest{URL: to.URL})
		r.must(err)
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil || len(key) != 32 {
			r.t.Errorf("%q is no secret: %v", secret, err)
		}
		r.emit(subject("a", "text"))
		request := to.wait(r.t, 1)[0]
		library, err := standardwebhooks.NewWebhook(secret)
		r.must(err)
		r.must(library.Verify(request.body, request.header))
	})
}
