package groups

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
)

// MembershipRequest names people of a group.
type MembershipRequest struct {
	Target
	// Participants are phone JIDs, LIDs or phone numbers; repeated ones count once.
	Participants []string
}

// Validate checks the group and every participant.
func (r MembershipRequest) Validate() error {
	_, _, err := r.parse()
	return err
}

func (r MembershipRequest) parse() (types.JID, []address.Entry, error) {
	group, err := r.group()
	if err != nil {
		return group, nil, err
	}
	if len(r.Participants) == 0 {
		return group, nil, fault.Field("participants", "must name at least one person")
	}
	people, err := parsePeople(r.Participants)
	return group, people, err
}

func parsePeople(participants []string) ([]address.Entry, error) {
	if len(participants) > MaxParticipants {
		return nil, fault.Field("participants", "has %d entries; %d is the most in one request", len(participants), MaxParticipants)
	}
	return address.People("participants", participants)
}

// AddRequest names people to add.
type AddRequest struct {
	MembershipRequest
	OnPrivate OnPrivate
}

// Validate checks the group, every participant and what to do about privacy.
func (r AddRequest) Validate() error {
	if err := r.OnPrivate.validate(); err != nil {
		return err
	}
	return r.MembershipRequest.Validate()
}

// Add adds people, and answers for each of them, in the order asked. Phone
// numbers are looked up first, so that one that is not on WhatsApp fails alone.
func (s *Service) Add(ctx context.Context, req AddRequest) ([]Result, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	results, err := s.change(ctx, req.MembershipRequest, whatsmeow.ParticipantChangeAdd)
	if err != nil {
		return nil, err
	}
	group, err := req.group()
	if err != nil {
		return nil, err
	}
	s.invitePrivate(ctx, invitation{sessionID: req.SessionID, group: group}, req.OnPrivate, results)
	return results, nil
}

// Remove removes people, and answers for each of them, in the order asked.
func (s *Service) Remove(ctx context.Context, req MembershipRequest) ([]Result, error) {
	return s.change(ctx, req, whatsmeow.ParticipantChangeRemove)
}

// Promotion is the outcome of making people admins, or members again.
type Promotion struct {
	// Success: every one of them is now what was asked for.
	Success bool
	Results []Result
}

// Promote makes members admins.
func (s *Service) Promote(ctx context.Context, req MembershipRequest) (Promotion, error) {
	results, err := s.change(ctx, req, whatsmeow.ParticipantChangePromote)
	return Promotion{Success: err == nil && failures(results) == 0, Results: results}, err
}

// Demote makes admins members.
func (s *Service) Demote(ctx context.Context, req MembershipRequest) (Promotion, error) {
	results, err := s.change(ctx, req, whatsmeow.ParticipantChangeDemote)
	return Promotion{Success: err == nil && failures(results) == 0, Results: results}, err
}

// change performs one of the four changes.
func (s *Service) change(ctx context.Context, req MembershipRequest, change whatsmeow.ParticipantChange) ([]Result, error) {
	group, entries, err := req.parse()
	if err != nil {
		return nil, err
	}
	var people []person
	var mode types.AddressingMode
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		if mode, err = addressing(ctx, client, group); err != nil {
			return err
		}
		people, err = identify(ctx, client, entries, change == whatsmeow.ParticipantChangeAdd)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.changeMembers(ctx, req.SessionID, group, people, mode, change)
}

// changeMembers performs the change on people who have been identified. Those whom
// WhatsApp need not be asked about are answered for all the same.
func (s *Service) changeMembers(ctx context.Context, sessionID string, group types.JID, people []person, mode types.AddressingMode, change whatsmeow.ParticipantChange) ([]Result, error) {
	ctx, end, err := s.exclusive(ctx, sessionID, group)
	if err != nil {
		return nil, err
	}
	defer end()
	ctx, expected := s.expect(ctx, sessionID, group, "", as(changeKinds(change)...))
	defer expected()
	present, _ := reachable(people, mode)
	done, err := s.reached(ctx, sessionID, group, present, change)
	if err != nil {
		return nil, err
	}
	rest, jids := reachable(without(present, done), mode)
	if len(rest) == 0 {
		return withOthers(people, merged(len(present), done, nil)), nil
	}
	if err = s.foresee(ctx, sessionID, group, rest, change); err != nil {
		return nil, err
	}
	var results []Result
	err = s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		answer, err := client.UpdateGroupParticipants(ctx, group, jids, change)
		if err != nil {
			return refused(err)
		}
		rememberNames(ctx, client, answer)
		results = settle(change, rest, answer)
		return nil
	})
	if err != nil {
		return nil, s.explain(ctx, sessionID, group, err)
	}
	s.recordMembers(ctx, sessionID, group, results)
	return withOthers(people, merged(len(present), done, results)), nil
}

// changeKinds are the kinds as which a change of members comes back.
func changeKinds(change whatsmeow.ParticipantChange) []ChangeKind {
	switch change {
	case whatsmeow.ParticipantChangeAdd:
		return []ChangeKind{ChangeAdded, ChangeApproved}
	case whatsmeow.ParticipantChangeRemove:
		return []ChangeKind{ChangeExpelled}
	case whatsmeow.ParticipantChangePromote:
		return []ChangeKind{ChangePromoted}
	case whatsmeow.ParticipantChangeDemote:
		return []ChangeKind{ChangeDemoted}
	}
	return nil
}

// recordMembers records those whom WhatsApp was asked about with success.
func (s *Service) recordMembers(ctx context.Context, sessionID string, group types.JID, results []Result) {
	var changes []Change
	for _, kind := range []struct {
		status Status
		change ChangeKind
	}{
		{StatusAdded, ChangeAdded}, {StatusRemoved, ChangeExpelled},
		{StatusPromoted, ChangePromoted}, {StatusDemoted, ChangeDemoted},
		{StatusApproved, ChangeApproved}, {StatusRejected, ChangeRejected},
	} {
		change := s.own(sessionID, group, kind.change)
		for _, r := range results {
			if r.Status == kind.status {
				change.People = append(change.People, r.Identity)
			}
		}
		if len(change.People) > 0 {
			changes = append(changes, change)
		}
	}
	if len(changes) > 0 {
		s.recorded(ctx, changes...)
	}
}

// addressing tells how the members of a group are addressed. It is asked of
// WhatsApp once and then known to the client.
func addressing(ctx context.Context, client *whatsmeow.Client, group types.JID) (types.AddressingMode, error) {
	known, err := client.DangerousInternals().GetCachedGroupData(ctx, group)
	if err != nil {
		return "", fmt.Errorf("ask how the group is addressed: %w", unreadable(err))
	}
	return known.AddressingMode, nil
}

// reachable are the people that WhatsApp can be asked about, and their JIDs.
func reachable(people []person, mode types.AddressingMode) (present []person, jids []types.JID) {
	for _, p := range people {
		if !p.absent && !p.self {
			present = append(present, p)
			jids = append(jids, p.address(mode))
		}
	}
	return present, jids
}

// withOthers puts the people whom WhatsApp was not asked about back among the
// results, in the order of the request.
func withOthers(people []person, results []Result) []Result {
	all := make([]Result, 0, len(people))
	for _, p := range people {
		switch {
		case p.absent:
			all = append(all, p.failed(addFailures[numberAbsent]))
		case p.self:
			all = append(all, Result{Input: p.input, Identity: identity(p.pn, p.lid), Status: StatusAdded})
		default:
			all = append(all, results[0])
			results = results[1:]
		}
	}
	return all
}

// rememberNames stores the pairs of phone and LID that an answer has. They are
// learnt again from the next one, so a failure is only logged.
func rememberNames(ctx context.Context, client *whatsmeow.Client, answer []types.GroupParticipant) {
	var pairs []store.LIDMapping
	for _, p := range answer {
		if pn, lid := pair(p.JID, p.PhoneNumber, p.LID); !pn.IsEmpty() && !lid.IsEmpty() {
			pairs = append(pairs, store.LIDMapping{LID: lid, PN: pn})
		}
	}
	if err := client.Store.LIDs.PutManyLIDMappings(ctx, pairs); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("the participants' phones and LIDs were not stored")
	}
}
