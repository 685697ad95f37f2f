package groups

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

// Names returns what the session knows of people's names, by Identity.JID. Who
// has none that is known is not in the map.
func (s *Service) Names(ctx context.Context, sessionID string, people []Identity) (map[string]string, error) {
	var jids []types.JID
	owner := make(map[types.JID]string, 2*len(people))
	for _, id := range people {
		p, err := id.person()
		if err != nil {
			return nil, fmt.Errorf("look up the name of %s: %w", id.JID, err)
		}
		for _, jid := range []types.JID{p.pn, p.lid} {
			if !jid.IsEmpty() {
				jids, owner[jid] = append(jids, jid), id.JID
			}
		}
	}
	found, err := s.sessions.Names(ctx, sessionID, jids)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(found))
	for jid, name := range found {
		// A name may be stored under either JID; that of the phone is the one of
		// the address book.
		if names[owner[jid]] == "" || jid.Server == types.DefaultUserServer {
			names[owner[jid]] = name
		}
	}
	return names, nil
}

// changesAtOnce bounds the groups of one question to the database.
const changesAtOnce = 500

// LastChanges returns when groups have last changed, as far as their history
// tells, by JID. A group that nothing has happened to since it is known is not
// in the map.
func (s *Service) LastChanges(ctx context.Context, sessionID string, jids ...string) (map[string]time.Time, error) {
	changed := make(map[string]time.Time, len(jids))
	for len(jids) > 0 {
		some := jids[:min(len(jids), changesAtOnce)]
		jids = jids[len(some):]
		values, places := []any{sessionID}, make([]string, len(some))
		for i, jid := range some {
			values = append(values, jid)
			places[i] = fmt.Sprintf("$%d", i+2)
		}
		rows, err := s.mirror.db.Query(ctx, `SELECT group_jid, at FROM group_changes WHERE session_id = $1 AND seq IN (
				SELECT MAX(seq) FROM group_changes WHERE session_id = $1 AND group_jid IN (`+strings.Join(places, ", ")+`) GROUP BY group_jid)`, values...)
		err = dbutil.NewRowIterWithError(rows, scanLastChange, err).Iter(func(c lastChange) (bool, error) {
			changed[c.group] = timeOf(c.at)
			return true, nil
		})
		if err != nil {
			return nil, fmt.Errorf("read when groups have changed: %w", err)
		}
	}
	return changed, nil
}

type lastChange struct {
	group string
	at    int64
}

func scanLastChange(row dbutil.Scannable) (c lastChange, err error) {
	err = row.Scan(&c.group, &c.at)
	return c, err
}
