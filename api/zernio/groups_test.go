package zernio_test

import (
	"net/http"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// TestGroups has a test for each row of Zernio's group operations, named after
// it, and a golden file of what was asked and answered.
func TestGroups(t *testing.T) {
	t.Parallel()
	shared := newRig(t)
	for _, row := range []struct {
		name string
		test func(r *rig) apptest.Exchange
	}{
		{"listWhatsAppGroupChats", listGroups}, {"createWhatsAppGroupChat", createGroup}, {"getWhatsAppGroupChat", getGroup},
		{"updateWhatsAppGroupChat", updateGroup}, {"deleteWhatsAppGroupChat", deleteGroup},
		{"addWhatsAppGroupParticipants", addParticipants}, {"removeWhatsAppGroupParticipants", removeParticipants},
		{"createWhatsAppGroupInviteLink", createInviteLink}, {"listWhatsAppGroupJoinRequests", listJoinRequests},
		{"approveWhatsAppGroupJoinRequests", approveJoinRequests}, {"rejectWhatsAppGroupJoinRequests", rejectJoinRequests},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := shared.with(t)
			x := row.test(r)
			if x.Answered.Get("X-Request-Id") == "" || x.Answered.Get("Content-Type") != "application/json" {
				t.Errorf("the headers of the answer are %v", x.Answered)
			}
			r.check(golden(r), "groups/"+row.name, x)
		})
	}
}

func listGroups(r *rig) apptest.Exchange {
	if _, _, _, err := r.WA.CreateGroup(ann, sandbox.GroupOptions{Name: "Ann's own", Participants: []string{me}}); err != nil {
		r.t.Fatal(err)
	}
	for _, subject := range []string{"First", "Second", "Third"} {
		r.make(subject)
	}
	path := groups + "?accountId=" + r.Session
	first := r.call(http.MethodGet, path+"&limit=2", nil).Want(r.t, http.StatusOK)
	after := text(r.t, first, "paging", "cursors", "after")
	second := r.call(http.MethodGet, path+"&"+query("limit", "2", "after", after)[1:], nil).Want(r.t, http.StatusOK)
	if got := text(r.t, second, "paging", "cursors", "after"); got != "" {
		r.t.Errorf("the last page has the cursor %s", got)
	}
	all := string(first.Answer) + string(second.Answer)
	if strings.Count(all, `"id"`) != 3 || strings.Contains(all, "Ann's own") {
		r.t.Errorf("the list is %s and %s", first.Answer, second.Answer)
	}
	whole := r.call(http.MethodGet, groups+"?accountId=%2B"+me, nil).Want(r.t, http.StatusOK) // by its number, of the default size
	if strings.Count(string(whole.Answer), `"id"`) != 3 || text(r.t, whole, "paging", "cursors", "after") != "" {
		r.t.Errorf("the whole list is %s", whole.Answer)
	}
	return first
}

func createGroup(r *rig) apptest.Exchange {
	x := r.call(http.MethodPost, groups, object{
		"accountId": r.Session, "subject": "  Support  ", "description": "Internal support", "joinApprovalMode": "approval_required",
	}).Want(r.t, http.StatusCreated)
	group := field(r.t, r.inGroup(http.MethodGet, text(r.t, x, "group", "groupId"), "", nil), "group").(object)
	if group["subject"] != "Support" || group["description"] != "Internal support" || group["joinApprovalMode"] != "approval_required" || group["participantCount"] != 1.0 {
		r.t.Errorf("the group is %v", group)
	}
	return x
}

func getGroup(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Detailed", ann, bob)
	r.inGroup(http.MethodPost, id, "", object{"description": "What it is about"}).Want(r.t, http.StatusOK)
	x := r.inGroup(http.MethodGet, id, "", nil).Want(r.t, http.StatusOK)
	// Every way of naming the group means it.
	for _, other := range []string{jid.String(), strings.ReplaceAll(jid.String(), "@", "%40"), jid.User} {
		if same := r.inGroup(http.MethodGet, other, "", nil); string(same.Answer) != string(x.Answer) {
			r.t.Errorf("%s: %s, want %s", other, same.Answer, x.Answer)
		}
	}
	return x
}

func updateGroup(r *rig) apptest.Exchange {
	id, jid := r.make("Before")
	x := r.inGroup(http.MethodPost, id, "", object{"subject": "After", "description": "New", "joinApprovalMode": "approval_required"}).Want(r.t, http.StatusOK)
	truth, err := r.WA.GroupTruth(jid)
	if err != nil || truth.Subject != "After" {
		r.t.Errorf("the group is %+v, %v", truth, err)
	}
	r.inGroup(http.MethodPost, id, "", object{"joinApprovalMode": "auto_approve", "description": ""}).Want(r.t, http.StatusOK)
	group := field(r.t, r.inGroup(http.MethodGet, id, "", nil), "group").(object)
	if group["joinApprovalMode"] != "auto_approve" || group["description"] != "" {
		r.t.Errorf("the group is %v", group)
	}
	return x
}

func deleteGroup(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Doomed", ann, bob)
	x := r.inGroup(http.MethodDelete, id, "", nil).Want(r.t, http.StatusOK)
	if got := r.members(jid); got != "" {
		r.t.Errorf("%s are still in it", got)
	}
	r.refused(r.inGroup(http.MethodGet, id, "", nil), http.StatusForbidden, "permission_error", "")
	return x
}

func addParticipants(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Added", bob)
	x := r.inGroup(http.MethodPost, id, "/participants", phones(ann, bob, shy, nobody)).Want(r.t, http.StatusOK)
	if got := r.members(jid); got != me+" "+ann+" "+bob {
		r.t.Errorf("the members are %s", got)
	}
	r.hears(shy, "the invitation", func(m sandbox.Received) bool { return m.Kind == "group_invite" })
	// Numbers of digits alone, and a person twice, which is one.
	again := r.inGroup(http.MethodPost, id, "/participants", object{"phoneNumbers": []string{cid, "+" + cid}}).Want(r.t, http.StatusOK)
	if text(r.t, again, "message") != "1 participant added" || field(r.t, again, "details") != nil {
		r.t.Errorf("%s", again.Answer)
	}
	return x
}

func removeParticipants(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Removed", ann, bob)
	x := r.inGroup(http.MethodDelete, id, "/participants", phones(ann)).Want(r.t, http.StatusOK)
	partly := r.inGroup(http.MethodDelete, id, "/participants", phones(bob, cid)).Want(r.t, http.StatusOK)
	if got := text(r.t, partly, "message"); got != "1 participant removed, 1 failed" || !strings.Contains(string(partly.Answer), "not_member") {
		r.t.Errorf("%s", partly.Answer)
	}
	if got := r.members(jid); got != me {
		r.t.Errorf("the members are %s", got)
	}
	return x
}

func createInviteLink(r *rig) apptest.Exchange {
	id, jid := r.make("Linked")
	before, err := r.WA.InviteLink(me, jid, false)
	if err != nil {
		r.t.Fatal(err)
	}
	x := r.inGroup(http.MethodPost, id, "/invite-link", nil).Want(r.t, http.StatusOK)
	after, err := r.WA.InviteLink(me, jid, false)
	if link := text(r.t, x, "inviteLink"); err != nil || link == before || link != after {
		r.t.Errorf("the link was %s, is %s, and was answered as %s, %v", before, after, link, err)
	}
	return x
}

func listJoinRequests(r *rig) apptest.Exchange {
	id, jid := r.gated("Wanted")
	empty := r.inGroup(http.MethodGet, id, "/join-requests", nil).Want(r.t, http.StatusOK)
	if list, ok := field(r.t, empty, "joinRequests").([]any); !ok || len(list) != 0 {
		r.t.Errorf("%s", empty.Answer)
	}
	r.ask(jid, ann)
	return r.inGroup(http.MethodGet, id, "/join-requests", nil).Want(r.t, http.StatusOK)
}

func approveJoinRequests(r *rig) apptest.Exchange {
	id, jid := r.gated("Approving")
	r.ask(jid, ann)
	x := r.inGroup(http.MethodPost, id, "/join-requests", phones(ann)).Want(r.t, http.StatusOK)
	if got := r.members(jid); got != me+" "+ann {
		r.t.Errorf("the members are %s", got)
	}
	return x
}

func rejectJoinRequests(r *rig) apptest.Exchange {
	id, jid := r.gated("Rejecting")
	r.ask(jid, ann)
	r.ask(jid, bob)
	x := r.inGroup(http.MethodDelete, id, "/join-requests", phones(ann, cid)).Want(r.t, http.StatusOK)
	left := r.inGroup(http.MethodGet, id, "/join-requests", nil).Want(r.t, http.StatusOK)
	if got := string(left.Answer); strings.Contains(got, ann) || !strings.Contains(got, "+"+bob) {
		r.t.Errorf("still waiting: %s", got)
	}
	return x
}
