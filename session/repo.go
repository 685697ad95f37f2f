package session

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/store"
)

// historyLimit is how many state changes are kept per session.
const historyLimit = 100

// Values of the column desired: whether a restart of the server connects it.
const (
	desiredConnected    = "connected"
	desiredDisconnected = "disconnected"
)

// repo holds the SQL of the tables sessions and session_states. Its methods
// take part in the transaction of their context, if there is one.
type repo struct{ db *dbutil.Database }

// record is a stored session with what a snapshot does not show.
type record struct {
	Session
	proxy   string // with its password
	desired string
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

const selectSessions = `
SELECT id, name, jid, lid, phone_number, push_name, status, reason, proxy, desired, created_at, updated_at, last_connected_at
FROM sessions ORDER BY id`

func (r repo) all(ctx context.Context) ([]record, error) {
	rows, err := r.db.Query(ctx, selectSessions)
	list, err := dbutil.NewRowIterWithError(rows, scanRecord, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	return list, nil
}

func scanRecord(row dbutil.Scannable) (record, error) {
	var rec record
	var reason string
	var created, updated, connected int64
	err := row.Scan(&rec.ID, &rec.Name, &rec.JID, &rec.LID, &rec.PhoneNumber, &rec.PushName, &rec.Status, &reason,
		&rec.proxy, &rec.desired, &created, &updated, &connected)
	rec.Reason, rec.Detail = splitReason(reason)
	rec.Proxy = redact(rec.proxy)
	rec.CreatedAt, rec.UpdatedAt, rec.LastConnectedAt = fromSeconds(created), fromSeconds(updated), fromSeconds(connected)
	rec.LoggedIn = rec.JID != ""
	return rec, err
}

// insert stores a new session and the first entry of its history, and runs then
// in the same transaction. It reports false when the id is taken.
func (r repo) insert(ctx context.Context, rec record, then func(ctx context.Context) error) (created bool, err error) {
	err = store.Txn(ctx, r.db, func(ctx context.Context) error {
		result, err := r.db.Exec(ctx, `
			INSERT INTO sessions (id, name, status, reason, proxy, desired, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING`,
			rec.ID, rec.Name, string(rec.Status), joinReason(rec.Reason, rec.Detail), rec.proxy, rec.desired, seconds(rec.CreatedAt))
		if err != nil {
			return err
		}
		count, err := result.RowsAffected()
		if err != nil || count == 0 {
			return err
		}
		created = true
		err = r.appendHistory(ctx, rec.ID, StateChange{At: rec.CreatedAt, Status: rec.Status, Reason: rec.Reason, Detail: rec.Detail})
		if err != nil {
			return err
		}
		return then(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("store session %s: %w", rec.ID, err)
	}
	return created, nil
}

// setState stores the current state and appends it to the history, and runs
// then in the same transaction.
func (r repo) setState(ctx context.Context, id string, change StateChange, lastConnected time.Time, then func(ctx context.Context) error) error {
	err := store.Txn(ctx, r.db, func(ctx context.Context) error {
		result, err := r.db.Exec(ctx, `UPDATE sessions SET status=$2, reason=$3, updated_at=$4, last_connected_at=$5 WHERE id=$1`,
			id, string(change.Status), joinReason(change.Reason, change.Detail), seconds(change.At), seconds(lastConnected))
		if err != nil {
			return err
		}
		if count, err := result.RowsAffected(); err != nil || count == 0 {
			return err // deleted meanwhile: nothing to remember
		}
		if err = r.appendHistory(ctx, id, change); err != nil {
			return err
		}
		return then(ctx)
	})
	if err != nil {
		return fmt.Errorf("store the state of session %s: %w", id, err)
	}
	return nil
}

func (r repo) appendHistory(ctx context.Context, id string, change StateChange) error {
	_, err := r.db.Exec(ctx, `
		INSERT INTO session_states (session_id, seq, at, status, reason)
		SELECT CAST($1 AS TEXT), COALESCE(MAX(seq), 0) + 1, CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT)
		FROM session_states WHERE session_id = CAST($1 AS TEXT)`,
		id, seconds(change.At), string(change.Status), joinReason(change.Reason, change.Detail))
	if err != nil {
		return err
	}
	_, err = r.db.Exec(ctx, `
		DELETE FROM session_states WHERE session_id = $1
		AND seq <= (SELECT MAX(seq) FROM session_states WHERE session_id = $1) - $2`, id, historyLimit)
	return err
}

// history returns the last changes, the newest first.
func (r repo) history(ctx context.Context, id string) ([]StateChange, error) {
	rows, err := r.db.Query(ctx, `SELECT at, status, reason FROM session_states WHERE session_id=$1 ORDER BY seq DESC`, id)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (change StateChange, err error) {
		var at int64
		var reason string
		err = row.Scan(&at, &change.Status, &reason)
		change.At = fromSeconds(at)
		change.Reason, change.Detail = splitReason(reason)
		return change, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the history of session %s: %w", id, err)
	}
	return list, nil
}

// identity is what a linked device tells about its account.
type identity struct{ jid, lid, phoneNumber, pushName string }

// bind gives the session its device. It reports false when the session no
// longer exists.
func (r repo) bind(ctx context.Context, id string, who identity, now time.Time) (found bool, err error) {
	result, err := r.db.Exec(ctx, `UPDATE sessions SET jid=$2, lid=$3, phone_number=$4, push_name=$5, updated_at=$6 WHERE id=$1`,
		id, who.jid, who.lid, who.phoneNumber, who.pushName, seconds(now))
	if err != nil {
		return false, fmt.Errorf("bind session %s to its device: %w", id, err)
	}
	count, err := result.RowsAffected()
	return count > 0, err
}

// unbind takes the device away from whichever session owns it and returns the
// session's id, or "". The account's number and name stay: they tell which
// phone has to be linked again.
func (r repo) unbind(ctx context.Context, jid string, now time.Time) (id string, err error) {
	rows, err := r.db.Query(ctx, `UPDATE sessions SET jid='', lid='', updated_at=$2 WHERE jid=$1 RETURNING id`, jid, seconds(now))
	ids, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return "", fmt.Errorf("unbind device: %w", err)
	}
	if len(ids) == 0 {
		return "", nil
	}
	return ids[0], nil
}

func (r repo) setDesired(ctx context.Context, id, desired string) error {
	if _, err := r.db.Exec(ctx, `UPDATE sessions SET desired=$2 WHERE id=$1`, id, desired); err != nil {
		return fmt.Errorf("store what is desired of session %s: %w", id, err)
	}
	return nil
}

func (r repo) setProxy(ctx context.Context, id, proxy string, now time.Time) error {
	if _, err := r.db.Exec(ctx, `UPDATE sessions SET proxy=$2, updated_at=$3 WHERE id=$1`, id, proxy, seconds(now)); err != nil {
		return fmt.Errorf("store the proxy of session %s: %w", id, err)
	}
	return nil
}

func (r repo) delete(ctx context.Context, id string) error {
	if _, err := r.db.Exec(ctx, `DELETE FROM sessions WHERE id=$1`, id); err != nil {
		return fmt.Errorf("delete session %s: %w", id, err)
	}
	return nil
}
