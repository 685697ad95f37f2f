package bulk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
)

// repo holds the SQL of the tables bulk_jobs and bulk_items. Its methods take
// part in the transaction of their context, if there is one.
type repo struct{ db *dbutil.Database }

func (r repo) txn(ctx context.Context, fn func(ctx context.Context) error) error {
	return r.db.DoTxn(ctx, nil, fn)
}

// lockSession keeps other transactions from changing the session's jobs until
// this one ends; fault session_not_found when there is no such session. SQLite
// has one writer anyhow.
func (r repo) lockSession(ctx context.Context, sessionID string) error {
	query := "SELECT id FROM sessions WHERE id = $1"
	if r.db.Dialect == dbutil.Postgres {
		// NO KEY: rows that refer to the session can be written meanwhile.
		query += " FOR NO KEY UPDATE"
	}
	var id string
	err := r.db.QueryRow(ctx, query, sessionID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.SessionNotFound, "there is no session named %q", sessionID)
	}
	return err
}

func (r repo) sessionExists(ctx context.Context, sessionID string) error {
	var id string
	err := r.db.QueryRow(ctx, "SELECT id FROM sessions WHERE id = $1", sessionID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.SessionNotFound, "there is no session named %q", sessionID)
	}
	return err
}

const selectJobs = `
SELECT id, session_id, group_jid, state, on_private, batch_size, pause_seconds, total, done, queue_id, cancelling,
	wait_reason, wait_since, resume_at, error_code, error, created_at, updated_at, finished_at, request_id
FROM bulk_jobs `

func scanJob(row dbutil.Scannable) (j Job, err error) {
	var pause, waitSince, resumeAt, created, updated, finished int64
	var reason, code, text string
	err = row.Scan(&j.ID, &j.SessionID, &j.GroupJID, &j.State, &j.OnPrivate, &j.BatchSize, &pause, &j.Total, &j.Done, &j.queueID,
		&j.Cancelling, &reason, &waitSince, &resumeAt, &code, &text, &created, &updated, &finished, &j.request)
	j.Pause, j.waitSince = time.Duration(pause)*time.Second, fromSeconds(waitSince)
	j.CreatedAt, j.UpdatedAt, j.FinishedAt = fromSeconds(created), fromSeconds(updated), fromSeconds(finished)
	if j.State == StateWaiting {
		j.Waiting = &Waiting{Reason: reason, ResumeAt: fromSeconds(resumeAt)}
	}
	if j.State == StateFailed {
		j.Failure = fault.New(fault.Code(code), "%s", text)
	}
	return j, err
}

// job reads one job; fault not_found when there is none.
func (r repo) job(ctx context.Context, id string) (Job, error) {
	job, err := scanJob(r.db.QueryRow(ctx, selectJobs+"WHERE id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Job{}, NotFound(id)
	}
	if err != nil {
		return Job{}, fmt.Errorf("read job %s: %w", id, err)
	}
	return job, nil
}

// NotFound is the fault for a job that does not exist, or must not be known to.
func NotFound(id string) error {
	return fault.New(fault.NotFound, "there is no job %q", id)
}

// list reads up to limit jobs, the newest first, beginning behind one.
func (r repo) list(ctx context.Context, sessionID, behind string, limit int) ([]Job, error) {
	rows, err := r.db.Query(ctx, selectJobs+"WHERE session_id = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3", sessionID, behind, limit)
	jobs, err := dbutil.NewRowIterWithError(rows, scanJob, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("list the jobs of session %s: %w", sessionID, err)
	}
	return jobs, nil
}

// insertChunk keeps a statement below SQLite's and PostgreSQL's limits.
const insertChunk = 200

func (r repo) insert(ctx context.Context, j Job, people []address.Entry) error {
	_, err := r.db.Exec(ctx, `
		INSERT INTO bulk_jobs (id, session_id, group_jid, kind, state, on_private, batch_size, pause_seconds, total, created_at, updated_at, request_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)`,
		j.ID, j.SessionID, j.GroupJID, kindAdd, string(j.State), string(j.OnPrivate), j.BatchSize, int64(j.Pause/time.Second), j.Total, seconds(j.CreatedAt), j.request)
	if err != nil {
		return fmt.Errorf("store a job: %w", err)
	}
	for from := 0; from < len(people); from += insertChunk {
		values := []any{j.ID}
		var rows []string
		for i, entry := range people[from:min(from+insertChunk, len(people))] {
			n := len(values)
			rows = append(rows, fmt.Sprintf("($1, $%d, $%d, $%d, $%d, 'pending')", n+1, n+2, n+3, n+4))
			pn, lid := entry.JID.User, ""
			if entry.JID.Server == types.HiddenUserServer {
				pn, lid = "", entry.JID.String()
			}
			values = append(values, from+i, entry.Input, pn, lid)
		}
		_, err = r.db.Exec(ctx, "INSERT INTO bulk_items (job_id, idx, input, pn, lid, state) VALUES "+strings.Join(rows, ", "), values...)
		if err != nil {
			return fmt.Errorf("store the people of a job: %w", err)
		}
	}
	return nil
}

// prune deletes jobs that ended before the time.
func (r repo) prune(ctx context.Context, sessionID string, before time.Time) error {
	_, err := r.db.Exec(ctx, "DELETE FROM bulk_jobs WHERE session_id = $1 AND finished_at > 0 AND finished_at < $2", sessionID, seconds(before))
	return err
}

const unfinished = "state IN ('queued', 'running', 'waiting')"

func (r repo) unfinished(ctx context.Context, sessionID string) (count int, err error) {
	err = r.db.QueryRow(ctx, "SELECT COUNT(*) FROM bulk_jobs WHERE session_id = $1 AND "+unfinished, sessionID).Scan(&count)
	return count, err
}

// head is the job whose turn it is to be queued, or "" when there is none or
// one of the session has been queued.
func (r repo) head(ctx context.Context, sessionID string) (id string, err error) {
	err = r.db.QueryRow(ctx, `
		SELECT id FROM bulk_jobs WHERE session_id = $1 AND `+unfinished+`
		AND NOT EXISTS (SELECT 1 FROM bulk_jobs WHERE session_id = $1 AND queue_id <> 0 AND `+unfinished+`)
		ORDER BY id LIMIT 1`, sessionID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

func (r repo) setQueueID(ctx context.Context, id string, number int64) error {
	_, err := r.db.Exec(ctx, "UPDATE bulk_jobs SET queue_id = $2 WHERE id = $1", id, number)
	return err
}

func (r repo) setCancelling(ctx context.Context, id string, now time.Time) error {
	_, err := r.db.Exec(ctx, "UPDATE bulk_jobs SET cancelling = $2, updated_at = $3 WHERE id = $1", id, true, seconds(now))
	return err
}

func (r repo) setRunning(ctx context.Context, id string, now time.Time) error {
	_, err := r.db.Exec(ctx, "UPDATE bulk_jobs SET state = 'running', wait_reason = '', resume_at = 0, updated_at = $2 WHERE id = $1", id, seconds(now))
	return err
}

func (r repo) setWaiting(ctx context.Context, id string, w Waiting, since, now time.Time) error {
	_, err := r.db.Exec(ctx, "UPDATE bulk_jobs SET state = 'waiting', wait_reason = $2, wait_since = $3, resume_at = $4, updated_at = $5 WHERE id = $1",
		id, w.Reason, seconds(since), seconds(w.ResumeAt), seconds(now))
	return err
}

// progressed notes that the job did not have to wait this time, and how many
// people have an outcome.
func (r repo) progressed(ctx context.Context, id string, now time.Time) error {
	_, err := r.db.Exec(ctx, `
		UPDATE bulk_jobs SET wait_since = 0, updated_at = $2,
			done = (SELECT COUNT(*) FROM bulk_items WHERE job_id = $1 AND state = 'done')
		WHERE id = $1`, id, seconds(now))
	return err
}

func (r repo) finish(ctx context.Context, id string, state State, why *fault.Error, now time.Time) error {
	var code, text string
	if why != nil {
		code, text = string(why.Code), why.Message
	}
	_, err := r.db.Exec(ctx, `
		UPDATE bulk_jobs SET state = $2, error_code = $3, error = $4, cancelling = $5, wait_reason = '', wait_since = 0, resume_at = 0,
			done = total, updated_at = $6, finished_at = $6
		WHERE id = $1`, id, string(state), code, text, false, seconds(now))
	return err
}

const selectItems = `
SELECT idx, input, pn, lid, state, status, code, reason, whatsapp_code, invite_code, invite_expires_at, invite_message
FROM bulk_items `

// items reads up to limit people in the order asked, beginning with an index.
func (r repo) items(ctx context.Context, id string, from, limit int) ([]item, error) {
	rows, err := r.db.Query(ctx, selectItems+"WHERE job_id = $1 AND idx >= $2 ORDER BY idx LIMIT $3", id, from, limit)
	return dbutil.NewRowIterWithError(rows, scanItem, err).AsList()
}

// next reads up to limit people who wait for the work of one of the states.
// Those about whom something is unclear come first.
func (r repo) next(ctx context.Context, id string, limit int, states ...itemState) ([]item, error) {
	list := "'" + strings.Join(asText(states), "', '") + "'" // constants of this package
	rows, err := r.db.Query(ctx, selectItems+"WHERE job_id = $1 AND state IN ("+list+`)
		ORDER BY CASE WHEN state = 'pending' THEN 1 ELSE 0 END, idx LIMIT $2`, id, limit)
	return dbutil.NewRowIterWithError(rows, scanItem, err).AsList()
}

func asText(states []itemState) []string {
	text := make([]string, len(states))
	for i, s := range states {
		text[i] = string(s)
	}
	return text
}

// twin finds another entry of the job about the same person that has an outcome.
func (r repo) twin(ctx context.Context, id string, of item) (found item, ok bool, err error) {
	found, err = scanItem(r.db.QueryRow(ctx, selectItems+`
		WHERE job_id = $1 AND state = 'done' AND idx <> $2 AND (pn <> '' AND pn = $3 OR lid <> '' AND lid = $4)
		ORDER BY idx LIMIT 1`, id, of.index, of.PhoneNumber, of.LID))
	if errors.Is(err, sql.ErrNoRows) {
		return item{}, false, nil
	}
	return found, err == nil, err
}

func (r repo) save(ctx context.Context, id string, items []item) error {
	for _, i := range items {
		_, err := r.db.Exec(ctx, `
			UPDATE bulk_items SET pn = $3, lid = $4, state = $5, status = $6, code = $7, reason = $8, whatsapp_code = $9,
				invite_code = $10, invite_expires_at = $11, invite_message = $12
			WHERE job_id = $1 AND idx = $2`,
			id, i.index, i.PhoneNumber, i.LID, string(i.state), string(i.status), i.failure.Code, i.failure.Reason, i.failure.WhatsAppCode,
			i.ticket.Code, seconds(i.ticket.ExpiresAt), i.message)
		if err != nil {
			return fmt.Errorf("store what became of a person: %w", err)
		}
	}
	return nil
}

// closeItems gives everybody an outcome when the job ends early.
func (r repo) closeItems(ctx context.Context, id string) error {
	steps := []struct {
		from   itemState
		status groups.Status
		// reason is added to the one there is.
		code, reason string
	}{
		{from: itemPending, status: StatusSkipped},
		{from: itemAdding, status: groups.StatusFailed, code: CodeOutcomeUnknown, reason: "the job ended before it was known whether the person was added"},
		{from: itemInviting, status: groups.StatusFailed, reason: "; the job ended before it was known whether an invite message was sent"},
	}
	for _, step := range steps {
		_, err := r.db.Exec(ctx, `
			UPDATE bulk_items SET state = 'done', status = $3, code = CASE WHEN $4 = '' THEN code ELSE $4 END, reason = reason || $5
			WHERE job_id = $1 AND state = $2`, id, string(step.from), string(step.status), step.code, step.reason)
		if err != nil {
			return fmt.Errorf("close a job: %w", err)
		}
	}
	return nil
}

// counts tells how many people there are for each status.
func (r repo) counts(ctx context.Context, id string) (map[groups.Status]int, error) {
	type count struct {
		status groups.Status
		people int
	}
	rows, err := r.db.Query(ctx, "SELECT CASE WHEN state = 'done' THEN status ELSE '' END, COUNT(*) FROM bulk_items WHERE job_id = $1 GROUP BY 1", id)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (c count, err error) {
		return c, row.Scan(&c.status, &c.people)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("count the people of job %s: %w", id, err)
	}
	counts := make(map[groups.Status]int, len(list))
	for _, c := range list {
		if c.status == "" {
			c.status = StatusPending
		}
		counts[c.status] += c.people
	}
	return counts, nil
}
