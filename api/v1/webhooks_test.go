package v1_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"muster/internal/config"
)

const hooksPath = "/api/v1/webhooks"

// hooked is a request that a webhook was sent.
type hooked struct {
	header http.Header
	body   []byte
	event  struct {
		ID   string
		Type string
		Data object
	}
}

// listen starts a webhook's receiver; it answers with the status that answers
// has, one of which is always in there.
func listen(t *testing.T) (url string, got <-chan hooked, answers chan int) {
	requests := make(chan hooked, 1000)
	answers = make(chan int, 1)
	answers <- http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // the sender has gone
		}
		h := hooked{header: request.Header, body: body}
		if err = json.Unmarshal(body, &h.event); err != nil {
			t.Errorf("a webhook was sent %s", body)
		}
		status := <-answers
		answers <- status
		requests <- h
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests, answers
}

func allowPrivate(c *config.Config) { c.Webhooks.AllowPrivate = true }

func next(t *testing.T, got <-chan hooked) hooked {
	t.Helper()
	select {
	case h := <-got:
		return h
	case <-time.After(patience):
		t.Fatal("the webhook was sent nothing")
		return hooked{}
	}
}

// shown waits for a condition that the API shows.
func (r *rig) shown(what string, holds func() bool) {
	r.t.Helper()
	limit, again := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-limit:
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// From WhatsApp to a receiver that checks the signature with the public library,
// and back to what the API shows of it.
func TestWebhook(t *testing.T) {
	r := newRig(t, allowPrivate)
	r.people(ann)
	url, got, _ := listen(t)
	made := r.call(http.MethodPost, hooksPath, object{
		"url": url + "/in", "events": []string{"group.*"}, "sessions": []string{mySession}, "headers": object{"X-Mine": "yes"},
	}).status(http.StatusCreated)
	id, secret := made.text("id"), made.text("secret")
	if made.body["enabled"] != true || made.text("state") != "active" || made.text("format") != "muster" || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("made: %s", made.raw)
	}
	jid := r.create("One", ann)
	if err := r.wa.SetSubject(ann, r.jid(jid), "Two"); err != nil {
		t.Fatal(err)
	}
	subjects := map[any]hooked{}
	for range 2 { // in any order
		h := next(t, got)
		subjects[h.event.Data["subject"]] = h
	}
	h := subjects["Two"]
	library, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err = library.Verify(h.body, h.header); err != nil {
		t.Errorf("the signature: %v", err)
	}
	if h.event.Type != "group.subject" || h.header.Get("X-Mine") != "yes" || h.header.Get("webhook-id") != h.event.ID {
		t.Errorf("the request is %v %s", h.header, h.body)
	}
	r.shown("the attempts", func() bool {
		list := r.call(http.MethodGet, hooksPath+"/"+id+"/deliveries?result=delivered&event_id="+h.event.ID, nil).status(http.StatusOK)
		deliveries, _ := list.body["deliveries"].([]any)
		return len(deliveries) == 1 && deliveries[0].(object)["status"] == 204.0 && deliveries[0].(object)["attempt"] == 1.0
	})
	shown := r.call(http.MethodGet, hooksPath+"/"+id, nil).status(http.StatusOK)
	if _, leaked := shown.body["secret"]; leaked || strings.Contains(string(shown.raw), secret) || shown.text("url") != url+"/in" {
		t.Errorf("it is shown as %s", shown.raw)
	}
	if list := r.call(http.MethodGet, hooksPath, nil).status(http.StatusOK); list.body["count"] != 1.0 || strings.Contains(string(list.raw), secret) {
		t.Errorf("the list is %s", list.raw)
	}

	rotated := r.call(http.MethodPost, hooksPath+"/"+id+"/secret", object{"keep_old_seconds": 60}).status(http.StatusOK)
	r.call(http.MethodPatch, hooksPath+"/"+id, object{"events": []string{"group.subject"}, "sessions": []string{}}).status(http.StatusOK)
	r.group(http.MethodPut, jid, "/subject", object{"subject": "Three"}).status(http.StatusOK)
	h = next(t, got)
	again, err := standardwebhooks.NewWebhook(rotated.text("secret"))
	if err != nil || library.Verify(h.body, h.header) != nil || again.Verify(h.body, h.header) != nil {
		t.Errorf("with two secrets: %v %v", err, h.header)
	}
	r.call(http.MethodDelete, hooksPath+"/"+id, nil).status(http.StatusNoContent)
	r.call(http.MethodGet, hooksPath+"/"+id, nil).refused(http.StatusNotFound, "not_found", "")
}

// What is not taken is shown, and sent again by request.
func TestWebhookDeadLetters(t *testing.T) {
	r := newRig(t, allowPrivate)
	url, got, answers := listen(t)
	id := r.call(http.MethodPost, hooksPath, object{"url": url, "events": []string{"group.created"}}).status(http.StatusCreated).text("id")
	at := hooksPath + "/" + id
	<-answers
	answers <- http.StatusGone
	r.create("One")
	first := next(t, got)
	r.shown("it to be off", func() bool { return r.call(http.MethodGet, at, nil).status(http.StatusOK).text("state") == "off" })
	r.call(http.MethodPost, at+"/resume", nil).refused(http.StatusConflict, "conflict", "")
	dead := r.call(http.MethodGet, at+"/dead-letters", nil).status(http.StatusOK)
	letters, _ := dead.body["dead_letters"].([]any)
	if len(letters) != 1 || letters[0].(object)["event_id"] != first.event.ID || letters[0].(object)["reason"] != "gone" {
		t.Fatalf("the dead letters are %s", dead.raw)
	}
	<-answers
	answers <- http.StatusOK
	if on := r.call(http.MethodPatch, at, object{"enabled": true}).status(http.StatusOK); on.text("state") != "active" || on.body["disabled_reason"] != nil {
		t.Errorf("switched on: %s", on.raw)
	}
	letter, _ := letters[0].(object)["id"].(string)
	r.call(http.MethodPost, at+"/dead-letters/none/replay", nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodPost, at+"/dead-letters/"+letter+"/replay", nil).status(http.StatusAccepted)
	if h := next(t, got); h.event.ID != first.event.ID {
		t.Errorf("%s came, want %s", h.event.ID, first.event.ID)
	}
	if all := r.call(http.MethodPost, at+"/dead-letters/replay", nil).status(http.StatusAccepted); all.body["queued"] != 0.0 {
		t.Errorf("all others: %s", all.raw)
	}
	r.call(http.MethodPost, at+"/replay", object{"after": "evt_0000000000"}).status(http.StatusAccepted)
	if h := next(t, got); h.event.ID != first.event.ID {
		t.Errorf("%s came from the log, want %s", h.event.ID, first.event.ID)
	}
	r.call(http.MethodPost, at+"/replay", object{"after": "x"}).refused(http.StatusUnprocessableEntity, "invalid", "after")
	r.call(http.MethodPost, at+"/replay", object{"after": "evt_zzzzzzzzzz"}).refused(http.StatusUnprocessableEntity, "invalid", "after")
	test := r.call(http.MethodPost, at+"/test", object{"events": []string{"session.*"}}).status(http.StatusOK)
	if results, _ := test.body["results"].([]any); len(results) != 3 || results[2].(object)["result"] != "delivered" {
		t.Errorf("the test: %s", test.raw)
	}
	if test = r.call(http.MethodPost, at+"/test", nil).status(http.StatusOK); len(test.body["results"].([]any)) != 1 {
		t.Errorf("the test of what it wants: %s", test.raw)
	}
}

func TestWebhookRefusals(t *testing.T) {
	r := newRig(t)
	for field, body := range map[string]any{
		"url":         object{},
		"secret":      object{"url": "https://example.com", "secret": "x"},
		"format":      object{"url": "https://example.com", "format": "x"},
		"events[0]":   object{"url": "https://example.com", "events": []string{"group"}},
		"groups[0]":   object{"url": "https://example.com", "groups": []string{"me"}},
		"sessions[0]": object{"url": "https://example.com", "sessions": []string{"a b"}},
		"headers.te":  object{"url": "https://example.com", "headers": object{"te": "x"}},
	} {
		r.call(http.MethodPost, hooksPath, body).refused(http.StatusUnprocessableEntity, "invalid", field)
	}
	// Without the setting private addresses are refused.
	r.call(http.MethodPost, hooksPath, object{"url": "http://127.0.0.1:1/"}).refused(http.StatusUnprocessableEntity, "invalid", "url")
	r.call(http.MethodPatch, hooksPath+"/none", object{}).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodGet, hooksPath+"?cursor=x", nil).refused(http.StatusUnprocessableEntity, "invalid", "cursor")
	r.call(http.MethodGet, hooksPath+"/none/deliveries", nil).refused(http.StatusNotFound, "not_found", "")
}

// A bound token has webhooks of its own, about its sessions and nothing else.
func TestWebhooksOfBoundTokens(t *testing.T) {
	r := newRig(t, allowPrivate)
	r.call(http.MethodPost, sessions, object{"id": "other"}).status(http.StatusCreated)
	bound := r.call(http.MethodPost, "/api/v1/tokens", object{"name": "bot", "sessions": []string{"other"}}).status(http.StatusCreated).text("token")
	ask := func(method, path string, body any) answer {
		request := r.request(t.Context(), method, path, body)
		request.Header.Set("Authorization", "Bearer "+bound)
		return r.do(request)
	}
	url, _, _ := listen(t)
	admins := r.call(http.MethodPost, hooksPath, object{"url": url}).status(http.StatusCreated).text("id")
	own := ask(http.MethodPost, hooksPath, object{"url": url}).status(http.StatusCreated)
	if list, _ := own.body["sessions"].([]any); len(list) != 1 || list[0] != "other" {
		t.Errorf("its webhook is %s", own.raw)
	}
	if list := ask(http.MethodGet, hooksPath, nil).status(http.StatusOK); list.body["count"] != 1.0 {
		t.Errorf("it sees %s", list.raw)
	}
	ask(http.MethodPost, hooksPath, object{"url": url, "sessions": []string{mySession}}).refused(http.StatusNotFound, "session_not_found", "")
	ask(http.MethodPatch, hooksPath+"/"+own.text("id"), object{"sessions": []string{}}).refused(http.StatusUnprocessableEntity, "invalid", "sessions")
	ask(http.MethodPatch, hooksPath+"/"+own.text("id"), object{"sessions": []string{"other", mySession}}).refused(http.StatusNotFound, "session_not_found", "")
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, ""}, {http.MethodPatch, ""}, {http.MethodDelete, ""}, {http.MethodGet, "/deliveries"}, {http.MethodGet, "/dead-letters"},
		{http.MethodPost, "/dead-letters/replay"}, {http.MethodPost, "/dead-letters/x/replay"}, {http.MethodPost, "/secret"},
		{http.MethodPost, "/resume"}, {http.MethodPost, "/test"}, {http.MethodPost, "/replay"},
	} {
		ask(c.method, hooksPath+"/"+admins+c.path, object{}).refused(http.StatusNotFound, "not_found", "")
	}
}
