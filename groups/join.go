package groups

import (
	"context"
	"net/url"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
	"muster/internal/idempotency"
)

// linkHost is where invite links lead.
const linkHost = "chat.whatsapp.com"

// LinkRequest names a group by its invite link.
type LinkRequest struct {
	SessionID string
	// Link is "https://chat.whatsapp.com/CODE", with or without the scheme and
	// whatever a shared link has behind the code; or the code alone.
	Link string
}

// Validate checks that it looks like a link: fault invite_invalid otherwise.
func (r LinkRequest) Validate() error {
	_, err := r.code()
	return err
}

// code takes the code out of the link.
func (r LinkRequest) code() (string, error) {
	text := strings.TrimSpace(r.Link)
	if strings.ContainsAny(text, "/.:?") {
		if !strings.Contains(text, "://") {
			text = "https://" + text
		}
		link, err := url.Parse(text)
		switch {
		case err != nil:
			return "", errNoLink()
		case link.Scheme == "whatsapp" && link.Host == "chat": // as the phone's own pages open it
			text = link.Query().Get("code")
		case (link.Scheme == "https" || link.Scheme == "http") && strings.EqualFold(link.Host, linkHost):
			text = strings.TrimPrefix(strings.Trim(link.Path, "/"), "invite/")
		default:
			return "", errNoLink()
		}
	}
	const longest = 64
	if text == "" || len(text) > longest || strings.Trim(text, base64url) != "" {
		return "", errNoLink()
	}
	return text, nil
}

// base64url has the characters of invite codes.
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func errNoLink() error {
	failure := fault.New(fault.InviteInvalid, "is not an invite link: expected https://%s/ and a code", linkHost)
	failure.Field = "link"
	return failure
}

// InviteInfo tells what a link leads to, without joining. Outsiders see of the
// members no more than how many they are and who the admins are.
func (s *Service) InviteInfo(ctx context.Context, req LinkRequest) (group Group, err error) {
	code, err := req.code()
	if err != nil {
		return Group{}, err
	}
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", types.GroupServerJID, inviteNode(code))
		if err != nil {
			return refusedEntry(err)
		}
		group, err = invitedGroup(ctx, client, answer)
		return err
	})
	return group, err
}

func inviteNode(code string) waBinary.Node {
	return waBinary.Node{Tag: "invite", Attrs: waBinary.Attrs{"code": code}}
}

// invitedGroup reads a group as an invitation shows it. The client must not
// learn it: those who are not shown would be taken for absent.
func invitedGroup(ctx context.Context, client *whatsmeow.Client, answer *waBinary.Node) (Group, error) {
	node, ok := answer.GetOptionalChildByTag("group")
	if !ok {
		return Group{}, &whatsmeow.ElementMissingError{Tag: "group", In: "the answer about an invitation"}
	}
	info, err := client.DangerousInternals().ParseGroupNode(&node)
	if err != nil {
		return Group{}, err
	}
	group, err := readGroup(ctx, client, info, &node)
	group.ParticipantCount = max(group.ParticipantCount, info.ParticipantCount)
	return group, err
}

// JoinResult is what came of asking to be let in.
type JoinResult struct {
	GroupJID string
	// Requested: an admin has to approve first. Else the account is a member.
	Requested bool
}

// Join joins a group by its link, or asks to, where an admin has to approve.
// Faults: invite_revoked, invite_invalid, group_full, already_member; rejected
// when an admin has removed the account before.
func (s *Service) Join(ctx context.Context, req LinkRequest) (JoinResult, error) {
	code, err := req.code()
	if err != nil {
		return JoinResult{}, err
	}
	// Not JoinGroupWithLink, which does not tell members from those who wait.
	return s.enter(ctx, req.SessionID, types.GroupServerJID, types.EmptyJID, inviteNode(code))
}

// AcceptRequest holds what an invite message says.
type AcceptRequest struct {
	Target
	Code string
	// Expiration is the message's, exactly: WhatsApp compares it.
	Expiration time.Time
	// Inviter is the sender of the message: a phone JID, LID or number.
	Inviter string
}

// Validate checks every field.
func (r AcceptRequest) Validate() error {
	_, _, err := r.parse()
	return err
}

func (r AcceptRequest) parse() (group, inviter types.JID, err error) {
	if group, err = r.group(); err != nil {
		return group, inviter, err
	}
	const longest = 128
	switch {
	case r.Code == "" || len(r.Code) > longest:
		return group, inviter, fault.Field("code", "must be the invite message's code")
	case r.Expiration.Unix() <= 0:
		return group, inviter, fault.Field("expiration", "must be the invite message's, in UNIX seconds")
	}
	inviter, err = address.Person("inviter", r.Inviter)
	return group, inviter, err
}

// Accept joins a group by an invite message that the account was sent. Faults
// as for Join; group_not_found where there is no such group.
func (s *Service) Accept(ctx context.Context, req AcceptRequest) (JoinResult, error) {
	group, inviter, err := req.parse()
	if err != nil {
		return JoinResult{}, err
	}
	return s.enter(ctx, req.SessionID, group, group, waBinary.Node{Tag: "accept", Attrs: waBinary.Attrs{
		"code": req.Code, "expiration": req.Expiration.Unix(), "admin": inviter,
	}})
}

// enter sends a request to be let in. The group is the one that is entered
// where that is known before; else the answer names it.
func (s *Service) enter(ctx context.Context, sessionID string, to, group types.JID, node waBinary.Node) (JoinResult, error) {
	repeatable(ctx)
	ctx, expected := s.expect(ctx, sessionID, group, "", as(ChangeJoined))
	defer expected()
	var entry JoinResult
	err := s.write(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		answer, err := client.DangerousInternals().SendGroupIQ(ctx, "set", to, node)
		if iqCode(err) == 404 && !group.IsEmpty() {
			return refused(err)
		}
		if err != nil {
			return refusedEntry(err)
		}
		entry, err = readEntry(answer, group)
		return err
	})
	if fault.Is(err, fault.AlreadyMember) && idempotency.From(ctx).Resumed() {
		// An earlier run of the same request has done it.
		entry.GroupJID, err = group.String(), nil
		if group.IsEmpty() {
			entry.GroupJID, err = s.leadsTo(ctx, sessionID, node)
		}
	}
	if err != nil || entry.Requested {
		return entry, err
	}
	group, err = types.ParseJID(entry.GroupJID)
	if err != nil {
		return entry, err
	}
	// The account is in, whether or not the group can be read at once.
	_, _ = s.introduce(ctx, sessionID, group, ChangeJoined)
	return entry, nil
}

// leadsTo is the group to which an invitation leads.
func (s *Service) leadsTo(ctx context.Context, sessionID string, invite waBinary.Node) (jid string, err error) {
	err = s.read(ctx, sessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", types.GroupServerJID, invite)
		if err != nil {
			return refusedEntry(err)
		}
		group, err := invitedGroup(ctx, client, answer)
		jid = group.JID
		return err
	})
	return jid, err
}

func readEntry(answer *waBinary.Node, group types.JID) (JoinResult, error) {
	for _, tag := range []string{"membership_approval_request", "group"} {
		if node, ok := answer.GetOptionalChildByTag(tag); ok {
			if jid := node.AttrGetter().OptionalJIDOrEmpty("jid"); !jid.IsEmpty() {
				group = jid
			}
			return JoinResult{GroupJID: group.String(), Requested: tag != "group"}, nil
		}
	}
	if group.IsEmpty() {
		return JoinResult{}, &whatsmeow.ElementMissingError{Tag: "group", In: "the answer to joining"}
	}
	return JoinResult{GroupJID: group.String()}, nil
}

// refusedEntry gives the refusals of invitations their codes. Sources:
// whatsmeow's ErrInviteLinkRevoked (410) and ErrInviteLinkInvalid (406);
// WhatsApp's web client for the others.
func refusedEntry(err error) error {
	switch iqCode(err) {
	case 400, 404, 406:
		return fault.New(fault.InviteInvalid, "WhatsApp knows no such invitation").Because(err)
	case 401, 403, 405:
		return fault.New(fault.Rejected, "WhatsApp does not let this account into the group: an admin may have removed it before").Because(err)
	case 409:
		return fault.New(fault.AlreadyMember, "the session's account is in this group already").Because(err)
	case 410:
		return fault.New(fault.InviteRevoked, "the invitation is no longer good: it was revoked, or has expired").Because(err)
	case 412, 419:
		return fault.New(fault.GroupFull, "the group, or its community, is full").Because(err)
	case 423:
		return fault.New(fault.Rejected, "WhatsApp has locked this group for now").Because(err)
	}
	return err
}
