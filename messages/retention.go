package messages

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/store"
)

// Retention says how long messages are kept.
type Retention struct {
	// Age is how long, from when they came here; 0 keeps nothing, and negative
	// keeps them for ever.
	Age time.Duration
	// Count is how many of each session are kept, the newest; 0 keeps nothing,
	// and negative is no limit.
	Count int
	// Every is how often what is past its time is deleted: 10 minutes.
	Every time.Duration
}

// repeatWindow is for how long messages of which nothing is kept are
// remembered by their ids alone: WhatsApp delivers what was not acknowledged
// for as long as a device may stay away.
const repeatWindow = 14 * 24 * time.Hour

func (r Retention) withDefaults() Retention {
	r.Every = cmp.Or(r.Every, 10*time.Minute)
	return r
}

// keeps tells whether anything is kept at all. If not, a message's row has no
// content, and answers do not show it.
func (r Retention) keeps() bool { return r.Age != 0 && r.Count != 0 }

// sweep deletes what is past its time, until the context ends.
func (b *Inbox) sweep(ctx context.Context) {
	ticker := time.NewTicker(b.retention.Every)
	defer ticker.Stop()
	for {
		if deleted, err := b.Prune(ctx); err != nil && ctx.Err() == nil {
			b.log.Error().Err(err).Msg("messages that are past their time could not be deleted")
		} else if deleted > 0 {
			b.log.Info().Int64("messages", deleted).Msg("deleted messages that are past their time")
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Prune deletes the messages that need not be kept any longer, and those that
// have disappeared, and says how many.
func (b *Inbox) Prune(ctx context.Context) (deleted int64, err error) {
	n, err := b.pruneWhere(ctx, fmt.Sprintf(`m.seq IN (SELECT seq FROM messages WHERE expires_at > 0 AND expires_at <= %d ORDER BY expires_at, seq LIMIT %d)`,
		b.now().Unix(), pruneBatch))
	if deleted = n; err != nil {
		return deleted, fmt.Errorf("delete messages that have disappeared: %w", err)
	}
	age := b.retention.Age
	if !b.retention.keeps() {
		age = repeatWindow
	}
	if age > 0 {
		// The oldest come first: once one of them is young enough, all others are.
		n, err = b.pruneWhere(ctx, fmt.Sprintf(`m.seq IN (SELECT seq FROM (SELECT seq, received_at FROM messages ORDER BY seq LIMIT %d) AS oldest WHERE received_at < %d)`,
			pruneBatch, b.now().Add(-age).Unix()))
		if deleted += n; err != nil {
			return deleted, fmt.Errorf("delete old messages: %w", err)
		}
	}
	if b.retention.keeps() && b.retention.Count > 0 {
		n, err = b.pruneCount(ctx)
		if deleted += n; err != nil {
			return deleted, fmt.Errorf("delete messages beyond the number that is kept: %w", err)
		}
	}
	return deleted, nil
}

// pruneBatch bounds a transaction, so that events need not wait long.
const pruneBatch = 500

// pruneWhere deletes batch after batch while there is one.
func (b *Inbox) pruneWhere(ctx context.Context, condition string, values ...any) (deleted int64, err error) {
	for {
		var n int64
		err = store.Txn(ctx, b.db, func(ctx context.Context) (err error) {
			n, err = b.remove(ctx, condition, values...)
			return err
		})
		deleted += n
		if err != nil || n == 0 || ctx.Err() != nil {
			return deleted, err
		}
	}
}

// pruneCount deletes the oldest messages of sessions that have too many.
func (b *Inbox) pruneCount(ctx context.Context) (deleted int64, err error) {
	rows, err := b.db.Query(ctx, `SELECT session_id FROM messages GROUP BY session_id HAVING COUNT(*) > $1`, b.retention.Count)
	sessions, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return 0, err
	}
	for _, id := range sessions {
		var oldest int64
		err = b.db.QueryRow(ctx, `SELECT seq FROM messages WHERE session_id = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2`, id, b.retention.Count-1).Scan(&oldest)
		if err != nil {
			return deleted, err
		}
		n, err := b.pruneWhere(ctx, fmt.Sprintf(`m.seq IN (SELECT seq FROM messages WHERE session_id = $1 AND seq < $2 ORDER BY seq LIMIT %d)`, pruneBatch), id, oldest)
		if deleted += n; err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// remove deletes the messages m that fit a condition, and what is known about
// them. Their words and the rows of their files go with them.
func (b *Inbox) remove(ctx context.Context, condition string, values ...any) (int64, error) {
	for _, statement := range []string{
		`DELETE FROM message_receipts WHERE (session_id, message_id) IN (SELECT m.session_id, m.id FROM messages m WHERE ` + condition + `)`,
		`DELETE FROM message_reactions WHERE (session_id, message_id, chat) IN (SELECT m.session_id, m.id, m.chat FROM messages m WHERE ` + condition + `)`,
		`DELETE FROM poll_votes WHERE (session_id, message_id, chat) IN (SELECT m.session_id, m.id, m.chat FROM messages m WHERE ` + condition + `)`,
	} {
		if _, err := b.db.Exec(ctx, statement, values...); err != nil {
			return 0, err
		}
	}
	result, err := b.db.Exec(ctx, `DELETE FROM messages AS m WHERE `+condition, values...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
