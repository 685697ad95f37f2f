package group

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// CreateRequest is everything that a new group can be given. Zero values are
// WhatsApp's defaults: LID addressing, everyone may add, admins only may share
// the link.
type CreateRequest struct {
	Subject string
	// Key is a client's own id for the creation; it comes back in the notification.
	Key            string
	Participants   []types.JID
	AddressingMode types.AddressingMode
	MemberAddMode  string
	MemberLinkMode string
	HistoryMode    string
	Ephemeral      uint32 // seconds
	Approval       bool
	Locked         bool
	Announce       bool
	Description    string
	DescriptionID  string

	// Parent creates a community, with its announcement group.
	Parent            bool
	DefaultApproval   string
	NonAdminSubGroups bool
	GeneralChat       bool // a community starts with a chat for everybody
	// LinkedParent creates the group inside a community.
	LinkedParent types.JID
}

// Create makes a group and returns it with what became of each requested
// participant (codes as for Add; those who fail are not in the group). The
// actor is its superadmin. 406 bad subject or description, 400 unknown mode or
// timer, 419 too many participants; inside a community 404, 403, and 406 when
// it has no place for another group.
func (r *Registry) Create(actor Person, req CreateRequest) (*Group, []ParticipantResult, []Push, *stanza.Error) {
	jids, refusal := r.checkCreate(actor, &req)
	if refusal != nil {
		return nil, nil, nil, refusal
	}
	g, refusal := r.newGroup(actor, req)
	if refusal != nil {
		return nil, nil, nil, refusal
	}
	g.LinkedParent = bare(req.LinkedParent)
	results, joining, refusal := r.tryCreate(g, actor, jids)
	if refusal != nil {
		return nil, nil, nil, refusal
	}
	extra, refusal := r.communityGroups(actor, g, req)
	if refusal != nil {
		return nil, nil, nil, refusal
	}
	parent := r.groups[g.LinkedParent]
	for _, each := range append([]*Group{g}, extra...) {
		r.register(each)
	}
	var pushes []Push
	if parent != nil {
		pushes = r.openSubGroup(parent, g, &actor, joining)
	}
	for _, each := range append([]*Group{g}, extra...) {
		pushes = append(pushes, r.open(each, &actor, joining, req.Key)...)
	}
	return g, results, pushes, nil
}

// checkCreate validates the request, fills in the defaults and returns the
// requested participants, each once, without the actor.
func (r *Registry) checkCreate(actor Person, req *CreateRequest) ([]types.JID, *stanza.Error) {
	if refusal := r.checkSubject(req.Subject); refusal != nil {
		return nil, refusal
	}
	if refusal := r.checkDescription(req.Description, req.DescriptionID); refusal != nil {
		return nil, refusal
	}
	setDefault(&req.MemberAddMode, AddAll)
	setDefault(&req.MemberLinkMode, LinkAdmin)
	setDefault(&req.HistoryMode, HistoryAdmin)
	if req.AddressingMode == "" {
		req.AddressingMode = types.AddressingModeLID
	}
	switch {
	case !oneOf(req.MemberAddMode, AddAdmin, AddAll), !oneOf(req.MemberLinkMode, LinkAdmin, LinkAll),
		!oneOf(req.HistoryMode, HistoryAdmin, HistoryAll), !slices.Contains(timers[:], req.Ephemeral),
		req.AddressingMode != types.AddressingModeLID && req.AddressingMode != types.AddressingModePN,
		!utf8.ValidString(req.DefaultApproval) || len(req.DefaultApproval) > maxApprovalMode,
		req.Parent && !req.LinkedParent.IsEmpty():
		return nil, stanza.Refuse(400)
	}
	if !req.LinkedParent.IsEmpty() {
		if refusal := r.checkSubGroup(actor, req.LinkedParent); refusal != nil {
			return nil, refusal
		}
	}
	return r.checkInvitees(actor, req)
}

// checkInvitees drops doubles and the actor, whom the service adds by itself.
func (r *Registry) checkInvitees(actor Person, req *CreateRequest) ([]types.JID, *stanza.Error) {
	if len(req.Participants) == 0 {
		return nil, nil
	}
	jids, refusal := userJIDs(req.Participants)
	if refusal != nil {
		return nil, refusal
	}
	seen := map[types.JID]bool{actor.LID: true, actor.PN: true}
	var list []types.JID
	for _, jid := range jids {
		p, known := r.find(nil, jid)
		if !known {
			p = unknownPerson(jid)
		}
		if seen[jid] || !p.LID.IsEmpty() && seen[p.LID] {
			continue
		}
		seen[jid] = true
		if !p.LID.IsEmpty() {
			seen[p.LID] = true
		}
		list = append(list, jid)
	}
	limit := LimitParticipants
	if req.Parent {
		limit = LimitCommunityMembers
	}
	if int64(len(list)+1) > r.limit(limit).Value {
		return nil, stanza.Refuse(419)
	}
	return list, nil
}

// checkSubGroup tells whether the actor may create a group in the community.
func (r *Registry) checkSubGroup(actor Person, jid types.JID) *stanza.Error {
	parent, refusal := r.authorize(actor, jid, actNewSubGroup)
	switch {
	case refusal != nil:
		return refusal
	case !parent.Parent:
		return stanza.Refuse(400)
	case int64(len(parent.Subs)) >= r.limit(LimitCommunityGroups).Value:
		return r.beyond(LimitCommunityGroups)
	}
	return nil
}

// newGroup makes a group with the actor as its only member. It is not
// registered yet, so a later refusal leaves no trace but a used code.
func (r *Registry) newGroup(actor Person, req CreateRequest) (*Group, *stanza.Error) {
	jid, refusal := r.newJID()
	if refusal != nil {
		return nil, refusal
	}
	at := r.stamp()
	g := &Group{
		JID: jid, AddressingMode: req.AddressingMode,
		Subject: req.Subject, SubjectBy: actor, SubjectAt: at, Creator: actor, Created: at,
		Locked: req.Locked, Announce: req.Announce, Ephemeral: req.Ephemeral, Approval: req.Approval,
		MemberAddMode: req.MemberAddMode, MemberLinkMode: req.MemberLinkMode, HistoryMode: req.HistoryMode,
		Parent: req.Parent, NonAdminSubGroups: req.Parent && req.NonAdminSubGroups,
		ParticipantVersion: r.nextVersion(), AnnounceVersion: r.nextVersion(),
		Roster: []Member{{Person: actor, Role: RoleSuperAdmin, JoinedAt: at}},
	}
	if req.Parent {
		g.DefaultApproval = req.DefaultApproval
		setDefault(&g.DefaultApproval, "request_required")
	}
	if req.Description != "" {
		id := req.DescriptionID
		if id == "" {
			if id, refusal = r.descriptionID(); refusal != nil {
				return nil, refusal
			}
		}
		g.Description = Description{ID: id, Text: req.Description, By: actor, At: at}
	}
	return g, r.renewInvite(g)
}

// tryCreate decides about the requested participants of a new group.
func (r *Registry) tryCreate(g *Group, actor Person, jids []types.JID) ([]ParticipantResult, []Person, *stanza.Error) {
	var results []ParticipantResult
	var joining []Person
	for _, jid := range jids {
		result, refusal := r.tryAdd(g, actor, jid, "create", joining)
		if refusal != nil {
			return nil, nil, refusal
		}
		if result.Code == 0 {
			joining = append(joining, result.Person)
		}
		results = append(results, result)
	}
	return results, joining, nil
}

// communityGroups makes the groups a community starts with.
func (r *Registry) communityGroups(actor Person, parent *Group, req CreateRequest) ([]*Group, *stanza.Error) {
	if !req.Parent {
		return nil, nil
	}
	base := CreateRequest{
		Subject: req.Subject, AddressingMode: types.AddressingModeLID,
		MemberAddMode: req.MemberAddMode, MemberLinkMode: req.MemberLinkMode, HistoryMode: req.HistoryMode,
	}
	announcements := base
	announcements.Announce = true
	wanted := []CreateRequest{announcements}
	if req.GeneralChat {
		general := base
		general.Subject = "General"
		wanted = append(wanted, general)
	}
	var groups []*Group
	for i, each := range wanted {
		g, refusal := r.newGroup(actor, each)
		if refusal != nil {
			return nil, refusal
		}
		g.LinkedParent, g.DefaultSub, g.General = parent.JID, i == 0, i > 0
		groups = append(groups, g)
		parent.Subs = append(parent.Subs, g.JID)
	}
	return groups, nil
}

// openSubGroup puts a new group into its community: whoever is in the group is
// in the community, and the community learns of the group.
func (r *Registry) openSubGroup(parent, g *Group, actor *Person, joining []Person) []Push {
	parent.Subs = append(parent.Subs, g.JID)
	var pushes []Push
	for _, each := range r.twins(parent) {
		pushes = append(pushes, r.admitInto(each, actor, each.strangers(joining), "")...)
	}
	return append(pushes, r.linkPushes(parent, g, actor)...)
}

// open admits the first participants of a new group and announces it.
func (r *Registry) open(g *Group, actor *Person, joining []Person, key string) []Push {
	// The chat for all of a community holds fewer than the community does.
	for _, p := range joining[:min(len(joining), r.room(g))] {
		g.Roster = append(g.Roster, Member{Person: p, Role: RoleMember, JoinedAt: g.Created})
	}
	return r.tell(g, actor, r.createNode(g, "new", key, ""))
}

// checkSubject refuses what no group can be called.
func (r *Registry) checkSubject(subject string) *stanza.Error {
	if strings.TrimSpace(subject) == "" || !utf8.ValidString(subject) ||
		int64(utf8.RuneCountInString(subject)) > r.limit(LimitSubject).Value {
		return r.beyond(LimitSubject)
	}
	return nil
}

// checkDescription refuses a text or an id that is too long.
func (r *Registry) checkDescription(text, id string) *stanza.Error {
	if !utf8.ValidString(text) || int64(utf8.RuneCountInString(text)) > r.limit(LimitDescription).Value {
		return r.beyond(LimitDescription)
	}
	if !utf8.ValidString(id) || int64(len(id)) > r.limit(LimitDescriptionID).Value {
		return r.beyond(LimitDescriptionID)
	}
	return nil
}

func setDefault(value *string, fallback string) {
	if *value == "" {
		*value = fallback
	}
}

func oneOf(value string, allowed ...string) bool { return slices.Contains(allowed, value) }
