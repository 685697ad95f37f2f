package service

import (
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// The service can demand that linking be confirmed with a passkey: the client
// gets a WebAuthn request, answers it, and agrees with the phone on a new
// secret. The steps are those of whatsmeow's pair-passkey.go, seen from the
// phone. The signature of the assertion is not verified, because the sandbox
// has no passkey on file; its challenge is.

// passkeyExchange is a link that waits for its passkey.
type passkeyExchange struct {
	options   []byte // the WebAuthn request, as JSON
	challenge []byte
	handoff   []byte // proves that the client is the one whose code was scanned
	ref       string
	ephemeral *ecdh.PrivateKey
	// What the client committed itself to in its prologue.
	companion  *waCompanionReg.CompanionEphemeralIdentity
	identity   []byte // the same, serialised
	commitment []byte
	agreed     bool // the client has shown what it committed to
}

// DemandPasskey makes linking to a phone ask for a passkey, or no longer.
func (w *World) DemandPasskey(number string, demand bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.byPhone(number)
	if err != nil {
		return err
	}
	a.Passkey = demand
	w.touch()
	return nil
}

// demandPasskey asks the client for a passkey before it is linked.
func (w *World) demandPasskey(c *connection, l *linking) error {
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make the phone's ephemeral key: %w", err)
	}
	x := &passkeyExchange{
		challenge: w.bytes(32), ephemeral: ephemeral,
		handoff: hkdfutil.SHA256(l.secret, nil, []byte("shortcake-passkey-handoff-v1"), 32),
	}
	x.options, err = json.Marshal(types.WebAuthnPublicKey{
		Challenge: x.challenge, Timeout: 60000, RelyingPartID: "whatsapp.com", UserVerification: "required",
		AllowCredentials: []types.AllowedCredential{}, Extensions: map[string]any{},
	})
	if err != nil {
		return fmt.Errorf("write the passkey request: %w", err)
	}
	l.passkey = x
	w.tellUnlinked(c, "passkey_prologue_request", stanza.Node{Tag: "passkey_request_options", Content: x.options})
	return nil
}

// tellUnlinked sends a notification to a client that has no queue.
func (w *World) tellUnlinked(c *connection, kind string, child stanza.Node) {
	c.send(stanza.Node{Tag: "notification", Attrs: stanza.Attrs{
		"from": types.ServerJID, "type": kind, "id": w.id(), "t": w.opts.Now().Unix(),
	}, Content: []stanza.Node{child}})
}

// passkeyStage answers a client that goes through the passkey exchange. A
// wrong proof ends the link.
func (w *World) passkeyStage(c *connection, request *call, child *stanza.Node) ([]stanza.Node, *stanza.Error) {
	l := c.linking
	if l == nil || l.passkey == nil || l.device != nil {
		return nil, stanza.Refuse(400)
	}
	x := l.passkey
	var err error
	switch child.Tag {
	case "ref":
		x.ref = w.newRef()
		return []stanza.Node{{Tag: "ref", Content: []byte(x.ref)}}, nil
	case "passkey_request_options":
		return []stanza.Node{{Tag: "passkey_request_options", Content: x.options}}, nil
	case "passkey_prologue":
		if err = x.takePrologue(child); err == nil {
			request.then(func() { w.continuePasskey(c, l) })
		}
	case "companion_nonce":
		err = x.takeNonce(stanza.Bytes(child))
	case "encrypted_pairing_request":
		if l.secret, err = x.takeRequest(c, stanza.Bytes(child)); err == nil {
			request.then(func() {
				if err := w.sendPairSuccess(c, l); err != nil {
					l.settle(err)
				}
			})
		}
	}
	if err != nil {
		l.settle(fmt.Errorf("%w: passkey: %w", ErrLinkRefused, err))
		l.passkey = nil
		return nil, stanza.Refuse(400)
	}
	return nil, nil
}

// takePrologue checks the client's WebAuthn answer and notes what it commits
// itself to.
func (x *passkeyExchange) takePrologue(node *stanza.Node) error {
	if err := x.checkAssertion(contentOf(node, "webauthn_assertion")); err != nil {
		return err
	}
	payload := contentOf(node, "prologue_payload")
	if proof := stanza.Child(node, "pairing_handoff_proof"); proof != nil {
		mac := hmac.New(sha256.New, x.handoff)
		mac.Write(payload)
		if !hmac.Equal(mac.Sum(nil), stanza.Bytes(proof)) {
			return errors.New("the handoff proof is not of the client whose code was used")
		}
	}
	var prologue waCompanionReg.ProloguePayload
	if err := proto.Unmarshal(payload, &prologue); err != nil {
		return fmt.Errorf("read the prologue: %w", err)
	}
	identity := prologue.GetCompanionEphemeralIdentity()
	companion := new(waCompanionReg.CompanionEphemeralIdentity)
	if err := proto.Unmarshal(identity, companion); err != nil {
		return fmt.Errorf("read the ephemeral identity: %w", err)
	}
	if x.ref == "" || companion.GetRef() != x.ref {
		return errors.New("the ephemeral identity has another reference")
	}
	x.companion, x.identity, x.commitment = companion, identity, prologue.GetCommitment().GetHash()
	return nil
}

// checkAssertion wants a public-key assertion that answers our challenge.
func (x *passkeyExchange) checkAssertion(raw []byte) error {
	var answer types.WebAuthnResponse
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("read the assertion: %w", err)
	}
	var client struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if err := json.Unmarshal(answer.Response.ClientDataJSON, &client); err != nil {
		return fmt.Errorf("read the assertion's client data: %w", err)
	}
	challenge, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(client.Challenge, "="))
	if err != nil || !slices.Equal(challenge, x.challenge) || client.Type != "webauthn.get" {
		return errors.New("the assertion does not answer the challenge")
	}
	return nil
}

// continuePasskey gives the client the phone's half of the exchange.
func (w *World) continuePasskey(c *connection, l *linking) {
	raw, err := proto.Marshal(&waCompanionReg.PrimaryEphemeralIdentity{
		PublicKey: l.passkey.ephemeral.PublicKey().Bytes(), Nonce: w.bytes(32),
	})
	if err != nil {
		l.settle(fmt.Errorf("write the phone's ephemeral identity: %w", err))
		return
	}
	w.tellUnlinked(c, "crsc_continuation", stanza.Node{Tag: "primary_ephemeral_identity", Content: raw})
}

// takeNonce checks that the client committed itself to this nonce before it
// saw the phone's: that is what makes the code both show worth comparing.
func (x *passkeyExchange) takeNonce(nonce []byte) error {
	sum := sha256.Sum256(slices.Concat(x.identity, nonce))
	if x.companion == nil || !hmac.Equal(sum[:], x.commitment) {
		return errors.New("the nonce is not the one committed to")
	}
	x.agreed = true
	return nil
}

// takeRequest opens the client's pairing request and returns the new secret
// that proves the phone's signature.
func (x *passkeyExchange) takeRequest(c *connection, raw []byte) (secret []byte, err error) {
	if !x.agreed {
		return nil, errors.New("the request came before the nonce")
	}
	peer, err := ecdh.X25519().NewPublicKey(x.companion.GetPublicKey())
	if err != nil {
		return nil, fmt.Errorf("the client's ephemeral key: %w", err)
	}
	shared, err := x.ephemeral.ECDH(peer)
	if err != nil {
		return nil, fmt.Errorf("agree on a key: %w", err)
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", x.companion.GetDeviceType(), x.ref)
	key := hkdfutil.SHA256(shared, []byte(salt), []byte("Pairing Information Encryption Key"), 32)
	var sealed waCompanionReg.EncryptedPairingRequest
	if err := proto.Unmarshal(raw, &sealed); err != nil {
		return nil, fmt.Errorf("read the pairing request: %w", err)
	}
	if len(sealed.GetIV()) != 12 {
		return nil, errors.New("the pairing request has no valid nonce")
	}
	opened, err := gcmutil.Decrypt(key, sealed.GetIV(), sealed.GetEncryptedPayload(), nil)
	if err != nil {
		return nil, fmt.Errorf("open the pairing request: %w", err)
	}
	var pairing waCompanionReg.PairingRequest
	if err := proto.Unmarshal(opened, &pairing); err != nil {
		return nil, fmt.Errorf("read the opened pairing request: %w", err)
	}
	static := c.wire.ClientStatic()
	identity := c.wire.Payload().GetDevicePairingData().GetEIdent()
	if !slices.Equal(pairing.GetCompanionPublicKey(), static[:]) || !slices.Equal(pairing.GetCompanionIdentityKey(), identity) {
		return nil, errors.New("the pairing request has other keys than the client")
	}
	return pairing.GetAdvSecret(), nil
}
