package meta_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/app/apptest"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// The people of these tests.
const (
	ann  = "15550001001"
	bob  = "15550001002"
	cleo = "15550001003"
)

// is compares a webhook with Meta's schema, with Meta's example of it, where it
// has one, and with a golden file.
func (r *rig) is(t testing.TB, name, example string, d apptest.Delivery) {
	t.Helper()
	r.checkWebhook(t, d.Body)
	if example != "" {
		r.sameShape(t, example, d.Body)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(d.Body)
	if want, got := "sha256="+hex.EncodeToString(mac.Sum(nil)), d.Header.Get("X-Hub-Signature-256"); got != want {
		t.Errorf("the signature is %q, want %q", got, want)
	}
	r.golden().JSON(t, "webhooks/"+name, d.Body)
}

// about waits for a webhook about the group that fits.
func (r *rig) about(jid, kind string, contains ...string) apptest.Delivery {
	r.Helper()
	_, d := r.told(kind+" of "+jid, func(i item) bool {
		if i.Type != kind || i.GroupID != id(jid) {
			return false
		}
		for _, text := range contains {
			if !bytes.Contains(i.raw, []byte(text)) {
				return false
			}
		}
		return true
	})
	return d
}

func (r *rig) act(jid string, by string, what service.PeopleAct, people ...string) {
	r.Helper()
	parsed, err := types.ParseJID(jid)
	if err == nil {
		_, err = r.line.WA.ChangePeople(by, parsed, what, people)
	}
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) fault(f sandbox.Fault) {
	r.Helper()
	if _, err := r.line.WA.Faults().Add(f); err != nil {
		r.Fatal(err)
	}
}

// TestWebhooks has a webhook of each row that Meta's documents have.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann, bob, cleo, "15550001004")
	t.Run("verification", func(t *testing.T) {
		d := r.hook.Wait(t, "the verification", func(d apptest.Delivery) bool { return d.Method == http.MethodGet })
		if d.Query["hub.mode"][0] != "subscribe" || d.Query["hub.verify_token"][0] != "a-verify-token" || d.Query["hub.challenge"][0] == "" {
			t.Errorf("the question was %v", d.Query)
		}
	})
	t.Run("group_lifecycle_update", func(t *testing.T) { testLifecycle(t, r.with(t)) })
	t.Run("group_participants_update", func(t *testing.T) { testParticipants(t, r.with(t)) })
	t.Run("group_settings_update", func(t *testing.T) { testSettings(t, r.with(t)) })
	t.Run("group_status_update", func(t *testing.T) {
		r := r.with(t)
		jid := r.group(sandbox.GroupOptions{Name: "Suspended"})
		parsed, _ := types.ParseJID(jid)
		for _, row := range []struct {
			suspended     bool
			kind, example string
		}{{true, "group_suspend", "status_suspended"}, {false, "group_suspend_cleared", "status_suspension_cleared"}} {
			if err := r.line.WA.SetSettings(business, parsed, sandbox.Settings{Suspended: &row.suspended}); err != nil {
				t.Fatal(err)
			}
			r.is(t, row.kind, row.example, r.about(jid, row.kind))
		}
	})
	t.Run("each once", func(t *testing.T) {
		// A change through the API and its echo are one webhook: all that has
		// happened here was told once.
		seen := map[string]int{}
		for _, i := range items(r.hook.Deliveries()) {
			if i.RequestID != "" {
				seen[i.RequestID]++
			}
		}
		for request, times := range seen {
			if times != 1 {
				t.Errorf("the request %s was told of %d times", request, times)
			}
		}
	})
}

func testLifecycle(t *testing.T, r *rig) {
	var made struct {
		RequestID string `json:"request_id"`
	}
	create := object{"subject": "Life", "description": "And death", "join_approval_mode": "auto_approve"}
	t.Run("created", func(t *testing.T) {
		r := r.with(t)
		r.call(http.MethodPost, business+"/groups", whatsapp(create)).Want(t, http.StatusOK).Decode(t, &made)
		_, d := r.told("the creation", func(i item) bool { return i.RequestID == made.RequestID })
		r.is(t, "created", "lifecycle_create", d)
	})
	i, _ := r.told("the creation", func(i item) bool { return i.RequestID == made.RequestID })
	t.Run("failed", func(t *testing.T) {
		r := r.with(t)
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "create"}, Effect: sandbox.FaultEffect{Error: 403}, Count: 1})
		r.call(http.MethodPost, business+"/groups", whatsapp(create)).Want(t, http.StatusOK).Decode(t, &made)
		_, d := r.told("the failure", func(i item) bool { return i.RequestID == made.RequestID })
		r.is(t, "create-failed", "lifecycle_create_failed", d)
	})
	t.Run("deleted", func(t *testing.T) {
		r := r.with(t)
		r.call(http.MethodDelete, i.GroupID, nil).Want(t, http.StatusOK)
		_, d := r.told("the deletion", func(d item) bool { return d.Type == "group_delete" && d.GroupID == i.GroupID })
		r.is(t, "deleted", "lifecycle_delete", d)
	})
	t.Run("failed deletion", func(t *testing.T) {
		r := r.with(t)
		jid := r.group(sandbox.GroupOptions{Name: "Stays", Participants: []string{ann, bob}})
		if err := r.line.WA.RefuseParticipant(ann, "remove", 500, 1); err != nil {
			t.Fatal(err)
		}
		r.call(http.MethodDelete, id(jid), nil).Want(t, http.StatusForbidden)
		r.is(t, "delete-failed", "lifecycle_delete_failed", r.about(jid, "group_delete"))
	})
	t.Run("made on the phone", func(t *testing.T) {
		r := r.with(t)
		jid := r.group(sandbox.GroupOptions{Name: "By hand"})
		r.is(t, "created-on-the-phone", "", r.about(jid, "group_create"))
	})
	t.Run("deleted by the session-style API", func(t *testing.T) {
		r := r.with(t)
		jid := r.group(sandbox.GroupOptions{Name: "Elsewhere"})
		if status := r.line.Call(t, http.MethodDelete, "/api/v1/sessions/line/groups/"+jid, nil, nil); status != http.StatusOK {
			t.Fatalf("delete: %d", status)
		}
		r.is(t, "deleted-elsewhere", "lifecycle_delete", r.about(jid, "group_delete"))
	})
}

func testParticipants(t *testing.T, r *rig) {
	open := r.group(sandbox.GroupOptions{Name: "Open"})
	closed := r.group(sandbox.GroupOptions{Name: "Closed", Settings: on()})
	join := func(r *rig, number, jid string) {
		r.Helper()
		if _, _, err := r.line.WA.Join(number, r.link(id(jid))); err != nil {
			r.Fatal(err)
		}
	}
	t.Run("joined by link", func(t *testing.T) {
		r := r.with(t)
		join(r, ann, open)
		r.is(t, "joined", "participants_joined_by_link", r.about(open, "group_participants_add", ann))
	})
	t.Run("request made", func(t *testing.T) {
		r := r.with(t)
		join(r, ann, closed)
		r.is(t, "request-made", "participants_request_created", r.about(closed, "group_join_request_created", ann))
	})
	t.Run("approved", func(t *testing.T) {
		r := r.with(t)
		r.call(http.MethodPost, id(closed)+"/join_requests", whatsapp(object{"join_requests": r.asked(closed, 1)})).Want(t, http.StatusOK)
		r.is(t, "approved", "participants_join_approved", r.about(closed, "group_participants_add", ann))
	})
	t.Run("rejected sends none", func(t *testing.T) {
		r := r.with(t)
		join(r, bob, closed)
		r.about(closed, "group_join_request_created", bob)
		r.call(http.MethodDelete, id(closed)+"/join_requests", whatsapp(object{"join_requests": r.asked(closed, 1)})).Want(t, http.StatusOK)
		for _, i := range items(r.hook.Deliveries()) {
			if bytes.Contains(i.raw, []byte(bob)) && i.Type != "group_join_request_created" {
				t.Errorf("a rejection was told of: %s", i.raw)
			}
		}
	})
	t.Run("request withdrawn", func(t *testing.T) {
		r := r.with(t)
		join(r, cleo, closed)
		r.about(closed, "group_join_request_created", cleo)
		r.withdraw(cleo, closed)
		r.is(t, "request-withdrawn", "participants_request_revoked", r.about(closed, "group_join_request_revoked", cleo))
	})
	t.Run("removed by business", func(t *testing.T) {
		r := r.with(t)
		r.call(http.MethodDelete, id(open)+"/participants", whatsapp(object{"participants": []object{{"user": "+" + ann}}})).Want(t, http.StatusOK)
		r.is(t, "removed", "participants_removed_by_business", r.about(open, "group_participants_remove", ann))
	})
	t.Run("removed partly", func(t *testing.T) {
		r := r.with(t)
		both := r.group(sandbox.GroupOptions{Name: "Both", Participants: []string{ann}})
		r.call(http.MethodDelete, id(both)+"/participants", whatsapp(object{"participants": []object{{"user": ann}, {"user": bob}}})).Want(t, http.StatusOK)
		r.is(t, "removed-partly", "participants_removed_partly", r.about(both, "group_participants_remove", bob))
	})
	t.Run("added, and not added", func(t *testing.T) {
		r := r.with(t)
		r.line.Phone(t, "15550001009", sandbox.PhoneOptions{Name: "Private", GroupAdd: "none"})
		r.call(http.MethodPost, id(open)+"/participants", whatsapp(object{"participants": []object{{"user": bob}, {"user": "15550001009"}}})).Want(t, http.StatusOK)
		r.is(t, "added-partly", "", r.about(open, "group_participants_add", bob))
	})
	t.Run("added on the phone", func(t *testing.T) {
		r := r.with(t)
		r.act(open, business, service.ActAdd, cleo)
		r.is(t, "added-on-the-phone", "", r.about(open, "group_participants_add", cleo))
	})
	t.Run("left", func(t *testing.T) {
		r := r.with(t)
		parsed, _ := types.ParseJID(open)
		if err := r.line.WA.LeaveGroup(bob, parsed); err != nil {
			t.Fatal(err)
		}
		r.is(t, "left", "participants_left", r.about(open, "group_participants_remove", bob))
	})
}

// withdraw has somebody take a request to join back.
func (r *rig) withdraw(number, jid string) {
	r.Helper()
	client := sandboxtest.Link(r, r.line.WA, number)
	parsed, err := types.ParseJID(jid)
	if err == nil {
		_, err = client.DangerousInternals().SendGroupIQ(r.Context(), "set", parsed, waBinary.Node{Tag: "cancel_membership_requests", Content: []waBinary.Node{
			{Tag: "participant", Attrs: waBinary.Attrs{"jid": client.Store.GetLID().ToNonAD()}},
		}})
	}
	if err != nil {
		r.Fatal(err)
	}
}

func testSettings(t *testing.T, r *rig) {
	jid := r.group(sandbox.GroupOptions{Name: "Settings"})
	t.Run("all done", func(t *testing.T) {
		r := r.with(t)
		fields := map[string]string{"messaging_product": "whatsapp", "subject": "Renamed", "description": "Described"}
		r.form(id(jid), fields, "file", "image/jpeg", picture(t, 200, 200)).Want(t, http.StatusOK)
		r.is(t, "settings", "settings_all_ok", r.about(jid, "group_settings_update", "Renamed"))
	})
	t.Run("partly failed", func(t *testing.T) {
		r := r.with(t)
		r.fault(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:profile:picture", Type: "set"}, Effect: sandbox.FaultEffect{Error: 406}, Count: 1})
		fields := map[string]string{"messaging_product": "whatsapp", "subject": "Again"}
		r.form(id(jid), fields, "file", "image/jpeg", picture(t, 200, 200)).Want(t, http.StatusOK)
		r.is(t, "settings-partly", "settings_partly_failed", r.about(jid, "group_settings_update", "Again"))
	})
	t.Run("by the phone", func(t *testing.T) {
		r := r.with(t)
		parsed, _ := types.ParseJID(jid)
		if err := r.line.WA.SetSubject(business, parsed, "By hand"); err != nil {
			t.Fatal(err)
		}
		r.is(t, "settings-by-hand", "", r.about(jid, "group_settings_update", "By hand"))
		if err := r.line.WA.SetDescription(business, parsed, "Text by hand"); err != nil {
			t.Fatal(err)
		}
		r.is(t, "description-by-hand", "", r.about(jid, "group_settings_update", "Text by hand"))
	})
	t.Run("by the session-style API", func(t *testing.T) {
		r := r.with(t)
		if status := r.line.Call(t, http.MethodPut, "/api/v1/sessions/line/groups/"+jid+"/subject", object{"subject": "Native"}, nil); status != http.StatusOK {
			t.Fatalf("subject: %d", status)
		}
		r.is(t, "settings-native", "", r.about(jid, "group_settings_update", "Native"))
	})
}

// A webhook whose owner does not repeat the challenge is not made.
func TestVerificationIsNeeded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	mute := apptest.Receive(t, nil)
	var problem struct {
		Errors []struct{ Field string }
	}
	body := object{"url": mute.URL, "format": "meta", "secret": secret, "verify_token": "x"}
	if status := r.line.Call(t, http.MethodPost, "/api/v1/webhooks", body, &problem); status != http.StatusUnprocessableEntity || problem.Errors[0].Field != "url" {
		t.Errorf("a mute endpoint is answered with %d %+v", status, problem)
	}
	body = object{"url": mute.URL, "verify_token": "x"}
	if status := r.line.Call(t, http.MethodPost, "/api/v1/webhooks", body, &problem); status != http.StatusUnprocessableEntity || problem.Errors[0].Field != "verify_token" {
		t.Errorf("a token for a format without verification is answered with %d %+v", status, problem)
	}
}

// Every message's webhook has the event's id, by which repeated ones are known.
func TestWebhookHasTheEventsID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.group(sandbox.GroupOptions{Name: "Ids"})
	d := r.about(jid, "group_create")
	if !strings.HasPrefix(d.Header.Get("Webhook-Id"), "evt_") || d.Header.Get("Webhook-Signature") != "" || !json.Valid(d.Body) {
		t.Errorf("the headers are %v", d.Header)
	}
}
