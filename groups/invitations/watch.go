package invitations

import (
	"context"

	"muster/groups"
	"muster/internal/event"
)

// Sink notes from the log of events who comes into groups and who goes, and
// which links there are. It is an event.Sink, and runs in the transaction that
// writes the event.
func (s *Service) Sink(ctx context.Context, e event.Event) error {
	switch e.Type {
	case event.GroupParticipants:
		var change event.Participants
		if err := e.Decode(&change); err != nil {
			return err
		}
		return s.noteMembers(ctx, e, change)
	case event.GroupInviteLink:
		var change event.InviteLink
		if err := e.Decode(&change); err != nil {
			return err
		}
		if change.InviteLink == "" {
			return s.repo.dropLink(ctx, e.SessionID, e.Group)
		}
		return s.repo.setLink(ctx, e.SessionID, e.Group, change.InviteLink, s.now())
	case event.GroupLeft:
		return s.repo.dropLink(ctx, e.SessionID, e.Group)
	case event.GroupDeleted:
		return s.repo.forget(ctx, e.SessionID, e.Group)
	}
	return nil
}

func (s *Service) noteMembers(ctx context.Context, e event.Event, change event.Participants) error {
	for _, member := range change.Participants {
		who := groups.NewIdentity(member.PhoneNumber, member.LID)
		var err error
		switch change.Action {
		case "added", "joined":
			err = s.repo.joined(ctx, e.SessionID, e.Group, who, e.At)
		case "left":
			err = s.repo.note(ctx, e.SessionID, e.Group, who, stateLeft, "", e.At)
		case "removed":
			err = s.repo.note(ctx, e.SessionID, e.Group, who, stateRemoved, "", e.At)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
