package meta

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"muster/internal/event"
	"muster/webhooks"
)

// The fields, as Meta calls them, that webhooks are about. The names are those
// of the guide and its samples, which clients parse; the OpenAPI file spells the
// second one group_participant_update.
const (
	lifecycleField    = "group_lifecycle_update"
	participantsField = "group_participants_update"
	settingsField     = "group_settings_update"
	statusField       = "group_status_update"
	messagesField     = "messages"
)

type notification struct {
	Object string  `json:"object"`
	Entry  []entry `json:"entry"`
}

type entry struct {
	ID      string   `json:"id"`
	Changes []change `json:"changes"`
}

type change struct {
	Value any    `json:"value"`
	Field string `json:"field"`
}

// about is what the value of every change begins with.
type about struct {
	Product  string   `json:"messaging_product"`
	Metadata metadata `json:"metadata"`
}

type metadata struct {
	DisplayNumber string `json:"display_phone_number"`
	NumberID      string `json:"phone_number_id"`
}

// Encode implements webhooks.Encoder.
func (a *API) Encode(e event.Event, _ webhooks.Endpoint) ([]webhooks.Request, error) {
	s, ok := a.services.Accounts.Of(context.Background(), e.SessionID)
	if !ok || accountOf(s) == "" {
		return nil, nil // it has no number, and so no ids
	}
	from := sender{number: accountOf(s), at: e.At}
	field, values, err := from.values(e)
	if err != nil || len(values) == 0 {
		return nil, err
	}
	requests := make([]webhooks.Request, len(values))
	for i, value := range values {
		body, err := json.Marshal(notification{
			Object: "whatsapp_business_account",
			Entry:  []entry{{ID: from.number, Changes: []change{{Field: field, Value: value}}}},
		})
		if err != nil {
			return nil, fmt.Errorf("write event %s for Meta's webhooks: %w", e.ID, err)
		}
		requests[i].Body = string(body)
	}
	return requests, nil
}

// sender is the account that an event is about.
type sender struct {
	number string
	at     time.Time
}

func (s sender) about() about {
	return about{Product: product, Metadata: metadata{DisplayNumber: s.number, NumberID: s.number}}
}

// values are what there is to say of an event, and in which field. Most are
// about groups; a change that is told as a part of a request's outcome is not
// told by itself.
func (s sender) values(e event.Event) (field string, values []any, err error) {
	switch e.Type {
	case event.MessageReceived, event.MessageSent, event.MessageFailed, event.MessageReceipt, event.MessageReaction:
		values, err = s.messages(e)
		return messagesField, values, err
	case event.RequestFinished:
		return s.outcome(e)
	}
	if toldAsWhole(e) {
		return "", nil, nil
	}
	field, items, err := s.items(e)
	if err != nil || len(items) == 0 {
		return "", nil, err
	}
	return field, []any{groupValue{s.about(), items}}, nil
}

// Sign implements webhooks.Signer: an HMAC of the body keyed with the app's
// secret. While a new secret is introduced the old one is not used any more,
// because the header has room for one signature.
func (*API) Sign(header http.Header, body string, secrets []string) {
	mac := hmac.New(sha256.New, []byte(secrets[0]))
	mac.Write([]byte(body))
	header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}

// Greeting implements webhooks.Greeter: the verification request, to which the
// endpoint repeats the challenge.
func (*API) Greeting(ctx context.Context, endpoint, token string) (*http.Request, func(string) bool, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, nil, err
	}
	challenge := rand.Text()
	query := u.Query()
	query.Set("hub.mode", "subscribe")
	query.Set("hub.verify_token", token)
	query.Set("hub.challenge", challenge)
	u.RawQuery = query.Encode()
	question, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	return question, func(answer string) bool { return strings.TrimSpace(answer) == challenge }, err
}
