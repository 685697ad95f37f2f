package group_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

func decision(action string, inner stanza.Node) stanza.Node {
	inner.Tag = action
	return stanza.Node{Tag: "membership_requests_action", Content: []stanza.Node{inner}}
}

func (w *town) waiting(actor group.Person, g types.JID) []stanza.Node {
	w.t.Helper()
	reply, _ := w.must(actor, g, "get", stanza.Node{Tag: "membership_approval_requests"})
	list := stanza.Child(reply, "membership_approval_requests")
	if list == nil {
		w.t.Fatalf("reply %s", reply)
	}
	return stanza.Children(list, "membership_approval_request")
}

func TestJoinRequests(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 6)
		g := w.create(p[0], p[1], p[5])
		w.must(p[0], g.JID, "set", w.change("promote", p[5]))
		w.setApproval(p[0], g.JID, true)
		if len(w.waiting(p[0], g.JID)) != 0 {
			t.Error("somebody waits")
		}
		code := w.invite(p[0], g.JID)
		for _, joiner := range p[2:4] {
			_, heard := w.must(joiner, types.GroupServerJID, "set", byCode(code))
			n := heard.one(t, "created_membership_requests")
			n.reaches(t, p[0], p[5])
			user := stanza.Child(n.child(), "requested_user")
			if jid, _ := stanza.JID(user, "jid"); jid != g.Address(joiner) || stanza.Text(n.child(), "request_method") != "invite_link" || *n.change.Sender != g.Address(joiner) {
				t.Errorf("notification %s", n.node)
			}
		}
		w.must(p[1], g.JID, "set", w.change("add", p[4]))

		w.refused(403, p[1], g.JID, "get", stanza.Node{Tag: "membership_approval_requests"})
		w.refused(403, p[1], g.JID, "set", decision("approve", w.change("", p[2])))
		w.refused(400, p[0], g.JID, "set", stanza.Node{Tag: "membership_requests_action"})
		w.refused(400, p[0], g.JID, "set", decision("approve", stanza.Node{}))
		w.refused(400, p[0], g.JID, "set", decision("ponder", w.change("", p[2])))
		checkWaiting(t, w.waiting(p[5], g.JID), g, p)

		reply, heard := w.must(p[0], g.JID, "set", decision("approve", w.change("", p[2], p[6], p[1], p[4], p[2])))
		if got := codes(t, reply, "membership_requests_action", "approve"); got != "200 404 409 200 404" {
			t.Errorf("approve: %s", got)
		}
		heard.want(t, "add", "create", "add", "create")
		if heard[0].change.JoinReason != "invite" || heard[2].change.JoinReason != "" || *heard[0].change.Sender != g.Address(p[0]) {
			t.Errorf("changes %+v %+v", heard[0].change, heard[2].change)
		}
		heard[1].reaches(t, p[2])
		heard[3].reaches(t, p[4])

		reply, heard = w.must(p[5], g.JID, "set", decision("reject", w.change("", p[3], p[6])))
		if got := codes(t, reply, "membership_requests_action", "reject"); got != "200 404" {
			t.Errorf("reject: %s", got)
		}
		n := heard.one(t, "revoked_membership_requests")
		n.reaches(t, p[0], p[5])
		if jid, _ := stanza.JID(stanza.Child(n.child(), "participant"), "jid"); jid != g.Address(p[3]) || *n.change.Sender != g.Address(p[5]) {
			t.Errorf("notification %s", n.node)
		}
		if len(w.waiting(p[0], g.JID)) != 0 {
			t.Error("somebody still waits")
		}
		w.must(p[3], types.GroupServerJID, "set", byCode(code)) // who was rejected may ask again
	})
}

// checkWaiting: oldest first, in the group's addressing, with who asked.
func checkWaiting(t *testing.T, list []stanza.Node, g *group.Group, p []group.Person) {
	t.Helper()
	if len(list) != 3 {
		t.Fatalf("waiting %v", list)
	}
	for i, node := range list {
		jid, _ := node.Attrs["jid"].(types.JID)
		if at, ok := stanza.Int(&node, "request_time"); jid != g.Address(p[i+2]) || !ok || at == 0 {
			t.Errorf("waiting %s", &node)
		}
	}
	by, _ := list[2].Attrs["requestor"].(types.JID)
	if stanza.Text(&list[0], "request_method") != "invite_link" || stanza.Text(&list[2], "request_method") != "non_admin_add" || by != g.Address(p[1]) {
		t.Errorf("methods of %v", list)
	}
}

func TestApproveWhenFull(t *testing.T) {
	w := newTown(t, types.AddressingModeLID)
	p := w.persons(0, 3)
	g := w.create(p[0], p[1])
	w.setApproval(p[0], g.JID, true)
	code := w.invite(p[0], g.JID)
	w.must(p[2], types.GroupServerJID, "set", byCode(code))
	w.must(p[3], types.GroupServerJID, "set", byCode(code))
	if err := w.reg.SetLimit(group.LimitParticipants, 3); err != nil {
		t.Fatal(err)
	}
	w.reg.Interpose(func(a group.Attempt) int {
		if a.Action == "reject" {
			return 500
		}
		return 0
	})
	reply, _ := w.must(p[0], g.JID, "set", decision("approve", w.change("", p[2], p[3])))
	if got := codes(t, reply, "membership_requests_action", "approve"); got != "200 419" {
		t.Errorf("approve: %s", got)
	}
	reply, heard := w.must(p[0], g.JID, "set", decision("reject", w.change("", p[3])))
	if got := codes(t, reply, "membership_requests_action", "reject"); got != "500" {
		t.Errorf("reject: %s", got)
	}
	heard.want(t)
	if len(w.waiting(p[0], g.JID)) != 1 {
		t.Error("the failed ones no longer wait")
	}
}

func TestCancelRequest(t *testing.T) {
	inBothModes(t, func(t *testing.T, w *town) {
		p := w.persons(0, 4)
		g := w.create(p[0], p[1])
		w.setApproval(p[0], g.JID, true)
		w.must(p[2], types.GroupServerJID, "set", byCode(w.invite(p[0], g.JID)))
		w.must(p[1], g.JID, "set", w.change("add", p[3]))

		reply, heard := w.must(p[1], g.JID, "set", w.change("cancel_membership_requests", p[2], p[3], p[4]))
		if got := codes(t, reply, "cancel_membership_requests"); got != "403 200 404" {
			t.Errorf("cancel: %s", got)
		}
		n := heard.one(t, "revoked_membership_requests")
		n.reaches(t, p[0])
		if *n.change.Sender != g.Address(p[1]) {
			t.Errorf("by %s", n.change.Sender)
		}
		reply, heard = w.must(p[2], g.JID, "set", stanza.Node{Tag: "cancel_membership_requests"})
		if got := codes(t, reply, "cancel_membership_requests"); got != "200" {
			t.Errorf("cancel: %s", got)
		}
		heard.want(t, "revoked_membership_requests")
		reply, heard = w.must(p[2], g.JID, "set", stanza.Node{Tag: "cancel_membership_requests"})
		if got := codes(t, reply, "cancel_membership_requests"); got != "404" {
			t.Errorf("cancel again: %s", got)
		}
		heard.want(t)
		w.refused(404, p[2], types.NewJID("120363000000000000", types.GroupServer), "set", stanza.Node{Tag: "cancel_membership_requests"})
		w.refused(400, p[2], g.JID, "set", stanza.Node{Tag: "cancel_membership_requests", Content: []stanza.Node{
			{Tag: "participant", Attrs: stanza.Attrs{"jid": g.JID}},
		}})
	})
}
