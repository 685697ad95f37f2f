package groups

import (
	"context"
	"errors"
	"sync"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// iqCode is the number of WhatsApp's refusal, or 0 when err is none.
func iqCode(err error) int {
	var refusal *whatsmeow.IQError
	if errors.As(err, &refusal) {
		return refusal.Code
	}
	return 0
}

// unreadable gives the refusals of a question about a group their codes.
// Everything else stays for session.Manager.Do to translate.
func unreadable(err error) error {
	switch iqCode(err) {
	case 401, 403:
		return fault.New(fault.NotInGroup, "the session's account is not in this group").Because(err)
	case 404:
		return fault.New(fault.GroupNotFound, "WhatsApp knows no such group").Because(err)
	}
	return err
}

// refused gives the refusals of a change to a group their codes.
func refused(err error) error {
	switch iqCode(err) {
	case 401, 403:
		return fault.New(fault.NotAdmin, "only an admin of the group may do this").Because(err)
	case 404:
		return fault.New(fault.GroupNotFound, "WhatsApp knows no such group").Because(err)
	case 419:
		return fault.New(fault.Rejected, "a limit of WhatsApp is reached: too many members or too many groups").Because(err)
	case 423:
		return fault.New(fault.Rejected, "WhatsApp has locked this group for now").Because(err)
	}
	return err
}

// fresh asks WhatsApp for a group, whatever the mirror has: for what has to be
// true at this moment. The mirror is repaired on the way.
func (s *Service) fresh(ctx context.Context, sessionID string, jid types.JID) (Group, error) {
	return s.mirror.fetch(ctx, sessionID, jid, reasonAsked, nil)
}

// ask asks WhatsApp for a group and leaves the mirror alone: for what will be
// recorded as a change.
func (s *Service) ask(ctx context.Context, sessionID string, jid types.JID) (group Group, err error) {
	err = s.read(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		group, err = queryGroup(ctx, client, jid)
		return err
	})
	return group, err
}

// explain finds out what a forbidden change lacked. WhatsApp answers 403 both
// to members who are no admins and to people who are not in the group.
func (s *Service) explain(ctx context.Context, sessionID string, jid types.JID, err error) error {
	return s.explainer(ctx, sessionID, jid)(err)
}

// explainer is explain for several changes of one request; it asks once.
func (s *Service) explainer(ctx context.Context, sessionID string, jid types.JID) func(error) error {
	look := sync.OnceValues(func() (Group, error) { return s.fresh(ctx, sessionID, jid) })
	return func(err error) error {
		if !fault.Is(err, fault.NotAdmin) {
			return err
		}
		group, lookup := look()
		switch {
		case fault.Is(lookup, fault.NotInGroup), fault.Is(lookup, fault.GroupNotFound):
			return lookup
		case lookup != nil:
			return fault.New(fault.NotAdmin, "WhatsApp forbids it: the session's account is not an admin of this group, or not in it").Because(err)
		case group.Suspended:
			return fault.New(fault.Rejected, "WhatsApp has suspended this group").Because(err)
		case group.MyRole.Admin():
			return fault.New(fault.Rejected, "WhatsApp forbids it, although the session's account is an admin of this group").Because(err)
		}
		return err
	}
}
