// Package webhooks delivers events to HTTP endpoints: which endpoint wants which
// events, how requests are written and signed, and that each arrives at least
// once, however often it takes and whatever happens to this server meanwhile.
//
// A delivery is a job, inserted in the transaction that writes its event. Each
// endpoint has a lane of the queue to itself, so that one that does not answer
// holds up nobody else. An endpoint that keeps failing is paused: its
// deliveries wait, and one of them is tried now and then.
package webhooks

import (
	"slices"
	"time"

	"muster/internal/event"
)

// State is how an endpoint is doing.
type State string

// Every state.
const (
	StateActive  State = "active"  // the last attempt was a success, or there was none
	StateFailing State = "failing" // the last attempts have failed
	StatePaused  State = "paused"  // too many have failed: deliveries wait, and one is tried now and then
	StateOff     State = "off"     // not enabled: new events are not queued, and what was queued waits
)

// ReasonGone is why an endpoint was disabled that has answered 410.
const ReasonGone = "gone"

// Endpoint is one webhook.
type Endpoint struct {
	ID  string
	URL string
	// Events are patterns: types, "group.*" for a family, "*" for all.
	Events []string
	// Sessions and Groups limit the events to these sessions and groups; empty
	// is no limit. With Groups, events about no group are left out.
	Sessions, Groups []string
	Format           string
	Headers          map[string]string
	Enabled          bool
	// DisabledReason is ReasonGone, or empty when it was by request.
	DisabledReason string

	// Failures counts the attempts that have failed since the last success, and
	// FailingSince is when they began.
	Failures     int
	FailingSince time.Time
	// LastStatus and LastError are about the last of them; 0 is no answer.
	LastStatus int
	LastError  string
	// PausedAt is zero while it is not paused; ProbeAt is when the next attempt
	// is made then.
	PausedAt, ProbeAt time.Time

	// OldSecretUntil is until when the secret before is valid too.
	OldSecretUntil       time.Time
	CreatedAt, UpdatedAt time.Time

	// Pending counts the deliveries that wait, the oldest of them since
	// OldestPending; DeadLetters those that were given up. Get and List know them.
	Pending       int
	OldestPending time.Time
	DeadLetters   int

	lane              int
	secret, oldSecret string
	probes            int
	types             map[event.Type]bool
}

// State is how the endpoint is doing.
func (e Endpoint) State() State {
	switch {
	case !e.Enabled:
		return StateOff
	case !e.PausedAt.IsZero():
		return StatePaused
	case e.Failures > 0:
		return StateFailing
	default:
		return StateActive
	}
}

// open tells whether deliveries are made.
func (e Endpoint) open() bool { return e.Enabled && e.PausedAt.IsZero() }

// wants tells whether an event is for the endpoint.
func (e Endpoint) wants(what event.Event) bool {
	return e.types[what.Type] &&
		e.hears(what.SessionID) &&
		(len(e.Groups) == 0 || slices.Contains(e.Groups, what.Group))
}

// hears tells whether events of the session are for the endpoint.
func (e Endpoint) hears(sessionID string) bool {
	return len(e.Sessions) == 0 || slices.Contains(e.Sessions, sessionID)
}

// takes tells whether a delivery that waits may go to the endpoint. What was
// queued for a session that it no longer hears of may not: since then it may
// belong to somebody who must not know of that session.
func (e Endpoint) takes(d delivery) bool { return d.WebhookID == e.ID && e.hears(d.SessionID) }

// secrets are those that are valid, the newest first.
func (e Endpoint) secrets(now time.Time) []string {
	if e.oldSecret != "" && now.Before(e.OldSecretUntil) {
		return []string{e.secret, e.oldSecret}
	}
	return []string{e.secret}
}

// expand fills in what follows from the endpoint's patterns.
func (e *Endpoint) expand() {
	types, _ := event.Expand(e.Events)
	e.types = make(map[event.Type]bool, len(types))
	for _, t := range types {
		e.types[t] = true
	}
}
