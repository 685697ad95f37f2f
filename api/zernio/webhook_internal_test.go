package zernio

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"muster/api"
	"muster/internal/event"
	"muster/webhooks"
)

// TestEncode writes a sample of every event of ours, for an endpoint that was
// made without Zernio's own call and so wants all that there is.
func TestEncode(t *testing.T) {
	t.Parallel()
	d := New(&api.Services{Accounts: api.NewAccounts()})
	told := map[string]bool{}
	for _, sample := range webhooks.Samples("line", time.Unix(1_700_000_000, 0)) {
		sample.ID = "evt_1"
		requests, err := d.Encode(sample, webhooks.Endpoint{Format: Name})
		if err != nil {
			t.Fatalf("%s: %v", sample.Type, err)
		}
		for _, r := range requests {
			var p payload
			if err = json.Unmarshal([]byte(r.Body), &p); err != nil || p.ID != "evt_1" || p.Account.AccountID != "line" || p.Timestamp != "2023-11-14T22:13:20.000Z" {
				t.Errorf("%s: %s, %v", sample.Type, r.Body, err)
			}
			if !slices.Contains(sources[p.Event], sample.Type) || r.Header[eventHeader] != p.Event {
				t.Errorf("%s is told as %s", sample.Type, p.Event)
			}
			told[p.Event] = true
		}
	}
	// The sample of a receipt is one of reading.
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(sources)), func(name string) bool { return name == messageDelivered })
	if got := slices.Sorted(maps.Keys(told)); !slices.Equal(got, want) {
		t.Errorf("told are %v, want %v", got, want)
	}
}

// TestEncodeReceipt: one event about several messages is as many webhooks, each
// with an id of its own, for those who want them.
func TestEncodeReceipt(t *testing.T) {
	t.Parallel()
	d := New(&api.Services{Accounts: api.NewAccounts()})
	receipt := func(status string) event.Event {
		return event.Event{ID: "evt_1", Type: event.MessageReceipt, SessionID: "line", Data: event.Receipt{Chat: "120363012345678901@g.us", MessageIDs: []string{"A", "B"}, Status: status}}
	}
	to := webhooks.Endpoint{Format: Name, Headers: map[string]string{eventsHeader: messageRead + "," + messageSent}}
	for status, want := range map[string]int{"delivered": 0, "read": 2, "played": 0} {
		requests, err := d.Encode(receipt(status), to)
		if err != nil || len(requests) != want {
			t.Errorf("%s is told as %v, %v", status, requests, err)
		}
		if len(requests) == 2 && (requests[0].Header[eventIDHeader] != "evt_1" || requests[1].Header[eventIDHeader] != "evt_1_2") {
			t.Errorf("the ids are %v", requests)
		}
	}
}

// TestEncodeFailed: what was given up is told with its reason.
func TestEncodeFailed(t *testing.T) {
	t.Parallel()
	d := New(&api.Services{Accounts: api.NewAccounts()})
	requests, err := d.Encode(event.Event{ID: "evt_1", Type: event.MessageFailed, SessionID: "line", At: time.Unix(1_700_000_000, 0), Data: event.Failed{
		MessageKey: event.MessageKey{MessageID: "3EB0", Chat: "628111000001@s.whatsapp.net", FromMe: true}, ErrorCode: "outcome_unknown", Error: "not confirmed",
	}}, webhooks.Endpoint{Format: Name})
	var p payload
	if err != nil || len(requests) != 1 || json.Unmarshal([]byte(requests[0].Body), &p) != nil {
		t.Fatalf("%v, %v", requests, err)
	}
	if p.Event != messageFailed || p.Error == nil || p.Error.Title != "outcome_unknown" || p.Message.Direction != "outgoing" || p.Conversation.ID != "628111000001" {
		t.Errorf("%s", requests[0].Body)
	}
}

func TestWebhookEvents(t *testing.T) {
	t.Parallel()
	for _, types := range sources {
		for _, source := range types {
			if _, unknown := event.Expand([]string{string(source)}); unknown >= 0 {
				t.Errorf("there is no event %s", source)
			}
		}
	}
}
