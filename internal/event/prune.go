package event

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"muster/store"
)

// pruneBatch is how many events are deleted in one transaction, so that the
// write lock is never held for long.
const pruneBatch = 5000

// pruning is the background work that keeps the log from growing for ever.
type pruning struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// Start begins the background work, which ends with Close. The context gives
// values only, it may end.
func (l *Log) Start(ctx context.Context) {
	ctx, l.pruning.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.pruning.done = make(chan struct{})
	go l.keepPruning(ctx)
}

// Close ends the background work and waits for it, as long as the context lets it.
func (l *Log) Close(ctx context.Context) error {
	if l.pruning.done == nil {
		return nil
	}
	l.pruning.cancel()
	select {
	case <-l.pruning.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of the log's work: %w", ctx.Err())
	}
}

func (l *Log) keepPruning(ctx context.Context) {
	defer close(l.pruning.done)
	ticker := time.NewTicker(l.options.PruneEvery)
	defer ticker.Stop()
	for {
		if count, err := l.Prune(ctx); err != nil && ctx.Err() == nil {
			l.log.Error().Err(err).Msg("old events could not be deleted; it is tried again")
		} else if count > 0 {
			l.log.Debug().Int64("events", count).Msg("old events were deleted")
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// Prune deletes the events that are older than KeepFor or more than Keep, the
// oldest first, and tells how many they were.
func (l *Log) Prune(ctx context.Context) (deleted int64, err error) {
	until, err := l.superfluous(ctx)
	if err != nil {
		return 0, err
	}
	for {
		count, err := l.pruneSome(ctx, until)
		deleted += count
		if err != nil || count == 0 {
			return deleted, err
		}
	}
}

// superfluous is the position of the last event that need not be kept, or 0.
func (l *Log) superfluous(ctx context.Context) (until int64, err error) {
	last := func(query string, args ...any) error {
		var position int64
		err := l.db.QueryRow(ctx, query, args...).Scan(&position)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		until = max(until, position)
		return err
	}
	if l.options.Keep > 0 {
		err = last(`SELECT position FROM events ORDER BY position DESC LIMIT 1 OFFSET $1`, l.options.Keep)
	}
	if err == nil && l.options.KeepFor > 0 {
		err = last(`SELECT position FROM events WHERE recorded_at < $1 ORDER BY recorded_at DESC, position DESC LIMIT 1`,
			l.now().Add(-l.options.KeepFor).Unix())
	}
	if err != nil {
		return 0, fmt.Errorf("look for old events: %w", err)
	}
	return until, nil
}

func (l *Log) pruneSome(ctx context.Context, until int64) (count int64, err error) {
	err = store.Txn(ctx, l.db, func(ctx context.Context) error {
		var last int64
		err := l.db.QueryRow(ctx, `SELECT COALESCE(MAX(position), 0) FROM (SELECT position FROM events WHERE position <= $1 ORDER BY position LIMIT $2) AS oldest`,
			until, pruneBatch).Scan(&last)
		if err != nil || last == 0 {
			return err
		}
		// The log's lock last, as everywhere.
		result, err := l.db.Exec(ctx, `DELETE FROM events WHERE position <= $1`, last)
		if err != nil {
			return err
		}
		if count, err = result.RowsAffected(); err != nil {
			return err
		}
		_, err = l.db.Exec(ctx, `UPDATE event_log SET pruned = $1 WHERE id = 1 AND pruned < $1`, last)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("delete old events: %w", err)
	}
	return count, nil
}
