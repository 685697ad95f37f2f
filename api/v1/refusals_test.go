package v1_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/sandbox"
)

// operation is one way to ask something about a group.
type operation struct {
	method, rest, body string
	reads              bool
}

// operations has every operation on one group with a body that is fine.
var operations = []operation{
	{http.MethodGet, "", "", true},
	{http.MethodGet, "/info", "", true},
	{http.MethodGet, "/invite-link", "", false},
	{http.MethodGet, "/invite-link?reset=true", "", false},
	{http.MethodPut, "/subject", `{"subject":"x"}`, false},
	{http.MethodPut, "/description", `{"description":"x","prev_id":"OLD"}`, false},
	{http.MethodPut, "/description", `{"description":null}`, false},
	{http.MethodPut, "/settings", `{"membership_approval_mode":"on"}`, false},
	{http.MethodPut, "/settings", `{"member_add_mode":"admin_add"}`, false},
	{http.MethodPut, "/settings", `{"member_link_mode":"all_member_link"}`, false},
	{http.MethodPost, "/participants", `{"participants":["` + bob + `"]}`, false},
	{http.MethodDelete, "/participants", `{"participants":["` + bob + `"]}`, false},
	{http.MethodPost, "/admins", `{"participants":["` + bob + `"]}`, false},
	{http.MethodDelete, "/admins", `{"participants":["` + bob + `"]}`, false},
	{http.MethodPatch, "", `{"subject":"x","announce":true}`, false},
	{http.MethodPut, "/settings", `{"announce":true}`, false},
	{http.MethodPut, "/settings", `{"locked":false}`, false},
	{http.MethodPut, "/settings", `{"disappearing_seconds":86400}`, false},
	{http.MethodGet, "/join-requests", "", false},
	{http.MethodPost, "/join-requests/approve", `{"participants":["` + bob + `"]}`, false},
	{http.MethodPost, "/join-requests/reject", `{"participants":["` + bob + `"]}`, false},
	{http.MethodPut, "/photo", `{"image":"` + aPicture + `"}`, false},
	{http.MethodDelete, "/photo", "", false},
	{http.MethodDelete, "", "", false},
}

// aPicture is a PNG of one pixel in base64.
const aPicture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func (o operation) on(r *rig, session, jid string) answer {
	r.t.Helper()
	var body any
	if o.body != "" {
		body = o.body
	}
	return r.call(o.method, "/api/v1/sessions/"+session+"/groups/"+jid+o.rest, body)
}

func TestRefusalsOfEveryOperation(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	locked, admins := true, "admin_add"
	settings := sandbox.Settings{Locked: &locked, MemberAddMode: &admins}
	foreign := r.byPhone(ann, sandbox.GroupOptions{Name: "Foreign", Participants: []string{bob}})
	member := r.byPhone(ann, sandbox.GroupOptions{Name: "Member only", Participants: []string{myNumber, bob}, Settings: settings})
	memberPN := r.byPhone(ann, sandbox.GroupOptions{Name: "Member only", Participants: []string{myNumber, bob}, Settings: settings, AddressingMode: "pn"})
	r.call(http.MethodPost, "/api/v1/sessions", object{"id": "empty"}).status(http.StatusCreated)
	for _, o := range operations {
		o.on(r, "nobody", foreign).refused(http.StatusNotFound, "session_not_found", "")
		o.on(r, "empty", foreign).refused(http.StatusConflict, "session_not_linked", "")
		o.on(r, mySession, "120363999999999999@g.us").refused(http.StatusNotFound, "group_not_found", "")
		if o.reads {
			// The mirror does not know other people's groups; WhatsApp does.
			o.on(r, mySession, foreign).refused(http.StatusNotFound, "group_not_found", "")
			o.rest += "?refresh=true"
		}
		o.on(r, mySession, foreign).refused(http.StatusForbidden, "not_in_group", "")
		o.on(r, mySession, ann+"@s.whatsapp.net").refused(http.StatusUnprocessableEntity, "invalid", "group_jid")
		for _, jid := range []string{member, memberPN} {
			if !o.reads {
				o.on(r, mySession, jid).refused(http.StatusForbidden, "not_admin", "")
			}
		}
	}
	r.follows(member)
	r.follows(memberPN)
}

func TestInvalidBodiesNameTheField(t *testing.T) {
	r := newRig(t)
	jid := r.create("Mine")
	long := strings.Repeat("é", 101)
	for _, test := range []struct{ method, path, body, field string }{
		{http.MethodPost, "", `{}`, "name"},
		{http.MethodPost, "", `{"name":"x"}`, "participants"},
		{http.MethodPost, "", `{"name":"","participants":[]}`, "name"},
		{http.MethodPost, "", `{"name":"` + long + `","participants":[]}`, "name"},
		{http.MethodPost, "", `{"name":"x","participants":null}`, "participants"},
		{http.MethodPost, "", `{"name":"x","participants":"628111000001"}`, "participants"},
		{http.MethodPost, "", `{"name":"x","participants":["628111000001",7]}`, "participants[1]"},
		{http.MethodPost, "", `{"name":"x","participants":["628111000001","+628111000002","x"]}`, "participants[2]"},
		{http.MethodPost, "", `{"name":"x","participants":[],"membership_approval_mode":"maybe"}`, "membership_approval_mode"},
		{http.MethodPost, "", `{"name":"x","participants":[],"on_private":"x"}`, "on_private"},
		{http.MethodPost, "", `{"name":"x","participants":[],"owner":"me"}`, "owner"},
		{http.MethodPut, "/subject", `{}`, "subject"},
		{http.MethodPut, "/subject", `{"subject":"` + long + `"}`, "subject"},
		{http.MethodPut, "/subject", `{"subject":"  "}`, "subject"},
		{http.MethodPut, "/description", `{}`, "description"},
		{http.MethodPut, "/description", `{"prev_id":null}`, "description"},
		{http.MethodPut, "/description", `{"description":"` + strings.Repeat("é", 2049) + `"}`, "description"},
		{http.MethodPut, "/description", `{"description":7}`, "description"},
		{http.MethodPut, "/settings", `{"member_add_mode":"everyone"}`, "member_add_mode"},
		{http.MethodPut, "/settings", `{"member_link_mode":"admin_add"}`, "member_link_mode"},
		{http.MethodPost, "/participants", `{"participants":[]}`, "participants"},
		{http.MethodPost, "/participants", `{"participants":["0811"]}`, "participants[0]"},
		{http.MethodDelete, "/participants", `{"participants":["120363999999999999@g.us"]}`, "participants[0]"},
		{http.MethodPost, "/admins", `{}`, "participants"},
		{http.MethodDelete, "/admins", `{"participants":["` + bob + `"],"force":true}`, "force"},
		{http.MethodGet, "/invite-link?reset=perhaps", ``, "reset"},
		{http.MethodPut, "/settings", `{"announce":"yes"}`, "announce"},
		{http.MethodPut, "/settings", `{"disappearing_seconds":60}`, "disappearing_seconds"},
		{http.MethodPatch, "", `{}`, ""},
		{http.MethodPatch, "", `{"subject":null}`, ""},
		{http.MethodPatch, "", `{"subject":" "}`, "subject"},
		{http.MethodPatch, "", `{"subject":"x","description":7}`, "description"},
		{http.MethodPatch, "", `{"subject":"x","description":"` + strings.Repeat("é", 2049) + `"}`, "description"},
		{http.MethodPatch, "", `{"subject":"x","prev_id":"OLD"}`, "prev_id"},
		{http.MethodPatch, "", `{"subject":"x","owner":"me"}`, "owner"},
		{http.MethodPost, "/join-requests/approve", `{"participants":[]}`, "participants"},
		{http.MethodPost, "/join-requests/reject", `{"participants":["x"]}`, "participants[0]"},
		{http.MethodPost, "/sub-groups", `{"groups":[]}`, "groups"},
		{http.MethodPost, "/sub-groups", `{"groups":["` + jid + `","` + bob + `@s.whatsapp.net"]}`, "groups[1]"},
		{http.MethodPost, "/sub-groups", `{"groups":["120363999999999999@g.us"]}`, "group_jid"},
		{http.MethodDelete, "/sub-groups", `{"groups":["120363999999999999@g.us"]}`, "group_jid"},
		{http.MethodGet, "/sub-groups", ``, "group_jid"},
		{http.MethodGet, "/photo?format=png", ``, "format"},
		{http.MethodGet, "/photo?preview=small", ``, "preview"},
		{http.MethodPut, "/photo", `{}`, "image"},
		{http.MethodPut, "/photo", `{"image":7}`, "image"},
		{http.MethodPut, "/photo", `{"image":"?"}`, "image"},
		{http.MethodPut, "/photo", `{"image":"` + aPicture + `","crop":true}`, "crop"},
		{http.MethodPost, "", `{"name":"x","participants":[],"community":"` + bob + `@s.whatsapp.net"}`, "community"},
	} {
		rest := "/" + jid + test.path
		if test.path == "" && test.method == http.MethodPost {
			rest = ""
		}
		var body any
		if test.body != "" {
			body = test.body
		}
		r.call(test.method, "/api/v1/sessions/"+mySession+"/groups"+rest, body).
			refused(http.StatusUnprocessableEntity, "invalid", test.field)
	}
	r.group(http.MethodPut, jid, "/subject", `{"subject":`).refused(http.StatusBadRequest, "malformed", "")
	r.group(http.MethodPut, jid, "/photo", `{"image":`).refused(http.StatusBadRequest, "malformed", "")
	r.agrees(jid)
}

func TestStrangersAreTurnedAway(t *testing.T) {
	r := newRig(t)
	jid := r.create("Mine")
	bound := r.call(http.MethodPost, "/api/v1/tokens", object{"name": "other", "sessions": []string{"other"}}).
		status(http.StatusCreated).text("token")
	for token, want := range map[string]struct {
		status int
		code   string
	}{
		"":    {http.StatusUnauthorized, "unauthenticated"},
		"no":  {http.StatusUnauthorized, "unauthenticated"},
		bound: {http.StatusNotFound, "session_not_found"},
	} {
		for _, path := range []string{"", "/" + jid, "/" + jid + "/info", "/" + jid + "/invite-link"} {
			request := r.request(context.Background(), http.MethodGet, "/api/v1/sessions/"+mySession+"/groups"+path, nil)
			request.Header.Set("Authorization", "Bearer "+token)
			r.do(request).refused(want.status, want.code, "")
		}
	}
}

// TestWhatWhatsAppRefuses checks refusals that only a fault can bring about.
func TestWhatWhatsAppRefuses(t *testing.T) {
	r := newRig(t, func(c *config.Config) {
		c.Sessions.ReadTimeout = 2 * time.Second
		c.Sessions.WriteTimeout = 2 * time.Second
	})
	r.people(ann)
	jid := r.create("Mine", ann)
	list := "/api/v1/sessions/" + mySession + "/groups"
	once := func(match sandbox.FaultMatch, effect sandbox.FaultEffect) {
		r.fault(sandbox.Fault{Match: match, Effect: effect, Count: 1})
	}
	g2 := func(child string) sandbox.FaultMatch { return sandbox.FaultMatch{XMLNS: "w:g2", Child: child} }

	once(g2("participating"), sandbox.FaultEffect{Error: 429})
	limited := r.call(http.MethodGet, list+"?refresh=true", nil).refused(http.StatusTooManyRequests, "rate_limited", "")
	if limited.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	once(g2("subject"), sandbox.FaultEffect{Error: 406})
	r.group(http.MethodPut, jid, "/subject", object{"subject": "x"}).refused(http.StatusUnprocessableEntity, "invalid", "subject")
	once(g2("create"), sandbox.FaultEffect{Error: 406})
	r.call(http.MethodPost, list, object{"name": "x", "participants": []string{}}).refused(http.StatusUnprocessableEntity, "invalid", "name")
	once(g2("create"), sandbox.FaultEffect{Error: 419})
	r.call(http.MethodPost, list, object{"name": "x", "participants": []string{}}).refused(http.StatusUnprocessableEntity, "rejected", "")
	// Replacing whatever is current starts again when somebody was faster.
	once(g2("description"), sandbox.FaultEffect{Error: 409})
	r.group(http.MethodPut, jid, "/description", `{"description":"Again"}`).status(http.StatusOK)
	once(g2("description"), sandbox.FaultEffect{Error: 409})
	r.group(http.MethodPut, jid, "/description", `{"description":"No","prev_id":"OLD"}`).refused(http.StatusConflict, "description_conflict", "")
	r.agrees(jid)
	once(g2("query"), sandbox.FaultEffect{DropReply: true})
	r.group(http.MethodGet, jid, "?refresh=true", nil).refused(http.StatusGatewayTimeout, "no_answer", "")
	once(g2("subject"), sandbox.FaultEffect{DropReply: true})
	r.group(http.MethodPut, jid, "/subject", object{"subject": "Perhaps"}).refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	r.follows(jid)
}

func TestLinkModeBySomeOtherWay(t *testing.T) {
	r := newRig(t)
	jid := r.create("Mine")
	mex, stanza := sandbox.FaultMatch{XMLNS: "w:mex"}, sandbox.FaultMatch{XMLNS: "w:g2", Child: "member_link_mode"}
	body := `{"membership_approval_mode":"on","member_link_mode":"all_member_link"}`
	r.fault(sandbox.Fault{Match: mex, Effect: sandbox.FaultEffect{Error: 404}, Count: 1})
	r.fault(sandbox.Fault{Match: stanza, Effect: sandbox.FaultEffect{Error: 405}, Count: 1})
	failed := r.group(http.MethodPut, jid, "/settings", body).refused(http.StatusUnprocessableEntity, "rejected", "member_link_mode")
	if !strings.Contains(string(failed.raw), "already changed: membership_approval_mode") {
		t.Errorf("does not say what was changed: %s", failed.raw)
	}
	r.agrees(jid)
	r.fault(sandbox.Fault{Match: mex, Effect: sandbox.FaultEffect{Error: 404}, Count: 1})
	r.group(http.MethodPut, jid, "/settings", body).status(http.StatusOK)
	r.agrees(jid)
	if mode := r.group(http.MethodGet, jid, "", nil).text("member_link_mode"); mode != "all_member_link" {
		t.Errorf("the mode is %s", mode)
	}
}

func TestADisconnectedSession(t *testing.T) {
	r := newRig(t)
	jid := r.create("Mine")
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/disconnect", nil).status(http.StatusOK)
	for _, o := range operations {
		if o.reads {
			if a := o.on(r, mySession, jid).status(http.StatusOK); a.body["stale"] != true {
				t.Errorf("%s: not stale: %s", a.what, a.raw)
			}
			o.rest += "?refresh=true"
		}
		a := o.on(r, mySession, jid).refused(http.StatusServiceUnavailable, "session_not_connected", "")
		if a.body["errors"] != nil {
			t.Errorf("%s: %s blames a field", a.what, a.raw)
		}
	}
	r.send(ann, "x").refused(http.StatusServiceUnavailable, "session_not_connected", "")
}
