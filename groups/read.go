package groups

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
	"muster/session"
)

// How many groups one page of the list has when the request does not say, and
// at most.
const (
	DefaultPage = 1000
	MaxPage     = 2000
)

// seedWait bounds how long a read waits for the groups of a session that has
// just been linked.
const seedWait = 20 * time.Second

// ListRequest asks for the groups of a session, in the order of their JIDs.
type ListRequest struct {
	SessionID string
	Limit     int    // 0 is DefaultPage
	Cursor    string // NextCursor of the page before; empty is the beginning
	// Query finds groups whose subject contains the text, whatever the case.
	Query string
	// Admin finds groups where the session's account is an admin.
	Admin bool
	// Community finds the groups of a community, by its JID.
	Community string
	// Refresh asks WhatsApp first.
	Refresh bool
}

// Validate checks the page's size, the cursor and the community.
func (r ListRequest) Validate() error {
	if r.Limit < 0 || r.Limit > MaxPage {
		return fault.Field("limit", "must be between 1 and %d", MaxPage)
	}
	if _, err := r.community(); err != nil {
		return err
	}
	_, err := r.after()
	return err
}

func (r ListRequest) community() (string, error) {
	if r.Community == "" {
		return "", nil
	}
	jid, err := address.Group("community", r.Community)
	return jid.String(), err
}

// after is the JID that the page begins behind.
func (r ListRequest) after() (string, error) {
	jid, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err != nil || r.Cursor != "" && !strings.HasSuffix(string(jid), "@"+types.GroupServer) {
		return "", fault.Field("cursor", "is not one that a list answered with")
	}
	return string(jid), nil
}

// Freshness says how far an answer can be relied on.
type Freshness struct {
	// SyncedAt is when it was last compared with WhatsApp; zero is never.
	// Since then events have kept it.
	SyncedAt time.Time
	// Stale: changes may be missing, because the session is not connected, has
	// just connected, or an event was not clear and WhatsApp is being asked.
	Stale bool
}

// List is one page of a session's groups, without their members.
type List struct {
	Groups []Listed
	// Total counts all groups that the request asks for, not only this page's.
	Total int
	// NextCursor is empty on the last page.
	NextCursor string
	// Complete: the list has been compared with WhatsApp's since the account was
	// linked. An incomplete one has the groups that were heard of.
	Complete bool
	Freshness
}

// Listed is a group as the mirror has it. Participants are there in answers
// about one group.
type Listed struct {
	Group
	Freshness
}

// List returns the groups that the session's account is in. It comes from the
// mirror.
func (s *Service) List(ctx context.Context, req ListRequest) (List, error) {
	if err := req.Validate(); err != nil {
		return List{}, err
	}
	if req.Refresh {
		if err := s.mirror.refreshList(ctx, req.SessionID); err != nil {
			return List{}, err
		}
	}
	state, live, err := s.standing(ctx, req.SessionID)
	if err != nil {
		return List{}, err
	}
	rows, err := s.mirror.readGroups(ctx, req.SessionID)
	if err != nil {
		return List{}, err
	}
	community, err := req.community()
	if err != nil {
		return List{}, err
	}
	query := strings.ToLower(req.Query)
	rows = slices.DeleteFunc(rows, func(g *mirrored) bool {
		return req.Admin && !g.MyRole.Admin() || community != "" && g.Community.Parent != community ||
			query != "" && !strings.Contains(strings.ToLower(g.Subject), query)
	})
	after, err := req.after()
	if err != nil {
		return List{}, err
	}
	list := page(rows, after, cmp.Or(req.Limit, DefaultPage), live)
	list.Complete, list.SyncedAt, list.Stale = state.complete, state.syncedAt, !live
	return list, nil
}

// standing tells how the mirror of a session is. The groups of an account that
// was linked just now are waited for.
func (s *Service) standing(ctx context.Context, sessionID string) (state mirrorState, live bool, err error) {
	current, err := s.sessions.Get(ctx, sessionID)
	if err != nil {
		return state, false, err
	}
	if state, err = s.mirror.readState(ctx, sessionID); err != nil {
		return state, false, err
	}
	if state.account == "" && !current.LoggedIn {
		return state, false, fault.New(fault.SessionNotLinked, "no phone is linked to this session: link one by QR code or phone number")
	}
	if !state.complete && current.Status == session.StatusConnected {
		s.mirror.awaitSeed(ctx, sessionID)
		if state, err = s.mirror.readState(ctx, sessionID); err != nil {
			return state, false, err
		}
	}
	live, err = s.live(ctx, sessionID)
	return state, live, err
}

// awaitSeed waits for the comparison that a new connection begins with.
func (m *Mirror) awaitSeed(ctx context.Context, sessionID string) {
	_, settled := m.worker.isBehind(sessionID)
	if settled == nil {
		return
	}
	timer := time.NewTimer(seedWait)
	defer timer.Stop()
	select {
	case <-settled:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Pulse is what answers about a session's groups depend on beside the changes
// that Watch tells of.
type Pulse struct {
	// Live: the mirror follows WhatsApp at this moment. The session is connected,
	// and what it missed before has been made up for.
	Live bool
	// Created tells two sessions apart that had the same id one after the other;
	// UNIX nanoseconds.
	Created int64
}

// Pulse is cheap: it asks neither the database nor WhatsApp.
func (s *Service) Pulse(ctx context.Context, sessionID string) (Pulse, error) {
	current, err := s.sessions.Get(ctx, sessionID)
	if err != nil {
		return Pulse{}, err
	}
	p := Pulse{Created: current.CreatedAt.UnixNano()}
	if current.Status == session.StatusConnected {
		behind, _ := s.mirror.worker.isBehind(sessionID)
		p.Live = !behind
	}
	return p, nil
}

func (s *Service) live(ctx context.Context, sessionID string) (bool, error) {
	p, err := s.Pulse(ctx, sessionID)
	return p.Live, err
}

func page(all []*mirrored, after string, limit int, live bool) List {
	rest := all
	if after != "" {
		at, found := slices.BinarySearchFunc(all, after, func(g *mirrored, jid string) int { return strings.Compare(g.JID, jid) })
		if found {
			at++
		}
		rest = all[at:]
	}
	list := List{Total: len(all)}
	if len(rest) > limit {
		rest = rest[:limit]
		list.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(rest[limit-1].JID))
	}
	list.Groups = make([]Listed, len(rest))
	for i, g := range rest {
		list.Groups[i] = g.listed(live)
	}
	return list
}

func (g *mirrored) listed(live bool) Listed {
	l := Listed{Group: g.Group, Freshness: Freshness{SyncedAt: g.syncedAt, Stale: g.stale || !live}}
	if len(g.members) > 0 {
		l.Participants = make([]Participant, len(g.members))
		for i, m := range g.members {
			l.Participants[i] = m.Participant
		}
	}
	return l
}

// GetRequest asks for one group.
type GetRequest struct {
	Target
	// Members: with its participants.
	Members bool
	// Refresh asks WhatsApp first.
	Refresh bool
}

// Get returns one group. It comes from the mirror, also when the session is
// not connected; WhatsApp is asked about a group that the mirror does not have,
// see seek. The account must be in it: fault not_in_group where it was before,
// else group_not_found.
func (s *Service) Get(ctx context.Context, req GetRequest) (Listed, error) {
	jid, err := req.group()
	if err != nil {
		return Listed{}, err
	}
	if req.Refresh {
		if err = s.mirror.refreshGroup(ctx, req.SessionID, jid); err != nil {
			return Listed{}, err
		}
	}
	g, err := s.mirror.snapshot(ctx, req.SessionID, jid.String(), req.Members)
	if err != nil {
		return Listed{}, err
	}
	if g.known {
		live, err := s.live(ctx, req.SessionID)
		return g.listed(live), err
	}
	// It may only not be there yet, or have been missed.
	if _, _, err = s.standing(ctx, req.SessionID); err != nil {
		return Listed{}, err
	}
	if err = s.seek(ctx, req.SessionID, jid); err != nil {
		return Listed{}, err
	}
	if g, err = s.mirror.snapshot(ctx, req.SessionID, jid.String(), req.Members); err != nil {
		return Listed{}, err
	}
	if !g.known { // it has ended since
		return Listed{}, s.absent(ctx, req.SessionID, jid, "it has just ended")
	}
	live, err := s.live(ctx, req.SessionID)
	return g.listed(live), err
}

// snapshot reads a group and, if they are wanted, its members, as they were at
// one moment.
func (m *Mirror) snapshot(ctx context.Context, sessionID, jid string, members bool) (g *mirrored, err error) {
	for range fetchAttempts {
		if g, err = m.readGroup(ctx, sessionID, jid); err != nil || !members || !g.known {
			return g, err
		}
		if err = m.readMembers(ctx, g); err != nil {
			return nil, err
		}
		// Two queries outside a transaction: a change may have come between them.
		again, err := m.readGroup(ctx, sessionID, jid)
		if err != nil || again.rev == g.rev && again.known {
			return g, err
		}
	}
	return g, err
}
