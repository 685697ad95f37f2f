package groups

import (
	"context"
	"slices"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/idempotency"
)

// A repeated request whose first run has an unknown outcome runs again, and
// each operation sees to it that nothing happens twice: it looks whether what
// it wants is so already, or it is one that may be sent twice. Until it has
// found out, session.Manager.Do sends nothing for it.

// already tells, in a run that continues one whose outcome is unknown, whether
// the group is as wanted by now. In a first run it is false and asks nobody.
func (s *Service) already(ctx context.Context, sessionID string, group types.JID, wanted func(Group) bool) (bool, error) {
	attempt := idempotency.From(ctx)
	if !attempt.Resumed() {
		return false, nil
	}
	now, err := s.fresh(ctx, sessionID, group)
	if err != nil && !isAbsent(err) {
		return false, err
	}
	attempt.Settle()
	return err == nil && wanted(now), nil // to those outside the group WhatsApp will say so
}

// repeatable says that sending the change once more makes no difference.
func repeatable(ctx context.Context) { idempotency.From(ctx).Settle() }

// reached splits people by whether the change has happened to them already, in
// a run that continues one whose outcome is unknown. The results are of those
// for whom it has, in their order.
func (s *Service) reached(ctx context.Context, sessionID string, group types.JID, people []person, change whatsmeow.ParticipantChange) (done map[int]Result, err error) {
	var now Group
	resumed, err := s.already(ctx, sessionID, group, func(g Group) bool {
		now = g
		return true
	})
	if err != nil || !resumed {
		return nil, err
	}
	before, err := idle(ctx)
	if err != nil {
		return nil, err
	}
	done = map[int]Result{}
	for i, p := range people {
		if now.shows(p, change) {
			done[i] = settled(p, change, before)
		}
	}
	return done, nil
}

// noteIdle is the name of a note: those for whom there was nothing to do before
// the change was first sent.
const noteIdle = "idle"

// idleNumber is what WhatsApp answers for such people; 0 where that is success.
func idleNumber(change whatsmeow.ParticipantChange) int {
	switch change {
	case whatsmeow.ParticipantChangeAdd, approve:
		return numberMember
	case whatsmeow.ParticipantChangeRemove, reject:
		return numberAbsent
	}
	return 0
}

// foresee writes down, in the first run of a repeatable request, for whom there
// is nothing to do. Afterwards nobody could tell them from those whom the change
// has reached.
func (s *Service) foresee(ctx context.Context, sessionID string, group types.JID, people []person, change whatsmeow.ParticipantChange) error {
	attempt := idempotency.From(ctx)
	if attempt == nil || attempt.Resumed() || idleNumber(change) == 0 {
		return nil
	}
	now, err := s.group(ctx, sessionID, group)
	if isAbsent(err) {
		return nil // WhatsApp will say so
	}
	if err != nil {
		return err
	}
	return note(ctx, people, func(p person) bool { return now.shows(p, change) })
}

// note writes down which of the people are idle.
func note(ctx context.Context, people []person, idle func(person) bool) error {
	var list []Identity
	for _, p := range people {
		if idle(p) {
			list = append(list, identity(p.pn, p.lid))
		}
	}
	return idempotency.From(ctx).Note(ctx, noteIdle, list)
}

// idle are the people whom the first run has noted.
func idle(ctx context.Context) (list []Identity, err error) {
	_, err = idempotency.From(ctx).Noted(noteIdle, &list)
	return list, err
}

// settled is the result of a person for whom everything is as wanted by now.
func settled(p person, change whatsmeow.ParticipantChange, idle []Identity) Result {
	who := identity(p.pn, p.lid)
	number := 0
	if slices.ContainsFunc(idle, who.same) {
		number = idleNumber(change)
	}
	status, failure := outcome(change, number)
	return Result{Input: p.input, Identity: who, Status: status, Failure: failure}
}

// shows tells whether the members are as if the change had happened to the person.
func (g Group) shows(p person, change whatsmeow.ParticipantChange) bool {
	who := identity(p.pn, p.lid)
	for _, member := range g.Participants {
		if !member.same(who) {
			continue
		}
		switch change {
		case whatsmeow.ParticipantChangeAdd, approve:
			return true
		case whatsmeow.ParticipantChangePromote:
			return member.Role.Admin()
		case whatsmeow.ParticipantChangeDemote:
			return !member.Role.Admin()
		}
		return false
	}
	return change == whatsmeow.ParticipantChangeRemove
}

// without leaves out the people whose indexes are given.
func without(people []person, done map[int]Result) []person {
	if len(done) == 0 {
		return people
	}
	var rest []person
	for i, p := range people {
		if _, found := done[i]; !found {
			rest = append(rest, p)
		}
	}
	return rest
}

// merged puts the results of those who were left out back in their places.
func merged(count int, done map[int]Result, rest []Result) []Result {
	if len(done) == 0 {
		return rest
	}
	all := make([]Result, 0, count)
	for i := range count {
		if result, found := done[i]; found {
			all = append(all, result)
		} else {
			all, rest = append(all, rest[0]), rest[1:]
		}
	}
	return all
}
