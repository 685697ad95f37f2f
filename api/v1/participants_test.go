package v1_test

import (
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

func TestEveryResultOfAdding(t *testing.T) {
	const private, blocker, leaver, twice, gone = "628111000011", "628111000012", "628111000013", "628111000014", "628111000015"
	r := newRig(t)
	r.people(ann, bob, blocker, leaver, twice)
	r.phone(private, sandbox.PhoneOptions{GroupAdd: "none"})
	r.phone(gone, sandbox.PhoneOptions{NotOnWhatsApp: true})
	jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Everybody", Participants: []string{ann, leaver}})
	if err := r.wa.LeaveGroup(leaver, r.jid(jid)); err != nil {
		t.Fatal(err)
	}
	me, _ := r.wa.Phone(myNumber)
	if _, err := sandboxtest.Link(t, r.wa, blocker).UpdateBlocklist(t.Context(), r.jid(me.LID), "block"); err != nil {
		t.Fatal(err)
	}
	twiceInfo, _ := r.wa.Phone(twice)

	added := r.group(http.MethodPost, jid, "/participants",
		people(nobod, bob, ann, private, blocker, leaver, "+"+twice, twiceInfo.LID, gone, twice+"@c.us", "99999999999999@lid"),
	).status(http.StatusOK).outcomes("results")
	want := nobod + " Failed/not_on_whatsapp/0, " + bob + " Added, " + ann + " Failed/already_member/409, " +
		private + " Failed/privacy/403, " + blocker + " Failed/blocked/401, " + leaver + " Failed/recently_left/408, " +
		twice + " Added, " + gone + " Failed/not_on_whatsapp/0, 99999999999999 Failed/not_on_whatsapp/404"
	if got := summary(added); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.follows(jid)

	// One question about all numbers, and one change.
	stats := r.wa.Stats().ByAccount[myNumber]
	r.group(http.MethodPost, jid, "/participants", people(nobod, gone, private, "628199999998")).status(http.StatusOK)
	after := r.wa.Stats().ByAccount[myNumber]
	for stanza, n := range after {
		if more := n - stats[stanza]; more > 1 {
			t.Errorf("%d times %s for one request", more, stanza)
		}
	}
}

func TestInvitationInsteadOfAdding(t *testing.T) {
	const private = "628111000011"
	r := newRig(t)
	r.people(ann)
	r.phone(private, sandbox.PhoneOptions{GroupAdd: "none"})
	jid := r.create("Come in", ann)
	invite := func(name string, invited outcome, group string) {
		if invited.Status != "Invited" || invited.Error.Code != "" || invited.Invite.Code == "" || invited.Invite.ExpiresAt == 0 {
			t.Errorf("%s: %+v", name, invited)
		}
		r.eventually(name+": the invite message", func() bool {
			inbox, _ := r.wa.Inbox(private)
			for _, m := range inbox {
				if m.Message.GetGroupInviteMessage().GetInviteCode() == invited.Invite.Code {
					checkInvite(t, m.Message.GetGroupInviteMessage(), group, invited)
					return true
				}
			}
			return false
		})
	}
	added := r.group(http.MethodPost, jid, "/participants", object{"participants": []string{private}, "on_private": "invite"}).
		status(http.StatusOK).outcomes("results")
	invite("adding", added[0], jid)
	created := r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/groups",
		object{"name": "Come in", "participants": []string{ann, private}, "on_private": "invite"}).status(http.StatusOK)
	invite("creating", created.outcomes("participants")[1], created.text("group_jid"))
	r.agrees(jid)

	// An invite message that cannot be sent is not claimed.
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{Error: 463}, Count: 1})
	failed := r.group(http.MethodPost, jid, "/participants", object{"participants": []string{private}, "on_private": "invite"}).
		status(http.StatusOK).outcomes("results")
	if got := summary(failed); got != private+" Failed/privacy/403" {
		t.Errorf("without the message: %s", got)
	}
}

func checkInvite(t *testing.T, message *waE2E.GroupInviteMessage, group string, invited outcome) {
	t.Helper()
	if message.GetGroupJID() != group || message.GetGroupName() != "Come in" || message.GetInviteExpiration() != invited.Invite.ExpiresAt {
		t.Errorf("the invite message is %v", message)
	}
}

// TestMembersMayAsk checks that an addition that needs approval is not called
// an addition.
func TestMembersMayAsk(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	on := "on"
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Guarded", Participants: []string{myNumber}, Settings: sandbox.Settings{ApprovalMode: &on}})
	added := r.group(http.MethodPost, jid, "/participants", people(bob)).status(http.StatusOK).outcomes("results")
	if got := summary(added); got != bob+" Requested" {
		t.Errorf("got %s", got)
	}
	r.follows(jid)
}

func TestPartialFailuresAreNoSuccess(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{myNumber, bob}})
	r.act(ann, jid, service.ActPromote, myNumber)
	for _, test := range []struct {
		method, rest string
		who          []string
		want         string
		success      any
	}{
		{http.MethodPost, "/admins", []string{bob, cid, nobod}, bob + " Promoted, " + cid + " Failed/not_member/404, " + nobod + " Failed/not_member/404", false},
		{http.MethodPost, "/admins", []string{bob}, bob + " Promoted", true},
		{http.MethodDelete, "/admins", []string{ann, bob}, ann + " Failed/creator/405, " + bob + " Demoted", false},
		{http.MethodDelete, "/admins", []string{bob}, bob + " Demoted", true},
		{http.MethodDelete, "/participants", []string{cid, ann, bob}, cid + " Failed/not_member/404, " + ann + " Failed/creator/405, " + bob + " Removed", nil},
	} {
		done := r.group(test.method, jid, test.rest, people(test.who...)).status(http.StatusOK)
		if got := summary(done.outcomes("results")); got != test.want || done.body["success"] != test.success {
			t.Errorf("%s: %s\nwant %s", done.what, done.raw, test.want)
		}
		r.follows(jid)
	}
}
