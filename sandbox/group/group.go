// Package group is the sandbox's model of WhatsApp groups and communities: what
// they are, who may change them, how the service answers the requests of
// namespace w:g2, and which notifications every change sends out.
//
// The package is pure: it opens nothing, starts nothing and takes no lock. The
// caller holds one lock around every call and delivers the pushes it gets
// back. Given the same clock, random source and order of requests, it behaves
// the same every time.
//
// The shapes of requests, replies and notifications are those that clients
// send and parse. Who may do what, and which code a refusal carries, was
// reconstructed from clients and from reports; rules.go holds all of it, with
// a source per row.
package group

import (
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Person is one WhatsApp user. Both JIDs are bare; the LID is the key.
type Person struct {
	PN   types.JID `json:"pn"`
	LID  types.JID `json:"lid"`
	Name string    `json:"name,omitempty"`
}

// Directory knows who people are.
type Directory interface {
	// Lookup finds the person behind a phone JID or LID. ok is false for people
	// who are not on WhatsApp.
	Lookup(jid types.JID) (Person, bool)
	// AddRefusal is the code under which the target refuses to be added by the
	// actor: 401 when blocked, 403 by privacy setting, 0 when it does not.
	AddRefusal(actor, target Person) int
}

// Push is a notification to deliver: To holds the LIDs of accounts, each of
// which gets it on every device; Node lacks only its id. Nodes of several
// pushes may share content, so a receiver must not write into it.
type Push struct {
	To   []types.JID
	Node stanza.Node
}

// Role is a member's standing, spelt as in Truth. On the wire a plain member
// has no type at all.
type Role string

// The roles. A group's creator is its superadmin; everybody who is promoted
// later is an admin.
const (
	RoleMember     Role = "member"
	RoleAdmin      Role = "admin"
	RoleSuperAdmin Role = "superadmin"
)

// Admin tells whether the role may administer.
func (r Role) Admin() bool { return r == RoleAdmin || r == RoleSuperAdmin }

// Member is somebody in a group.
type Member struct {
	Person
	Role     Role      `json:"role"`
	JoinedAt time.Time `json:"joined_at"`
}

// Description is a group's description. ID changes with every change and
// outlives the text when it is deleted.
type Description struct {
	ID   string    `json:"id,omitempty"`
	Text string    `json:"text,omitempty"`
	By   Person    `json:"by"`
	At   time.Time `json:"at"`
}

// AddRequest is the private invitation that stands in for an add which the
// target's privacy setting forbids.
type AddRequest struct {
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
	Admin   Person    `json:"admin"`
	For     Person    `json:"for"`
}

// Request is somebody waiting for an admin to let them in.
type Request struct {
	Person
	Method RequestMethod `json:"method"`
	// By is who asked on the person's behalf, for MethodNonAdminAdd.
	By *Person   `json:"by,omitempty"`
	At time.Time `json:"at"`
}

// RequestMethod is how a join request came about.
type RequestMethod string

// The methods, as WhatsApp spells them.
const (
	MethodInviteLink  RequestMethod = "invite_link"
	MethodNonAdminAdd RequestMethod = "non_admin_add"
	MethodLinkedGroup RequestMethod = "linked_group_join"
)

// Modes of member_add_mode, member_link_mode and member_share_group_history_mode.
const (
	AddAdmin     = "admin_add"
	AddAll       = "all_member_add"
	LinkAdmin    = "admin_link"
	LinkAll      = "all_member_link"
	HistoryAdmin = "admin_share"
	HistoryAll   = "all_member_share"
)

// departure is how somebody ceased to be a member.
type departure struct {
	At      time.Time `json:"at"`
	Removed bool      `json:"removed"` // by an admin, not by themselves
}

// Group is one group, community parent or announcement group. Its fields are
// for reading; every change goes through the Registry.
type Group struct {
	JID            types.JID            `json:"jid"`
	AddressingMode types.AddressingMode `json:"addressing_mode"`
	Subject        string               `json:"subject"`
	SubjectBy      Person               `json:"subject_by"`
	SubjectAt      time.Time            `json:"subject_at"`
	Description    Description          `json:"description"`
	Creator        Person               `json:"creator"`
	Created        time.Time            `json:"created"`

	Locked         bool   `json:"locked"`
	Announce       bool   `json:"announce"`
	Ephemeral      uint32 `json:"ephemeral"` // seconds, 0 when off
	Approval       bool   `json:"approval"`
	MemberAddMode  string `json:"member_add_mode"`
	MemberLinkMode string `json:"member_link_mode"`
	HistoryMode    string `json:"history_mode"`
	Suspended      bool   `json:"suspended"`

	// ParticipantVersion and AnnounceVersion are p_v_id and a_v_id.
	ParticipantVersion int64 `json:"participant_version"`
	AnnounceVersion    int64 `json:"announce_version"`

	InviteCode string `json:"invite_code"`

	// Parent groups head a community; Subs are its groups, the announcement
	// group first.
	Parent            bool        `json:"parent"`
	DefaultApproval   string      `json:"default_approval,omitempty"`
	NonAdminSubGroups bool        `json:"non_admin_sub_groups"`
	Subs              []types.JID `json:"subs,omitempty"`
	// LinkedParent is set on the groups of a community.
	LinkedParent types.JID `json:"linked_parent"`
	// DefaultSub marks a community's announcement group, General its chat for all.
	DefaultSub bool `json:"default_sub"`
	General    bool `json:"general"`

	// Roster holds the members in the order in which they joined.
	Roster      []Member                `json:"roster"`
	Waiting     []Request               `json:"waiting,omitempty"`
	AddRequests []AddRequest            `json:"add_requests,omitempty"`
	Gone        map[types.JID]departure `json:"gone,omitempty"` // by LID
}

// Address is the person's JID in the group's addressing. A person without a
// phone JID is addressed by LID everywhere.
func (g *Group) Address(p Person) types.JID {
	if g.AddressingMode == types.AddressingModePN && !p.PN.IsEmpty() {
		return p.PN
	}
	return p.LID
}

// Members lists the members in the order in which they joined.
func (g *Group) Members() []Member { return slices.Clone(g.Roster) }

// Member finds a member by phone JID or LID, any device.
func (g *Group) Member(jid types.JID) (Member, bool) {
	jid = bare(jid)
	for _, m := range g.Roster {
		if m.LID == jid || !m.PN.IsEmpty() && m.PN == jid {
			return m, true
		}
	}
	return Member{}, false
}

// MayPost tells whether a member may send messages to the group: 0, or the
// code of the negative acknowledgement.
func (g *Group) MayPost(lid types.JID) int {
	m, ok := g.Member(lid)
	switch {
	case !ok, g.Suspended, g.Parent, g.Announce && !m.Role.Admin():
		return 403
	}
	return 0
}

// exists tells whether there is a text: a deleted description keeps its id.
func (d Description) exists() bool { return d.Text != "" }

func (g *Group) has(lid types.JID) bool { return g.index(lid) >= 0 }

func (g *Group) index(lid types.JID) int {
	return slices.IndexFunc(g.Roster, func(m Member) bool { return m.LID == lid })
}

func (g *Group) waitingIndex(lid types.JID) int {
	return slices.IndexFunc(g.Waiting, func(w Request) bool { return w.LID == lid })
}

// lids lists the members as addresses of pushes.
func (g *Group) lids() []types.JID {
	list := make([]types.JID, len(g.Roster))
	for i, m := range g.Roster {
		list[i] = m.LID
	}
	return list
}

// adminLIDs lists the admins as addresses of pushes.
func (g *Group) adminLIDs() []types.JID {
	var list []types.JID
	for _, m := range g.Roster {
		if m.Role.Admin() {
			list = append(list, m.LID)
		}
	}
	return list
}

func (g *Group) hasRole(roles ...Role) bool {
	return slices.ContainsFunc(g.Roster, func(m Member) bool { return slices.Contains(roles, m.Role) })
}

// strangers leaves those who are not members yet.
func (g *Group) strangers(people []Person) []Person {
	var list []Person
	for _, p := range people {
		if !g.has(p.LID) {
			list = append(list, p)
		}
	}
	return list
}

// residents leaves those who are members.
func (g *Group) residents(people []Person) []Person {
	var list []Person
	for _, p := range people {
		if g.has(p.LID) {
			list = append(list, p)
		}
	}
	return list
}

// bare drops the device and turns the legacy server into today's.
func bare(jid types.JID) types.JID {
	if jid.Server == types.LegacyUserServer {
		jid.Server = types.DefaultUserServer
	}
	return types.NewJID(jid.User, jid.Server)
}
