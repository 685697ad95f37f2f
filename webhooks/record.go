package webhooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"muster/store"
)

// What kinds of attempts there are.
const (
	kindDelivery = "delivery" // as planned
	kindProbe    = "probe"    // the one that a paused endpoint is tried with
	kindTest     = "test"     // a sample, by request
)

// What becomes of an attempt.
const (
	resultDelivered = "delivered"
	resultFailed    = "failed"
	resultGone      = "gone" // the endpoint has answered 410
)

// report is what is to be written about an attempt.
type report struct {
	id       string
	endpoint Endpoint
	delivery delivery
	outcome  outcome
	attempt  int
	kind     string
	result   string
	// dead is why the delivery is given up by this; empty when it is not.
	dead string
}

// report describes an attempt with what follows from its outcome alone.
func (s *Service) report(e Endpoint, d delivery, kind string, attempt int, out outcome) report {
	r := report{id: s.repo.ids.next("att", out.at), endpoint: e, delivery: d, outcome: out, attempt: attempt, kind: kind, result: resultFailed}
	switch {
	case out.success():
		r.result = resultDelivered
	case out.gone():
		r.result, r.dead = resultGone, deadGone
	}
	return r
}

// record writes an attempt down, and what follows from it for its endpoint.
func (s *Service) record(ctx context.Context, r report) error {
	var changed bool
	err := s.queue.Together(ctx, func(ctx context.Context) error {
		changed = false // a second time
		if err := s.repo.addAttempt(ctx, r); err != nil {
			return err
		}
		if r.dead != "" {
			if err := s.repo.bury(ctx, r.delivery, r.burial()); err != nil {
				return err
			}
		}
		var err error
		changed, err = s.judge(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	s.metrics.attempted(r)
	if changed {
		s.refresh(ctx)
	}
	return nil
}

func (r report) burial() burial {
	return burial{at: r.outcome.at, reason: r.dead, text: r.outcome.err, status: r.outcome.status, attempts: r.attempt}
}

// judge changes the endpoint's state after an attempt; changed tells whether
// others have to know.
func (s *Service) judge(ctx context.Context, r report) (changed bool, err error) {
	switch {
	case r.kind == kindTest:
		return false, nil
	case r.result == resultDelivered && r.endpoint.Failures == 0:
		return false, nil
	case r.result == resultDelivered:
		return true, s.repo.succeeded(ctx, r.endpoint.ID)
	case r.result == resultGone:
		return true, s.disable(ctx, r)
	}
	failures, err := s.repo.failed(ctx, r)
	if err != nil || failures < s.options.PauseAfter {
		return failures == 1, err
	}
	return true, s.pause(ctx, r, failures)
}

// disable turns an endpoint off that does not want anything any more.
func (s *Service) disable(ctx context.Context, r report) error {
	e, ok, err := s.repo.lock(ctx, r.endpoint.ID)
	if err != nil || !ok || !e.Enabled {
		return err
	}
	e.recover()
	e.Enabled, e.DisabledReason = false, ReasonGone
	e.LastStatus, e.LastError, e.UpdatedAt = r.outcome.status, r.outcome.err, r.outcome.at
	if err = s.repo.save(ctx, e); err != nil {
		return err
	}
	store.AfterCommit(ctx, func() {
		s.log.Warn().Str("webhook", e.ID).Msg("a webhook has answered 410 Gone and was disabled")
	})
	return s.queue.Pause(ctx, laneName(e.lane))
}

// addAttempt writes an attempt down, unless its endpoint was deleted meanwhile.
func (r repo) addAttempt(ctx context.Context, a report) error {
	v := a.view()
	_, err := r.db.Exec(ctx, `INSERT INTO webhook_attempts (webhook_id, id, event_id, message_id, type, session_id, attempt, kind, at, took,
			result, status, error, answer)
		SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM webhooks WHERE id = $1`,
		a.endpoint.ID, v.ID, v.EventID, v.MessageID, string(v.Type), v.SessionID, v.Number, v.Kind,
		milliseconds(v.At), v.Took.Milliseconds(), v.Result, v.Status, v.Error, v.Answer)
	if err != nil {
		return fmt.Errorf("note an attempt of webhook %s: %w", a.endpoint.ID, err)
	}
	return nil
}

// failed counts a failure, and returns how many there are in a row: 0 when the
// endpoint is paused, disabled or deleted.
func (r repo) failed(ctx context.Context, a report) (failures int, err error) {
	err = r.db.QueryRow(ctx, `UPDATE webhooks SET failures = failures + 1, last_status = $2, last_error = $3,
			failing_since = CASE WHEN failures = 0 THEN $4 ELSE failing_since END
		WHERE id = $1 AND paused_at = 0 AND enabled RETURNING failures`,
		a.endpoint.ID, a.outcome.status, a.outcome.err, milliseconds(a.outcome.at)).Scan(&failures)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("count a failure of webhook %s: %w", a.endpoint.ID, err)
	}
	return failures, nil
}

// succeeded ends a row of failures.
func (r repo) succeeded(ctx context.Context, id string) error {
	_, err := r.db.Exec(ctx, `UPDATE webhooks SET failures = 0, failing_since = 0, last_status = 0, last_error = '' WHERE id = $1 AND paused_at = 0`, id)
	if err != nil {
		return fmt.Errorf("note the success of webhook %s: %w", id, err)
	}
	return nil
}
