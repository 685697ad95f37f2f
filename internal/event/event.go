// Package event is the log of everything that happens to the sessions: what an
// event is and what each type of it carries, how it is written in the
// transaction that makes it true, and how it is read, from any point on and
// live.
package event

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Event is one thing that has happened.
type Event struct {
	// ID and Seq are given by Append. The ID never changes and names the event's
	// place in the log too; Seq counts a session's events from 1, without gaps.
	ID        string
	Seq       int64
	Type      Type
	SessionID string
	// Group is the JID of the group that it is about; empty where it is about none.
	Group string
	// At is when it happened: WhatsApp's clock where there is one, else ours.
	At time.Time
	// Offline: it happened while the session was not connected, and was
	// delivered from the backlog afterwards.
	Offline bool
	// RequestID is that of the API request that caused it; empty where none did.
	RequestID string
	// Data is one of this package's payloads, the one that Type has. Events that
	// were read, and those that sinks get, have it as json.RawMessage.
	Data any
}

// Envelope is an event in the JSON of the API.
type Envelope struct {
	ID        string          `json:"id" doc:"Names the event, and its place in the log. The same for every reader and every delivery." example:"evt_00000000a17k3m9q2xw"`
	Seq       int64           `json:"seq" doc:"Counts the session's events from 1, without gaps."`
	Type      Type            `json:"type" doc:"What has happened."`
	SessionID string          `json:"session_id" doc:"The session that it happened to."`
	Group     string          `json:"group_jid,omitempty" doc:"The group that it is about, where it is about one."`
	Timestamp int64           `json:"timestamp" doc:"When it happened, in UNIX seconds: by WhatsApp's clock where there is one."`
	Offline   bool            `json:"offline,omitempty" doc:"It happened while the session was not connected, and was delivered afterwards."`
	RequestID string          `json:"request_id,omitempty" doc:"The X-Request-Id of the API request that caused it."`
	Data      json.RawMessage `json:"data" doc:"What there is to say about it, by type."`
}

// Envelope is the event in the JSON of the API.
func (e Event) Envelope() (Envelope, error) {
	data, err := e.raw()
	if err != nil {
		return Envelope{}, err
	}
	return Envelope{
		ID: e.ID, Seq: e.Seq, Type: e.Type, SessionID: e.SessionID, Group: e.Group,
		Timestamp: unix(e.At), Offline: e.Offline, RequestID: e.RequestID, Data: data,
	}, nil
}

// MarshalJSON writes the event's Envelope.
func (e Event) MarshalJSON() ([]byte, error) {
	envelope, err := e.Envelope()
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope)
}

// raw is Data as JSON.
func (e Event) raw() (json.RawMessage, error) {
	if raw, done := e.Data.(json.RawMessage); done {
		return raw, nil
	}
	raw, err := json.Marshal(e.Data)
	if err != nil {
		return nil, fmt.Errorf("encode the data of an event %s: %w", e.Type, err)
	}
	return raw, nil
}

// Decode reads Data into a payload; target is a pointer to the one that the
// event's type has.
func (e Event) Decode(target any) error {
	raw, err := e.raw()
	if err != nil {
		return err
	}
	if err = json.Unmarshal(raw, target); err != nil {
		return fmt.Errorf("decode the data of event %s (%s): %w", e.ID, e.Type, err)
	}
	return nil
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

type (
	requestKey struct{}
	offlineKey struct{}
)

// WithRequest notes the API request on whose behalf the context's work is done:
// events that come of it carry its id.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestOf is the id of the API request that the context works for, or empty.
func RequestOf(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// WithOffline marks the events that are written under the context as coming
// from the backlog.
func WithOffline(ctx context.Context) context.Context {
	return context.WithValue(ctx, offlineKey{}, true)
}

// Offline tells whether the context is about the backlog.
func Offline(ctx context.Context) bool {
	offline, _ := ctx.Value(offlineKey{}).(bool)
	return offline
}
