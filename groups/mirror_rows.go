package groups

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

// mirrorState is what is known of a session's groups as a whole.
type mirrorState struct {
	account  string
	complete bool
	syncedAt time.Time
	seq      int64
}

// readState returns the state, and zero for a session that has none yet.
func (m *Mirror) readState(ctx context.Context, sessionID string) (mirrorState, error) {
	return m.scanState(ctx, sessionID, "")
}

// lockState makes sure that there is a state and keeps other writers of the
// session's mirror out until the transaction ends. On SQLite a transaction is
// alone anyway.
func (m *Mirror) lockState(ctx context.Context, sessionID string) (mirrorState, error) {
	state, err := m.scanState(ctx, sessionID, m.forUpdate())
	if err != nil || state != (mirrorState{}) {
		return state, err
	}
	_, err = m.db.Exec(ctx, "INSERT INTO mirror_state (session_id) VALUES ($1) ON CONFLICT (session_id) DO NOTHING", sessionID)
	if err != nil {
		return state, fmt.Errorf("begin the mirror of %s: %w", sessionID, err)
	}
	return m.scanState(ctx, sessionID, m.forUpdate())
}

func (m *Mirror) forUpdate() string {
	if m.db.Dialect == dbutil.Postgres {
		return " FOR UPDATE"
	}
	return ""
}

func (m *Mirror) scanState(ctx context.Context, sessionID, suffix string) (state mirrorState, err error) {
	var synced int64
	row := m.db.QueryRow(ctx, "SELECT account, complete, synced_at, seq FROM mirror_state WHERE session_id = $1"+suffix, sessionID)
	err = row.Scan(&state.account, &state.complete, &synced, &state.seq)
	if errors.Is(err, sql.ErrNoRows) {
		return mirrorState{}, nil
	}
	if err != nil {
		return state, fmt.Errorf("read the state of the mirror of %s: %w", sessionID, err)
	}
	state.syncedAt = timeOf(synced)
	return state, nil
}

func (m *Mirror) saveState(ctx context.Context, sessionID string, s mirrorState) error {
	_, err := m.db.Exec(ctx, "UPDATE mirror_state SET account = $2, complete = $3, synced_at = $4, seq = $5 WHERE session_id = $1",
		sessionID, s.account, s.complete, unixOf(s.syncedAt), s.seq)
	if err != nil {
		return fmt.Errorf("write the state of the mirror of %s: %w", sessionID, err)
	}
	return nil
}

// columns of mirror_groups, in the order of scanGroup and of groupValues.
const groupColumns = `jid, subject, topic, topic_id, topic_set_at, owner, created_at, addressing_mode, participant_count,
	membership_approval, member_add, member_link, announce, locked, disappearing_seconds, suspended, incognito,
	is_community, parent, is_announcement_group, my_role, photo_id, participant_version, event_times, rev, synced_at, stale`

func (g *mirrored) values() ([]any, error) {
	times, err := json.Marshal(g.times)
	if err != nil {
		return nil, fmt.Errorf("write the times of group %s: %w", g.JID, err)
	}
	return []any{
		g.session, g.JID, g.Subject, g.Topic, g.TopicID, unixOf(g.TopicSetAt), g.Owner, unixOf(g.CreatedAt), g.AddressingMode,
		g.ParticipantCount, string(g.Settings.MembershipApproval), string(g.Settings.MemberAdd), string(g.Settings.MemberLink),
		g.Announce, g.Locked, int64(g.DisappearingSeconds), g.Suspended, g.Incognito, g.Community.IsCommunity, g.Community.Parent,
		g.Community.IsAnnouncementGroup, string(g.MyRole), g.PhotoID, g.version, string(times), g.rev, unixOf(g.syncedAt), g.stale,
	}, nil
}

func scanGroup(row dbutil.Scannable) (*mirrored, error) {
	g := &mirrored{known: true}
	var topicSet, created, synced int64
	var times string
	err := row.Scan(&g.JID, &g.Subject, &g.Topic, &g.TopicID, &topicSet, &g.Owner, &created, &g.AddressingMode,
		&g.ParticipantCount, &g.Settings.MembershipApproval, &g.Settings.MemberAdd, &g.Settings.MemberLink,
		&g.Announce, &g.Locked, &g.DisappearingSeconds, &g.Suspended, &g.Incognito, &g.Community.IsCommunity, &g.Community.Parent,
		&g.Community.IsAnnouncementGroup, &g.MyRole, &g.PhotoID, &g.version, &times, &g.rev, &synced, &g.stale)
	if err != nil {
		return nil, err
	}
	g.TopicSetAt, g.CreatedAt, g.syncedAt = timeOf(topicSet), timeOf(created), timeOf(synced)
	if err = json.Unmarshal([]byte(times), &g.times); err != nil {
		return nil, fmt.Errorf("times of group %s: %w", g.JID, err)
	}
	return g, nil
}

// readGroup returns a group without its members; one that the mirror does not
// have is not known.
func (m *Mirror) readGroup(ctx context.Context, sessionID, jid string) (*mirrored, error) {
	g, err := scanGroup(m.db.QueryRow(ctx, "SELECT "+groupColumns+" FROM mirror_groups WHERE session_id = $1 AND jid = $2", sessionID, jid))
	if errors.Is(err, sql.ErrNoRows) {
		g, err = &mirrored{Group: Group{JID: jid}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read group %s of the mirror: %w", jid, err)
	}
	g.session = sessionID
	return g, nil
}

// readGroups returns all groups of a session without their members, in the
// order of their JIDs.
func (m *Mirror) readGroups(ctx context.Context, sessionID string) ([]*mirrored, error) {
	rows, err := m.db.Query(ctx, "SELECT "+groupColumns+" FROM mirror_groups WHERE session_id = $1 ORDER BY jid", sessionID)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*mirrored, error) { return scanGroup(row) }, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the groups of the mirror: %w", err)
	}
	for _, g := range list {
		g.session = sessionID
	}
	return list, nil
}

// readMembers adds the members to a group.
func (m *Mirror) readMembers(ctx context.Context, g *mirrored) error {
	if !g.known {
		return nil
	}
	rows, err := m.db.Query(ctx, "SELECT position, pn, lid, role FROM mirror_participants WHERE session_id = $1 AND group_jid = $2 ORDER BY position", g.session, g.JID)
	g.members, err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (r memberRow, err error) {
		var pn, lid string
		err = row.Scan(&r.position, &pn, &lid, &r.Role)
		r.Identity = storedIdentity(pn, lid)
		return r, err
	}, err).AsList()
	if err != nil {
		return fmt.Errorf("read the members of group %s of the mirror: %w", g.JID, err)
	}
	return nil
}

// readRequests adds those who wait to a group, as far as events have told.
func (m *Mirror) readRequests(ctx context.Context, g *mirrored) error {
	if !g.known {
		return nil
	}
	rows, err := m.db.Query(ctx, "SELECT pn, lid FROM mirror_requests WHERE session_id = $1 AND group_jid = $2 ORDER BY jid", g.session, g.JID)
	g.requests, err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (r request, err error) {
		var pn, lid string
		err = row.Scan(&pn, &lid)
		r.who = storedIdentity(pn, lid)
		return r, err
	}, err).AsList()
	if err != nil {
		return fmt.Errorf("read the requests to join group %s of the mirror: %w", g.JID, err)
	}
	return nil
}

// storedIdentity is the way back from the columns pn and lid, which are JIDs.
func storedIdentity(pn, lid string) Identity {
	id := Identity{JID: lid, LID: lid}
	if pn != "" {
		id.JID = pn
		id.PhoneNumber = strings.TrimSuffix(pn, "@"+types.DefaultUserServer)
	}
	return id
}

// phoneJID is the column pn.
func (i Identity) phoneJID() string {
	if i.PhoneNumber == "" {
		return ""
	}
	return i.PhoneNumber + "@" + types.DefaultUserServer
}

// save writes what has changed of a group.
func (m *Mirror) save(ctx context.Context, g *mirrored) error {
	if g.ended {
		_, err := m.db.Exec(ctx, "DELETE FROM mirror_groups WHERE session_id = $1 AND jid = $2", g.session, g.JID)
		if err != nil {
			return fmt.Errorf("delete group %s of the mirror: %w", g.JID, err)
		}
		if !g.known {
			return nil
		}
	}
	values, err := g.values()
	if err != nil {
		return err
	}
	if _, err = m.db.Exec(ctx, upsertGroup, values...); err != nil {
		return fmt.Errorf("write group %s of the mirror: %w", g.JID, err)
	}
	if err = m.saveMembers(ctx, g); err != nil {
		return fmt.Errorf("write the members of group %s of the mirror: %w", g.JID, err)
	}
	if err = m.saveRequests(ctx, g); err != nil {
		return fmt.Errorf("write the requests to join group %s of the mirror: %w", g.JID, err)
	}
	return nil
}

const upsertGroup = `INSERT INTO mirror_groups (session_id, ` + groupColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)
	ON CONFLICT (session_id, jid) DO UPDATE SET
		subject = excluded.subject, topic = excluded.topic, topic_id = excluded.topic_id, topic_set_at = excluded.topic_set_at,
		owner = excluded.owner, created_at = excluded.created_at, addressing_mode = excluded.addressing_mode,
		participant_count = excluded.participant_count, membership_approval = excluded.membership_approval,
		member_add = excluded.member_add, member_link = excluded.member_link, announce = excluded.announce,
		locked = excluded.locked, disappearing_seconds = excluded.disappearing_seconds, suspended = excluded.suspended,
		incognito = excluded.incognito, is_community = excluded.is_community, parent = excluded.parent,
		is_announcement_group = excluded.is_announcement_group, my_role = excluded.my_role, photo_id = excluded.photo_id,
		participant_version = excluded.participant_version, event_times = excluded.event_times, rev = excluded.rev,
		synced_at = excluded.synced_at, stale = excluded.stale`

// maxRows is how many rows one statement inserts: SQLite takes 32,766
// parameters in all, and short statements keep the plan small.
const maxRows = 256

func (m *Mirror) saveMembers(ctx context.Context, g *mirrored) error {
	for _, position := range g.removed {
		_, err := m.db.Exec(ctx, "DELETE FROM mirror_participants WHERE session_id = $1 AND group_jid = $2 AND position = $3", g.session, g.JID, position)
		if err != nil {
			return err
		}
	}
	var fresh []memberRow
	for _, r := range g.members {
		switch r.state {
		case rowNew:
			fresh = append(fresh, r)
		case rowChanged:
			_, err := m.db.Exec(ctx, "UPDATE mirror_participants SET pn = $4, lid = $5, role = $6 WHERE session_id = $1 AND group_jid = $2 AND position = $3",
				g.session, g.JID, r.position, r.phoneJID(), r.LID, string(r.Role))
			if err != nil {
				return err
			}
		}
	}
	for len(fresh) > 0 {
		n := min(len(fresh), maxRows)
		if err := m.insertMembers(ctx, g, fresh[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

func (m *Mirror) insertMembers(ctx context.Context, g *mirrored, rows []memberRow) error {
	var query strings.Builder
	query.WriteString("INSERT INTO mirror_participants (session_id, group_jid, position, pn, lid, role) VALUES ")
	values := append(make([]any, 0, 2+4*len(rows)), g.session, g.JID)
	for i, r := range rows {
		if i > 0 {
			query.WriteByte(',')
		}
		n := len(values)
		fmt.Fprintf(&query, "($1,$2,$%d,$%d,$%d,$%d)", n+1, n+2, n+3, n+4)
		values = append(values, r.position, r.phoneJID(), r.LID, string(r.Role))
	}
	_, err := m.db.Exec(ctx, query.String(), values...)
	return err
}

func (m *Mirror) saveRequests(ctx context.Context, g *mirrored) error {
	for _, who := range g.dropped {
		_, err := m.db.Exec(ctx, "DELETE FROM mirror_requests WHERE session_id = $1 AND group_jid = $2 AND (lid <> '' AND lid = $3 OR pn <> '' AND pn = $4)",
			g.session, g.JID, who.LID, who.phoneJID())
		if err != nil {
			return err
		}
	}
	for _, r := range g.requests {
		if !r.fresh {
			continue
		}
		_, err := m.db.Exec(ctx, `INSERT INTO mirror_requests (session_id, group_jid, jid, pn, lid)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT (session_id, group_jid, jid) DO NOTHING`,
			g.session, g.JID, r.who.key(), r.who.phoneJID(), r.who.LID)
		if err != nil {
			return err
		}
	}
	return nil
}

// key names a person in a table: the LID, which everybody has, where it is known.
func (i Identity) key() string {
	if i.LID != "" {
		return i.LID
	}
	return i.JID
}

// timeOf keeps 0, "never" or "unknown", as the zero time.
func timeOf(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
