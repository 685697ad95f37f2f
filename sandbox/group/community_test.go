package group_test

import (
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// community creates a community and returns its parent and announcement group.
func (w *town) community(owner group.Person, extra ...stanza.Node) (parent, announcements *group.Group) {
	w.t.Helper()
	reply, _ := w.must(owner, types.GroupServerJID, "set", stanza.Node{
		Tag: "create", Attrs: stanza.Attrs{"subject": "Village", "addressing_mode": string(w.mode)},
		Content: append([]stanza.Node{{Tag: "parent", Attrs: stanza.Attrs{"default_membership_approval_mode": "request_required"}}}, extra...),
	})
	parent = w.groupIn(reply)
	announcements, _ = w.reg.Get(parent.Subs[0])
	return parent, announcements
}

// subGroup creates a group inside a community.
func (w *town) subGroup(actor group.Person, parent types.JID, others ...group.Person) (*group.Group, heard) {
	w.t.Helper()
	reply, heard := w.must(actor, types.GroupServerJID, "set", stanza.Node{
		Tag: "create", Attrs: stanza.Attrs{"subject": "Bakers", "addressing_mode": string(w.mode)},
		Content: append(w.nodes("participant", others...), stanza.Node{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": parent}}),
	})
	return w.groupIn(reply), heard
}

func links(jids ...types.JID) stanza.Node {
	return stanza.Node{Tag: "links", Content: []stanza.Node{
		{Tag: "link", Attrs: stanza.Attrs{"link_type": "sub_group"}, Content: groupNodes(jids...)},
	}}
}

func unlink(jids ...types.JID) stanza.Node {
	return stanza.Node{Tag: "unlink", Attrs: stanza.Attrs{"unlink_type": "sub_group"}, Content: groupNodes(jids...)}
}

func groupNodes(jids ...types.JID) []stanza.Node {
	nodes := make([]stanza.Node, len(jids))
	for i, jid := range jids {
		nodes[i] = stanza.Node{Tag: "group", Attrs: stanza.Attrs{"jid": jid}}
	}
	return nodes
}

func TestCreateCommunity(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 1)
		reply, heard := w.must(p[0], types.GroupServerJID, "set", stanza.Node{
			Tag: "create", Attrs: stanza.Attrs{"subject": "Village", "addressing_mode": string(w.mode)},
			Content: append(w.nodes("participant", p[1]),
				stanza.Node{Tag: "description", Attrs: stanza.Attrs{"id": "D"}, Content: []stanza.Node{textNode("body", "All of us")}},
				stanza.Node{Tag: "parent"},
				stanza.Node{Tag: "allow_non_admin_sub_group_creation"}, stanza.Node{Tag: "create_general_chat"}),
		})
		info := w.info(stanza.Child(reply, "group"))
		if !info.IsParent || info.DefaultMembershipApprovalMode != "request_required" || info.Topic != "All of us" {
			t.Errorf("parent %+v", info)
		}
		heard.want(t, "create", "create", "create")
		for _, n := range heard {
			n.reaches(t, p...)
		}
		announcements, general := heard[1].joined.GroupInfo, heard[2].joined.GroupInfo
		if !announcements.IsDefaultSubGroup || !announcements.IsAnnounce || announcements.LinkedParentJID != info.JID || announcements.AddressingMode != types.AddressingModeLID {
			t.Errorf("announcement group %+v", announcements)
		}
		if general.IsDefaultSubGroup || general.IsAnnounce || general.Name != "General" || general.LinkedParentJID != info.JID {
			t.Errorf("general chat %+v", general)
		}
		truth, _ := w.reg.Truth(info.JID)
		if c := truth.Community; c == nil || !c.IsParent || !c.NonAdminSubGroups || !slices.Equal(c.SubGroups, []types.JID{announcements.JID, general.JID}) {
			t.Errorf("truth %+v", truth.Community)
		}
		parent, _ := w.reg.Get(info.JID)
		if parent.MayPost(p[0].LID) != 403 {
			t.Error("one may post to a community's parent")
		}
		w.refused(405, p[0], announcements.JID, "set", stanza.Node{Tag: "not_announcement"})
	})
}

func TestSubGroups(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		parent, announcements := w.community(p[0])
		sub, heard := w.subGroup(p[0], parent.JID, p[1])
		// The newcomer enters the community first, then the community hears of the group.
		heard.want(t, "add", "create", "add", "create", "link", "link", "create")
		if n := heard[4]; n.change.Link.Type != types.GroupLinkChangeTypeSub || n.change.Link.Group.JID != sub.JID || n.change.JID != parent.JID {
			t.Errorf("link %+v", n.change.Link)
		}
		if n := heard[5]; n.change.Link.Type != types.GroupLinkChangeTypeSibling || n.change.JID != announcements.JID {
			t.Errorf("link %+v", n.change.Link)
		}
		if joined := heard[6].joined; joined.Type != "new" || joined.LinkedParentJID != parent.JID {
			t.Errorf("joined %+v", joined)
		}
		reply, _ := w.must(p[1], parent.JID, "get", stanza.Node{Tag: "sub_groups"})
		list := stanza.Children(stanza.Child(reply, "sub_groups"), "group")
		if len(list) != 2 || stanza.Text(&list[0], "id") != announcements.JID.User || stanza.Child(&list[0], "default_sub_group") == nil ||
			stanza.Text(&list[1], "id") != sub.JID.User || stanza.Text(&list[1], "subject") != "Bakers" || stanza.Text(&list[1], "s_t") == "" {
			t.Errorf("sub-groups %s", reply)
		}
		reply, _ = w.must(p[1], parent.JID, "get", stanza.Node{Tag: "linked_groups_participants"})
		people := stanza.Children(stanza.Child(reply, "linked_groups_participants"), "participant")
		if len(people) != 2 || people[1].Attrs["jid"] != parent.Address(p[1]) {
			t.Errorf("participants %s", reply)
		}
		for _, tag := range []string{"sub_groups", "linked_groups_participants"} {
			w.refused(403, p[3], parent.JID, "get", stanza.Node{Tag: tag})
			w.refused(400, p[0], sub.JID, "get", stanza.Node{Tag: tag})
		}
		create := stanza.Node{Tag: "create", Attrs: stanza.Attrs{"subject": "x"}, Content: []stanza.Node{
			{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": parent.JID}},
		}}
		w.refused(403, p[1], types.GroupServerJID, "set", create)
		if err := w.reg.SetLimit(group.LimitCommunityGroups, 2); err != nil {
			t.Fatal(err)
		}
		w.refused(406, p[0], types.GroupServerJID, "set", create)
		create.Content = []stanza.Node{{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": sub.JID}}}
		w.refused(400, p[0], types.GroupServerJID, "set", create)
	})
}

func TestNonAdminSubGroup(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 1)
	parent, _ := w.community(p[0], append(w.nodes("participant", p[1]), stanza.Node{Tag: "allow_non_admin_sub_group_creation"})...)
	sub, _ := w.subGroup(p[1], parent.JID)
	if m, _ := sub.Member(p[1].PN); m.Role != group.RoleSuperAdmin {
		t.Errorf("creator %+v", m)
	}
}

// The way Baileys' communityJoinApprovalMode asks for it.
func TestCommunityJoinApproval(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 2)
	parent, _ := w.community(p[0])
	plain := w.create(p[0], p[1])
	ask := func(state string) stanza.Node {
		return stanza.Node{Tag: "membership_approval_mode", Content: []stanza.Node{
			{Tag: "community_join", Attrs: stanza.Attrs{"state": state}},
		}}
	}
	_, heard := w.must(p[0], parent.JID, "set", ask("on"))
	heard.want(t, "membership_approval_mode")
	if !w.query(p[0], parent.JID).IsJoinApprovalRequired {
		t.Error("whatsmeow sees no approval mode")
	}
	w.must(p[2], types.GroupServerJID, "set", byCode(w.invite(p[0], parent.JID)))
	if len(w.waiting(p[0], parent.JID)) != 1 {
		t.Error("nobody waits for approval")
	}
	w.must(p[0], parent.JID, "set", ask("off"))
	if w.query(p[0], parent.JID).IsJoinApprovalRequired {
		t.Error("approval is still on")
	}
	w.refused(400, p[0], parent.JID, "set", ask("maybe"))
	w.refused(400, p[0], plain.JID, "set", ask("on"))
	w.refused(403, p[1], parent.JID, "set", ask("on"))
}

func TestLink(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 4)
		parent, announcements := w.community(p[0])
		mine, foreign := w.create(p[0], p[1], p[2]), w.create(p[3], p[0])
		other, _ := w.community(p[0])
		nowhere := types.NewJID("120363000000000000", types.GroupServer)

		w.refused(400, p[0], mine.JID, "set", links(foreign.JID))
		w.refused(403, p[1], parent.JID, "set", links(mine.JID))
		w.refused(400, p[0], parent.JID, "set", stanza.Node{Tag: "links"})
		w.refused(400, p[0], parent.JID, "set", stanza.Node{Tag: "links", Content: []stanza.Node{{Tag: "link", Attrs: stanza.Attrs{"link_type": "parent_group"}}}})
		w.refused(400, p[0], parent.JID, "set", stanza.Node{Tag: "links", Content: []stanza.Node{
			{Tag: "link", Attrs: stanza.Attrs{"link_type": "sub_group"}, Content: []stanza.Node{{Tag: "group"}}},
		}})
		reply, heard := w.must(p[0], parent.JID, "set", links(mine.JID, foreign.JID, other.JID, nowhere, mine.JID))
		if got := codes(t, reply, "links", "link"); got != "200 403 405 404 409" {
			t.Errorf("links: %s", got)
		}
		heard.want(t, "add", "create", "add", "create", "link", "link", "link")
		heard[0].reaches(t, p[0])
		heard[1].reaches(t, p[1], p[2])
		if n := heard[4]; n.change.Link.Type != types.GroupLinkChangeTypeParent || n.change.Link.Group.JID != parent.JID || n.change.JID != mine.JID || n.change.Link.Group.Name != "Village" {
			t.Errorf("link %+v", n.change.Link)
		}
		heard[5].reaches(t, p[0], p[1], p[2])
		same(t, "announcement group", members(announcements), members(parent))
		if info := w.query(p[1], mine.JID); info.LinkedParentJID != parent.JID {
			t.Errorf("info %+v", info)
		}

		if err := w.reg.SetLimit(group.LimitCommunityMembers, 3); err != nil {
			t.Fatal(err)
		}
		crowd := w.create(p[0], p[4])
		reply, _ = w.must(p[0], parent.JID, "set", links(crowd.JID))
		if got := codes(t, reply, "links", "link"); got != "406" {
			t.Errorf("a full community: %s", got)
		}
		reply, _ = w.must(p[0], mine.JID, "set", w.change("add", p[4]))
		if got := codes(t, reply, "add"); got != "417" {
			t.Errorf("add: %s", got)
		}
		w.refused(412, p[4], types.GroupServerJID, "set", byCode(w.invite(p[0], mine.JID)))
		w.refused(412, p[4], types.GroupServerJID, "set", byCode(w.invite(p[0], announcements.JID)))
	})
}

func TestUnlink(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		parent, announcements := w.community(p[0])
		bakers, _ := w.subGroup(p[0], parent.JID, p[1], p[2], p[3])
		brewers, _ := w.subGroup(p[0], parent.JID, p[2])
		w.must(p[0], parent.JID, "set", w.change("promote", p[3]))

		w.refused(403, p[1], parent.JID, "set", unlink(bakers.JID))
		w.refused(400, p[0], parent.JID, "set", unlink())
		w.refused(400, p[0], parent.JID, "set", stanza.Node{Tag: "unlink"})
		node := unlink(bakers.JID, announcements.JID, parent.JID)
		stanza.Children(&node)[0].Attrs["remove_orphaned_members"] = "true"
		reply, heard := w.must(p[0], parent.JID, "set", node)
		if got := codes(t, reply, "unlink"); got != "200 405 404" {
			t.Errorf("unlink: %s", got)
		}
		// Only p[1] is in no other group and no admin.
		heard.want(t, "unlink", "unlink", "unlink", "remove", "remove")
		for i, want := range []types.GroupLinkChangeType{types.GroupLinkChangeTypeParent, types.GroupLinkChangeTypeSub, types.GroupLinkChangeTypeSibling} {
			if change := heard[i].change.Unlink; change.Type != want || change.UnlinkReason != types.GroupUnlinkReasonDefault {
				t.Errorf("unlink %+v", change)
			}
		}
		same(t, "community", members(parent), jids(p[0], p[2], p[3]))
		same(t, "announcement group", members(announcements), jids(p[0], p[2], p[3]))
		same(t, "bakers", members(bakers), jids(p[0], p[1], p[2], p[3]))
		if info := w.query(p[1], bakers.JID); !info.LinkedParentJID.IsEmpty() {
			t.Errorf("info %+v", info)
		}
		w.must(p[0], parent.JID, "set", unlink(brewers.JID)) // keeps its members in the community
		same(t, "community", members(parent), jids(p[0], p[2], p[3]))
	})
}

func TestCommunityMembership(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		parent, announcements := w.community(p[0])
		sub, _ := w.subGroup(p[0], parent.JID)

		// By a sub-group's link, one enters the community too.
		_, heard := w.must(p[1], types.GroupServerJID, "set", byCode(w.invite(p[0], sub.JID)))
		heard.want(t, "add", "create", "add", "create", "add", "create")
		// Added to the announcement group, one is in the parent.
		w.must(p[0], announcements.JID, "set", w.change("add", p[2]))
		same(t, "community", members(parent), jids(p[0], p[1], p[2]))
		same(t, "sub-group", members(sub), jids(p[0], p[1]))

		// Roles of parent and announcement group are one.
		_, heard = w.must(p[0], announcements.JID, "set", w.change("promote", p[2]))
		heard.want(t, "promote", "promote")
		if m, _ := parent.Member(p[2].LID); m.Role != group.RoleAdmin {
			t.Errorf("role in the parent: %s", m.Role)
		}
		// Out of a sub-group is not out of the community.
		w.leave(p[1], sub.JID)
		same(t, "community", members(parent), jids(p[0], p[1], p[2]))
		_, heard = w.must(p[1], parent.JID, "set", joinLinked(sub.JID))
		heard.want(t, "add", "create")

		// The owner leaves all of it; an admin is left in every group.
		reply, heard := w.must(p[0], types.GroupServerJID, "set", stanza.Node{Tag: "leave", Content: []stanza.Node{
			{Tag: "community", Attrs: stanza.Attrs{"id": parent.JID}},
		}})
		if stanza.Path(reply, "leave", "community") == nil {
			t.Errorf("reply %s", reply)
		}
		heard.want(t, "remove", "remove", "remove", "promote")
		if n := heard.one(t, "promote"); n.change.JID != sub.JID {
			t.Errorf("promoted in %s", n.change.JID)
		}
		if len(w.reg.GroupsOf(p[0].LID)) != 0 {
			t.Errorf("still in %v", w.reg.GroupsOf(p[0].LID))
		}
		_, heard = w.must(p[2], parent.JID, "set", w.change("remove", p[1]))
		heard.want(t, "remove", "remove", "remove")
		same(t, "sub-group", members(sub), nil)
	})
}

func joinLinked(jid types.JID) stanza.Node {
	return stanza.Node{Tag: "join_linked_group", Attrs: stanza.Attrs{"jid": jid, "type": "sub_group"}}
}

func TestJoinLinked(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		parent, announcements := w.community(p[0], w.nodes("participant", p[1])...)
		sub, _ := w.subGroup(p[0], parent.JID)
		alone := w.create(p[0])

		w.refused(403, p[2], parent.JID, "set", joinLinked(sub.JID))
		w.refused(404, p[1], parent.JID, "set", joinLinked(alone.JID))
		w.refused(400, p[1], parent.JID, "set", stanza.Node{Tag: "join_linked_group"})
		w.refused(409, p[1], parent.JID, "set", joinLinked(announcements.JID))
		w.setApproval(p[0], sub.JID, true)
		reply, heard := w.must(p[1], parent.JID, "set", joinLinked(sub.JID))
		if stanza.Child(reply, "membership_approval_request") == nil {
			t.Errorf("reply %s", reply)
		}
		if n := heard.one(t, "created_membership_requests"); stanza.Text(n.child(), "request_method") != "linked_group_join" {
			t.Errorf("request %s", n.node)
		}
		_, heard = w.must(p[0], sub.JID, "set", decision("approve", w.change("", p[1])))
		heard.want(t, "add", "create")
		if heard[0].change.JoinReason != "linked_group_join" {
			t.Errorf("reason %s", heard[0].change.JoinReason)
		}
		w.leave(p[1], sub.JID)
		w.setApproval(p[0], sub.JID, false)
		reply, _ = w.must(p[1], parent.JID, "set", joinLinked(sub.JID))
		if info := w.info(stanza.Path(reply, "linked_group", "group")); info.JID != sub.JID || len(info.Participants) != 2 {
			t.Errorf("joined %+v", info)
		}
	})
}

func TestDeleteParent(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		parent, announcements := w.community(p[0], w.nodes("participant", p[1])...)
		sub, _ := w.subGroup(p[0], parent.JID, p[2])
		code := w.invite(p[0], announcements.JID)
		w.must(p[0], parent.JID, "set", w.change("promote", p[1]))
		w.refused(403, p[1], parent.JID, "set", stanza.Node{Tag: "delete_parent"})
		w.refused(400, p[0], sub.JID, "set", stanza.Node{Tag: "delete_parent"})

		_, heard := w.must(p[0], parent.JID, "set", stanza.Node{Tag: "delete_parent"})
		heard.want(t, "unlink", "delete", "delete")
		if change := heard[0].change.Unlink; change.UnlinkReason != types.GroupUnlinkReasonDelete || change.Group.JID != parent.JID {
			t.Errorf("unlink %+v", change)
		}
		if heard[1].change.JID != announcements.JID || heard[2].change.JID != parent.JID || heard[2].change.Delete.DeleteReason == "" {
			t.Errorf("deleted %+v %+v", heard[1].change, heard[2].change)
		}
		heard[2].reaches(t, p...)
		for _, gone := range []types.JID{parent.JID, announcements.JID} {
			w.refused(404, p[0], gone, "get", stanza.Node{Tag: "query"})
			if _, ok := w.reg.Truth(gone); ok {
				t.Errorf("%s still exists", gone)
			}
		}
		w.refused(410, p[2], types.GroupServerJID, "set", byCode(code))
		if info := w.query(p[2], sub.JID); !info.LinkedParentJID.IsEmpty() || len(info.Participants) != 2 {
			t.Errorf("sub-group %+v", info)
		}
		if all := w.reg.All(); len(all) != 1 || all[0] != sub {
			t.Errorf("left %v", all)
		}
	})
}

// TestDeleteOrphanedParent: without its owner, any admin may dissolve a community.
func TestDeleteOrphanedParent(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 1)
	parent, _ := w.community(p[0], w.nodes("participant", p[1])...)
	w.leave(p[0], parent.JID).want(t, "remove", "remove", "promote", "promote")
	_, heard := w.must(p[1], parent.JID, "set", stanza.Node{Tag: "delete_parent"})
	heard.want(t, "delete", "delete")
}

// TestCommunityTooLarge: more than a community holds is refused as a whole, and
// the chat for everybody takes no more than a group does.
func TestCommunityTooLarge(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 4)
	for name, value := range map[group.LimitName]int64{group.LimitCommunityMembers: 4, group.LimitParticipants: 3} {
		if err := w.reg.SetLimit(name, value); err != nil {
			t.Fatal(err)
		}
	}
	request := group.CreateRequest{Subject: "Village", Parent: true, GeneralChat: true, Participants: jids(p[1:]...)}
	if _, _, _, refusal := w.reg.Create(p[0], request); refusal == nil || refusal.Code != 419 {
		t.Errorf("five: %v", refusal)
	}
	request.Participants = jids(p[1:4]...)
	parent, _, pushes, refusal := w.reg.Create(p[0], request)
	if refusal != nil {
		t.Fatal(refusal)
	}
	w.hear(pushes).want(t, "create", "create", "create")
	general, _ := w.reg.Get(parent.Subs[1])
	if len(parent.Members()) != 4 || len(general.Members()) != 3 {
		t.Errorf("%d in the community, %d in its chat", len(parent.Members()), len(general.Members()))
	}
	if _, _, _, refusal := w.reg.Create(p[0], group.CreateRequest{Subject: "x", Parent: true, LinkedParent: parent.JID}); refusal == nil || refusal.Code != 400 {
		t.Errorf("a community in a community: %v", refusal)
	}
}
