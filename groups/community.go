package groups

import (
	"context"
	"slices"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
)

// CommunityRequest asks for a new community: a group that is the parent of
// others, with an announcement group that WhatsApp makes with it.
type CommunityRequest struct {
	SessionID   string
	Name        string // 1 to MaxSubject characters
	Description string // at most MaxDescription characters; empty is none
	// Groups are the JIDs of groups to link at once.
	Groups []string
}

// Validate checks every field.
func (r CommunityRequest) Validate() error {
	if err := checkSubject("name", r.Name); err != nil {
		return err
	}
	if err := checkDescription(r.Description); err != nil {
		return err
	}
	_, err := parseGroups(r.Groups)
	return err
}

// CreatedCommunity is the outcome of making a community.
type CreatedCommunity struct {
	GroupJID string
	// AnnouncementGroupJID is empty where WhatsApp could not be asked for it.
	AnnouncementGroupJID string
	// Links has what became of each group that was to be linked, in the order
	// asked.
	Links []LinkResult
	// Warnings has what else could not be done. The community exists all the same.
	Warnings []Warning
}

// CreateCommunity makes a community.
func (s *Service) CreateCommunity(ctx context.Context, req CommunityRequest) (CreatedCommunity, error) {
	if err := req.Validate(); err != nil {
		return CreatedCommunity{}, err
	}
	ctx, expected := s.expect(ctx, req.SessionID, types.EmptyJID, req.Name, as(ChangeCreated))
	defer expected()
	want := newcomer{session: req.SessionID, subject: req.Name, community: true}
	jid, _, err := s.makeOnce(ctx, want, func() (jid types.JID, err error) {
		err = s.write(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
			info, err := client.CreateGroup(ctx, whatsmeow.ReqCreateGroup{
				Name: req.Name, GroupParent: types.GroupParent{IsParent: true},
			})
			if err != nil {
				return refusedCreation(err, false)
			}
			jid = info.JID
			return nil
		})
		return jid, err
	})
	if err != nil {
		return CreatedCommunity{}, err
	}
	created := CreatedCommunity{GroupJID: jid.String()}
	s.furnish(ctx, req, jid, &created)
	return created, nil
}

// furnish does what a new community still lacks.
func (s *Service) furnish(ctx context.Context, req CommunityRequest, jid types.JID, created *CreatedCommunity) {
	warn := func(field, beginning string, err error) {
		if err != nil {
			warning := warningOf(err, beginning)
			warning.Field = field
			created.Warnings = append(created.Warnings, warning)
		}
	}
	if _, err := s.introduce(ctx, req.SessionID, jid, ChangeCreated); err != nil {
		warn("", "the community was made, but could not be read: ", err)
	}
	subs, err := s.SubGroups(ctx, SubGroupsRequest{Target{SessionID: req.SessionID, GroupJID: jid.String()}})
	warn("", "the community was made, but its announcement group is not known: ", err)
	for _, sub := range subs {
		if !sub.Announcement {
			continue
		}
		created.AnnouncementGroupJID = sub.JID
		if announcements, err := types.ParseJID(sub.JID); err == nil {
			_, err = s.introduce(ctx, req.SessionID, announcements, ChangeCreated)
			warn("", "the community was made, but its announcement group could not be read: ", err)
		}
	}
	if req.Description != "" {
		err := s.setDescription(ctx, req.SessionID, jid, "", req.Description)
		warn(fieldDescription, "the community was made without the description: ", err)
	}
	if len(req.Groups) > 0 {
		created.Links, err = s.Link(ctx, LinkGroupsRequest{
			Target: Target{SessionID: req.SessionID, GroupJID: jid.String()}, Groups: req.Groups,
		})
		warn("groups", "the community was made without these groups: ", err)
	}
}

// SubGroup is a group of a community.
type SubGroup struct {
	JID     string
	Subject string
	// ParticipantCount is 0 where WhatsApp does not say.
	ParticipantCount int
	// Announcement: the one that the community's announcements go to.
	Announcement bool
}

// SubGroupsRequest asks for the groups of a community.
type SubGroupsRequest struct{ Target }

// SubGroups lists the groups of a community, also those that the account is not
// in, the announcement group first. A group that is no community is invalid.
func (s *Service) SubGroups(ctx context.Context, req SubGroupsRequest) (subs []SubGroup, err error) {
	community, err := s.community(ctx, req.Target)
	if err != nil {
		return nil, err
	}
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		subs, err = querySubGroups(ctx, client, community)
		return err
	})
	return subs, err
}

// community is the address of the target, which must be a community.
func (s *Service) community(ctx context.Context, target Target) (types.JID, error) {
	jid, err := target.group()
	if err != nil {
		return jid, err
	}
	group, err := s.group(ctx, target.SessionID, jid)
	if err != nil {
		return jid, err
	}
	if !group.Community.IsCommunity {
		return jid, errNoCommunity()
	}
	return jid, nil
}

func errNoCommunity() *fault.Error { return fault.Field("group_jid", "is not a community") }

// querySubGroups does what the client's GetSubGroups does, and keeps the sizes.
func querySubGroups(ctx context.Context, client *whatsmeow.Client, community types.JID) ([]SubGroup, error) {
	const tag = "sub_groups"
	answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", community, waBinary.Node{Tag: tag})
	switch {
	case iqCode(err) == 400:
		return nil, errNoCommunity().Because(err)
	case err != nil:
		return nil, unreadable(err)
	}
	list, ok := answer.GetOptionalChildByTag(tag)
	if !ok {
		return nil, &whatsmeow.ElementMissingError{Tag: tag, In: "the answer to the query of sub-groups"}
	}
	var subs []SubGroup
	for _, node := range list.GetChildrenByTag("group") {
		attrs := node.AttrGetter()
		jid := attrs.OptionalJIDOrEmpty("jid")
		if id := attrs.OptionalString("id"); jid.IsEmpty() && id != "" {
			jid = types.NewJID(id, types.GroupServer)
		}
		if jid.IsEmpty() {
			continue
		}
		_, announcement := node.GetOptionalChildByTag("default_sub_group")
		subs = append(subs, SubGroup{
			JID: jid.String(), Subject: attrs.OptionalString("subject"),
			ParticipantCount: attrs.OptionalInt("size"), Announcement: announcement,
		})
	}
	slices.SortStableFunc(subs, func(a, b SubGroup) int {
		switch {
		case a.Announcement == b.Announcement:
			return 0
		case a.Announcement:
			return -1
		}
		return 1
	})
	return subs, nil
}

// ParticipantsRequest asks who is in a group or a community.
type ParticipantsRequest struct{ Target }

// Participants lists who is in a group. Of a community it lists everybody who is
// in any of its groups, also in those that the account is not in.
func (s *Service) Participants(ctx context.Context, req ParticipantsRequest) ([]Participant, error) {
	jid, err := req.group()
	if err != nil {
		return nil, err
	}
	group, err := s.Get(ctx, GetRequest{Target: req.Target, Members: true})
	if err != nil || !group.Community.IsCommunity {
		return group.Participants, err
	}
	var people []Identity
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		people, err = queryCommunity(ctx, client, jid)
		return err
	})
	if err != nil {
		return nil, err
	}
	return withRoles(people, group.Participants), nil
}

func queryCommunity(ctx context.Context, client *whatsmeow.Client, community types.JID) ([]Identity, error) {
	const tag = "linked_groups_participants"
	answer, err := client.DangerousInternals().SendGroupIQ(ctx, "get", community, waBinary.Node{Tag: tag})
	switch {
	case iqCode(err) == 400:
		return nil, errNoCommunity().Because(err)
	case err != nil:
		return nil, unreadable(err)
	}
	list, ok := answer.GetOptionalChildByTag(tag)
	if !ok {
		return nil, &whatsmeow.ElementMissingError{Tag: tag, In: "the answer to the query of a community's participants"}
	}
	var people []Identity
	for _, node := range list.GetChildrenByTag("participant") {
		who, err := whoIs(ctx, client, node.AttrGetter(), "jid", "phone_number", "lid")
		if err != nil {
			return nil, err
		}
		if who.JID != "" {
			people = append(people, who)
		}
	}
	return people, nil
}

// withRoles gives the people the roles that they have in the community itself;
// who is not listed there is a member.
func withRoles(people []Identity, listed []Participant) []Participant {
	roles := make(map[string]Role, 2*len(listed))
	for _, p := range listed {
		roles[p.JID], roles[p.LID] = p.Role, p.Role
	}
	list := make([]Participant, len(people))
	for i, who := range people {
		role := roles[who.JID]
		if role == "" && who.LID != "" {
			role = roles[who.LID]
		}
		if role == "" {
			role = RoleMember
		}
		list[i] = Participant{Identity: who, Role: role}
	}
	return list
}

// parseGroups reads the JIDs of several groups; repeated ones count once.
func parseGroups(texts []string) ([]groupEntry, error) {
	if len(texts) > MaxSubGroups {
		return nil, fault.Field("groups", "has %d entries; %d is the most in one request", len(texts), MaxSubGroups)
	}
	var entries []groupEntry
	for i, text := range texts {
		jid, err := address.Group(indexed("groups", i), text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(entries, func(e groupEntry) bool { return e.jid == jid }) {
			entries = append(entries, groupEntry{text, jid})
		}
	}
	return entries, nil
}

// groupEntry is a group that a request names.
type groupEntry struct {
	input string
	jid   types.JID
}
