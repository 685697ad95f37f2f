package group_test

import (
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// invite reads the group's code as the actor.
func (w *town) invite(actor group.Person, g types.JID) string {
	w.t.Helper()
	reply, _ := w.must(actor, g, "get", stanza.Node{Tag: "invite"})
	return stanza.Text(stanza.Child(reply, "invite"), "code")
}

func byCode(code string) stanza.Node {
	return stanza.Node{Tag: "invite", Attrs: stanza.Attrs{"code": code}}
}

func TestInviteCode(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		g := w.create(p[0], p[1])
		first := w.invite(p[0], g.JID)
		if len(first) != 22 || w.invite(p[0], g.JID) != first {
			t.Errorf("code %q", first)
		}
		if link := group.InviteLink(first); link != whatsmeow.InviteLinkPrefix+first || group.InviteCodeOf(link) != first ||
			group.InviteCodeOf(first) != first || group.InviteCodeOf(link+"?mode=ac_t") != first || group.InviteCodeOf(link+"/") != first {
			t.Errorf("link %s", link)
		}
		w.refused(401, p[1], g.JID, "get", stanza.Node{Tag: "invite"})
		w.refused(401, p[1], g.JID, "set", stanza.Node{Tag: "invite"})
		w.refused(403, p[2], g.JID, "get", stanza.Node{Tag: "invite"})
		w.must(p[0], g.JID, "set", textNode("member_link_mode", "all_member_link"))
		if w.invite(p[1], g.JID) != first {
			t.Error("a member reads another code")
		}
		w.refused(401, p[1], g.JID, "set", stanza.Node{Tag: "invite"})

		reply, heard := w.must(p[0], g.JID, "set", stanza.Node{Tag: "invite"})
		second := stanza.Text(stanza.Child(reply, "invite"), "code")
		if second == first || w.invite(p[0], g.JID) != second {
			t.Errorf("after reset %q", second)
		}
		heard.want(t, "invite")
		heard[0].reaches(t, p[0], p[1])
		if *heard[0].change.NewInviteLink != group.InviteLink(second) {
			t.Errorf("event %s", *heard[0].change.NewInviteLink)
		}
		for _, kind := range []string{"get", "set"} {
			w.refused(410, p[2], types.GroupServerJID, kind, byCode(first))
			w.refused(406, p[2], types.GroupServerJID, kind, byCode("short"))
			w.refused(406, p[2], types.GroupServerJID, kind, byCode(""))
			w.refused(406, p[2], types.GroupServerJID, kind, byCode(strings.Repeat("!", 22)))
			w.refused(404, p[2], types.GroupServerJID, kind, byCode(strings.Repeat("A", 22)))
		}
	})
}

func TestInviteInfo(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 2)
		g := w.create(p[0], p[1])
		w.must(p[0], g.JID, "set", description("D", "", "Come in"))
		code := w.invite(p[0], g.JID)
		info := func(actor group.Person) *types.GroupInfo {
			reply, heard := w.must(actor, types.GroupServerJID, "get", byCode(code))
			heard.want(t)
			return w.info(stanza.Child(reply, "group"))
		}
		if out := info(p[2]); out.JID != g.JID || out.ParticipantCount != 2 || len(out.Participants) != 1 || out.Topic != "Come in" {
			t.Errorf("an outsider sees %+v", out)
		}
		if in := info(p[1]); len(in.Participants) != 2 {
			t.Errorf("a member sees %+v", in)
		}
		w.leave(p[0], g.JID)
		w.leave(p[1], g.JID)
		w.refused(410, p[2], types.GroupServerJID, "get", byCode(code))
	})
}

func TestJoin(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		g := w.create(p[0], p[1])
		code := w.invite(p[0], g.JID)
		reply, heard := w.must(p[2], types.GroupServerJID, "set", byCode(code))
		if jid, _ := stanza.JID(stanza.Child(reply, "group"), "jid"); jid != g.JID {
			t.Errorf("reply %s", reply)
		}
		heard.want(t, "add", "create")
		heard[0].reaches(t, p[0], p[1])
		heard[1].reaches(t, p[2])
		if change := heard[0].change; change.JoinReason != "invite" || *change.Sender != g.Address(p[2]) {
			t.Errorf("change %+v", change)
		}
		same(t, "joined", heard[0].change.Join, []types.JID{g.Address(p[2])})
		if joined := heard[1].joined; joined.Reason != "invite" || joined.Type != "" || len(joined.Participants) != 3 {
			t.Errorf("joined %+v", joined)
		}
		w.refused(409, p[2], types.GroupServerJID, "set", byCode(code))
		w.must(p[0], g.JID, "set", w.change("remove", p[2]))
		w.refused(405, p[2], types.GroupServerJID, "set", byCode(code))
		w.leave(p[1], g.JID)
		w.must(p[1], types.GroupServerJID, "set", byCode(code)) // who left by themselves may return

		if err := w.reg.SetLimit(group.LimitParticipants, 2); err != nil {
			t.Fatal(err)
		}
		w.refused(419, p[3], types.GroupServerJID, "set", byCode(code))
	})
}

func TestJoinWithApproval(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		g := w.create(p[0], p[1])
		w.setApproval(p[0], g.JID, true)
		code := w.invite(p[0], g.JID)
		for _, wanted := range [][]string{{"created_membership_requests"}, nil} {
			reply, heard := w.must(p[2], types.GroupServerJID, "set", byCode(code))
			if jid, _ := stanza.JID(stanza.Child(reply, "membership_approval_request"), "jid"); jid != g.JID {
				t.Errorf("reply %s", reply)
			}
			heard.want(t, wanted...)
		}
		if err := w.reg.SetLimit(group.LimitRequests, 1); err != nil {
			t.Fatal(err)
		}
		w.refused(419, p[3], types.GroupServerJID, "set", byCode(code))
		same(t, "members", members(g), jids(p[0], p[1]))
	})
}

// private adds somebody whose privacy refuses it and returns the invitation.
func (w *town) private(admin group.Person, g *group.Group, target group.Person) stanza.Attrs {
	w.t.Helper()
	w.refuses[target.LID] = 403
	reply, _ := w.must(admin, g.JID, "set", w.change("add", target))
	delete(w.refuses, target.LID)
	request := stanza.Path(reply, "add", "participant", "add_request")
	if request == nil {
		w.t.Fatalf("no add request in %s", reply)
	}
	return stanza.Attrs{"code": request.Attrs["code"], "expiration": request.Attrs["expiration"], "admin": g.Address(admin)}
}

func TestAddRequest(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 3)
		g := w.create(p[0], p[1])
		c := w.private(p[0], g, p[2])
		query := stanza.Node{Tag: "query", Content: []stanza.Node{{Tag: "add_request", Attrs: c}}}
		accept := stanza.Node{Tag: "accept", Attrs: c}

		reply, _ := w.must(p[2], g.JID, "get", query)
		if info := w.info(stanza.Child(reply, "group")); info.JID != g.JID || info.Name != "Neighbours" {
			t.Errorf("info %+v", info)
		}
		w.refused(410, p[3], g.JID, "get", query)
		w.refused(410, p[3], g.JID, "set", accept)
		w.refused(404, p[2], types.NewJID("120363000000000000", types.GroupServer), "set", accept)
		for name, wrong := range map[string]any{"code": "Wrong", "expiration": "1", "admin": p[1].LID} {
			w.refused(410, p[2], g.JID, "set", stanza.Node{Tag: "accept", Attrs: with(c, name, wrong)})
		}
		for name := range c {
			w.refused(406, p[2], g.JID, "set", stanza.Node{Tag: "accept", Attrs: with(c, name, nil)})
		}

		reply, heard := w.must(p[2], g.JID, "set", accept)
		if jid, _ := stanza.JID(stanza.Child(reply, "group"), "jid"); jid != g.JID {
			t.Errorf("reply %s", reply)
		}
		heard.want(t, "add", "create")
		if heard[0].change.JoinReason != "invite" || heard[1].joined.Reason != "invite" {
			t.Error("no reason given")
		}
		w.refused(410, p[2], g.JID, "set", accept) // used up
	})
}

func with(attrs stanza.Attrs, name string, value any) stanza.Attrs {
	copied := stanza.Attrs{}
	for k, v := range attrs {
		copied[k] = v
	}
	copied[name] = value
	return copied
}

func TestAddRequestEnds(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 4)
	g := w.create(p[0], p[1])
	accept := func(c stanza.Attrs) stanza.Node { return stanza.Node{Tag: "accept", Attrs: c} }

	late := w.private(p[0], g, p[2])
	w.pass(72*time.Hour - time.Second)
	fresh := w.private(p[0], g, p[3])
	w.pass(time.Second)
	w.refused(410, p[2], g.JID, "set", accept(late))

	w.refused(403, p[1], g.JID, "set", w.change("revoke", p[3]))
	w.refused(400, p[0], g.JID, "set", stanza.Node{Tag: "revoke"})
	reply, _ := w.must(p[0], g.JID, "set", w.change("revoke", p[3], p[4]))
	if got := codes(t, reply, "revoke"); got != "200 404" {
		t.Errorf("revoke: %s", got)
	}
	w.refused(410, p[3], g.JID, "set", accept(fresh))

	older := w.private(p[0], g, p[3])
	newer := w.private(p[0], g, p[3])
	w.refused(410, p[3], g.JID, "set", accept(older))
	w.leave(p[0], g.JID)
	w.refused(410, p[3], g.JID, "set", accept(newer)) // whoever invited is gone
}

// TestAddRequestOfMember: a plain member's invitation does not get around approval.
func TestAddRequestOfMember(t *testing.T) {
	w := newTown(t, types.AddressingModePN)
	p := w.persons(0, 3)
	g := w.create(p[0], p[1])
	w.setApproval(p[0], g.JID, true)
	reply, heard := w.must(p[2], g.JID, "set", stanza.Node{Tag: "accept", Attrs: w.private(p[1], g, p[2])})
	if stanza.Child(reply, "membership_approval_request") == nil {
		t.Errorf("reply %s", reply)
	}
	heard.want(t, "created_membership_requests")
	if truth, _ := w.reg.Truth(g.JID); truth.Requests[0].RequestedBy.LID != p[1].LID {
		t.Errorf("request %+v", truth.Requests[0])
	}
	_, heard = w.must(p[3], g.JID, "set", stanza.Node{Tag: "accept", Attrs: w.private(p[0], g, p[3])})
	heard.want(t, "add", "create")
}
