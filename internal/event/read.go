package event

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
)

// How many events a page has when the query does not say, and at most.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Filter says which events are wanted. Its zero value is all of them.
type Filter struct {
	// Sessions limits them to these sessions; nil is all, an empty list none.
	Sessions []string
	// Types limits them to these types; nil is all, an empty list none.
	Types []Type
	// Group is the JID of the group that they are about; empty is any or none.
	Group string
}

// Query asks for a page of the log.
type Query struct {
	Filter
	After Cursor
	Limit int // 0 is DefaultLimit; never more than MaxLimit
}

// Page is a part of the log, the oldest first.
type Page struct {
	Events []Event
	// Next is where to go on. It may be beyond the last event, when those
	// between are not wanted.
	Next Cursor
	// More tells whether there are more events already.
	More bool
	// Gap tells that events after the query's cursor are not kept any more, so
	// that some may be missing before the first of these.
	Gap bool

	newest Cursor // how far the log went
}

// Read returns what follows a place in the log. What is appended later never
// comes before a page's Next.
func (l *Log) Read(ctx context.Context, q Query) (Page, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit = min(limit, MaxLimit)
	// First how far the log goes, then the events up to there: in the other
	// order, what is appended between the two would be skipped.
	newest, err := l.Newest(ctx)
	if err != nil {
		return Page{}, err
	}
	page := Page{Next: max(q.After, newest), newest: newest}
	if q.After >= newest || q.none() {
		return page, nil
	}
	where, args := q.where(int64(q.After), int64(newest))
	args = append(args, limit+1)
	list, err := l.list(ctx, where+fmt.Sprintf(" ORDER BY position LIMIT $%d", len(args)), args...)
	if err != nil {
		return Page{}, err
	}
	if page.More = len(list) > limit; page.More {
		list = list[:limit]
		page.Next = list[limit-1].position
	}
	if page.Gap, err = l.lacks(ctx, q.After, list); err != nil {
		return Page{}, err
	}
	page.Events = make([]Event, len(list))
	for i, r := range list {
		page.Events[i] = r.Event
	}
	return page, nil
}

// lacks tells whether events between the cursor and the list, which has just
// been read, were deleted for their age or number.
func (l *Log) lacks(ctx context.Context, after Cursor, list []row) (bool, error) {
	if after == 0 {
		return false, nil
	}
	// After the list was read, or what is deleted in between would go unnoticed.
	var pruned Cursor
	if err := l.db.QueryRow(ctx, `SELECT pruned FROM event_log WHERE id = 1`).Scan(&pruned); err != nil {
		return false, fmt.Errorf("read the bounds of the log of events: %w", err)
	}
	return after < pruned && (len(list) == 0 || list[0].position > pruned), nil
}

// none tells whether the filter lets nothing through.
func (f Filter) none() bool {
	return f.Sessions != nil && len(f.Sessions) == 0 || f.Types != nil && len(f.Types) == 0
}

func (f Filter) where(after, until int64) (string, []any) {
	where, args := "position > $1 AND position <= $2", []any{after, until}
	in := func(column string, count int, value func(int) string) {
		places := make([]string, count)
		for i := range count {
			args = append(args, value(i))
			places[i] = fmt.Sprintf("$%d", len(args))
		}
		where += " AND " + column + " IN (" + strings.Join(places, ", ") + ")"
	}
	if f.Sessions != nil {
		in("session_id", len(f.Sessions), func(i int) string { return f.Sessions[i] })
	}
	if f.Types != nil {
		in("type", len(f.Types), func(i int) string { return string(f.Types[i]) })
	}
	if f.Group != "" {
		in("group_jid", 1, func(int) string { return f.Group })
		where += " AND group_jid <> ''" // lets the index be used
	}
	return where, args
}

// Get returns one event by its id; ok is false when it is not, or no longer,
// in the log.
func (l *Log) Get(ctx context.Context, id string) (e Event, ok bool, err error) {
	list, err := l.list(ctx, "id = $1", id)
	if err != nil || len(list) == 0 {
		return Event{}, false, err
	}
	return list[0].Event, true, nil
}

// Newest is the place behind the newest event.
func (l *Log) Newest(ctx context.Context) (newest Cursor, err error) {
	if err = l.db.QueryRow(ctx, `SELECT position FROM event_log WHERE id = 1`).Scan(&newest); err != nil {
		return 0, fmt.Errorf("read how far the log of events goes: %w", err)
	}
	return newest, nil
}

// Locate is the place behind a session's event with the number; 0 is before the
// first one. A number that the session has not reached is the log's end.
func (l *Log) Locate(ctx context.Context, sessionID string, seq int64) (Cursor, error) {
	// Numbers and positions grow together, so the next event is enough, also
	// where the one asked for is not kept any more.
	var position int64
	err := l.db.QueryRow(ctx, `SELECT position FROM events WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT 1`, sessionID, seq).Scan(&position)
	if errors.Is(err, sql.ErrNoRows) {
		return l.Newest(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("look for event %d of session %s: %w", seq, sessionID, err)
	}
	return Cursor(position - 1), nil
}

// row is an event with its place.
type row struct {
	Event
	position Cursor
}

func (l *Log) list(ctx context.Context, where string, args ...any) ([]row, error) {
	rows, err := l.db.Query(ctx, `SELECT position, id, session_id, seq, type, group_jid, at, offline, request_id, data FROM events WHERE `+where, args...)
	list, err := dbutil.NewRowIterWithError(rows, func(s dbutil.Scannable) (r row, err error) {
		var at int64
		var data string
		err = s.Scan(&r.position, &r.ID, &r.SessionID, &r.Seq, &r.Type, &r.Group, &at, &r.Offline, &r.RequestID, &data)
		r.At, r.Data = time.Unix(at, 0), json.RawMessage(data)
		return r, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the log of events: %w", err)
	}
	return list, nil
}
