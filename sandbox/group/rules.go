package group

import (
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// act is something that a right allows.
type act string

const (
	actRead        act = "read"
	actAdd         act = "add"
	actRemove      act = "remove"
	actPromote     act = "promote"
	actDemote      act = "demote"
	actSubject     act = "subject"
	actDescription act = "description"
	actEphemeral   act = "ephemeral"
	actLocked      act = "locked"
	actAnnounce    act = "announcement"
	actApproval    act = "membership_approval_mode"
	actMemberAdd   act = "member_add_mode"
	actMemberLink  act = "member_link_mode"
	actHistory     act = "member_share_group_history_mode"
	actInviteGet   act = "invite get"
	actInviteReset act = "invite reset"
	actRevoke      act = "revoke"
	actRequests    act = "membership_approval_requests"
	actDecide      act = "membership_requests_action"
	actLeave       act = "leave"
	actSubGroups   act = "sub_groups"
	actNewSubGroup act = "create sub-group"
	actLink        act = "link"
	actLinkOwn     act = "link own group"
	actUnlink      act = "unlink"
	actJoinLinked  act = "join_linked_group"
	actDelete      act = "delete_parent"
)

// who names the members that hold a right.
type who int

const (
	members who = iota
	admins
	owner                   // the superadmin; any admin once the superadmin is gone
	membersUnlessLocked     // admins only while <locked/>
	membersIfAllAdd         // depends on member_add_mode
	membersIfAllLink        // depends on member_link_mode
	membersIfOpenToSubGroup // depends on allow_non_admin_sub_group_creation
)

// right is one row of the table of rights.
type right struct {
	who     who
	refusal int    // code for a member without the right; outsiders get 403
	write   bool   // refused with 423 while the group is suspended
	source  string // where the row comes from
}

// rights says who may do what in a group. Nothing else in the package decides
// that, except the per-participant codes in participants.go.
var rights = map[act]right{
	actRead:        {members, 403, false, "whatsmeow ErrNotInGroup on GetGroupInfo"},
	actAdd:         {membersIfAllAdd, 403, true, "member_add_mode, WhatsApp help; code reported by users"},
	actRemove:      {admins, 403, true, "reported by users: the whole iq fails for non-admins"},
	actPromote:     {admins, 403, true, "reported by users"},
	actDemote:      {admins, 403, true, "reported by users"},
	actSubject:     {membersUnlessLocked, 403, true, "whatsmeow GroupLocked: only admins can edit group info"},
	actDescription: {membersUnlessLocked, 403, true, "whatsmeow GroupLocked"},
	actEphemeral:   {membersUnlessLocked, 403, true, "WhatsApp help: the timer belongs to the group info"},
	actLocked:      {admins, 403, true, "WhatsApp help"},
	actAnnounce:    {admins, 403, true, "WhatsApp help"},
	actApproval:    {admins, 403, true, "WhatsApp help"},
	actMemberAdd:   {admins, 403, true, "WhatsApp help"},
	actMemberLink:  {admins, 403, true, "reconstructed, by analogy with member_add_mode"},
	actHistory:     {admins, 403, true, "reconstructed, by analogy with member_add_mode"},
	actInviteGet:   {membersIfAllLink, 401, false, "whatsmeow ErrGroupInviteLinkUnauthorized; member_link_mode reconstructed"},
	actInviteReset: {admins, 401, true, "whatsmeow ErrGroupInviteLinkUnauthorized"},
	actRevoke:      {admins, 403, true, "reconstructed"},
	actRequests:    {admins, 403, false, "WhatsApp help: admins see pending requests"},
	actDecide:      {admins, 403, true, "WhatsApp help"},
	actLeave:       {members, 403, false, "reconstructed: one may always leave"},
	actSubGroups:   {members, 403, false, "whatsmeow GetSubGroups"},
	actNewSubGroup: {membersIfOpenToSubGroup, 403, true, "WhatsApp Web allow_non_admin_sub_group_creation"},
	actLink:        {admins, 403, true, "WhatsApp help: community admins add groups"},
	actLinkOwn:     {admins, 403, true, "WhatsApp help: of groups they administer"},
	actUnlink:      {admins, 403, true, "WhatsApp help"},
	actJoinLinked:  {members, 403, false, "WhatsApp Web join_linked_group"},
	actDelete:      {owner, 403, true, "WhatsApp help: the community's owner deactivates it"},
}

// grants tells whether a role holds a right in the group.
func (g *Group) grants(role Role, to who) bool {
	if role == RoleSuperAdmin {
		return true
	}
	if to == owner {
		return role.Admin() && !g.hasRole(RoleSuperAdmin)
	}
	if role.Admin() {
		return true
	}
	switch to {
	case members:
		return true
	case membersUnlessLocked:
		return !g.Locked
	case membersIfAllAdd:
		return g.MemberAddMode == AddAll
	case membersIfAllLink:
		return g.MemberLinkMode == LinkAll
	case membersIfOpenToSubGroup:
		return g.NonAdminSubGroups
	}
	return false
}

// authorize finds the group and tells whether the actor may act: 404 unknown
// or without members, 403 not a member, 423 suspended, or the right's code.
func (r *Registry) authorize(actor Person, jid types.JID, a act) (*Group, *stanza.Error) {
	g := r.groups[bare(jid)]
	if g == nil || len(g.Roster) == 0 {
		return nil, stanza.Refuse(404)
	}
	at := g.index(actor.LID)
	if at < 0 {
		return nil, stanza.Refuse(403)
	}
	rule := rights[a]
	if rule.write && g.Suspended {
		return nil, stanza.Refuse(423)
	}
	if !g.grants(g.Roster[at].Role, rule.who) {
		return nil, stanza.Refuse(rule.refusal)
	}
	return g, nil
}

// LimitName names a limit that can be changed with SetLimit.
type LimitName string

// The limits.
const (
	LimitSubject          LimitName = "subject"
	LimitDescription      LimitName = "description"
	LimitDescriptionID    LimitName = "description_id"
	LimitParticipants     LimitName = "participants"
	LimitCommunityMembers LimitName = "community_members"
	LimitCommunityGroups  LimitName = "community_groups"
	LimitRequests         LimitName = "join_requests"
	LimitAddRequest       LimitName = "add_request"
	LimitRecentlyLeft     LimitName = "recently_left"
)

// Limit is one row of the table of limits.
type Limit struct {
	Name    LimitName `json:"name"`
	Value   int64     `json:"value"`
	Unit    string    `json:"unit"`
	Refusal int       `json:"refusal"` // the code beyond it; 0 where nothing is refused
	Source  string    `json:"source"`
}

// DefaultLimits is the table of limits as a new Registry has it.
func DefaultLimits() []Limit {
	return []Limit{
		{LimitSubject, 100, "characters", 406, "reported by users; whatsmeow's comment of 25 is stale"},
		{LimitDescription, 2048, "characters", 406, "WhatsApp clients' input limit"},
		{LimitDescriptionID, 128, "bytes", 400, "reconstructed; clients send message ids of up to 32"},
		{LimitParticipants, 1024, "members", 419, "WhatsApp help"},
		{LimitCommunityMembers, 2000, "members", 412, "WhatsApp help; has changed several times"},
		{LimitCommunityGroups, 100, "groups", 406, "WhatsApp help; code from WhatsApp Web's parser"},
		{LimitRequests, 1024, "requests", 419, "reconstructed"},
		{LimitAddRequest, int64(72 * time.Hour / time.Second), "seconds", 410, "reported by users: invite messages last three days"},
		{LimitRecentlyLeft, int64(24 * time.Hour / time.Second), "seconds", 408, "code reported by users; the window is reconstructed"},
	}
}

// Limits lists the limits in force.
func (r *Registry) Limits() []Limit { return slices.Clone(r.limits) }

// SetLimit changes one limit. It applies to what happens from now on; groups
// beyond it stay as they are. The error says which limit is unknown or
// negative.
func (r *Registry) SetLimit(name LimitName, value int64) error {
	for i := range r.limits {
		if r.limits[i].Name == name {
			if value < 0 {
				return fmt.Errorf("limit %s: %d is negative", name, value)
			}
			r.limits[i].Value = value
			return nil
		}
	}
	return fmt.Errorf("unknown limit %q", name)
}

// limit finds a row; every LimitName has one.
func (r *Registry) limit(name LimitName) Limit {
	for _, l := range r.limits {
		if l.Name == name {
			return l
		}
	}
	return Limit{Name: name}
}

// beyond is the refusal of a limit.
func (r *Registry) beyond(name LimitName) *stanza.Error {
	return stanza.Refuse(r.limit(name).Refusal)
}

// span reads a limit in seconds as a duration.
func (r *Registry) span(name LimitName) time.Duration {
	return time.Duration(r.limit(name).Value) * time.Second
}

// capacity is the limit on the group's members: a community's parent and its
// announcement group hold everybody in the community.
func (r *Registry) capacity(g *Group) LimitName {
	if g.Parent || g.DefaultSub {
		return LimitCommunityMembers
	}
	return LimitParticipants
}

// room is how many more members the group can take.
func (r *Registry) room(g *Group) int {
	return max(0, int(r.limit(r.capacity(g)).Value)-len(g.Roster))
}

// timers are the disappearing-message durations that WhatsApp offers, in
// seconds (whatsmeow DisappearingTimer…); 0 is off and anything else is 400.
var timers = [...]uint32{0, 86400, 604800, 7776000}

// maxApprovalMode bounds default_membership_approval_mode, in bytes; of its
// values only request_required is known (whatsmeow), so any is kept.
const maxApprovalMode = 64

// Formats of what the service issues.
const (
	groupIDPrefix    = "120363" // as all of today's groups have
	groupIDDigits    = 12       // after the prefix
	inviteCodeLength = 22
	addCodeLength    = 16
	base62           = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)
