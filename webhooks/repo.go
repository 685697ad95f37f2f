package webhooks

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
)

// repo is the endpoints' SQL.
type repo struct {
	db  *dbutil.Database
	ids *ids
}

const endpointColumns = `id, lane, url, events, sessions, group_jids, format, headers, secret, old_secret, old_secret_until,
	enabled, disabled_reason, failures, failing_since, last_status, last_error, paused_at, probe_at, probes, created_at, updated_at`

// endpoints reads all of them, the oldest first.
func (r repo) endpoints(ctx context.Context) ([]Endpoint, error) {
	rows, err := r.db.Query(ctx, "SELECT "+endpointColumns+" FROM webhooks ORDER BY created_at, id")
	list, err := dbutil.NewRowIterWithError(rows, scanEndpoint, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	return list, nil
}

// lock reads one, for a transaction that changes it; ok is false when there is
// none. Until the transaction ends nobody else changes it.
func (r repo) lock(ctx context.Context, id string) (e Endpoint, ok bool, err error) {
	query := "SELECT " + endpointColumns + " FROM webhooks WHERE id = $1"
	if r.db.Dialect == dbutil.Postgres { // SQLite has one writer at a time anyway
		query += " FOR UPDATE"
	}
	e, err = scanEndpoint(r.db.QueryRow(ctx, query, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Endpoint{}, false, nil
	}
	if err != nil {
		return Endpoint{}, false, fmt.Errorf("read webhook %s: %w", id, err)
	}
	return e, true, nil
}

func scanEndpoint(row dbutil.Scannable) (e Endpoint, err error) {
	var events, sessions, groups, headers string
	var oldUntil, since, paused, probe, created, updated int64
	err = row.Scan(&e.ID, &e.lane, &e.URL, &events, &sessions, &groups, &e.Format, &headers, &e.secret, &e.oldSecret, &oldUntil,
		&e.Enabled, &e.DisabledReason, &e.Failures, &since, &e.LastStatus, &e.LastError, &paused, &probe, &e.probes, &created, &updated)
	if err != nil {
		return e, err
	}
	for text, target := range map[*string]any{&events: &e.Events, &sessions: &e.Sessions, &groups: &e.Groups, &headers: &e.Headers} {
		if err = json.Unmarshal([]byte(*text), target); err != nil {
			return e, fmt.Errorf("webhook %s: %w", e.ID, err)
		}
	}
	if oldUntil > 0 {
		e.OldSecretUntil = time.Unix(oldUntil, 0)
	}
	e.FailingSince, e.PausedAt, e.ProbeAt = fromMilliseconds(since), fromMilliseconds(paused), fromMilliseconds(probe)
	e.CreatedAt, e.UpdatedAt = time.Unix(created, 0), time.Unix(updated, 0)
	e.expand()
	return e, nil
}

// save writes an endpoint, new or not.
func (r repo) save(ctx context.Context, e Endpoint) error {
	text := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			return "" // strings, lists and maps of them can be written
		}
		return string(raw)
	}
	var oldUntil int64
	if !e.OldSecretUntil.IsZero() {
		oldUntil = e.OldSecretUntil.Unix()
	}
	_, err := r.db.Exec(ctx, `INSERT INTO webhooks (`+endpointColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
		ON CONFLICT (id) DO UPDATE SET url = excluded.url, events = excluded.events, sessions = excluded.sessions,
			group_jids = excluded.group_jids, format = excluded.format, headers = excluded.headers, secret = excluded.secret,
			old_secret = excluded.old_secret, old_secret_until = excluded.old_secret_until, enabled = excluded.enabled,
			disabled_reason = excluded.disabled_reason, failures = excluded.failures, failing_since = excluded.failing_since,
			last_status = excluded.last_status, last_error = excluded.last_error, paused_at = excluded.paused_at,
			probe_at = excluded.probe_at, probes = excluded.probes, updated_at = excluded.updated_at`,
		e.ID, e.lane, e.URL, text(e.Events), text(e.Sessions), text(e.Groups), e.Format, text(e.Headers), e.secret, e.oldSecret, oldUntil,
		e.Enabled, e.DisabledReason, e.Failures, milliseconds(e.FailingSince), e.LastStatus, e.LastError, milliseconds(e.PausedAt),
		milliseconds(e.ProbeAt), e.probes, e.CreatedAt.Unix(), e.UpdatedAt.Unix())
	if err != nil {
		return fmt.Errorf("write webhook %s: %w", e.ID, err)
	}
	return nil
}

func (r repo) remove(ctx context.Context, id string) error {
	if _, err := r.db.Exec(ctx, "DELETE FROM webhooks WHERE id = $1", id); err != nil {
		return fmt.Errorf("delete webhook %s: %w", id, err)
	}
	return nil
}

// deadCounts counts the dead letters of each endpoint.
func (r repo) deadCounts(ctx context.Context) (map[string]int, error) {
	rows, err := r.db.Query(ctx, "SELECT webhook_id, count(*) FROM webhook_dead_letters GROUP BY webhook_id")
	counts := map[string]int{}
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (none struct{}, err error) {
		var id string
		var count int
		if err = row.Scan(&id, &count); err == nil {
			counts[id] = count
		}
		return none, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("count the dead letters: %w", err)
	}
	return counts, nil
}
