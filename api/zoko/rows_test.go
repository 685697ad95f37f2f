package zoko_test

import (
	"net/http"
	"testing"

	"muster/internal/app/apptest"
)

// TestRows has a test for each row of the table of Zoko's operations, and a
// golden file of what was asked and answered.
func TestRows(t *testing.T) {
	t.Parallel()
	shared := newRig(t)
	for _, row := range []struct {
		name string
		test func(r *rig) apptest.Exchange
	}{
		{"Create", create}, {"List", list}, {"Details", details}, {"Settings", settings}, {"Delete", remove},
		{"Invite", invite}, {"Remove", removePeople}, {"Join requests", joinRequests}, {"Decide approve", approve}, {"Decide reject", reject},
		{"Auto-approval", autoApproval}, {"Link", link}, {"Reset link", resetLink}, {"Template GET", template}, {"Template PUT", setTemplate},
	} {
		t.Run(row.name, func(t *testing.T) {
			pin(t, golden(), "rows/"+row.name, row.test(shared.with(t)))
		})
	}
}

func create(r *rig) apptest.Exchange {
	x := r.call(http.MethodPost, groupsPath, object{
		"subject": "  Support Team ", "description": "Questions and answers", "agent_id": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
	}).Want(r.t, http.StatusOK)
	body := answer(r.t, x)
	id, _ := body["_id"].(string)
	if body["customer_id"] != id || body["request_id"] != x.Answered.Get("X-Request-Id") {
		r.t.Errorf("create: %s", x.Answer)
	}
	made := answer(r.t, r.call(http.MethodGet, groupsPath+"/"+id, nil).Want(r.t, http.StatusOK))
	if made["group_id"] != body["group_id"] || made["subject"] != "Support Team" || made["description"] != "Questions and answers" {
		r.t.Errorf("the group that was made is %v", made)
	}
	return x
}

func list(r *rig) apptest.Exchange {
	jid := r.own("Listed", ann, bob)
	r.group(ann, "Ann's own", me, bob)
	var one apptest.Exchange
	x := r.call(http.MethodGet, groupsPath, nil).Want(r.t, http.StatusOK)
	var rows []object
	x.Decode(r.t, &rows)
	for _, row := range rows {
		if row["subject"] == "Ann's own" {
			r.t.Errorf("a group of which the account is no admin is listed: %v", row)
		}
		if row["groupId"] == jid.User {
			one = apptest.JSON(http.MethodGet, groupsPath, r.header(), []object{row}) // of those of all tests
			one.Status, one.Answered, one.Answer, one.Body = x.Status, x.Answered, one.Body, nil
			one.Header.Del("Content-Type")
		}
	}
	return one
}

func details(r *rig) apptest.Exchange {
	jid := r.own("Detailed", ann)
	byDigits := r.call(http.MethodGet, path(jid), nil).Want(r.t, http.StatusOK)
	id, _ := answer(r.t, byDigits)["_id"].(string)
	for _, other := range []string{id, jid.String(), "120363012345678901"} {
		x := r.call(http.MethodGet, groupsPath+"/"+other, nil)
		switch {
		case other == "120363012345678901":
			x.Want(r.t, http.StatusNotFound)
		case string(x.Answer) != string(byDigits.Answer):
			r.t.Errorf("%s: %s, want %s", other, x.Answer, byDigits.Answer)
		}
	}
	return byDigits
}

func settings(r *rig) apptest.Exchange {
	jid := r.own("Before", ann)
	x := r.call(http.MethodPut, path(jid, "settings"), object{
		"subject": "Updated Group Name", "join_approval_mode": "approval_required", "agent_email": "agent@example.com", "announce": true,
	}).Want(r.t, http.StatusOK)
	truth, err := r.WA.GroupTruth(jid)
	if err != nil || truth.Subject != "Updated Group Name" || truth.MembershipApprovalMode != "on" || !truth.Announcement {
		r.t.Errorf("the group is %+v, %v", truth, err)
	}
	// The two switches agree, whichever was used.
	r.call(http.MethodPut, path(jid, "auto-approval"), object{"auto_approval": true}).Want(r.t, http.StatusOK)
	if now := answer(r.t, r.call(http.MethodGet, path(jid), nil)); now["auto_approval"] != true {
		r.t.Errorf("after auto_approval the group is %v", now)
	}
	now := answer(r.t, r.call(http.MethodPut, path(jid, "settings"), object{"join_approval_mode": "auto_approve"}).Want(r.t, http.StatusOK))
	if now["auto_approval"] != true {
		r.t.Errorf("after join_approval_mode the group is %v", now)
	}
	return x
}

func remove(r *rig) apptest.Exchange {
	jid := r.own("Doomed", ann, bob)
	x := r.call(http.MethodPost, path(jid, "delete"), nil).Want(r.t, http.StatusOK)
	if left := r.members(jid); left != "" {
		r.t.Errorf("in the deleted group there are %s", left)
	}
	r.call(http.MethodGet, path(jid), nil).Want(r.t, http.StatusForbidden)
	return x
}

func invite(r *rig) apptest.Exchange {
	jid := r.own("Invited", ann)
	x := r.call(http.MethodPost, path(jid, "invitations"), object{"phone_numbers": []any{
		bob, ann, nobod, "12", "+" + bob, 919876543210, nil,
	}}).Want(r.t, http.StatusOK)
	link, err := r.WA.InviteLink(me, jid, false)
	if err != nil {
		r.t.Fatal(err)
	}
	want := "Business has invited you to a WhatsApp group. Open this link to join: " + link
	if got := r.gets(bob, 1); got[0] != want {
		r.t.Errorf("bob was sent %q, want %q", got[0], want)
	}
	return x
}

func removePeople(r *rig) apptest.Exchange {
	jid := r.own("Smaller", ann, bob)
	x := r.call(http.MethodPost, path(jid, "remove-participants"), object{
		"participants": []string{ann, dee, "x", ann}, "agent_email": "agent@example.com",
	}).Want(r.t, http.StatusOK)
	if left := r.members(jid); left != me+" "+bob {
		r.t.Errorf("in the group there are %s", left)
	}
	return x
}

func joinRequests(r *rig) apptest.Exchange {
	jid := r.own("Asked", ann)
	r.approval(jid)
	r.ask(bob, jid)
	return r.call(http.MethodGet, path(jid, "join-requests"), nil).Want(r.t, http.StatusOK)
}

func approve(r *rig) apptest.Exchange { return decide(r, "approve", me+" "+ann+" "+bob) }

func reject(r *rig) apptest.Exchange { return decide(r, "reject", me+" "+ann) }

func decide(r *rig, action, members string) apptest.Exchange {
	jid := r.own("Decided", ann)
	r.approval(jid)
	r.ask(bob, jid)
	var waiting struct {
		Data []struct {
			ID string `json:"join_request_id"`
		}
	}
	r.call(http.MethodGet, path(jid, "join-requests"), nil).Decode(r.t, &waiting)
	if len(waiting.Data) != 1 {
		r.t.Fatalf("waiting are %+v", waiting)
	}
	x := r.call(http.MethodPost, path(jid, "join-requests", action), object{"join_requests": []string{waiting.Data[0].ID, "req_456"}}).
		Want(r.t, http.StatusOK)
	if now := r.members(jid); now != members {
		r.t.Errorf("in the group there are %s, want %s", now, members)
	}
	return x
}

func autoApproval(r *rig) apptest.Exchange {
	jid := r.own("Closed", ann)
	x := r.call(http.MethodPut, path(jid, "auto-approval"), object{"auto_approval": false}).Want(r.t, http.StatusOK)
	if truth, err := r.WA.GroupTruth(jid); err != nil || truth.MembershipApprovalMode != "on" {
		r.t.Errorf("the group is %+v, %v", truth, err)
	}
	return x
}

func link(r *rig) apptest.Exchange {
	jid := r.own("Linked", ann)
	x := r.call(http.MethodGet, path(jid, "invite-link"), nil).Want(r.t, http.StatusOK)
	if want, err := r.WA.InviteLink(me, jid, false); err != nil || answer(r.t, x)["invite_link"] != want {
		r.t.Errorf("the link is %s, want %s, %v", x.Answer, want, err)
	}
	return x
}

func resetLink(r *rig) apptest.Exchange {
	jid := r.own("Relinked", ann)
	before := answer(r.t, r.call(http.MethodGet, path(jid, "invite-link"), nil))["invite_link"]
	x := r.call(http.MethodPut, path(jid, "invite-link"), nil).Want(r.t, http.StatusOK)
	after := answer(r.t, x)["invite_link"]
	if want, err := r.WA.InviteLink(me, jid, false); err != nil || after == before || after != want {
		r.t.Errorf("the link was %v and is %v, in truth %s, %v", before, after, want, err)
	}
	if shown := answer(r.t, r.call(http.MethodGet, path(jid), nil))["invite_link"]; shown != after {
		r.t.Errorf("the details have %v, want %v", shown, after)
	}
	return x
}

func template(r *rig) apptest.Exchange {
	jid := r.own("Worded", ann)
	return r.call(http.MethodGet, path(jid, "invitation-template"), nil).Want(r.t, http.StatusOK)
}

func setTemplate(r *rig) apptest.Exchange {
	jid := r.own("Reworded", ann)
	x := r.call(http.MethodPut, path(jid, "invitation-template"), object{
		"invitation_template_id": "group_invite_01", "template_args": object{"brand": object{"whatsapp_display_name": "Zoe & Co"}},
	}).Want(r.t, http.StatusOK)
	if again := r.call(http.MethodGet, path(jid, "invitation-template"), nil); string(again.Answer) != string(x.Answer) {
		r.t.Errorf("it is kept as %s", again.Answer)
	}
	before := len(r.received(cid))
	r.call(http.MethodPost, path(jid, "invitations"), object{"phone_numbers": []string{cid}}).Want(r.t, http.StatusOK)
	if got := r.gets(cid, before+1)[before]; got[:8] != "Zoe & Co" {
		r.t.Errorf("cid was sent %q", got)
	}
	return x
}
