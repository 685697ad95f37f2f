package groups

import (
	"context"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/internal/idempotency"
)

// LeaveRequest asks to leave one group.
type LeaveRequest struct{ Target }

// Leave takes the session's account out of a group.
func (s *Service) Leave(ctx context.Context, req LeaveRequest) error {
	group, err := req.group()
	if err != nil {
		return err
	}
	ctx, done, err := s.exclusive(ctx, req.SessionID, group)
	if err != nil {
		return err
	}
	defer done()
	ctx, expected := s.expect(ctx, req.SessionID, group, "", as(ChangeLeft, ChangeDeparted))
	defer expected()
	repeatable(ctx)
	err = s.leave(ctx, req.SessionID, group)
	if isAbsent(err) && idempotency.From(ctx).Resumed() {
		err = nil // an earlier run of the same request has done it
	}
	if err != nil {
		return err
	}
	s.recorded(ctx, s.own(req.SessionID, group, ChangeLeft))
	return nil
}

func (s *Service) leave(ctx context.Context, sessionID string, group types.JID) error {
	return s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		// Not LeaveGroup, which takes an answer that refuses inside for success.
		answer, err := client.DangerousInternals().SendGroupIQ(ctx, "set", types.GroupServerJID, waBinary.Node{
			Tag:     "leave",
			Content: []waBinary.Node{{Tag: "group", Attrs: waBinary.Attrs{"id": group}}},
		})
		if err != nil {
			return unreadable(err)
		}
		return leaveRefusal(answer)
	})
}

// leaveRefusal finds the refusal of a single group in the answer, if there is one.
func leaveRefusal(answer *waBinary.Node) error {
	leave, ok := answer.GetOptionalChildByTag("leave")
	if !ok {
		return nil // the result alone says that it was done
	}
	for _, group := range leave.GetChildrenByTag("group") {
		switch number := group.AttrGetter().OptionalInt("error"); number {
		case 0, 200:
		case 401, 403:
			return fault.New(fault.NotInGroup, "the session's account is not in this group")
		case 404:
			return fault.New(fault.GroupNotFound, "WhatsApp knows no such group, or the session's account is not in it")
		default:
			return fault.New(fault.Rejected, "WhatsApp refused with the number %d", number)
		}
	}
	return nil
}
