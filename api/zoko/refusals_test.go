package zoko_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
	"muster/sandbox/service"
)

// TestRefusals pins the errors, whoever they come from: all have one shape.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.own("Refusing", ann)
	others := r.group(ann, "Ann's", me, bob)
	long := strings.Repeat("x", 129)
	for _, row := range []struct {
		name         string
		method, path string
		body         any
		status       int
	}{
		{"no such path", http.MethodGet, "/zoko/v2/customers", nil, http.StatusNotFound},
		{"no such method", http.MethodDelete, groupsPath, nil, http.StatusMethodNotAllowed},
		{"no such group", http.MethodGet, groupsPath + "/120363999999999999", nil, http.StatusNotFound},
		{"no such record", http.MethodGet, groupsPath + "/f1e2d3c4-b5a6-7890-abcd-ef1234567890", nil, http.StatusNotFound},
		{"no id", http.MethodGet, groupsPath + "/GROUP_ID", nil, http.StatusNotFound},
		{"no body", http.MethodPost, groupsPath, nil, http.StatusBadRequest},
		{"no JSON", http.MethodPost, groupsPath, `{"subject":`, http.StatusBadRequest},
		{"no object", http.MethodPost, groupsPath, `["subject"]`, http.StatusBadRequest},
		{"no subject", http.MethodPost, groupsPath, object{"subject": "  "}, http.StatusBadRequest},
		{"subject is a number", http.MethodPost, groupsPath, object{"subject": 1}, http.StatusBadRequest},
		{"long subject", http.MethodPost, groupsPath, object{"subject": long}, http.StatusBadRequest},
		{"subject that is too long for WhatsApp", http.MethodPost, groupsPath, object{"subject": long[:101]}, http.StatusBadRequest},
		{"long description", http.MethodPost, groupsPath, object{"subject": "x", "description": strings.Repeat("x", 2049)}, http.StatusBadRequest},
		{"bad agent", http.MethodPost, groupsPath, object{"subject": "x", "agent_id": "me"}, http.StatusBadRequest},
		{"no settings", http.MethodPut, path(jid, "settings"), object{"colour": "red"}, http.StatusBadRequest},
		{"bad approval mode", http.MethodPut, path(jid, "settings"), object{"join_approval_mode": "on"}, http.StatusBadRequest},
		{"long new subject", http.MethodPut, path(jid, "settings"), object{"subject": long[:101]}, http.StatusBadRequest},
		{"bad agent email", http.MethodPut, path(jid, "settings"), object{"subject": "x", "agent_email": "me"}, http.StatusBadRequest},
		{"settings by no admin", http.MethodPut, path(others, "settings"), object{"join_approval_mode": "approval_required"}, http.StatusForbidden},
		{"link for no admin", http.MethodGet, path(others, "invite-link"), nil, http.StatusForbidden},
		{"delete by no admin", http.MethodPost, path(others, "delete"), nil, http.StatusForbidden},
		{"nobody to remove", http.MethodPost, path(jid, "remove-participants"), object{"participants": []string{}}, http.StatusBadRequest},
		{"remove no array", http.MethodPost, path(jid, "remove-participants"), object{"participants": ann}, http.StatusBadRequest},
		{"remove by no admin", http.MethodPost, path(others, "remove-participants"), object{"participants": []string{bob}}, http.StatusForbidden},
		{"nothing to decide", http.MethodPost, path(jid, "join-requests", "approve"), object{"join_requests": []string{}}, http.StatusBadRequest},
		{"neither approve nor reject", http.MethodPost, path(jid, "join-requests", "accept"), object{"join_requests": []string{"x"}}, http.StatusNotFound},
		{"unknown join request", http.MethodPost, path(jid, "join-requests", "reject"), object{"join_requests": []string{"req_123"}}, http.StatusOK},
		{"no approval", http.MethodPut, path(jid, "auto-approval"), object{}, http.StatusBadRequest},
		{"approval in words", http.MethodPut, path(jid, "auto-approval"), object{"auto_approval": "yes"}, http.StatusBadRequest},
		{"no template", http.MethodPut, path(jid, "invitation-template"), object{}, http.StatusBadRequest},
		{"unknown template", http.MethodPut, path(jid, "invitation-template"), object{"invitation_template_id": "mine"}, http.StatusBadRequest},
		{"template arguments in a list", http.MethodPut, path(jid, "invitation-template"), object{"invitation_template_id": "group_invite_01", "template_args": []int{1}}, http.StatusBadRequest},
		{"unknown template argument", http.MethodPut, path(jid, "invitation-template"), object{"invitation_template_id": "group_invite_01", "template_args": object{"name": "x"}}, http.StatusBadRequest},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := r.with(t)
			x := r.call(row.method, row.path, row.body)
			shape(t, x, row.status)
			if len(x.Body) > 500 {
				x.Body = []byte(`"(long)"`)
			}
			pin(t, golden(), "refusals/"+row.name, x)
		})
	}
}

// shape fails the test unless an answer has the status and, where that is one of
// an error, its shape.
func shape(t *testing.T, x apptest.Exchange, status int) {
	t.Helper()
	x.Want(t, status)
	if status < http.StatusBadRequest {
		return
	}
	var problem struct{ Status, StatusText, Message string }
	if err := json.Unmarshal(x.Answer, &problem); err != nil || problem.StatusText != http.StatusText(status) || problem.Message == "" ||
		problem.Status != strconv.Itoa(status) || x.Answered.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: %s with %v, %v", x.Method, x.Path, x.Answer, x.Answered, err)
	}
}

// TestKeys: a key stands for one session.
func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for name, row := range map[string]struct {
		key    string
		status int
	}{
		"none": {"", http.StatusUnauthorized}, "unknown": {"a1b2", http.StatusUnauthorized}, "admin": {r.Token(), http.StatusForbidden},
		"two sessions":    {r.NewKey(t, r.Session, "another"), http.StatusForbidden},
		"no such session": {r.NewKey(t, "gone"), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			if row.key != "" {
				header.Set("apikey", row.key)
			}
			x := r.Send(t, apptest.JSON(http.MethodGet, groupsPath, header, nil))
			shape(t, x, row.status)
			pin(t, golden(), "keys/"+name, x)
		})
	}
	// Zoko's clients have no bearer tokens.
	bearer := http.Header{"Authorization": {"Bearer " + r.Key}}
	r.Send(t, apptest.JSON(http.MethodGet, groupsPath, bearer, nil)).Want(t, http.StatusUnauthorized)
}

// TestUndeletable: a group with somebody who cannot be removed stays.
func TestUndeletable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.group(ann, "Ann's", me, bob)
	if _, err := r.WA.ChangePeople(ann, jid, service.ActPromote, []string{me}); err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, "the promotion", func() bool {
		return r.call(http.MethodGet, path(jid, "invite-link"), nil).Status == http.StatusOK
	})
	x := r.call(http.MethodPost, path(jid, "delete"), nil)
	shape(t, x, http.StatusConflict)
	pin(t, golden(), "refusals/undeletable", x)
	if got := r.members(jid); got != me+" "+ann+" "+bob {
		t.Errorf("in the group there are %s", got)
	}
}

// TestOutOfReach: what needs WhatsApp says that the session is not connected;
// the rest goes on.
func TestOutOfReach(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.own("Far", ann)
	if status := r.Call(t, http.MethodPost, "/api/v1/sessions/"+r.Session+"/disconnect", nil, nil); status/100 != 2 {
		t.Fatalf("disconnect: %d", status)
	}
	x := r.call(http.MethodPost, groupsPath, object{"subject": "x"})
	shape(t, x, http.StatusServiceUnavailable)
	pin(t, golden(), "refusals/not connected", x)
	r.call(http.MethodGet, path(jid), nil).Want(t, http.StatusOK)
	r.call(http.MethodGet, groupsPath, nil).Want(t, http.StatusOK)
}

// TestPartialSettings: what was changed before a failure is said with it.
func TestPartialSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.own("Half", ann)
	if _, err := r.WA.Faults().Add(sandbox.Fault{
		Match: sandbox.FaultMatch{XMLNS: "w:g2", Type: "set", Child: "membership_approval_mode"}, Effect: sandbox.FaultEffect{Error: 423}, Count: 1,
	}); err != nil {
		t.Fatal(err)
	}
	x := r.call(http.MethodPut, path(jid, "settings"), object{"subject": "Changed", "join_approval_mode": "approval_required"})
	shape(t, x, http.StatusBadRequest)
	pin(t, golden(), "refusals/partial settings", x)
}

// TestPace: WhatsApp's 429 is one here, with the time to wait.
func TestPace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := r.WA.Faults().Add(sandbox.Fault{
		Match: sandbox.FaultMatch{XMLNS: "w:g2", Type: "set", Child: "create"}, Effect: sandbox.FaultEffect{Error: 429}, Count: 1,
	}); err != nil {
		t.Fatal(err)
	}
	x := r.call(http.MethodPost, groupsPath, object{"subject": "x"})
	shape(t, x, http.StatusTooManyRequests)
	if x.Answered.Get("Retry-After") == "" || x.Answered.Get("X-RateLimit-Resource") != "write" {
		t.Errorf("429 came with %v", x.Answered)
	}
}

// TestDocument: every path is in the document, and the document is served.
func TestDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.call(http.MethodGet, "/zoko/openapi.json", nil).Want(t, http.StatusOK)
	var document struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ OperationID string }
	}
	x.Decode(t, &document)
	operations := map[string]bool{}
	for _, methods := range document.Paths {
		for _, o := range methods {
			operations[o.OperationID] = true
		}
	}
	for _, id := range []string{
		"createGroup", "listGroups", "getGroup", "updateGroupSettings", "deleteGroup", "inviteMembers", "removeParticipants", "getJoinRequests",
		"handleJoinRequests", "setAutoApproval", "getInviteLink", "resetInviteLink", "getInvitationTemplate", "setInvitationTemplate",
		"sendMessage", "getMessage", "createWebhook",
	} {
		if !operations[id] {
			t.Errorf("the document has no %s", id)
		}
	}
	golden().JSON(t, "openapi", x.Answer)
}
