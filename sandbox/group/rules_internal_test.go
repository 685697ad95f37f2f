package group

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
)

// TestTables: every row says where it comes from.
func TestTables(t *testing.T) {
	for a, rule := range rights {
		if rule.source == "" || rule.refusal == 0 {
			t.Errorf("right %q is incomplete: %+v", a, rule)
		}
	}
	for _, l := range DefaultLimits() {
		if l.Source == "" || l.Unit == "" || l.Value <= 0 || l.Refusal == 0 {
			t.Errorf("limit is incomplete: %+v", l)
		}
	}
}

// TestGrants is the matrix of roles and settings: what a member, an admin and
// a superadmin may do, with the setting that the right depends on off and on.
func TestGrants(t *testing.T) {
	cases := []struct {
		to                    who
		open                  func(*Group) // gives members the right
		memberClosed, memberO bool
		admin                 bool
	}{
		{members, func(*Group) {}, true, true, true},
		{admins, func(*Group) {}, false, false, true},
		{owner, func(*Group) {}, false, false, false},
		{membersUnlessLocked, func(g *Group) { g.Locked = false }, false, true, true},
		{membersIfAllAdd, func(g *Group) { g.MemberAddMode = AddAll }, false, true, true},
		{membersIfAllLink, func(g *Group) { g.MemberLinkMode = LinkAll }, false, true, true},
		{membersIfOpenToSubGroup, func(g *Group) { g.NonAdminSubGroups = true }, false, true, true},
		{who(99), func(*Group) {}, false, false, true},
	}
	for _, c := range cases {
		g := &Group{Locked: true, MemberAddMode: AddAdmin, MemberLinkMode: LinkAdmin, Roster: []Member{
			{Person: Person{LID: types.NewJID("1", types.HiddenUserServer)}, Role: RoleSuperAdmin},
		}}
		if got := g.grants(RoleMember, c.to); got != c.memberClosed {
			t.Errorf("right %d, closed: member %v", c.to, got)
		}
		c.open(g)
		if got := g.grants(RoleMember, c.to); got != c.memberO {
			t.Errorf("right %d, open: member %v", c.to, got)
		}
		if got := g.grants(RoleAdmin, c.to); got != c.admin {
			t.Errorf("right %d: admin %v", c.to, got)
		}
		if !g.grants(RoleSuperAdmin, c.to) {
			t.Errorf("right %d: not the superadmin's", c.to)
		}
	}
	ownerless := &Group{Roster: []Member{{Role: RoleAdmin}}}
	if !ownerless.grants(RoleAdmin, owner) || ownerless.grants(RoleMember, owner) {
		t.Error("without a superadmin, the admins own the group")
	}
}

func TestSetLimit(t *testing.T) {
	r := NewRegistry(nil, nil, nil)
	if r.SetLimit("wings", 2) == nil || r.SetLimit(LimitSubject, -1) == nil {
		t.Error("a bad limit was accepted")
	}
	if err := r.SetLimit(LimitSubject, 25); err != nil || r.limit(LimitSubject).Value != 25 {
		t.Errorf("limit %+v, %v", r.limit(LimitSubject), err)
	}
	r.Reset()
	if r.Limits()[0].Value != 100 {
		t.Error("Reset left the limit")
	}
}
