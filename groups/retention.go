package groups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// Retention bounds the history of the groups. What is older than Age is
// forgotten, and of each group what is beyond its newest Count changes.
type Retention struct {
	Age   time.Duration // default: 90 days
	Count int           // default: 1,000
}

func (r Retention) withDefaults() Retention {
	return Retention{Age: cmp.Or(r.Age, 90*24*time.Hour), Count: cmp.Or(r.Count, 1000)}
}

const (
	// pruneEvery is how often the history is looked through.
	pruneEvery = time.Hour
	// pruneBatch is how many entries one statement deletes, so that a large
	// history never holds the write lock for long.
	pruneBatch = 1000
)

// keepPruned prunes at once and then regularly, until the context ends.
func (m *Mirror) keepPruned(ctx context.Context) {
	ticker := time.NewTicker(pruneEvery)
	defer ticker.Stop()
	for {
		switch forgotten, err := m.prune(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			m.log.Error().Err(err).Msg("the history of the groups was not pruned; trying again later")
		case forgotten > 0:
			m.log.Info().Int64("changes", forgotten).Msg("old changes of groups were forgotten")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// prune forgets what is beyond the retention, and counts it.
func (m *Mirror) prune(ctx context.Context) (forgotten int64, err error) {
	aged, err1 := m.pruneAged(ctx)
	surplus, err2 := m.pruneSurplus(ctx)
	m.metrics.forgotten.Add(float64(aged + surplus))
	return aged + surplus, errors.Join(err1, err2)
}

// pruneAged forgets by age, each session's oldest first: entries are numbered in
// the order they were written down, so the search ends at the first young one.
func (m *Mirror) pruneAged(ctx context.Context) (forgotten int64, err error) {
	rows, err := m.db.Query(ctx, "SELECT session_id FROM mirror_state")
	sessions, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return 0, fmt.Errorf("list the histories: %w", err)
	}
	before := m.now().Add(-m.retention.Age).Unix()
	for _, id := range sessions {
		n, err := m.pruneWhere(ctx, `session_id = $1 AND recorded_at < $2
			AND seq IN (SELECT seq FROM group_changes WHERE session_id = $1 ORDER BY seq LIMIT $3)`, id, before)
		if forgotten += n; err != nil {
			return forgotten, fmt.Errorf("forget the old changes of %s: %w", id, err)
		}
	}
	return forgotten, nil
}

// pruneSurplus forgets by count, group by group.
func (m *Mirror) pruneSurplus(ctx context.Context) (forgotten int64, err error) {
	type history struct{ session, group string }
	rows, err := m.db.Query(ctx, "SELECT session_id, group_jid FROM group_changes GROUP BY session_id, group_jid HAVING COUNT(*) > $1", m.retention.Count)
	long, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (h history, err error) {
		return h, row.Scan(&h.session, &h.group)
	}, err).AsList()
	if err != nil {
		return 0, fmt.Errorf("look for long histories: %w", err)
	}
	for _, h := range long {
		var newest int64 // of those to be forgotten
		err = m.db.QueryRow(ctx, "SELECT seq FROM group_changes WHERE session_id = $1 AND group_jid = $2 ORDER BY seq DESC LIMIT 1 OFFSET $3",
			h.session, h.group, m.retention.Count).Scan(&newest)
		if err != nil {
			return forgotten, fmt.Errorf("measure the history of group %s: %w", h.group, err)
		}
		n, err := m.pruneWhere(ctx, `session_id = $1 AND seq IN
			(SELECT seq FROM group_changes WHERE session_id = $1 AND group_jid = $2 AND seq <= $4 ORDER BY seq LIMIT $3)`, h.session, h.group, newest)
		if forgotten += n; err != nil {
			return forgotten, fmt.Errorf("forget the old changes of group %s: %w", h.group, err)
		}
	}
	return forgotten, nil
}

// pruneWhere deletes in batches; the condition's third parameter is their size.
func (m *Mirror) pruneWhere(ctx context.Context, condition string, first, second any, more ...any) (forgotten int64, err error) {
	args := append([]any{first, second, pruneBatch}, more...)
	for {
		result, err := m.db.Exec(ctx, "DELETE FROM group_changes WHERE "+condition, args...)
		if err != nil {
			return forgotten, err
		}
		n, err := result.RowsAffected()
		if forgotten += n; err != nil || n < pruneBatch {
			return forgotten, err
		}
	}
}
