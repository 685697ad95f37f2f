package invitations

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/store"
)

// state is how somebody last stood to a group, as far as it was seen.
type state string

const (
	stateInvited state = "invited"
	stateJoined  state = "joined"
	stateLeft    state = "left"    // by themselves
	stateRemoved state = "removed" // by an admin
)

// record is what is kept of one person and one group.
type record struct {
	person string
	state  state
	link   string // of the last invitation
}

// repo is the tables of this package.
type repo struct{ db *dbutil.Database }

// key is the name of a row: the LID, which everybody has, where it is known.
func key(who groups.Identity) string { return cmp.Or(who.LID, who.JID) }

// find reads what is kept of a person, under either name.
func (r repo) find(ctx context.Context, sessionID, group string, who groups.Identity) (found record, ok bool, err error) {
	err = r.db.QueryRow(ctx, `SELECT person, state, link FROM group_invitations
		WHERE session_id = $1 AND group_jid = $2 AND (lid <> '' AND lid = $3 OR pn <> '' AND pn = $4)
		ORDER BY CASE WHEN lid = $3 THEN 0 ELSE 1 END LIMIT 1`, sessionID, group, who.LID, who.PhoneNumber).
		Scan(&found.person, &found.state, &found.link)
	if errors.Is(err, sql.ErrNoRows) {
		return record{}, false, nil
	}
	if err != nil {
		return record{}, false, fmt.Errorf("read who was invited to %s: %w", group, err)
	}
	return found, true, nil
}

// note writes down how a person stands to a group now. A link is written with
// an invitation only. It joins the context's transaction.
func (r repo) note(ctx context.Context, sessionID, group string, who groups.Identity, now state, link string, at time.Time) error {
	return store.Txn(ctx, r.db, func(ctx context.Context) error {
		known, ok, err := r.find(ctx, sessionID, group, who)
		if err != nil {
			return err
		}
		if !ok {
			known.person = key(who)
		}
		_, err = r.db.Exec(ctx, `INSERT INTO group_invitations (session_id, group_jid, person, pn, lid, state, link, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (session_id, group_jid, person) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at,
				pn = CASE WHEN excluded.pn <> '' THEN excluded.pn ELSE group_invitations.pn END,
				lid = CASE WHEN excluded.lid <> '' THEN excluded.lid ELSE group_invitations.lid END,
				link = CASE WHEN excluded.link <> '' THEN excluded.link ELSE group_invitations.link END`,
			sessionID, group, known.person, who.PhoneNumber, who.LID, string(now), link, at.Unix())
		if err != nil {
			return fmt.Errorf("note who was invited to %s: %w", group, err)
		}
		return nil
	})
}

// joined notes that somebody is in a group now, if anything is kept of them:
// who has only ever been a member is in the mirror.
func (r repo) joined(ctx context.Context, sessionID, group string, who groups.Identity, at time.Time) error {
	_, err := r.db.Exec(ctx, `UPDATE group_invitations SET state = $5, updated_at = $6,
			pn = CASE WHEN $4 <> '' THEN $4 ELSE pn END, lid = CASE WHEN $3 <> '' THEN $3 ELSE lid END
		WHERE session_id = $1 AND group_jid = $2 AND (lid <> '' AND lid = $3 OR pn <> '' AND pn = $4)`,
		sessionID, group, who.LID, who.PhoneNumber, string(stateJoined), at.Unix())
	if err != nil {
		return fmt.Errorf("note who has joined %s: %w", group, err)
	}
	return nil
}

// forget drops what is kept of a group.
func (r repo) forget(ctx context.Context, sessionID, group string) error {
	for _, table := range []string{"group_invitations", "group_invite_links"} {
		if _, err := r.db.Exec(ctx, "DELETE FROM "+table+" WHERE session_id = $1 AND group_jid = $2", sessionID, group); err != nil {
			return fmt.Errorf("forget who was invited to %s: %w", group, err)
		}
	}
	return nil
}

// dropLink forgets a group's link.
func (r repo) dropLink(ctx context.Context, sessionID, group string) error {
	_, err := r.db.Exec(ctx, "DELETE FROM group_invite_links WHERE session_id = $1 AND group_jid = $2", sessionID, group)
	if err != nil {
		return fmt.Errorf("forget the invite link of %s: %w", group, err)
	}
	return nil
}

// setLink keeps a group's link; empty says that the account is not told it.
func (r repo) setLink(ctx context.Context, sessionID, group, link string, at time.Time) error {
	// The session may be deleted at this moment.
	_, err := r.db.Exec(ctx, `INSERT INTO group_invite_links (session_id, group_jid, link, known_at)
		SELECT id, $2, $3, $4 FROM sessions WHERE id = $1
		ON CONFLICT (session_id, group_jid) DO UPDATE SET link = excluded.link, known_at = excluded.known_at`,
		sessionID, group, link, at.Unix())
	if err != nil {
		return fmt.Errorf("keep the invite link of %s: %w", group, err)
	}
	return nil
}

// linksAtOnce bounds the groups of one question to the database.
const linksAtOnce = 500

// links reads the links of groups that were heard of since a time.
func (r repo) links(ctx context.Context, sessionID string, jids []string, since time.Time) (map[string]string, error) {
	links := make(map[string]string, len(jids))
	for len(jids) > 0 {
		some := jids[:min(len(jids), linksAtOnce)]
		jids = jids[len(some):]
		values, places := []any{sessionID, since.Unix()}, make([]string, len(some))
		for i, jid := range some {
			values = append(values, jid)
			places[i] = fmt.Sprintf("$%d", i+3)
		}
		rows, err := r.db.Query(ctx, `SELECT group_jid, link FROM group_invite_links
			WHERE session_id = $1 AND known_at >= $2 AND group_jid IN (`+strings.Join(places, ", ")+`)`, values...)
		err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (pair [2]string, err error) {
			return pair, row.Scan(&pair[0], &pair[1])
		}, err).Iter(func(pair [2]string) (bool, error) {
			links[pair[0]] = pair[1]
			return true, nil
		})
		if err != nil {
			return nil, fmt.Errorf("read the invite links: %w", err)
		}
	}
	return links, nil
}
