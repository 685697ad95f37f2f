package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/event"
	"muster/internal/fault"
)

// Why a delivery is given up.
const (
	deadExpired    = "expired"    // it has failed for as long as is tried
	deadGone       = "gone"       // the endpoint has answered 410
	deadUnwritable = "unwritable" // the format could not write the event
)

// DeadLetter is a delivery that was given up. It can be replayed.
type DeadLetter struct {
	ID        string
	EventID   string
	Type      event.Type
	SessionID string
	FailedAt  time.Time
	Attempts  int
	// Reason is expired, gone or unwritable.
	Reason string
	// Status and Error are about the last attempt; 0 is no answer.
	Status int
	Error  string

	delivery delivery
}

// burial is what is noted of a delivery that is given up.
type burial struct {
	at           time.Time
	reason, text string
	status       int
	attempts     int
}

// bury makes a dead letter of a delivery, unless its endpoint was deleted.
func (r repo) bury(ctx context.Context, d delivery, b burial) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write a dead letter: %w", err)
	}
	_, err = r.db.Exec(ctx, `INSERT INTO webhook_dead_letters (webhook_id, id, delivery, event_id, type, session_id, attempts, reason, status,
			error, failed_at)
		SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM webhooks WHERE id = $1`,
		d.WebhookID, r.ids.next("dead", b.at), string(raw), d.EventID, string(d.Type), d.SessionID, b.attempts, b.reason, b.status, b.text, b.at.Unix())
	if err != nil {
		return fmt.Errorf("write a dead letter: %w", err)
	}
	return nil
}

// giveUp takes a waiting delivery out of the queue and makes a dead letter of
// it. Somebody else may have been faster.
func (s *Service) giveUp(ctx context.Context, job int64, d delivery, b burial) error {
	was, err := s.queue.Discard(ctx, job)
	if err != nil || !was {
		return err
	}
	if err = s.repo.bury(ctx, d, b); err == nil {
		s.metrics.dead(ctx, b.reason)
	}
	return err
}

// DeadQuery asks for a page of an endpoint's dead letters.
type DeadQuery struct {
	WebhookID string
	Sessions  []string // only events of these sessions; nil is all
	After     string   // the id of the last one of the page before
	Limit     int      // 0 is DefaultLimit
}

// DeadPage is a page of dead letters, the oldest first.
type DeadPage struct {
	Letters []DeadLetter
	Next    string // After for the next page; empty on the last one
}

// DeadLetters lists what was given up for an endpoint.
func (s *Service) DeadLetters(ctx context.Context, q DeadQuery) (DeadPage, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit = min(limit, MaxLimit)
	where, args := ofSessions("webhook_id = $1 AND id > $2", []any{q.WebhookID, q.After}, q.Sessions)
	args = append(args, limit+1)
	list, err := s.repo.dead(ctx, where+fmt.Sprintf(" ORDER BY id LIMIT $%d", len(args)), args...)
	if err != nil {
		return DeadPage{}, err
	}
	page := DeadPage{Letters: list}
	if len(list) > limit {
		page.Letters, page.Next = list[:limit], list[limit-1].ID
	}
	return page, nil
}

func (r repo) dead(ctx context.Context, where string, args ...any) ([]DeadLetter, error) {
	rows, err := r.db.Query(ctx, "SELECT id, delivery, event_id, type, session_id, attempts, reason, status, error, failed_at FROM webhook_dead_letters WHERE "+where, args...)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (l DeadLetter, err error) {
		var raw string
		var failed int64
		if err = row.Scan(&l.ID, &raw, &l.EventID, &l.Type, &l.SessionID, &l.Attempts, &l.Reason, &l.Status, &l.Error, &failed); err != nil {
			return l, err
		}
		l.FailedAt = time.Unix(failed, 0)
		l.delivery, err = parseDelivery(json.RawMessage(raw))
		return l, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the dead letters: %w", err)
	}
	return list, nil
}

// revive queues dead letters again, in the transaction of ctx.
func (s *Service) revive(ctx context.Context, to Endpoint, letters []DeadLetter) error {
	again := make([]delivery, 0, len(letters))
	for _, letter := range letters {
		if !to.hears(letter.SessionID) {
			continue // any more
		}
		if _, err := s.repo.db.Exec(ctx, "DELETE FROM webhook_dead_letters WHERE webhook_id = $1 AND id = $2", to.ID, letter.ID); err != nil {
			return fmt.Errorf("take dead letter %s: %w", letter.ID, err)
		}
		d := letter.delivery
		if letter.Reason != deadUnwritable {
			again = append(again, d)
			continue
		}
		// It never had a body: it is written anew from the log, and where that
		// does not have it any more, the letter stays dead.
		e, ok, err := s.events.Get(ctx, letter.EventID)
		if err != nil {
			return err
		}
		if !ok {
			if err = s.repo.bury(ctx, d, burial{at: letter.FailedAt, reason: deadUnwritable, text: "the event is not in the log any more"}); err != nil {
				return err
			}
			continue
		}
		jobs, err := s.deliveries(ctx, e, to)
		if err == nil {
			err = s.queue.InsertMany(ctx, jobs)
		}
		if err != nil {
			return err
		}
	}
	return s.requeue(ctx, to, again)
}

// ReplayDead queues one dead letter again; its age begins anew.
func (s *Service) ReplayDead(ctx context.Context, webhookID, letterID string) error {
	return s.txn(ctx, func(ctx context.Context) error {
		to, ok, err := s.repo.lock(ctx, webhookID)
		if err != nil {
			return err
		}
		if !ok {
			return NotFound(webhookID)
		}
		list, err := s.repo.dead(ctx, "webhook_id = $1 AND id = $2", webhookID, letterID)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.New(fault.NotFound, "the webhook has no dead letter %q", letterID)
		}
		return s.revive(ctx, to, list)
	})
}

// newestDead is the id of an endpoint's newest dead letter, or empty, and how
// many there are.
func (r repo) newestDead(ctx context.Context, webhookID string) (newest string, count int, err error) {
	var last sql.NullString
	err = r.db.QueryRow(ctx, "SELECT max(id), count(*) FROM webhook_dead_letters WHERE webhook_id = $1", webhookID).Scan(&last, &count)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", 0, fmt.Errorf("count the dead letters of webhook %s: %w", webhookID, err)
	}
	return last.String, count, nil
}
