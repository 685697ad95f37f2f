package invitations

import (
	"context"
	"time"

	"muster/groups"
	"muster/internal/fault"
)

const (
	// linkAge is how long a link is believed that was only asked for: a reset
	// while the session was not connected is told when it is again, and this is
	// for the one that was not.
	linkAge = 24 * time.Hour
	// linksAsked bounds for how many groups of a list WhatsApp is asked, and
	// linksWait for how long.
	linksAsked = 20
	linksWait  = 5 * time.Second
)

// Link is a group's invite link. WhatsApp is asked, and with reset for a new
// one.
func (s *Service) Link(ctx context.Context, target groups.Target, reset bool) (string, error) {
	link, err := s.groups.InviteLink(ctx, groups.InviteLinkRequest{Target: target, Reset: reset})
	if err != nil {
		return "", err
	}
	return link, s.keepLink(ctx, target, link)
}

func (s *Service) keepLink(ctx context.Context, target groups.Target, link string) error {
	return s.repo.setLink(ctx, target.SessionID, target.GroupJID, link, s.now())
}

// Links returns the invite links of groups, by JID. They are those that were
// last heard of; WhatsApp is asked about a few of those that are not known, and
// the others are not in the map. A link that WhatsApp does not tell the account
// is empty.
func (s *Service) Links(ctx context.Context, sessionID string, jids ...string) (map[string]string, error) {
	links, err := s.repo.links(ctx, sessionID, jids, s.now().Add(-linkAge))
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, linksWait)
	defer cancel()
	asked := 0
	for _, jid := range jids {
		if _, known := links[jid]; known {
			continue
		}
		if asked++; asked > linksAsked || asking.Err() != nil {
			break
		}
		target := groups.Target{SessionID: sessionID, GroupJID: jid}
		link, err := s.Link(asking, target, false)
		switch {
		case err == nil:
			links[jid] = link
		case fault.Is(err, fault.NotAdmin), fault.Is(err, fault.Rejected):
			links[jid] = ""
			if err = s.keepLink(ctx, target, ""); err != nil {
				return nil, err
			}
		case fault.Is(err, fault.GroupNotFound), fault.Is(err, fault.NotInGroup):
		case fault.Is(err, fault.Internal):
			return nil, err
		default:
			// No connection, no turn or no time: the list is good without them.
			return links, nil
		}
	}
	return links, nil
}
