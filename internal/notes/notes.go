// Package notes keeps what other vendors' APIs let their clients keep and
// WhatsApp has no place for: templates, for example, or who was invited to a
// group. It goes with its session.
package notes

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/store"
)

// Shelf is where notes of one kind are.
type Shelf struct {
	SessionID string
	Dialect   string
	Kind      string
}

// Note is one of them.
type Note struct {
	ID        string
	Value     json.RawMessage
	UpdatedAt time.Time // to the second
}

// Decode reads the note's value into a pointer.
func (n Note) Decode(value any) error {
	if err := json.Unmarshal(n.Value, value); err != nil {
		return fmt.Errorf("read the note %s: %w", n.ID, err)
	}
	return nil
}

// Notes is safe for concurrent use.
type Notes struct {
	db  *dbutil.Database
	now func() time.Time
}

// New works on the database's notes.
func New(db *dbutil.Database, now func() time.Time) *Notes { return &Notes{db: db, now: now} }

// Txn runs fn in a transaction: what it reads and writes here belongs together.
func (n *Notes) Txn(ctx context.Context, fn func(ctx context.Context) error) error {
	return store.Txn(ctx, n.db, fn)
}

// Put writes a note, in place of one with the same id.
func (n *Notes) Put(ctx context.Context, shelf Shelf, id string, value any) error {
	raw, err := json.Marshal(value)
	if err == nil {
		_, err = n.db.Exec(ctx, `INSERT INTO notes (session_id, dialect, kind, id, value, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (session_id, dialect, kind, id) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
			shelf.SessionID, shelf.Dialect, shelf.Kind, id, string(raw), n.now().Unix())
	}
	if err != nil {
		return fmt.Errorf("write the %s %s of session %s: %w", shelf.Kind, id, shelf.SessionID, err)
	}
	return nil
}

// Get reads a note into value, a pointer; found is false where there is none.
func (n *Notes) Get(ctx context.Context, shelf Shelf, id string, value any) (found bool, err error) {
	var raw string
	err = n.db.QueryRow(ctx, "SELECT value FROM notes WHERE session_id = $1 AND dialect = $2 AND kind = $3 AND id = $4",
		shelf.SessionID, shelf.Dialect, shelf.Kind, id).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(raw), value)
	}
	if err != nil {
		return false, fmt.Errorf("read the %s %s of session %s: %w", shelf.Kind, id, shelf.SessionID, err)
	}
	return true, nil
}

// List reads the notes with ids above after, by id, at most limit; with prefix
// only those whose ids begin with it.
func (n *Notes) List(ctx context.Context, shelf Shelf, prefix, after string, limit int) ([]Note, error) {
	rows, err := n.db.Query(ctx, `SELECT id, value, updated_at FROM notes WHERE session_id = $1 AND dialect = $2 AND kind = $3
		AND id > $4 AND substr(id, 1, $5) = $6 ORDER BY id LIMIT $7`,
		shelf.SessionID, shelf.Dialect, shelf.Kind, after, len([]rune(prefix)), prefix, limit)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (note Note, err error) {
		var raw string
		var at int64
		err = row.Scan(&note.ID, &raw, &at)
		note.Value, note.UpdatedAt = json.RawMessage(raw), time.Unix(at, 0)
		return note, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("list the %s of session %s: %w", shelf.Kind, shelf.SessionID, err)
	}
	return list, nil
}

// Delete deletes a note; found is false where there was none.
func (n *Notes) Delete(ctx context.Context, shelf Shelf, id string) (found bool, err error) {
	result, err := n.db.Exec(ctx, "DELETE FROM notes WHERE session_id = $1 AND dialect = $2 AND kind = $3 AND id = $4",
		shelf.SessionID, shelf.Dialect, shelf.Kind, id)
	var rows int64
	if err == nil {
		rows, err = result.RowsAffected()
	}
	if err != nil {
		return false, fmt.Errorf("delete the %s %s of session %s: %w", shelf.Kind, id, shelf.SessionID, err)
	}
	return rows > 0, nil
}

// Known tells which of the ids have a note of the kind, whichever session's,
// that was written at since or later.
func (n *Notes) Known(ctx context.Context, dialect, kind string, ids []string, since time.Time) (map[string]bool, error) {
	known := map[string]bool{}
	if len(ids) == 0 {
		return known, nil
	}
	args := []any{dialect, kind, since.Unix()}
	places := make([]string, len(ids))
	for i, id := range ids {
		args = append(args, id)
		places[i] = fmt.Sprintf("$%d", len(args))
	}
	rows, err := n.db.Query(ctx, "SELECT id FROM notes WHERE dialect = $1 AND kind = $2 AND updated_at >= $3 AND id IN ("+strings.Join(places, ", ")+")", args...)
	found, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("look for the %s of all sessions: %w", kind, err)
	}
	for _, id := range found {
		known[id] = true
	}
	return known, nil
}

// Prune deletes the notes of a shelf that were written before the time.
func (n *Notes) Prune(ctx context.Context, shelf Shelf, before time.Time) error {
	_, err := n.db.Exec(ctx, "DELETE FROM notes WHERE session_id = $1 AND dialect = $2 AND kind = $3 AND updated_at < $4",
		shelf.SessionID, shelf.Dialect, shelf.Kind, before.Unix())
	if err != nil {
		return fmt.Errorf("forget old %s of session %s: %w", shelf.Kind, shelf.SessionID, err)
	}
	return nil
}
