package service_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// assertion is what an authenticator answers to a challenge.
func assertion(t *testing.T, challenge []byte) *types.WebAuthnResponse {
	t.Helper()
	client, err := json.Marshal(map[string]string{
		"type": "webauthn.get", "origin": "https://web.whatsapp.com",
		"challenge": base64.RawURLEncoding.EncodeToString(challenge),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &types.WebAuthnResponse{
		ID: "a2V5", RawID: []byte("key"), Type: "public-key",
		Response: types.WebAuthnResponseData{ClientDataJSON: client, AuthenticatorData: []byte("data"), Signature: []byte("signature")},
	}
}

func TestLinkWithPasskey(t *testing.T) {
	for _, way := range []string{"QR", "code"} {
		t.Run(way, func(t *testing.T) {
			srv := world(t, alice)
			if err := srv.DemandPasskey(alice, true); err != nil {
				t.Fatal(err)
			}
			c, codes := offered(t, srv)
			link := func() error {
				_, err := srv.ScanQR(t.Context(), alice, codes[0])
				return err
			}
			if way == "code" {
				code, err := c.PairPhone(t.Context(), alice, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
				if err != nil {
					t.Fatal(err)
				}
				link = func() error {
					_, err := srv.EnterCode(t.Context(), alice, code)
					return err
				}
			}
			result := make(chan error, 1)
			go func() { result <- link() }()
			request := sandboxtest.Wait(t, c, "the passkey request", func(*events.PairPasskeyRequest) bool { return true })
			if err := c.SendPasskeyResponse(t.Context(), assertion(t, request.PublicKey.Challenge)); err != nil {
				t.Fatalf("answer with the passkey: %v", err)
			}
			confirm := sandboxtest.Wait(t, c, "the passkey confirmation", func(*events.PairPasskeyConfirmation) bool { return true })
			if len(confirm.Code) != 9 || !confirm.SkipHandoffUX {
				t.Errorf("confirmation %+v: want a code, and that showing it may be skipped", confirm)
			}
			if err := c.SendPasskeyConfirmation(t.Context()); err != nil {
				t.Fatalf("confirm: %v", err)
			}
			if err := <-result; err != nil {
				t.Fatalf("link: %v", err)
			}
			connectedTimes(t, c, 1)
		})
	}
}

func TestWrongPasskey(t *testing.T) {
	srv := world(t, alice)
	if err := srv.DemandPasskey(alice, true); err != nil {
		t.Fatal(err)
	}
	c, codes := offered(t, srv)
	result := make(chan error, 1)
	go func() {
		_, err := srv.ScanQR(t.Context(), alice, codes[0])
		result <- err
	}()
	sandboxtest.Wait(t, c, "the passkey request", func(*events.PairPasskeyRequest) bool { return true })
	if err := c.SendPasskeyResponse(t.Context(), assertion(t, []byte("another challenge"))); !errors.Is(err, whatsmeow.ErrIQBadRequest) {
		t.Errorf("wrong challenge: %v, want 400", err)
	}
	if err := <-result; !errors.Is(err, service.ErrLinkRefused) {
		t.Errorf("scan: %v, want ErrLinkRefused", err)
	}
}
