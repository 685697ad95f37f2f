package session

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/fault"
)

// passkeyLimit is how long a demanded passkey may take: whatsmeow's hand-off
// key is valid for five minutes.
const passkeyLimit = 5 * time.Minute

// PasskeyChallenge is what WhatsApp demands before it links this session.
type PasskeyChallenge struct {
	// PublicKey is the WebAuthn request (PublicKeyCredentialRequestOptions as
	// JSON, binary values in unpadded base64url), for the domain whatsapp.com.
	PublicKey json.RawMessage
	// Code is shown after the answer was accepted and has to be compared with
	// the one on the phone before ConfirmPasskey; empty until then.
	Code      string
	ExpiresAt time.Time
}

// Passkey returns the pending demand; NotFound when there is none.
func (m *Manager) Passkey(_ context.Context, id string) (PasskeyChallenge, error) {
	_, challenge, err := m.pendingPasskey(id)
	return challenge, err
}

func (m *Manager) pendingPasskey(id string) (*run, PasskeyChallenge, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, PasskeyChallenge{}, err
	}
	s, l, _ := c.watch()
	r := c.current()
	if s.Status != StatusPasskeyRequired || l.passkey == nil || r == nil {
		return nil, PasskeyChallenge{}, fault.New(fault.NotFound, "WhatsApp does not demand a passkey for this session now")
	}
	return r, *l.passkey, nil
}

// AnswerPasskey sends the authenticator's answer, a WebAuthn assertion as JSON
// (id, rawId, type, response with clientDataJSON, authenticatorData, signature
// and userHandle, binary values in unpadded base64url).
func (m *Manager) AnswerPasskey(ctx context.Context, id string, assertion json.RawMessage) error {
	r, _, err := m.pendingPasskey(id)
	if err != nil {
		return err
	}
	answer, err := parseAssertion(assertion)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.WriteTimeout)
	defer cancel()
	if err = r.client.SendPasskeyResponse(ctx, answer); err != nil {
		return passkeyRefused("WhatsApp did not accept the passkey", err)
	}
	return nil
}

func parseAssertion(assertion json.RawMessage) (*types.WebAuthnResponse, error) {
	var answer types.WebAuthnResponse
	if err := json.Unmarshal(assertion, &answer); err != nil {
		return nil, fault.New(fault.Invalid, "not a WebAuthn assertion: expected id, rawId, type and response, with binary values in unpadded base64url").Because(err)
	}
	switch {
	case len(answer.RawID) == 0:
		return nil, fault.Field("rawId", "is required")
	case len(answer.Response.ClientDataJSON) == 0:
		return nil, fault.Field("response.clientDataJSON", "is required")
	case len(answer.Response.AuthenticatorData) == 0:
		return nil, fault.Field("response.authenticatorData", "is required")
	case len(answer.Response.Signature) == 0:
		return nil, fault.Field("response.signature", "is required")
	}
	return &answer, nil
}

// ConfirmPasskey says that the code of the challenge is the one the phone
// shows; linking then goes on.
func (m *Manager) ConfirmPasskey(ctx context.Context, id string) error {
	r, challenge, err := m.pendingPasskey(id)
	if err != nil {
		return err
	}
	if challenge.Code == "" {
		return fault.New(fault.Conflict, "there is nothing to confirm yet: the passkey has not been answered, or WhatsApp is still checking it")
	}
	return r.confirmPasskey(ctx)
}

func (r *run) confirmPasskey(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.c.m.options.WriteTimeout)
	defer cancel()
	if err := r.client.SendPasskeyConfirmation(ctx); err != nil {
		return passkeyRefused("WhatsApp did not accept the confirmation", err)
	}
	return nil
}

func passkeyRefused(text string, err error) error {
	coded := fault.From(translate(Read, err))
	if coded.Code == fault.NoAnswer || coded.Code == fault.SessionNotConnected {
		return coded
	}
	return fault.New(fault.Rejected, "%s", text).Because(err)
}

// onPasskey takes the events of a link for which WhatsApp demands a passkey.
func (s *serving) onPasskey(evt any) *ending {
	switch evt := evt.(type) {
	case *events.PairPasskeyRequest:
		return s.onPasskeyRequest(evt)
	case *events.PairPasskeyConfirmation:
		if evt.SkipHandoffUX {
			go s.confirmUnasked()
			return nil
		}
		s.c.update(func() {
			if pending := s.c.link.passkey; pending != nil {
				answered := *pending
				answered.Code = evt.Code
				s.c.link.passkey = &answered
			}
		})
	case *events.PairPasskeyError:
		return s.pairingFailed("the passkey could not be used", evt.Error)
	}
	return nil
}

func (s *serving) onPasskeyRequest(evt *events.PairPasskeyRequest) *ending {
	options, err := json.Marshal(evt.PublicKey)
	if err != nil {
		return s.pairingFailed("WhatsApp demands a passkey in a form that is not understood", err)
	}
	challenge := &PasskeyChallenge{PublicKey: options, ExpiresAt: s.c.m.now().Add(passkeyLimit)}
	// The secret in the QR codes has changed: they are void.
	s.c.update(func() { s.c.link = link{passkey: challenge} })
	s.c.setStateOf(s.run, StatusPasskeyRequired, "", "WhatsApp demands a passkey before it links this session")
	s.arm(passkeyLimit, func() *ending {
		return &ending{status: StatusDisconnected, reason: ReasonPasskeyExpired, final: true,
			detail: "the passkey was not presented in time: start linking again"}
	})
	return nil
}

// confirmUnasked confirms a link that was handed over from a scanned code, for
// which people need not compare codes. It ends with the request's deadline.
func (s *serving) confirmUnasked() {
	if err := s.confirmPasskey(s.ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.signal(s.attempt.number, &events.PairPasskeyError{Error: err, Continuation: true})
	}
}
