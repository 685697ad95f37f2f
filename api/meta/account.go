package meta

import (
	"context"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/session"
)

// ParseGroup reads a group's id for an account: Meta's, the bare digits, or the
// JID. An id that names another account's number is that of an unknown group.
func ParseGroup(s session.Session, id string) (jid string, err error) {
	if o, ok := parseOpaque(id); ok {
		if o.word != groupWord || o.account != accountOf(s) {
			return "", unknownGroup()
		}
		return o.rest + groupServer, nil
	}
	group, err := address.Group("group_id", id)
	if err != nil {
		return "", unknownGroup()
	}
	return group.String(), nil
}

func unknownGroup() error {
	return fault.New(fault.GroupNotFound, "there is no such group, or it is not one of this number's")
}

// owner finds the session that a group's id is about, where the request names
// no number: Meta's ids name it themselves. Of the sessions that the token may
// use, those that are in the group come next, the group's admins before others.
func (a *API) owner(ctx context.Context, id string) (session.Session, string, error) {
	if o, ok := parseOpaque(id); ok {
		s, err := a.services.Accounts.Find(ctx, o.account)
		if fault.Is(err, fault.SessionNotFound) {
			return s, "", unknownGroup()
		}
		if err != nil {
			return s, "", err
		}
		jid, err := ParseGroup(s, id)
		return s, jid, err
	}
	sessions, err := a.services.Accounts.All(ctx)
	if err != nil {
		return session.Session{}, "", err
	}
	var jid string
	if jid, err = ParseGroup(session.Session{}, id); err != nil {
		return session.Session{}, "", err
	}
	if len(sessions) == 1 {
		return sessions[0], jid, nil
	}
	best, rank := session.Session{}, 0
	for _, s := range sessions {
		g, err := a.services.Groups.Get(ctx, groups.GetRequest{Target: groups.Target{SessionID: s.ID, GroupJID: jid}})
		switch {
		case fault.Is(err, fault.Internal):
			return best, "", err
		case err != nil:
			continue // it is not in the group
		case rank < 2 && g.MyRole.Admin():
			best, rank = s, 2
		case rank < 1:
			best, rank = s, 1
		}
	}
	if rank == 0 {
		return best, "", unknownGroup()
	}
	return best, jid, nil
}

// linked refuses sessions that have no number, because ids are made of it.
func linked(s session.Session) error {
	if accountOf(s) == "" {
		return fault.New(fault.SessionNotLinked, "no phone is linked to this session")
	}
	return nil
}

// target is the call's group for the operations.
func (c Call) target() groups.Target {
	return groups.Target{SessionID: c.Session.ID, GroupJID: c.Group}
}

// group reads the call's group, without asking WhatsApp where the mirror has it.
func (a *API) group(c Call, members bool) (groups.Listed, error) {
	return a.services.Groups.Get(c.UserContext(), groups.GetRequest{Target: c.target(), Members: members})
}

// changeable refuses groups that cannot be changed, before anything is tried.
func (a *API) changeable(c Call) error {
	g, err := a.group(c, false)
	if err == nil && g.Suspended {
		return refuse(codeSuspended, "WhatsApp has suspended this group")
	}
	return err
}
