package group_test

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

func TestCreate(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 6)
		w.refuses[p[2].LID], w.refuses[p[3].LID] = 403, 401
		stranger := group.Person{PN: types.NewJID("4917000000000", types.DefaultUserServer), LID: types.NewJID("299", types.HiddenUserServer)}
		node := stanza.Node{
			Tag: "create", Attrs: stanza.Attrs{"subject": "Garden 🌱", "key": "K1", "addressing_mode": string(w.mode)},
			Content: append(w.nodes("participant", p[1], p[2], p[3], stranger, p[0], p[1]),
				textNode("member_add_mode", "admin_add"), textNode("member_link_mode", "all_member_link"),
				textNode("member_share_group_history_mode", "all_member_share"),
				stanza.Node{Tag: "ephemeral", Attrs: stanza.Attrs{"expiration": "604800", "trigger": "1"}},
				stanza.Node{Tag: "membership_approval_mode", Content: []stanza.Node{{Tag: "group_join", Attrs: stanza.Attrs{"state": "on"}}}},
				stanza.Node{Tag: "locked"}, stanza.Node{Tag: "announcement"},
				stanza.Node{Tag: "description", Attrs: stanza.Attrs{"id": "D1"}, Content: []stanza.Node{textNode("body", "Soil & seeds")}},
			),
		}
		reply, heard := w.must(p[0], types.GroupServerJID, "set", node)
		info := w.info(stanza.Child(reply, "group"))

		g, _ := w.reg.Get(info.JID)
		same(t, "members", members(g), jids(p[0], p[1]))
		if len(info.JID.User) != 18 || !strings.HasPrefix(info.JID.User, "120363") {
			t.Errorf("group id %s", info.JID)
		}
		if info.Name != "Garden 🌱" || !info.IsLocked || !info.IsAnnounce || info.DisappearingTimer != 604800 ||
			!info.IsJoinApprovalRequired || info.MemberAddMode != "admin_add" || info.Topic != "Soil & seeds" ||
			info.TopicID != "D1" || info.ParticipantCount != 2 || info.AddressingMode != w.mode {
			t.Errorf("created %+v", info)
		}
		if info.OwnerJID != g.Address(p[0]) || info.NameSetBy != g.Address(p[0]) || info.TopicSetBy != g.Address(p[0]) {
			t.Errorf("owner %s, name set by %s, topic set by %s", info.OwnerJID, info.NameSetBy, info.TopicSetBy)
		}
		checkCreatedParticipants(t, info.Participants, p)

		heard.want(t, "create")
		heard[0].reaches(t, p[0], p[1])
		joined := heard[0].joined
		if joined == nil || joined.Type != "new" || joined.CreateKey != "K1" || joined.Reason != "" || *joined.Sender != g.Address(p[0]) {
			t.Errorf("create notification %+v", joined)
		}
		truth, _ := w.reg.Truth(info.JID)
		if truth.MemberLinkMode != group.LinkAll || truth.ShareHistoryMode != group.HistoryAll || len(truth.AddRequests) != 1 {
			t.Errorf("truth %+v", truth)
		}
	})
}

// checkCreatedParticipants: the members first, then whoever could not be added.
func checkCreatedParticipants(t *testing.T, got []types.GroupParticipant, p []group.Person) {
	t.Helper()
	if len(got) != 5 {
		t.Fatalf("participants %+v", got)
	}
	if !got[0].IsSuperAdmin || got[1].IsAdmin || got[0].LID != p[0].LID || got[1].PhoneNumber != p[1].PN {
		t.Errorf("members %+v", got[:2])
	}
	private, blocked, unknown := got[2], got[3], got[4]
	if private.Error != 403 || private.AddRequest == nil || private.AddRequest.Code == "" || private.AddRequest.Expiration.IsZero() || private.LID != p[2].LID {
		t.Errorf("private person %+v", private)
	}
	if blocked.Error != 401 || blocked.AddRequest != nil || unknown.Error != 404 {
		t.Errorf("blocked %+v, unknown %+v", blocked, unknown)
	}
}

// TestCreateBare is what whatsmeow sends at least, with the reply's habit of
// naming a timer of 0.
func TestCreateBare(t *testing.T) {
	w := newTown(t, "")
	me := w.person(0)
	reply, _ := w.must(me, types.GroupServerJID, "set", stanza.Node{
		Tag: "create", Attrs: stanza.Attrs{"subject": "Me"}, Content: []stanza.Node{
			textNode("member_add_mode", "all_member_add"),
			{Tag: "ephemeral", Attrs: stanza.Attrs{"expiration": 0}},
			{Tag: "membership_approval_mode", Content: []stanza.Node{{Tag: "group_join", Attrs: stanza.Attrs{"state": "off"}}}},
		},
	})
	created := w.info(stanza.Child(reply, "group"))
	if !created.IsEphemeral || created.DisappearingTimer != 0 || created.AddressingMode != types.AddressingModeLID {
		t.Errorf("created %+v", created)
	}
	info := w.query(me, created.JID)
	if info.IsEphemeral || info.IsJoinApprovalRequired || info.IsLocked || info.IsAnnounce || info.Topic != "" || info.Suspended {
		t.Errorf("queried %+v", info)
	}
	if info.OwnerJID != me.LID || info.OwnerPN != me.PN || info.NameSetByPN != me.PN {
		t.Errorf("owner %s %s", info.OwnerJID, info.OwnerPN)
	}
}

func TestCreateRefusals(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	me := w.person(0)
	create := func(subject string, children ...stanza.Node) stanza.Node {
		return stanza.Node{Tag: "create", Attrs: stanza.Attrs{"subject": subject}, Content: children}
	}
	for name, c := range map[string]struct {
		code int
		node stanza.Node
	}{
		"no subject":       {406, stanza.Node{Tag: "create"}},
		"blank subject":    {406, create(" \t ")},
		"long subject":     {406, create(strings.Repeat("ü", 101))},
		"long description": {406, create("x", stanza.Node{Tag: "description", Content: []stanza.Node{textNode("body", strings.Repeat("ü", 2049))}})},
		"timer":            {400, create("x", stanza.Node{Tag: "ephemeral", Attrs: stanza.Attrs{"expiration": "60"}})},
		"timer text":       {400, create("x", stanza.Node{Tag: "ephemeral", Attrs: stanza.Attrs{"expiration": "soon"}})},
		"add mode":         {400, create("x", textNode("member_add_mode", "nobody"))},
		"link mode":        {400, create("x", textNode("member_link_mode", "nobody"))},
		"approval state":   {400, create("x", stanza.Node{Tag: "membership_approval_mode"})},
		"unknown child":    {501, create("x", stanza.Node{Tag: "locked"}, stanza.Node{Tag: "lockd"})},
		"a group as guest": {400, create("x", stanza.Node{Tag: "participant", Attrs: stanza.Attrs{"jid": types.NewJID("1", types.GroupServer)}})},
		"guest without":    {400, create("x", stanza.Node{Tag: "participant"})},
		"no such parent":   {404, create("x", stanza.Node{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": types.NewJID("120363000000000000", types.GroupServer)}})},
		"parent no group":  {400, create("x", stanza.Node{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": me.LID}})},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.refused(c.code, me, types.GroupServerJID, "set", c.node)
		})
	}
	w.t = t
	if _, _, refusal := w.ask(me, types.GroupServerJID, "set", create(strings.Repeat("ü", 100))); refusal != nil {
		t.Errorf("a hundred characters: %v", refusal)
	}
}

func TestCreateTooLarge(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	me, others := w.person(0), w.persons(1, 1024)
	_, _, _, refusal := w.reg.Create(me, group.CreateRequest{Subject: "Crowd", Participants: jids(others...)})
	if refusal == nil || refusal.Code != 419 {
		t.Fatalf("1025 participants: %v", refusal)
	}
	g, results, pushes, refusal := w.reg.Create(me, group.CreateRequest{Subject: "Crowd", Participants: jids(others[:1023]...)})
	if refusal != nil || len(g.Members()) != 1024 || len(results) != 1023 {
		t.Fatalf("1024 participants: %v", refusal)
	}
	w.hear(pushes).want(t, "create")
	results, _, refusal = w.reg.Add(me, g.JID, jids(others[1023]))
	if refusal != nil || results[0].Code != 419 {
		t.Errorf("one more: %v %v", results, refusal)
	}
}

func TestParticipating(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		a, b := w.person(0), w.person(1)
		first, second := w.create(a, b), w.create(b, a)
		w.create(b)
		w.must(a, first.JID, "set", description("D1", "", "Hello"))

		list := func(children ...stanza.Node) []stanza.Node {
			reply, _ := w.must(a, types.GroupServerJID, "get", stanza.Node{Tag: "participating", Content: children})
			return stanza.Children(stanza.Child(reply, "groups"), "group")
		}
		both := list(stanza.Node{Tag: "participants"}, stanza.Node{Tag: "description"})
		if len(both) != 2 || w.info(&both[0]).JID != first.JID || w.info(&both[1]).JID != second.JID {
			t.Fatalf("listed %v", both)
		}
		if info := w.info(&both[0]); len(info.Participants) != 2 || info.Topic != "Hello" {
			t.Errorf("with everything: %+v", info)
		}
		if info := w.info(&list()[0]); len(info.Participants) != 0 || info.Topic != "" || info.ParticipantCount != 2 {
			t.Errorf("with nothing: %+v", info)
		}
		reply, _ := w.must(w.person(9), types.GroupServerJID, "get", stanza.Node{Tag: "participating"})
		if groups := stanza.Child(reply, "groups"); groups == nil || len(stanza.Children(groups)) != 0 {
			t.Errorf("of nobody: %s", reply)
		}
	})
}

func TestUnknownRequests(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	me := w.person(0)
	g := w.create(me)
	for _, to := range []types.JID{g.JID, types.GroupServerJID} {
		w.refused(501, me, to, "set", stanza.Node{Tag: "levitate"})
		w.refused(501, me, to, "get", stanza.Node{Tag: "create"})
	}
	w.refused(400, me, me.LID, "get", stanza.Node{Tag: "query"})
	_, _, refusal := w.reg.HandleIQ(me, &stanza.Node{Tag: "iq", Attrs: stanza.Attrs{"to": g.JID}})
	if refusal == nil || refusal.Code != 400 {
		t.Errorf("an iq without child: %v", refusal)
	}
	w.refused(404, me, types.NewJID("120363999999999999", types.GroupServer), "get", stanza.Node{Tag: "query"})
	w.refused(403, w.person(1), g.JID, "get", stanza.Node{Tag: "query"})
}
