package groups

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// How many entries one page of the history has when the request does not say,
// and at most.
const (
	DefaultHistory = 100
	MaxHistory     = 500
)

// HistoryRequest asks for the changes of one group, the oldest first.
type HistoryRequest struct {
	Target
	After int64 // Seq of the last entry that is known; 0 is the beginning
	Limit int   // 0 is DefaultHistory
}

// Validate checks the group and the page.
func (r HistoryRequest) Validate() error {
	if r.Limit < 0 || r.Limit > MaxHistory {
		return fault.Field("limit", "must be between 1 and %d", MaxHistory)
	}
	if r.After < 0 {
		return fault.Field("after", "must not be negative")
	}
	return r.Target.Validate()
}

// Entry is one change as the history tells it.
type Entry struct {
	// Seq grows with every entry of a session, over all groups; entries of one
	// group have gaps between them.
	Seq    int64
	At     time.Time
	Kind   ChangeKind
	Actor  Identity // the zero value where it is not known
	Source Source
	// Before and After are JSON, null where there is nothing to say.
	Before, After json.RawMessage
}

// History is one page of a group's changes.
type History struct {
	Entries []Entry
	// More tells whether there are newer entries than this page's.
	More bool
}

// History returns what has happened to a group since the mirror knows it, as
// far back as the retention reaches. It stays when the account leaves the group:
// fault group_not_found is for groups of which nothing is known, or not any more.
func (s *Service) History(ctx context.Context, req HistoryRequest) (History, error) {
	if err := req.Validate(); err != nil {
		return History{}, err
	}
	jid, err := req.group()
	if err != nil {
		return History{}, err
	}
	if _, err = s.sessions.Get(ctx, req.SessionID); err != nil {
		return History{}, err
	}
	limit := cmp.Or(req.Limit, DefaultHistory)
	page := func() ([]Entry, error) {
		return s.mirror.entries(ctx, `session_id = $1 AND group_jid = $2 AND seq > $3 ORDER BY seq LIMIT $4`,
			req.SessionID, jid.String(), req.After, limit+1)
	}
	entries, err := page()
	if err != nil {
		return History{}, err
	}
	if len(entries) == 0 {
		known, err := s.mirror.everKnown(ctx, req.SessionID, jid)
		if err != nil {
			return History{}, err
		}
		if !known {
			if err = s.seek(ctx, req.SessionID, jid); err != nil {
				return History{}, err
			}
			if entries, err = page(); err != nil {
				return History{}, err
			}
		}
	}
	history := History{Entries: entries}
	if len(entries) > limit {
		history = History{Entries: entries[:limit], More: true}
	}
	for i := range history.Entries {
		actor := &history.Entries[i].Actor
		if *actor, err = s.mirror.complete(ctx, req.SessionID, *actor); err != nil {
			return History{}, err
		}
	}
	return history, nil
}

// everKnown tells whether the mirror or the history knows the group.
func (m *Mirror) everKnown(ctx context.Context, sessionID string, jid types.JID) (bool, error) {
	g, err := m.readGroup(ctx, sessionID, jid.String())
	if err != nil || g.known {
		return err == nil, err
	}
	entries, err := m.latest(ctx, sessionID, jid.String())
	return len(entries) > 0, err
}

// latest is the newest entry about a group, if there is one.
func (m *Mirror) latest(ctx context.Context, sessionID, group string) ([]Entry, error) {
	return m.entries(ctx, "session_id = $1 AND group_jid = $2 ORDER BY seq DESC LIMIT 1", sessionID, group)
}

func (m *Mirror) entries(ctx context.Context, where string, args ...any) ([]Entry, error) {
	rows, err := m.db.Query(ctx, "SELECT seq, at, kind, actor_pn, actor_lid, source, before, after FROM group_changes WHERE "+where, args...)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (e Entry, err error) {
		var at int64
		var pn, lid, before, after string
		err = row.Scan(&e.Seq, &at, &e.Kind, &pn, &lid, &e.Source, &before, &after)
		e.At, e.Actor = timeOf(at), storedIdentity(pn, lid)
		e.Before, e.After = json.RawMessage(before), json.RawMessage(after)
		return e, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	return list, nil
}
