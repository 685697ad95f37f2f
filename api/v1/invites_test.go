package v1_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"muster/sandbox"
	"muster/sandbox/service"
)

func (r *rig) join(link string) answer {
	r.t.Helper()
	return r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/groups/join", object{"link": link})
}

func (r *rig) inviteInfo(link string) answer {
	r.t.Helper()
	return r.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/groups/invite-info?link="+url.QueryEscape(link), nil)
}

// linkOf is the group's invite link as a phone sees it.
func (r *rig) linkOf(number, jid string, reset bool) string {
	r.t.Helper()
	link, err := r.wa.InviteLink(number, r.jid(jid), reset)
	if err != nil {
		r.t.Fatal(err)
	}
	return link
}

// TestInviteLinks checks that a link leads to one of six answers, and that none
// of them is taken for another.
func TestInviteLinks(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	on := "on"
	for _, mode := range []string{"lid", "pn"} {
		open := r.byPhone(ann, sandbox.GroupOptions{Name: "Open", Description: "Come in", Participants: []string{bob}, AddressingMode: mode})
		guarded := r.byPhone(ann, sandbox.GroupOptions{Name: "Guarded", AddressingMode: mode, Settings: sandbox.Settings{ApprovalMode: &on}})
		link := r.linkOf(ann, open, false)

		info := r.inviteInfo(link).status(http.StatusOK)
		if info.text("jid") != open || info.text("subject") != "Open" || info.text("topic") != "Come in" ||
			info.body["participant_count"] != float64(2) || info.text("membership_approval_mode") != "off" || info.text("my_role") != "" {
			t.Errorf("the link leads to %s", info.raw)
		}
		if mode := r.inviteInfo(r.linkOf(ann, guarded, false)).text("membership_approval_mode"); mode != "on" {
			t.Errorf("the guarded group's mode is %q", mode)
		}
		if r.listed(open) != nil {
			t.Error("looking at a link has joined the group")
		}

		r.join(link + "?mode=x").status(http.StatusOK).is(fmt.Sprintf(`{"status":"joined","group_jid":%q}`, open))
		r.agrees(open)
		r.join(link).refused(http.StatusConflict, "already_member", "")
		r.join(r.linkOf(ann, guarded, false)).status(http.StatusOK).is(fmt.Sprintf(`{"status":"requested","group_jid":%q}`, guarded))
		if r.listed(guarded) != nil {
			t.Error("asking to join is taken for joining")
		}

		r.linkOf(ann, open, true)
		r.join(link).refused(http.StatusGone, "invite_revoked", "")
		r.inviteInfo(link).refused(http.StatusGone, "invite_revoked", "")
		r.act(ann, open, service.ActRemove, myNumber)
		r.join(r.linkOf(ann, open, false)).refused(http.StatusUnprocessableEntity, "rejected", "")
	}
	never := "https://chat.whatsapp.com/" + strings.Repeat("x", 22)
	r.join(never).refused(http.StatusUnprocessableEntity, "invite_invalid", "")
	r.inviteInfo(never).refused(http.StatusUnprocessableEntity, "invite_invalid", "")
	r.join("https://example.com/x").refused(http.StatusUnprocessableEntity, "invite_invalid", "link")
	r.inviteInfo("").refused(http.StatusUnprocessableEntity, "invalid", "link")
	r.inviteInfo("not a link").refused(http.StatusUnprocessableEntity, "invite_invalid", "link")
	for _, code := range []int{412, 419} {
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Type: "set", Child: "invite"}, Effect: sandbox.FaultEffect{Error: code}, Count: 1})
		r.join(never).refused(http.StatusConflict, "group_full", "")
	}
}

// TestInviteMessages lets the session accept what the phone was sent.
func TestInviteMessages(t *testing.T) {
	const shy = "628111000021"
	r := newRig(t)
	r.people(ann)
	r.phone(shy, sandbox.PhoneOptions{GroupAdd: "none"})
	r.link("shy", shy)
	accept := func(body object) answer {
		return r.call(http.MethodPost, "/api/v1/sessions/shy/groups/accept-invite", body)
	}
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Come in"})
	r.act(ann, jid, service.ActAdd, shy)
	truth, err := r.wa.GroupTruth(r.jid(jid))
	if err != nil || len(truth.AddRequests) != 1 {
		t.Fatalf("the invitations are %+v, %v", truth.AddRequests, err)
	}
	invite := object{"group_jid": jid, "code": truth.AddRequests[0].Code, "expiration": truth.AddRequests[0].ExpiresAt, "inviter": ann}
	with := func(field string, value any) object {
		changed := object{field: value}
		for name, other := range invite {
			if name != field {
				changed[name] = other
			}
		}
		return changed
	}
	accept(with("code", "wrong")).refused(http.StatusGone, "invite_revoked", "")
	accept(with("expiration", truth.AddRequests[0].ExpiresAt+1)).refused(http.StatusGone, "invite_revoked", "")
	accept(with("group_jid", "120363999999999999@g.us")).refused(http.StatusNotFound, "group_not_found", "")
	accept(with("inviter", "x")).refused(http.StatusUnprocessableEntity, "invalid", "inviter")
	accept(with("expiration", 0)).refused(http.StatusUnprocessableEntity, "invalid", "expiration")
	accept(invite).status(http.StatusOK).is(fmt.Sprintf(`{"status":"joined","group_jid":%q}`, jid))
	info := r.call(http.MethodGet, "/api/v1/sessions/shy/groups/"+jid+"/info", nil).status(http.StatusOK)
	if info.body["participant_count"] != float64(2) || info.text("my_role") != "member" {
		t.Errorf("after joining: %s", info.raw)
	}
	accept(invite).refused(http.StatusGone, "invite_revoked", "")
}

// TestJoinRequests lets people ask, and an admin decide.
func TestJoinRequests(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob, cid, dee)
	on := "on"
	for _, mode := range []string{"lid", "pn"} {
		jid := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Guarded", Participants: []string{ann}, AddressingMode: mode, Settings: sandbox.Settings{ApprovalMode: &on}})
		r.follows(jid)
		link := r.linkOf(myNumber, jid, false)
		r.group(http.MethodGet, jid, "/join-requests", nil).status(http.StatusOK).is(`{"join_requests":[],"total":0}`)
		for _, number := range []string{bob, cid} {
			if _, _, err := r.wa.Join(number, link); err != nil {
				t.Fatal(err)
			}
		}
		r.act(ann, jid, service.ActAdd, dee)
		list := r.group(http.MethodGet, jid, "/join-requests", nil).status(http.StatusOK)
		waiting, _ := list.body["join_requests"].([]any)
		if len(waiting) != 3 || list.body["total"] != float64(3) {
			t.Fatalf("waiting: %s", list.raw)
		}
		first, _ := waiting[0].(object)
		bobInfo, _ := r.wa.Phone(bob)
		if first["phone_number"] != bob || first["lid"] != bobInfo.LID || first["method"] != "invite_link" || first["requested_by"] != nil {
			t.Errorf("the first: %v", first)
		}
		last, _ := waiting[2].(object)
		by, _ := last["requested_by"].(object)
		if last["phone_number"] != dee || last["method"] != "non_admin_add" || by["phone_number"] != ann {
			t.Errorf("the last: %v", last)
		}
		approved := r.group(http.MethodPost, jid, "/join-requests/approve", people(bobInfo.LID, ann, nobod)).status(http.StatusOK)
		if got := summary(approved.outcomes("results")); got != bob+" Approved, "+ann+" Failed/already_member/409, "+nobod+" Failed/no_request/404" {
			t.Errorf("approving: %s", got)
		}
		r.agrees(jid)
		rejected := r.group(http.MethodPost, jid, "/join-requests/reject", people("+"+cid, dee, bob)).status(http.StatusOK)
		if got := summary(rejected.outcomes("results")); got != cid+" Rejected, "+dee+" Rejected, "+bob+" Failed/already_member/409" {
			t.Errorf("rejecting: %s", got)
		}
		r.agrees(jid)
		r.group(http.MethodGet, jid, "/join-requests", nil).status(http.StatusOK).is(`{"join_requests":[],"total":0}`)
	}
}
