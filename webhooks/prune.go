package webhooks

import (
	"context"
	"fmt"
)

// prune deletes what need not be kept, and gives up what has waited for too
// long at endpoints that are not enabled.
func (s *Service) prune(ctx context.Context) {
	for _, e := range s.endpoints.all() {
		if e.open() {
			continue
		}
		if err := s.expire(ctx, e); err != nil && ctx.Err() == nil {
			s.log.Error().Err(err).Str("webhook", e.ID).Msg("old deliveries could not be given up")
		}
	}
	if err := s.pruneRecords(ctx); err != nil && ctx.Err() == nil {
		s.log.Error().Err(err).Msg("old records of the webhooks could not be deleted")
	}
}

func (s *Service) pruneRecords(ctx context.Context) error {
	now := s.clock.Now()
	limits := []struct {
		table, column string
		before        int64
		keep          int
	}{
		{"webhook_attempts", "at", milliseconds(now.Add(-s.options.KeepAttemptsFor)), s.options.KeepAttempts},
		{"webhook_dead_letters", "failed_at", now.Add(-s.options.KeepDeadFor).Unix(), s.options.KeepDead},
	}
	for _, limit := range limits {
		if err := s.repo.prune(ctx, limit.table, limit.column+" < $1", limit.before); err != nil {
			return fmt.Errorf("delete old %s: %w", limit.table, err)
		}
		for _, e := range s.endpoints.all() {
			// Ids sort by time; there is no such row when there are not too many.
			err := s.repo.prune(ctx, limit.table, "webhook_id = $1 AND id <= (SELECT id FROM "+limit.table+
				" WHERE webhook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)", e.ID, limit.keep)
			if err != nil {
				return fmt.Errorf("delete the oldest %s: %w", limit.table, err)
			}
		}
	}
	return nil
}

// pruneBatch is how many rows are deleted in one transaction, so that the write
// lock is never held for long.
const pruneBatch = 5000

// prune deletes the rows of a table that fit, some at a time.
func (r repo) prune(ctx context.Context, table, where string, args ...any) error {
	some := fmt.Sprintf("DELETE FROM %s WHERE (webhook_id, id) IN (SELECT webhook_id, id FROM %s WHERE %s LIMIT %d)", table, table, where, pruneBatch)
	for {
		result, err := r.db.Exec(ctx, some, args...)
		if err != nil {
			return err
		}
		if count, err := result.RowsAffected(); err != nil || count < pruneBatch {
			return err
		}
	}
}
