package group_test

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

func description(id, prev, text string) stanza.Node {
	node := stanza.Node{Tag: "description", Attrs: stanza.Attrs{"id": id, "prev": prev}}
	if text == "" {
		node.Attrs["delete"] = "true"
	} else {
		node.Content = []stanza.Node{textNode("body", text)}
	}
	return node
}

func ephemeral(seconds string) stanza.Node {
	return stanza.Node{Tag: "ephemeral", Attrs: stanza.Attrs{"expiration": seconds}}
}

func TestSubject(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 1)
		g := w.create(p[0], p[1])
		w.pass(5e9)
		for _, subject := range []string{"Allotment", " spaced ", "7", "participant", strings.Repeat("🌻", 100)} {
			reply, heard := w.must(p[1], g.JID, "set", stanza.Node{Tag: "subject", Content: subject})
			if stanza.First(reply) != nil {
				t.Errorf("reply %s", reply)
			}
			heard.want(t, "subject")
			heard[0].reaches(t, p...)
			name := heard[0].change.Name
			if name.Name != subject || !name.NameSetAt.Equal(w.now) || name.NameSetBy != g.Address(p[1]) {
				t.Errorf("event %+v", name)
			}
			if info := w.query(p[0], g.JID); info.Name != subject || info.NameSetBy != g.Address(p[1]) {
				t.Errorf("info %+v", info.GroupName)
			}
		}
		for _, subject := range []string{"", "  ", "\n", strings.Repeat("x", 101), "\xff"} {
			w.refused(406, p[0], g.JID, "set", textNode("subject", subject))
		}
	})
}

func TestDescription(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 1)
		g := w.create(p[0], p[1])
		_, heard := w.must(p[1], g.JID, "set", description("D1", "", "Bring tools"))
		topic := heard.one(t, "description").change.Topic
		if topic.Topic != "Bring tools" || topic.TopicID != "D1" || topic.TopicDeleted || topic.TopicSetBy != g.Address(p[1]) {
			t.Errorf("event %+v", topic)
		}
		if info := w.query(p[0], g.JID); info.Topic != "Bring tools" || info.TopicID != "D1" || !info.TopicSetAt.Equal(w.now) {
			t.Errorf("info %+v", info.GroupTopic)
		}
		w.refused(409, p[0], g.JID, "set", description("D2", "", "Stale"))
		w.refused(409, p[0], g.JID, "set", description("D2", "D0", "Stale"))
		w.refused(409, p[0], g.JID, "set", description("D2", "D0", ""))
		w.refused(406, p[0], g.JID, "set", description("D2", "D1", strings.Repeat("é", 2049)))
		w.refused(400, p[0], g.JID, "set", description(strings.Repeat("D", 129), "D1", "Hello"))
		w.must(p[0], g.JID, "set", description("D2", "D1", strings.Repeat("é", 2048)))

		_, heard = w.must(p[0], g.JID, "set", description("D3", "D2", ""))
		if topic = heard.one(t, "description").change.Topic; !topic.TopicDeleted || topic.TopicID != "D3" {
			t.Errorf("deletion %+v", topic)
		}
		if truth, _ := w.reg.Truth(g.JID); truth.Description.ID != "D3" || truth.Description.Text != "" {
			t.Errorf("truth %+v", truth.Description)
		}
		if info := w.query(p[0], g.JID); info.Topic != "" || info.TopicID != "" {
			t.Errorf("info %+v", info.GroupTopic)
		}
		w.refused(409, p[0], g.JID, "set", description("D4", "D2", "Stale"))
		// whatsmeow reads no id of a deleted description, so it sends no prev.
		w.must(p[0], g.JID, "set", description("D4", "", "Again"))
		// Baileys deletes without an id, and a phone knows what it replaces.
		_, heard = w.must(p[0], g.JID, "set", stanza.Node{Tag: "description", Attrs: stanza.Attrs{"prev": "D4", "delete": "true"}})
		if heard.one(t, "description").change.Topic.TopicID == "" {
			t.Error("no id was made")
		}
		if _, refusal := w.reg.SetDescription(p[0], g.JID, group.DescriptionChange{Text: "By phone", AnyPrev: true}); refusal != nil {
			t.Error(refusal)
		}
	})
}

func TestSwitches(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 1)
		g := w.create(p[0], p[1])
		do := func(node stanza.Node) note {
			t.Helper()
			_, heard := w.must(p[0], g.JID, "set", node)
			heard.want(t, node.Tag)
			heard[0].reaches(t, p...)
			_, again := w.must(p[0], g.JID, "set", node)
			again.want(t)
			return heard[0]
		}
		info := func() *types.GroupInfo { return w.query(p[1], g.JID) }

		if n := do(stanza.Node{Tag: "locked"}); !n.change.Locked.IsLocked || !info().IsLocked {
			t.Error("locked")
		}
		if n := do(stanza.Node{Tag: "unlocked"}); n.change.Locked.IsLocked || info().IsLocked {
			t.Error("unlocked")
		}
		first := do(stanza.Node{Tag: "announcement"})
		if !first.change.Announce.IsAnnounce || !info().IsAnnounce || info().AnnounceVersionID != first.change.Announce.AnnounceVersionID {
			t.Error("announcement")
		}
		second := do(stanza.Node{Tag: "not_announcement"})
		if second.change.Announce.IsAnnounce || info().IsAnnounce || second.change.Announce.AnnounceVersionID <= first.change.Announce.AnnounceVersionID {
			t.Error("not_announcement")
		}
		for _, seconds := range []uint32{86400, 604800, 7776000} {
			n := do(stanza.Node{Tag: "ephemeral", Attrs: stanza.Attrs{"expiration": seconds}})
			if n.change.Ephemeral.DisappearingTimer != seconds || info().DisappearingTimer != seconds {
				t.Errorf("ephemeral %d", seconds)
			}
		}
		if n := do(stanza.Node{Tag: "not_ephemeral"}); n.change.Ephemeral.IsEphemeral || info().IsEphemeral {
			t.Error("not_ephemeral")
		}
		if heard := w.setApproval(p[0], g.JID, true); !heard[0].change.MembershipApprovalMode.IsJoinApprovalRequired || !info().IsJoinApprovalRequired {
			t.Error("approval on")
		}
		heard := w.setApproval(p[0], g.JID, false)
		if stanza.Text(stanza.Child(heard[0].child(), "group_join"), "state") != "off" || info().IsJoinApprovalRequired {
			t.Error("approval off")
		}
		do(textNode("member_add_mode", "admin_add"))
		if info().MemberAddMode != types.GroupMemberAddModeAdmin {
			t.Error("member_add_mode")
		}
		n := do(textNode("member_link_mode", "all_member_link"))
		if len(n.change.UnknownChanges) != 1 || string(stanza.Bytes(n.child())) != "all_member_link" {
			t.Error("member_link_mode")
		}
		do(textNode("member_share_group_history_mode", "all_member_share"))
		truth, _ := w.reg.Truth(g.JID)
		if truth.MemberLinkMode != group.LinkAll || truth.ShareHistoryMode != group.HistoryAll {
			t.Errorf("truth %+v", truth)
		}
	})
}

func TestSettingRefusals(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 1)
	g := w.create(p[0], p[1])
	for _, node := range []stanza.Node{
		ephemeral("60"), ephemeral("-1"), ephemeral("x"), ephemeral("99999999999"), ephemeral("7776001"),
		textNode("member_add_mode", ""), textNode("member_add_mode", "all"), textNode("member_link_mode", "x"),
		textNode("member_share_group_history_mode", "x"),
		{Tag: "membership_approval_mode"},
		{Tag: "membership_approval_mode", Content: []stanza.Node{{Tag: "group_join", Attrs: stanza.Attrs{"state": "maybe"}}}},
	} {
		w.refused(400, p[0], g.JID, "set", node)
	}
	w.must(p[0], g.JID, "set", ephemeral("86400"))
	_, heard := w.must(p[0], g.JID, "set", ephemeral("0"))
	heard.want(t, "not_ephemeral")
}

func TestSuspend(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		g := w.create(p[0], p[1])
		code := w.invite(p[0], g.JID)
		suspend := func(on bool) heard {
			pushes, refusal := w.reg.Suspend(g.JID, on)
			if refusal != nil {
				t.Fatal(refusal)
			}
			return w.hear(pushes)
		}
		heard := suspend(true)
		heard.want(t, "suspended")
		heard[0].reaches(t, p[0], p[1])
		if !heard[0].change.Suspended || heard[0].change.Sender != nil || !w.query(p[0], g.JID).Suspended {
			t.Error("not suspended")
		}
		suspend(true).want(t)
		for _, node := range []stanza.Node{
			w.change("add", p[2]), w.change("remove", p[1]), w.change("promote", p[1]), textNode("subject", "x"),
			description("D", "", "x"), {Tag: "locked"}, ephemeral("86400"), {Tag: "invite"},
		} {
			w.refused(423, p[0], g.JID, "set", node)
		}
		w.refused(423, p[2], types.GroupServerJID, "set", stanza.Node{Tag: "invite", Attrs: stanza.Attrs{"code": code}})
		w.leave(p[1], g.JID)
		heard = suspend(false)
		heard.want(t, "unsuspended")
		if !heard[0].change.Unsuspended || w.query(p[0], g.JID).Suspended {
			t.Error("still suspended")
		}
		if _, refusal := w.reg.Suspend(types.NewJID("1", types.GroupServer), true); refusal == nil || refusal.Code != 404 {
			t.Errorf("unknown group: %v", refusal)
		}
	})
}

func TestMemberLinkByMex(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 1)
	g := w.create(p[0], p[1])
	ask := func(actor group.Person, variables string) (string, heard, *stanza.Error) {
		result, pushes, handled, refusal := w.reg.HandleMex(actor, "9418211574894172", []byte(variables))
		if !handled {
			t.Errorf("%s: not handled", variables)
		}
		return string(result), w.hear(pushes), refusal
	}
	for _, c := range []struct{ variables, mode string }{
		{`{"group_id":"` + g.JID.String() + `","update":{"member_link_mode":"ALL_MEMBER_LINK"}}`, group.LinkAll},
		{`{"variables":{"groupId":"` + g.JID.User + `","update":{"member_link_mode":"ADMIN_LINK"}}}`, group.LinkAdmin},
	} {
		result, heard, refusal := ask(p[0], c.variables)
		if refusal != nil || g.MemberLinkMode != c.mode || !strings.Contains(result, g.JID.String()) {
			t.Errorf("%s: %s %v", c.variables, result, refusal)
		}
		heard.want(t, "member_link_mode")
	}
	for variables, code := range map[string]int{
		`{"group_id":"` + g.JID.String() + `","update":{"member_link_mode":"NOBODY"}}`: 400,
		`{"update":{"member_link_mode":"ADMIN_LINK"}}`:                                 400,
		`[]`: 400, ``: 400, `{"variables":3}`: 400,
		`{"group_id":"120363000000000000@g.us","update":{"member_link_mode":"ADMIN_LINK"}}`: 404,
	} {
		if _, _, refusal := ask(p[0], variables); refusal == nil || refusal.Code != code {
			t.Errorf("%s: %v, want %d", variables, refusal, code)
		}
	}
	_, _, refusal := ask(p[1], `{"group_id":"`+g.JID.String()+`","update":{"member_link_mode":"ALL_MEMBER_LINK"}}`)
	if refusal == nil || refusal.Code != 403 {
		t.Errorf("a member: %v", refusal)
	}
	if _, _, handled, _ := w.reg.HandleMex(p[0], "1", nil); handled {
		t.Error("handled another document")
	}
	data, err := group.MexRefusal(stanza.Refuse(403))
	if err != nil || !strings.Contains(string(data), `"error_code":403`) {
		t.Errorf("refusal %s %v", data, err)
	}
}
