// Package idempotency makes requests safe to repeat. A caller names a change
// with a key; what was answered is kept under it for a day and given again to
// whoever repeats the request. A change that was sent to WhatsApp and whose
// answer was lost stays unknown under its key, through a crash too, until a
// repetition has found out what became of it.
package idempotency

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/fault"
)

// Header is where a request has its key.
const Header = "Idempotency-Key"

// Kept is how long a key is remembered, from the first request on.
const Kept = 24 * time.Hour

// maxKey bounds a key, in bytes.
const maxKey = 255

// purgeEvery is how often what is too old is deleted, by the way.
const purgeEvery = 10 * time.Minute

// storeTimeout bounds the writing of what has happened already, and is
// therefore written although the caller may have gone.
const storeTimeout = 30 * time.Second

// CheckKey refuses keys that are not 1 to 255 visible ASCII characters.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fault.Field(Header, "must have 1 to %d characters", maxKey)
	}
	for i := range len(key) {
		if key[i] < '!' || key[i] > '~' {
			return fault.Field(Header, "must have visible ASCII characters only, and no spaces")
		}
	}
	return nil
}

// Request is a repeatable request. Two with the same Session, Token and Key
// are meant to be one; when their fingerprints differ, they are not.
type Request struct {
	Session     string // which session it is about; empty for none
	Token       string // the id of the caller's token, so that nobody meets another's keys
	Key         string
	Fingerprint string // of everything that makes the request what it is
}

// row is the request's key in the table: ids of tokens have no spaces.
func (r Request) row() string { return r.Token + " " + r.Key }

// Answer is what a request was answered with. Body is kept as it is given:
// whoever must not let the database see it seals it.
type Answer struct {
	Status int
	Header map[string]string
	Body   []byte
}

// The states of a key in the table. A key that is free to use has no row.
const (
	stateRunning = "running"
	stateDone    = "done"
	stateUnknown = "unknown"
)

// Options configure Keys. DB is required.
type Options struct {
	DB  *dbutil.Database
	Now func() time.Time // default time.Now
	// SettleAfter is how long after a change whose outcome is unknown it counts
	// as proof that it has not happened when WhatsApp shows no trace of it: 30 s.
	// WhatsApp works on requests after their connection has gone, but not for long.
	SettleAfter time.Duration
}

// Keys is the keys of all sessions. It is safe for concurrent use.
type Keys struct {
	db          *dbutil.Database
	now         func() time.Time
	settleAfter time.Duration

	mu     sync.Mutex
	purged time.Time // when old keys were last deleted
}

// NewKeys works on the database's keys.
func NewKeys(o Options) *Keys {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Keys{db: o.DB, now: o.Now, settleAfter: cmp.Or(o.SettleAfter, 30*time.Second)}
}

// Recover settles what the end of the last process has left running: what had
// been sent to WhatsApp has an unknown outcome, and the rest has not happened.
// It must run before the first Begin, and in one process at a time.
func (k *Keys) Recover(ctx context.Context) error {
	return k.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if _, err := k.db.Exec(ctx,
			"UPDATE idempotency SET state = 'unknown', finished_at = $1 WHERE state = 'running' AND intent <> '{}'", k.now().Unix()); err != nil {
			return fmt.Errorf("recover the interrupted requests: %w", err)
		}
		if _, err := k.db.Exec(ctx, "DELETE FROM idempotency WHERE state = 'running'"); err != nil {
			return fmt.Errorf("forget the requests that were not begun: %w", err)
		}
		return nil
	})
}

// Begin admits a request. Exactly one result is not nil: the attempt that the
// caller now has to run, and to end with Done, Unknown or Free; the answer
// that the request got before; or an error, a fault where the same key is
// running (conflict) or belongs to another request (invalid).
func (k *Keys) Begin(ctx context.Context, req Request) (*Attempt, *Answer, error) {
	if err := k.purge(ctx); err != nil {
		return nil, nil, err
	}
	var attempt *Attempt
	var answer *Answer
	err := k.db.DoTxn(ctx, nil, func(ctx context.Context) (err error) {
		attempt, answer, err = k.admit(ctx, req)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return attempt, answer, nil
}

// stored is a row of the table.
type stored struct {
	fingerprint, state, header, intent string
	status                             int
	body                               []byte
	created, finished                  int64
}

func (k *Keys) admit(ctx context.Context, req Request) (*Attempt, *Answer, error) {
	now := k.now().Unix()
	if err := k.forgetFormer(ctx, req, now); err != nil {
		return nil, nil, err
	}
	result, err := k.db.Exec(ctx, `INSERT INTO idempotency (session_id, key, fingerprint, state, body, created_at)
		VALUES ($1, $2, $3, 'running', $4, $5) ON CONFLICT (session_id, key) DO NOTHING`,
		req.Session, req.row(), req.Fingerprint, []byte{}, now)
	if err != nil {
		return nil, nil, fmt.Errorf("reserve the key: %w", err)
	}
	inserted, err := result.RowsAffected()
	if err != nil {
		return nil, nil, fmt.Errorf("reserve the key: %w", err)
	}
	if inserted == 1 {
		return &Attempt{keys: k, request: req}, nil, nil
	}
	var s stored
	err = k.db.QueryRow(ctx, `SELECT fingerprint, state, status, headers, body, intent, created_at, finished_at
		FROM idempotency WHERE session_id = $1 AND key = $2`, req.Session, req.row()).
		Scan(&s.fingerprint, &s.state, &s.status, &s.header, &s.body, &s.intent, &s.created, &s.finished)
	switch {
	case errors.Is(err, sql.ErrNoRows): // freed by whoever had it, just now
		return nil, nil, errRunning()
	case err != nil:
		return nil, nil, fmt.Errorf("look the key up: %w", err)
	case s.fingerprint != req.Fingerprint:
		return nil, nil, fault.Field(Header, "has been used for another request: the method, the path or the body differ")
	case s.state == stateRunning:
		return nil, nil, errRunning()
	case s.state == stateDone:
		answer := &Answer{Status: s.status, Body: s.body}
		if err = json.Unmarshal([]byte(s.header), &answer.Header); err != nil {
			return nil, nil, fmt.Errorf("read the stored answer: %w", err)
		}
		return nil, answer, nil
	}
	return k.resume(ctx, req, s)
}

func errRunning() error {
	return fault.New(fault.Conflict, "a request with this %s is still running", Header).After(time.Second)
}

// forgetFormer frees a key that is too old, or that belonged to an earlier
// session of the same name.
func (k *Keys) forgetFormer(ctx context.Context, req Request, now int64) error {
	_, err := k.db.Exec(ctx, `DELETE FROM idempotency WHERE session_id = $1 AND key = $2 AND state <> 'running'
		AND (created_at <= $3 OR created_at < (SELECT created_at FROM sessions WHERE id = $1))`,
		req.Session, req.row(), now-int64(Kept.Seconds()))
	if err != nil {
		return fmt.Errorf("forget the former use of the key: %w", err)
	}
	return nil
}

// resume takes an unknown request up again.
func (k *Keys) resume(ctx context.Context, req Request, s stored) (*Attempt, *Answer, error) {
	attempt := &Attempt{keys: k, request: req, resumed: true, unsettled: true, since: time.Unix(s.finished, 0)}
	if err := json.Unmarshal([]byte(s.intent), &attempt.journal); err != nil {
		return nil, nil, fmt.Errorf("read what is known of the request: %w", err)
	}
	result, err := k.db.Exec(ctx, "UPDATE idempotency SET state = 'running' WHERE session_id = $1 AND key = $2 AND state = 'unknown'",
		req.Session, req.row())
	if err != nil {
		return nil, nil, fmt.Errorf("take the request up again: %w", err)
	}
	taken, err := result.RowsAffected()
	if err != nil {
		return nil, nil, fmt.Errorf("take the request up again: %w", err)
	}
	if taken == 0 {
		return nil, nil, errRunning()
	}
	return attempt, nil, nil
}

// purge deletes what is too old, every now and then.
func (k *Keys) purge(ctx context.Context) error {
	k.mu.Lock()
	now := k.now()
	due := now.Sub(k.purged) >= purgeEvery
	if due {
		k.purged = now
	}
	k.mu.Unlock()
	if !due {
		return nil
	}
	_, err := k.db.Exec(ctx, "DELETE FROM idempotency WHERE created_at <= $1 AND state <> 'running'", now.Add(-Kept).Unix())
	if err != nil {
		return fmt.Errorf("forget old keys: %w", err)
	}
	return nil
}
