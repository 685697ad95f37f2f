package idempotency

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"muster/internal/fault"
)

// Attempt is one run of a request that has a key. The domain operations find
// it in their context and use it in two ways. Before anything is sent to
// WhatsApp it is written down that something was (session.Manager.Do sees to
// that). And when an earlier run of the same request has an unknown outcome,
// Unsettled, then nothing is sent until the operation has found out what became
// of it, and has called Settle.
//
// The methods accept nil, which is a request without a key. Attempt is safe for
// concurrent use.
type Attempt struct {
	keys    *Keys
	request Request

	mu        sync.Mutex
	journal   journal
	resumed   bool
	unsettled bool
	lost      bool      // the answer to a change of this run
	since     time.Time // when the outcome became unknown
}

// journal is what is stored of a run before its answer.
type journal struct {
	Sent  bool                       `json:"sent,omitempty"`
	Notes map[string]json.RawMessage `json:"notes,omitempty"`
}

type attemptKey struct{}

// With puts an attempt into the context of a request.
func With(ctx context.Context, a *Attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// From gives the attempt that the context belongs to, or nil.
func From(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}

// Resumed tells whether this run continues one whose outcome was unknown.
func (a *Attempt) Resumed() bool { return a != nil && a.resumed }

// Unsettled tells whether an earlier run was sent to WhatsApp, and nobody has
// found out yet what became of it.
func (a *Attempt) Unsettled() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unsettled
}

// Settle says that the outcome of the earlier run is known, or that sending it
// once more makes no difference.
func (a *Attempt) Settle() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unsettled = false
}

// Doubt is how much longer the earlier run may still happen although WhatsApp
// shows no trace of it; 0 or less when what has not happened by now never will.
func (a *Attempt) Doubt() time.Duration {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.keys.settleAfter - a.keys.now().Sub(a.since)
}

// Sent tells whether a change was sent to WhatsApp, in this run or earlier.
func (a *Attempt) Sent() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.journal.Sent
}

// Lose says that the answer to a change of this run was lost, whatever the
// request as a whole is answered.
func (a *Attempt) Lose() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lost = true
}

// Lost tells whether Lose was called.
func (a *Attempt) Lost() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}

// Owner names the request among all; empty for one without a key.
func (a *Attempt) Owner() string {
	if a == nil {
		return ""
	}
	return a.request.row()
}

// Sending is called before a change is sent, and refuses it while an earlier
// one is unsettled.
func (a *Attempt) Sending(ctx context.Context) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unsettled {
		return errUnsettled()
	}
	if a.journal.Sent {
		return nil
	}
	a.journal.Sent = true
	if err := a.store(ctx); err != nil {
		a.journal.Sent = false // and so it will not be
		return err
	}
	return nil
}

func errUnsettled() error {
	return fault.New(fault.OutcomeUnknown, "whether the change has happened is not known: its answer was lost")
}

// Note writes down, before the change is sent, what will be needed to find out
// what became of it.
func (a *Attempt) Note(ctx context.Context, name string, value any) error {
	if a == nil {
		return nil
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("note %s: %w", name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.journal.Notes == nil {
		a.journal.Notes = map[string]json.RawMessage{}
	}
	a.journal.Notes[name] = encoded
	if !a.journal.Sent {
		return nil // stored with what comes after it, which is what makes it needed
	}
	return a.store(ctx)
}

// Noted reads a note of this run or an earlier one; false when there is none.
func (a *Attempt) Noted(name string, value any) (bool, error) {
	if a == nil {
		return false, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	encoded, ok := a.journal.Notes[name]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(encoded, value); err != nil {
		return false, fmt.Errorf("read the note %s: %w", name, err)
	}
	return true, nil
}

// store writes the journal; the caller holds the lock.
func (a *Attempt) store(ctx context.Context) error {
	encoded, err := json.Marshal(a.journal)
	if err != nil {
		return fmt.Errorf("write the request down: %w", err)
	}
	_, err = a.keys.db.Exec(ctx, "UPDATE idempotency SET intent = $1 WHERE session_id = $2 AND key = $3",
		string(encoded), a.request.Session, a.request.row())
	if err != nil {
		return fmt.Errorf("write the request down before it is sent: %w", err)
	}
	return nil
}

// Done ends the attempt with the answer that every repetition will get.
func (a *Attempt) Done(ctx context.Context, answer Answer) error {
	header, err := json.Marshal(answer.Header)
	if err != nil {
		return fmt.Errorf("store the answer: %w", err)
	}
	if answer.Body == nil {
		answer.Body = []byte{}
	}
	return a.end(ctx, `UPDATE idempotency SET state = 'done', status = $3, headers = $4, body = $5, finished_at = $6
		WHERE session_id = $1 AND key = $2`, answer.Status, string(header), answer.Body, a.keys.now().Unix())
}

// Unknown ends the attempt without knowing what it has done. The outcome is
// unknown since the first attempt of which that is so.
func (a *Attempt) Unknown(ctx context.Context) error {
	since := a.keys.now().Unix()
	a.mu.Lock()
	if a.unsettled {
		since = a.since.Unix()
	}
	a.mu.Unlock()
	return a.end(ctx, "UPDATE idempotency SET state = 'unknown', finished_at = $3 WHERE session_id = $1 AND key = $2", since)
}

// Free ends the attempt as if it had never been: nothing has happened, and the
// next request with the key runs.
func (a *Attempt) Free(ctx context.Context) error {
	return a.end(ctx, "DELETE FROM idempotency WHERE session_id = $1 AND key = $2")
}

func (a *Attempt) end(ctx context.Context, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_, err := a.keys.db.Exec(ctx, query, append([]any{a.request.Session, a.request.row()}, args...)...)
	if err != nil {
		return fmt.Errorf("store the outcome of a repeatable request: %w", err)
	}
	return nil
}
