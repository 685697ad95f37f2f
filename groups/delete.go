package groups

import (
	"context"
	"slices"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/internal/idempotency"
)

// WhatsApp knows no request that deletes a group, as its own apps do not: a
// group ends when nobody is in it any more.
const (
	// removalBatch is how many people are removed in one request.
	removalBatch = 100
	// removalRounds bounds how often people who came in meanwhile are removed too.
	removalRounds = 3
)

// DeleteRequest asks to end a group: for everyone, not only for the session.
type DeleteRequest struct{ Target }

// Deletion is how far ending a group came.
type Deletion struct {
	// Deleted: nobody else is in the group, and the account has left it.
	Deleted bool
	// Results has what became of the people who were to be removed, as far as
	// WhatsApp was asked.
	Results []Result
	// Remaining counts who is still in the group, without the account itself.
	Remaining int
	// Obstacle is why it stopped, when that was not one of the people.
	Obstacle *fault.Error
}

// Delete removes everybody from a group, in batches, and then leaves it. It is
// refused with not_admin to others than admins. It stops, with the account still
// in the group, when somebody cannot be removed; the creator is tried first,
// because nobody can remove the creator. What keeps anything at all from
// happening is an error; what stops it later is in the answer. Only when it is
// not known whether the last step has happened there are both, the fault
// outcome_unknown and the results before it.
//
// A community is dissolved at once, as WhatsApp has a request for that: its
// groups go on by themselves, without the announcement group.
func (s *Service) Delete(ctx context.Context, req DeleteRequest) (Deletion, error) {
	jid, err := req.group()
	if err != nil {
		return Deletion{}, err
	}
	ctx, done, err := s.exclusive(ctx, req.SessionID, jid)
	if err != nil {
		return Deletion{}, err
	}
	defer done()
	group, err := s.fresh(ctx, req.SessionID, jid)
	if err == nil || isAbsent(err) {
		repeatable(ctx) // who is still there is still to be removed
	}
	switch {
	case isAbsent(err) && idempotency.From(ctx).Resumed():
		return Deletion{Deleted: true}, nil // an earlier run of the same request has done it
	case err != nil:
		return Deletion{}, err
	case !group.MyRole.Admin():
		return Deletion{}, fault.New(fault.NotAdmin, "only an admin can delete the group; others can leave it")
	case group.Community.IsAnnouncementGroup:
		return Deletion{}, fault.New(fault.Conflict, "a community's announcement group ends with the community: delete %s", group.Community.Parent)
	case group.Community.IsCommunity:
		return s.dissolve(ctx, req.SessionID, jid)
	}
	deletion, err := s.empty(ctx, req.SessionID, jid, group)
	if err != nil || deletion.Remaining > 0 || deletion.Obstacle != nil {
		return deletion, err
	}
	ctx, expected := s.expect(ctx, req.SessionID, jid, "", departing(ChangeDeleted))
	defer expected()
	if err = s.leave(ctx, req.SessionID, jid); err != nil {
		return deletion.stopped(err)
	}
	s.recorded(ctx, s.own(req.SessionID, jid, ChangeDeleted))
	deletion.Deleted = true
	return deletion, nil
}

// departing is the account's own departure that is something else in truth.
func departing(kind ChangeKind) becoming {
	return becoming{ChangeDeparted: kind, ChangeLeft: kind, ChangeDeleted: kind}
}

// stopped is the deletion that an error has cut short. Before anything was done
// it is only the error.
func (d Deletion) stopped(err error) (Deletion, error) {
	if fault.Is(err, fault.OutcomeUnknown) {
		return d, err
	}
	if !slices.ContainsFunc(d.Results, func(r Result) bool { return r.Status == StatusRemoved }) {
		return Deletion{}, err
	}
	d.Obstacle = fault.From(err)
	return d, nil
}

// empty removes everybody else, also those who come in meanwhile.
func (s *Service) empty(ctx context.Context, sessionID string, jid types.JID, group Group) (Deletion, error) {
	var deletion Deletion
	for range removalRounds {
		batches, others, err := s.others(sessionID, group)
		if err != nil {
			return deletion.stopped(err)
		}
		if deletion.Remaining = others; others == 0 {
			return deletion, nil
		}
		for _, batch := range batches {
			results, err := s.changeMembers(ctx, sessionID, jid, batch, types.AddressingMode(group.AddressingMode), whatsmeow.ParticipantChangeRemove)
			if err != nil {
				return deletion.stopped(err)
			}
			deletion.Results = append(deletion.Results, results...)
			gone := countGone(results)
			if deletion.Remaining -= gone; gone < len(results) {
				return deletion, nil
			}
		}
		if group, err = s.fresh(ctx, sessionID, jid); err != nil {
			return deletion.stopped(err)
		}
	}
	var err error
	if _, deletion.Remaining, err = s.others(sessionID, group); err != nil {
		return deletion.stopped(err)
	}
	if deletion.Remaining > 0 {
		deletion.Obstacle = fault.New(fault.Conflict, "people keep coming in; reset the invite link and try again")
	}
	return deletion, nil
}

// others lists the members beside the account itself, in batches, and counts
// them. The creator comes first and alone: when that cannot be done, nobody has
// been removed for nothing.
func (s *Service) others(sessionID string, group Group) (batches [][]person, count int, err error) {
	me, err := s.mirror.account(sessionID).person()
	if err != nil {
		return nil, 0, err
	}
	var members []person
	for _, m := range group.Participants {
		p, err := m.person()
		switch {
		case err != nil:
			return nil, 0, err
		case p.is(me.pn, me.lid):
		case m.Role == RoleSuperAdmin:
			batches = append(batches, []person{p})
		default:
			members = append(members, p)
		}
	}
	count = len(batches) + len(members)
	return slices.AppendSeq(batches, slices.Chunk(members, removalBatch)), count, nil
}

// person is somebody who is known already, for a request about them.
func (id Identity) person() (person, error) {
	p := person{input: id.JID}
	if id.PhoneNumber != "" {
		p.pn = types.NewJID(id.PhoneNumber, types.DefaultUserServer)
	}
	if id.LID == "" {
		return p, nil
	}
	var err error
	p.lid, err = types.ParseJID(id.LID)
	return p, err
}

// countGone counts who is not in the group any more, by whatever way.
func countGone(results []Result) (count int) {
	for _, r := range results {
		if r.Status == StatusRemoved || r.Failure != nil && r.Failure.Code == CodeNotMember {
			count++
		}
	}
	return count
}

// dissolve ends a community. The element is WhatsApp Web's; whatsmeow has no
// method for it.
func (s *Service) dissolve(ctx context.Context, sessionID string, jid types.JID) (Deletion, error) {
	known, err := s.groups(ctx, sessionID)
	if err != nil {
		return Deletion{}, err
	}
	// Of its groups too: which those are, WhatsApp knows.
	ctx, expected := s.expect(ctx, sessionID, types.EmptyJID, "", as(ChangeDeleted, ChangeUnlinked))
	defer expected()
	err = s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		_, err := client.DangerousInternals().SendGroupIQ(ctx, "set", jid, waBinary.Node{Tag: "delete_parent"})
		if code := iqCode(err); code == 401 || code == 403 {
			return fault.New(fault.NotAdmin, "only the owner of a community can delete it").Because(err)
		}
		return refused(err)
	})
	if err != nil {
		return Deletion{}, err
	}
	changes := []Change{s.own(sessionID, jid, ChangeDeleted)}
	for _, group := range known {
		if group.Community.Parent != jid.String() {
			continue
		}
		sub, err := types.ParseJID(group.JID)
		if err != nil {
			return Deletion{}, err
		}
		change := s.own(sessionID, sub, ChangeUnlinked)
		if change.Text = jid.String(); group.Community.IsAnnouncementGroup {
			change = s.own(sessionID, sub, ChangeDeleted)
		}
		changes = append(changes, change)
	}
	s.recorded(ctx, changes...)
	return Deletion{Deleted: true}, nil
}
