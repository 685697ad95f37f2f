package group_test

import (
	"strconv"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

func TestAdd(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 6)
		g := w.create(p[0], p[1])
		before := g.ParticipantVersion
		w.refuses[p[4].LID], w.refuses[p[5].LID] = 403, 401
		nobody := group.Person{PN: types.NewJID("4917000000000", types.DefaultUserServer), LID: types.NewJID("299", types.HiddenUserServer)}

		reply, heard := w.must(p[0], g.JID, "set", w.change("add", p[2], p[1], p[3], p[4], p[5], nobody, p[2]))
		if got := codes(t, reply, "add"); got != "200 409 200 403 401 404 409" {
			t.Errorf("codes %s", got)
		}
		same(t, "members", members(g), jids(p[0], p[1], p[2], p[3]))
		private := stanza.Children(stanza.Child(reply, "add"))[3]
		request := stanza.Child(&private, "add_request")
		if expires, _ := stanza.Int(request, "expiration"); expires != w.now.Add(72*time.Hour).Unix() || stanza.Text(request, "code") == "" {
			t.Errorf("add request %s", request)
		}

		heard.want(t, "add", "create")
		heard[0].reaches(t, p[0], p[1])
		heard[1].reaches(t, p[2], p[3])
		change := heard[0].change
		same(t, "joined", change.Join, []types.JID{g.Address(p[2]), g.Address(p[3])})
		if *change.Sender != g.Address(p[0]) || change.JoinReason != "" ||
			change.PrevParticipantVersionID != strconv.FormatInt(before, 10) || change.ParticipantVersionID != strconv.FormatInt(g.ParticipantVersion, 10) {
			t.Errorf("change %+v", change)
		}
		if joined := heard[1].joined; joined.Type != "" || len(joined.Participants) != 4 || *joined.Sender != g.Address(p[0]) {
			t.Errorf("joined %+v", joined)
		}
	})
}

func TestAddRights(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 4)
	g := w.create(p[0], p[1])
	reply, _ := w.must(p[1], g.JID, "set", w.change("add", p[2]))
	if got := codes(t, reply, "add"); got != "200" {
		t.Errorf("a member adds: %s", got)
	}
	w.must(p[0], g.JID, "set", textNode("member_add_mode", "admin_add"))
	w.refused(403, p[1], g.JID, "set", w.change("add", p[3]))
	w.refused(403, p[3], g.JID, "set", w.change("add", p[4]))
	w.refused(400, p[0], g.JID, "set", stanza.Node{Tag: "add"})
	w.refused(400, p[0], g.JID, "set", stanza.Node{Tag: "add", Content: []stanza.Node{
		{Tag: "participant", Attrs: stanza.Attrs{"jid": types.NewJID("", types.DefaultUserServer)}},
	}})
}

// TestAddByPhone: a LID that nobody knows counts for the phone sent with it.
func TestAddByPhone(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 1)
	g := w.create(p[0])
	reply, _ := w.must(p[0], g.JID, "set", stanza.Node{Tag: "add", Content: []stanza.Node{
		{Tag: "participant", Attrs: stanza.Attrs{"jid": types.NewJID("2999", types.HiddenUserServer), "phone_number": p[1].PN}},
	}})
	if got := codes(t, reply, "add"); got != "200" {
		t.Errorf("codes %s", got)
	}
	device, legacy := p[1].PN, p[1].PN
	device.Device, legacy.Server = 4, types.LegacyUserServer
	for _, jid := range []types.JID{device, legacy} {
		results, _, refusal := w.reg.Add(p[0], g.JID, []types.JID{jid})
		if refusal != nil || results[0].Code != 409 || results[0].Person.LID != p[1].LID {
			t.Errorf("%s: %v %v", jid, results, refusal)
		}
	}
}

func TestAddAfterDeparture(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		g := w.create(p[0], p[1], p[2])
		w.leave(p[1], g.JID)
		w.must(p[0], g.JID, "set", w.change("remove", p[2]))
		add := func() string {
			reply, _ := w.must(p[0], g.JID, "set", w.change("add", p[1], p[2]))
			return codes(t, reply, "add")
		}
		if got := add(); got != "408 200" {
			t.Errorf("at once: %s", got)
		}
		w.pass(24*time.Hour - time.Second)
		if got := add(); got != "408 409" {
			t.Errorf("nearly a day later: %s", got)
		}
		w.pass(time.Second)
		if got := add(); got != "200 409" {
			t.Errorf("a day later: %s", got)
		}
		w.leave(p[1], g.JID)
		if err := w.reg.SetLimit(group.LimitRecentlyLeft, 0); err != nil {
			t.Fatal(err)
		}
		if got := add(); got != "200 409" {
			t.Errorf("without the window: %s", got)
		}
	})
}

func (w *town) leave(actor group.Person, g types.JID) heard {
	w.t.Helper()
	reply, heard := w.must(actor, types.GroupServerJID, "set", stanza.Node{Tag: "leave", Content: []stanza.Node{
		{Tag: "group", Attrs: stanza.Attrs{"id": g}},
	}})
	if got := codes(w.t, reply, "leave"); got != "200" {
		w.t.Fatalf("leave: %s", got)
	}
	return heard
}

// TestAddBecomesRequest: a plain member's add waits for approval.
func TestAddBecomesRequest(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 4)
		g := w.create(p[0], p[1])
		w.setApproval(p[0], g.JID, true)
		reply, heard := w.must(p[1], g.JID, "set", w.change("add", p[2], p[3]))
		if got := codes(t, reply, "add"); got != "421 421" {
			t.Errorf("codes %s", got)
		}
		if first := stanza.First(stanza.Child(reply, "add")); stanza.Child(first, "membership_approval_request") == nil {
			t.Errorf("no request in %s", first)
		}
		heard.want(t, "created_membership_requests")
		heard[0].reaches(t, p[0])
		node := heard[0].child()
		if stanza.Text(node, "request_method") != "non_admin_add" || len(stanza.Children(node, "requested_user")) != 2 {
			t.Errorf("request %s", node)
		}
		if len(heard[0].change.UnknownChanges) != 1 {
			t.Errorf("whatsmeow understood %+v", heard[0].change)
		}
		_, heard = w.must(p[1], g.JID, "set", w.change("add", p[2]))
		heard.want(t)
		truth, _ := w.reg.Truth(g.JID)
		if len(truth.Requests) != 2 || truth.Requests[0].RequestedBy.LID != p[1].LID {
			t.Errorf("requests %+v", truth.Requests)
		}
		reply, _ = w.must(p[0], g.JID, "set", w.change("add", p[2], p[4]))
		if got := codes(t, reply, "add"); got != "200 200" {
			t.Errorf("an admin's add: %s", got)
		}
		if truth, _ = w.reg.Truth(g.JID); len(truth.Requests) != 1 {
			t.Errorf("requests left %+v", truth.Requests)
		}
	})
}

func (w *town) setApproval(actor group.Person, g types.JID, on bool) heard {
	w.t.Helper()
	state := "off"
	if on {
		state = "on"
	}
	_, heard := w.must(actor, g, "set", stanza.Node{Tag: "membership_approval_mode", Content: []stanza.Node{
		{Tag: "group_join", Attrs: stanza.Attrs{"state": state}},
	}})
	return heard
}

func TestRemove(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 4)
		g := w.create(p[0], p[1], p[2], p[3])
		w.must(p[0], g.JID, "set", w.change("promote", p[1]))
		w.refused(403, p[2], g.JID, "set", w.change("remove", p[3]))
		reply, heard := w.must(p[1], g.JID, "set", w.change("remove", p[2], p[0], p[1], p[4], p[2]))
		if got := codes(t, reply, "remove"); got != "200 405 406 404 200" {
			t.Errorf("codes %s", got)
		}
		heard.want(t, "remove")
		heard[0].reaches(t, p[0], p[1], p[2], p[3])
		same(t, "left", heard[0].change.Leave, []types.JID{g.Address(p[2])})
		if *heard[0].change.Sender != g.Address(p[1]) {
			t.Errorf("by %s", heard[0].change.Sender)
		}
		same(t, "members", members(g), jids(p[0], p[1], p[3]))
		w.refused(403, p[2], g.JID, "get", stanza.Node{Tag: "query"})
	})
}

func TestPromoteAndDemote(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 4)
		g := w.create(p[0], p[1], p[2], p[3])
		w.refused(403, p[1], g.JID, "set", w.change("promote", p[1]))
		reply, heard := w.must(p[0], g.JID, "set", w.change("promote", p[1], p[2], p[4], p[0]))
		if got := codes(t, reply, "promote"); got != "200 200 404 200" {
			t.Errorf("codes %s", got)
		}
		promoted := stanza.Children(stanza.Child(reply, "promote"))
		if stanza.Text(&promoted[0], "type") != "admin" || stanza.Text(&promoted[3], "type") != "superadmin" {
			t.Errorf("promoted %v", promoted)
		}
		heard.want(t, "promote")
		heard[0].reaches(t, p[0], p[1], p[2], p[3])
		same(t, "promoted", heard[0].change.Promote, []types.JID{g.Address(p[1]), g.Address(p[2])})
		_, heard = w.must(p[0], g.JID, "set", w.change("promote", p[1]))
		heard.want(t)

		reply, heard = w.must(p[1], g.JID, "set", w.change("demote", p[2], p[0], p[3], p[4]))
		if got := codes(t, reply, "demote"); got != "200 405 200 404" {
			t.Errorf("codes %s", got)
		}
		heard.want(t, "demote")
		same(t, "demoted", heard[0].change.Demote, []types.JID{g.Address(p[2])})
		if info := w.query(p[3], g.JID); info.Participants[1].IsSuperAdmin || !info.Participants[1].IsAdmin || info.Participants[2].IsAdmin {
			t.Errorf("participants %+v", info.Participants)
		}

		w.leave(p[0], g.JID) // now p[1] is the only admin
		reply, _ = w.must(p[1], g.JID, "set", w.change("demote", p[1]))
		if got := codes(t, reply, "demote"); got != "406" {
			t.Errorf("the last admin: %s", got)
		}
	})
}

func TestInterpose(t *testing.T) {
	w := newTown(t, types.AddressingModePN)
	p := w.persons(0, 4)
	var asked []string
	outcome := map[types.JID]int{p[1].LID: 451, p[2].LID: 500}
	w.reg.Interpose(func(a group.Attempt) int {
		asked = append(asked, a.Action)
		return outcome[a.Target.LID]
	})
	g := w.create(p[0], p[1])
	same(t, "members", members(g), jids(p[0]))
	reply, _ := w.must(p[0], g.JID, "set", w.change("add", p[1], p[2], p[3]))
	if got := codes(t, reply, "add"); got != "451 500 200" {
		t.Errorf("codes %s", got)
	}
	outcome[p[3].LID] = 500
	for _, action := range []string{"promote", "demote", "remove"} {
		reply, heard := w.must(p[0], g.JID, "set", w.change(action, p[3]))
		if got := codes(t, reply, action); got != "500" {
			t.Errorf("%s: %s", action, got)
		}
		heard.want(t)
	}
	if len(asked) != 7 || asked[0] != "create" || asked[6] != "remove" {
		t.Errorf("asked about %v", asked)
	}
	w.reg.Interpose(nil)
	reply, _ = w.must(p[0], g.JID, "set", w.change("add", p[1]))
	if got := codes(t, reply, "add"); got != "200" {
		t.Errorf("without the hook: %s", got)
	}
}

func TestLeave(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		g := w.create(p[0], p[1], p[2])
		heard := w.leave(p[0], g.JID)
		heard.want(t, "remove", "promote")
		heard[0].reaches(t, p[0], p[1], p[2])
		heard[1].reaches(t, p[1], p[2])
		same(t, "left", heard[0].change.Leave, []types.JID{g.Address(p[0])})
		same(t, "promoted", heard[1].change.Promote, []types.JID{g.Address(p[1])})
		if *heard[0].change.Sender != g.Address(p[0]) || heard[1].change.Sender != nil {
			t.Errorf("actors %v %v", heard[0].change.Sender, heard[1].change.Sender)
		}
		if heard[1].change.PrevParticipantVersionID != heard[0].change.ParticipantVersionID {
			t.Errorf("versions %+v", heard[1].change)
		}

		reply, _ := w.must(p[1], types.GroupServerJID, "set", stanza.Node{Tag: "leave", Content: []stanza.Node{
			{Tag: "group", Attrs: stanza.Attrs{"id": g.JID.User}}, // Baileys may send the digits
			{Tag: "group", Attrs: stanza.Attrs{"id": g.JID.String()}},
			{Tag: "group", Attrs: stanza.Attrs{"id": types.NewJID("120363000000000000", types.GroupServer)}},
		}})
		if got := codes(t, reply, "leave"); got != "200 403 404" {
			t.Errorf("codes %s", got)
		}
		w.leave(p[2], g.JID).want(t, "remove")
		for _, anyone := range p {
			w.refused(404, anyone, g.JID, "get", stanza.Node{Tag: "query"})
		}
		if left, ok := w.reg.Get(g.JID); !ok || len(left.Members()) != 0 {
			t.Error("a group that everybody left still exists")
		}
		if pushes, refusal := w.reg.Suspend(g.JID, true); refusal != nil || len(pushes) != 0 {
			t.Errorf("nobody is told, yet %v %v", pushes, refusal)
		}
		w.refused(400, p[0], types.GroupServerJID, "set", stanza.Node{Tag: "leave"})
		w.refused(400, p[0], types.GroupServerJID, "set", stanza.Node{Tag: "leave", Content: []stanza.Node{{Tag: "group"}}})
	})
}

func TestMayPost(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 2)
	g := w.create(p[0], p[1])
	check := func(when string, want ...int) {
		t.Helper()
		for i, code := range want {
			if got := g.MayPost(p[i].LID); got != code {
				t.Errorf("%s: person %d gets %d, want %d", when, i, got, code)
			}
		}
	}
	check("at first", 0, 0, 403)
	w.must(p[0], g.JID, "set", stanza.Node{Tag: "announcement"})
	check("announcement", 0, 403, 403)
	w.must(p[0], g.JID, "set", stanza.Node{Tag: "not_announcement"})
	pushes, _ := w.reg.Suspend(g.JID, true)
	w.hear(pushes)
	check("suspended", 403, 403, 403)
	w.leave(p[1], g.JID)
	pushes, _ = w.reg.Suspend(g.JID, false)
	w.hear(pushes)
	check("after leaving", 0, 403, 403)
}
