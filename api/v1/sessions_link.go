package v1

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/session"
)

type pairInput struct {
	SessionID string `path:"session_id"`
	Body      struct {
		PhoneNumber          string `json:"phone_number" doc:"In international form, with or without +."`
		ShowPushNotification bool   `json:"show_push_notification,omitempty" doc:"Makes the phone show a notification that opens the dialogue for the code."`
	}
}

type pairReply struct {
	Code           string `json:"code" example:"K7PT-3WXA" doc:"To be typed into the phone: Linked devices, Link a device, Link with phone number."`
	ExpiresAt      int64  `json:"expires_at"`
	TimeoutSeconds int    `json:"timeout_seconds" doc:"How long until then."`
}

type passkeyReply struct {
	PublicKey json.RawMessage `json:"public_key" doc:"The WebAuthn request options. Binary values are unpadded base64url."`
	Code      *string         `json:"code" doc:"After the answer: compare it with the code on the phone, then confirm."`
	ExpiresAt int64           `json:"expires_at"`
}

type answerPasskeyInput struct {
	SessionID string          `path:"session_id"`
	Body      json.RawMessage `doc:"The WebAuthn assertion: id, rawId, type and response. Binary values are unpadded base64url."`
}

type success struct {
	Success bool `json:"success"`
}

// registerLinking adds the ways to link that are not QR codes.
func registerLinking(api huma.API, row func(method, path, id, summary string) route, m *session.Manager) {
	handle(api, row(http.MethodPost, "/{session_id}/pair", "pair-session", "Link a phone with a code that is typed into it"),
		func(ctx context.Context, in *pairInput) (pairReply, error) {
			code, err := m.Pair(ctx, in.SessionID, session.PairRequest{
				PhoneNumber: in.Body.PhoneNumber, ShowPushNotification: in.Body.ShowPushNotification,
			})
			return pairReply{Code: code.Code, ExpiresAt: seconds(code.ExpiresAt), TimeoutSeconds: secondsUntil(code.ExpiresAt)}, err
		})
	handle(api, row(http.MethodGet, "/{session_id}/passkey", "get-session-passkey", "Get the passkey that WhatsApp demands"),
		func(ctx context.Context, in *SessionInput) (passkeyReply, error) {
			challenge, err := m.Passkey(ctx, in.SessionID)
			return passkeyReply{PublicKey: challenge.PublicKey, Code: known(challenge.Code), ExpiresAt: seconds(challenge.ExpiresAt)}, err
		})
	handle(api, row(http.MethodPost, "/{session_id}/passkey", "answer-session-passkey", "Answer WhatsApp's demand for a passkey"),
		func(ctx context.Context, in *answerPasskeyInput) (success, error) {
			return success{true}, m.AnswerPasskey(ctx, in.SessionID, in.Body)
		})
	handle(api, row(http.MethodPost, "/{session_id}/passkey/confirm", "confirm-session-passkey", "Confirm that the phone shows the same code"),
		func(ctx context.Context, in *SessionInput) (success, error) {
			return success{true}, m.ConfirmPasskey(ctx, in.SessionID)
		})
}

func secondsUntil(t time.Time) int {
	return max(0, int(math.Round(time.Until(t).Seconds())))
}
