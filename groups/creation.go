package groups

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/internal/idempotency"
)

// WhatsApp makes a second group of the same name as gladly as the first, and
// nothing in its answers or lists says which request a group comes from. So
// before one is made it is written down what there was, and when the answer is
// lost the group is looked for: by its creator, its name, its age and its
// members, among those that there were not before and that no other request
// has made.

// noteCreation is the name of the note.
const noteCreation = "creation"

// creation is what is noted.
type creation struct {
	At    int64    `json:"at"`              // when it was sent, UNIX seconds of our clock
	Known []string `json:"known,omitempty"` // groups of that name that there were
}

// clockSkew is how far WhatsApp's clock may be behind ours.
const clockSkew = time.Hour

// newcomer describes a group that is to be made.
type newcomer struct {
	session   string
	subject   string
	community bool
	people    []person
}

// makeOnce makes a group with send, unless an earlier run of the same request
// is found to have made it: then the group is that one, and found is true.
func (s *Service) makeOnce(ctx context.Context, want newcomer, send func() (types.JID, error)) (group types.JID, found bool, err error) {
	attempt := idempotency.From(ctx)
	if attempt.Resumed() {
		group, err = s.lost(ctx, attempt, want)
		if err != nil || !group.IsEmpty() {
			return group, err == nil, err
		}
	}
	if attempt != nil {
		note := creation{At: s.mirror.now().Unix()}
		if note.Known, err = s.mirror.named(ctx, want.session, want.subject); err != nil {
			return group, false, err
		}
		if err = attempt.Note(ctx, noteCreation, note); err != nil {
			return group, false, err
		}
	}
	if group, err = send(); err != nil {
		return group, false, err
	}
	if _, err := s.claimed(ctx, attempt, want.session, group.String()); err != nil {
		// It is made, whether or not this can be written down.
		zerolog.Ctx(ctx).Error().Err(err).Str("group", group.String()).Msg("whose request has made a group was not stored")
	}
	return group, false, nil
}

func (s *Service) claimed(ctx context.Context, attempt *idempotency.Attempt, sessionID, group string) (bool, error) {
	return idempotency.Claim(context.WithoutCancel(ctx), s.mirror.db, s.mirror.now(), sessionID, group, attempt.Owner())
}

// lost looks for the group that an earlier run may have made. It returns an
// empty JID when that has certainly made none, and outcome_unknown as long as
// WhatsApp may still be about to.
func (s *Service) lost(ctx context.Context, attempt *idempotency.Attempt, want newcomer) (types.JID, error) {
	var note creation
	noted, err := attempt.Noted(noteCreation, &note)
	if err != nil {
		return types.EmptyJID, err
	}
	if noted {
		candidates, err := s.candidates(ctx, want, note)
		if err != nil {
			return types.EmptyJID, err
		}
		for _, jid := range candidates {
			mine, err := s.claimed(ctx, attempt, want.session, jid)
			if err != nil {
				return types.EmptyJID, err
			}
			if mine {
				attempt.Settle()
				return types.ParseJID(jid)
			}
		}
		if doubt := attempt.Doubt(); doubt > 0 {
			return types.EmptyJID, fault.New(fault.OutcomeUnknown, "WhatsApp shows no such group so far, but it may still be making it").After(doubt)
		}
	}
	attempt.Settle()
	return types.EmptyJID, nil
}

// candidates are the groups that may be the one, the likeliest first. WhatsApp
// is asked, because only its list tells what there is not; the history knows
// of those that the account has left since, or that have another name by now.
func (s *Service) candidates(ctx context.Context, want newcomer, note creation) ([]string, error) {
	var listed []Group
	err := s.read(ctx, want.session, func(ctx context.Context, client *whatsmeow.Client) (err error) {
		listed, err = queryGroups(ctx, client)
		return err
	})
	if err != nil {
		return nil, err
	}
	me := s.mirror.account(want.session)
	told, err := s.mirror.introducedSince(ctx, want.session, me, want.subject, time.Unix(note.At, 0).Add(-clockSkew))
	if err != nil {
		return nil, err
	}
	var fitting []Group
	gone := slices.Clone(told)
	for _, g := range listed {
		gone = slices.DeleteFunc(gone, func(jid string) bool { return jid == g.JID })
		named := g.Subject == want.subject || slices.Contains(told, g.JID)
		if named && g.ownedBy(me) && g.Community.IsCommunity == want.community && !g.Community.IsAnnouncementGroup &&
			g.CreatedAt.Unix() >= note.At-int64(clockSkew.Seconds()) {
			fitting = append(fitting, g)
		}
	}
	slices.SortStableFunc(fitting, func(a, b Group) int {
		return cmp.Or(want.distance(a)-want.distance(b), a.CreatedAt.Compare(b.CreatedAt))
	})
	var jids []string
	for _, g := range fitting {
		jids = append(jids, g.JID)
	}
	if !want.community {
		jids = append(jids, gone...)
	}
	return slices.DeleteFunc(jids, func(jid string) bool { return slices.Contains(note.Known, jid) }), nil
}

// ownedBy tells whether the account has made the group. Where WhatsApp names
// nobody, the creator's role tells it.
func (g Group) ownedBy(me Identity) bool {
	if g.Owner == "" {
		return g.MyRole == RoleSuperAdmin
	}
	return g.Owner == me.JID || g.Owner == me.LID
}

// distance counts the people whom only one of the two has.
func (n newcomer) distance(g Group) int {
	common := 0
	for _, p := range n.people {
		if g.shows(p, whatsmeow.ParticipantChangeAdd) {
			common++
		}
	}
	return len(n.people) + len(g.Participants) - 1 - 2*common
}

// named lists the groups of a name in the mirror.
func (m *Mirror) named(ctx context.Context, sessionID, subject string) ([]string, error) {
	rows, err := m.db.Query(ctx, "SELECT jid FROM mirror_groups WHERE session_id = $1 AND subject = $2", sessionID, subject)
	jids, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("look for groups of the name: %w", err)
	}
	return jids, nil
}

// introducedSince lists the groups that came into the mirror under a name, made
// by the account.
func (m *Mirror) introducedSince(ctx context.Context, sessionID string, me Identity, subject string, since time.Time) ([]string, error) {
	rows, err := m.db.Query(ctx, `SELECT group_jid, after FROM group_changes WHERE session_id = $1 AND kind = $2 AND recorded_at >= $3
		AND (actor_pn <> '' AND actor_pn = $4 OR actor_lid <> '' AND actor_lid = $5)`,
		sessionID, string(ChangeCreated), since.Unix(), me.phoneJID(), me.LID)
	type told struct{ jid, after string }
	all, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (t told, err error) {
		err = row.Scan(&t.jid, &t.after)
		return t, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("look for groups in the history: %w", err)
	}
	var jids []string
	for _, t := range all {
		var group introduction
		if err = json.Unmarshal([]byte(t.after), &group); err != nil {
			return nil, fmt.Errorf("read the history of group %s: %w", t.jid, err)
		}
		if group.Subject == subject && !slices.Contains(jids, t.jid) {
			jids = append(jids, t.jid)
		}
	}
	return jids, nil
}

// catchUp is for a group whose creation was not answered: who is in it has been
// added, and the others are added now, so that there is an answer for each.
func (s *Service) catchUp(ctx context.Context, sessionID string, jid types.JID, made Group, people []person) []Result {
	done := map[int]Result{}
	for i, p := range people {
		if made.shows(p, whatsmeow.ParticipantChangeAdd) {
			done[i] = Result{Input: p.input, Identity: identity(p.pn, p.lid), Status: StatusAdded}
		}
	}
	rest := without(people, done)
	if len(rest) == 0 {
		return merged(len(people), done, nil)
	}
	results, err := s.changeMembers(ctx, sessionID, jid, rest, types.AddressingMode(made.AddressingMode), whatsmeow.ParticipantChangeAdd)
	if err != nil {
		for _, p := range rest {
			results = append(results, p.failed(Failure{Code: CodeNotMentioned,
				Reason: "WhatsApp's answer was lost, and asking again failed: " + fault.From(err).Message}))
		}
	}
	return merged(len(people), done, results)
}
