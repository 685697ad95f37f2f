package v1_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"muster/sandbox"
)

// A session's life is told, each change of its state and each code once, and
// its end as such.
func TestSessionEvents(t *testing.T) {
	r := newRig(t)
	list := r.events("?type=session.*&session=" + mySession).Events
	var got []string
	for i, e := range list {
		if e.Seq != int64(i)+1 || e.SessionID != mySession || e.Timestamp == 0 || e.Offline {
			t.Errorf("event %d: %s", i, e.raw)
		}
		got = append(got, strings.TrimSpace(fmt.Sprint(e.Type, " ", e.Data["status"])))
	}
	want := []string{
		"session.status disconnected", "session.status connecting", "session.status waiting_for_qr", "session.qr waiting_for_qr",
		"session.status connecting", "session.status connected",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("linking is told as\n%s", strings.Join(got, "\n"))
	}
	if qr := list[3].Data; qr["qr"] == "" || qr["attempt"] != 1.0 || qr["expires_at"].(float64) < float64(list[3].Timestamp) {
		t.Errorf("the code: %s", list[3].raw)
	}
	phone, err := r.wa.Phone(myNumber)
	if err != nil {
		t.Fatal(err)
	}
	if last := list[5].Data; last["jid"] != phone.JID || last["phone_number"] != myNumber || last["lid"] != phone.LID || last["previous_status"] != "connecting" {
		t.Errorf("connected: %s", list[5].raw)
	}
	after := r.events("?after=latest").Next
	off := r.call(http.MethodPost, sessions+"/"+mySession+"/disconnect", nil).status(http.StatusOK)
	out := r.call(http.MethodPost, sessions+"/"+mySession+"/logout?force=true", nil).status(http.StatusOK)
	list = r.events("?after=" + after).Events
	if !slices.Equal(typesOf(list), []string{"session.status", "session.status", "session.logged_out"}) {
		t.Fatalf("logging out is told as %v", typesOf(list))
	}
	if list[0].RequestID != off.header.Get("X-Request-Id") || list[2].RequestID != out.header.Get("X-Request-Id") {
		t.Errorf("the requests are %s and %s", list[0].raw, list[2].raw)
	}
	if end := list[2].Data; end["reason"] != "logged_out_here" || end["phone_number"] != myNumber || end["jid"] != phone.JID {
		t.Errorf("logged out: %s", list[2].raw)
	}
	if state := list[1].Data; state["status"] != "logged_out" || state["previous_status"] != "disconnected" {
		t.Errorf("logged out: %s", list[1].raw)
	}
}

// What the API changes is one event with the request's id, and the log is read
// in pages, by session, type and group, from any event on.
func TestEventLog(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	start := r.events("?after=latest").Next
	jid, other := r.create("One", ann), r.create("Two")
	made := r.group(http.MethodPut, jid, "/subject", object{"subject": "First"}).status(http.StatusOK)
	if err := r.wa.SetSubject(ann, r.jid(jid), "Second"); err != nil {
		t.Fatal(err)
	}
	var all []entry
	r.eventuallyEvent("the phone's change", "?type=group.subject&after="+start, func(list []entry) bool { return len(list) == 2 })
	all = r.events("?after=" + start).Events
	if got := strings.Join(typesOf(all), " "); got != "group.created group.created group.subject group.subject" {
		t.Fatalf("the log has %s", got)
	}
	ours, hers := all[2], all[3]
	if ours.RequestID != made.header.Get("X-Request-Id") || ours.Data["source"] != "api" || ours.Group != jid || ours.Data["previous_subject"] != "One" {
		t.Errorf("ours: %s", ours.raw)
	}
	if hers.RequestID != "" || hers.Data["source"] != "whatsapp" || hers.Data["subject"] != "Second" ||
		hers.Data["actor"].(object)["phone_number"] != ann {
		t.Errorf("hers: %s", hers.raw)
	}
	for query, want := range map[string]int{
		"?after=" + start:                                            4,
		"?after=" + all[0].ID:                                        3,
		"?after=" + all[3].ID:                                        0,
		"?after=latest":                                              0,
		"?after=" + start + "&group=" + jid:                          3,
		"?after=" + start + "&group=" + other:                        1,
		"?after=" + start + "&type=group.subject":                    2,
		"?after=" + start + "&type=group.created,session.*":          2,
		"?after=" + start + "&type=group.created&type=group.subject": 4,
		"?after=" + start + "&type=message.*":                        0,
		"?session=" + mySession + "&after=" + fmt.Sprint(ours.Seq):   1,
	} {
		if page := r.events(query); len(page.Events) != want || page.More || page.Gap {
			t.Errorf("%s has %d events, want %d", query, len(page.Events), want)
		}
	}
	var paged []entry
	for next, more := start, true; more; {
		page := r.events("?limit=1&after=" + next)
		paged = append(paged, page.Events...)
		next, more = page.Next, page.More
	}
	if !slices.EqualFunc(paged, all, func(a, b entry) bool { return string(a.raw) == string(b.raw) }) {
		t.Errorf("page by page there are %v", typesOf(paged))
	}
	for query, field := range map[string]string{
		"?after=x": "after", "?after=12": "after", "?after=evt_zzzzzzzzzz": "after", "?type=group": "type", "?type=group.subject,x": "type",
		"?group=me": "group", "?limit=0": "limit", "?limit=1001": "limit",
	} {
		r.call(http.MethodGet, eventsPath+query, nil).refused(http.StatusUnprocessableEntity, "invalid", field)
	}
	r.call(http.MethodGet, eventsPath+"?session=nobody", nil).refused(http.StatusNotFound, "session_not_found", "")
	r.call(http.MethodGet, eventsPath+"/stream?after=x", nil).refused(http.StatusUnprocessableEntity, "invalid", "after")
	r.call(http.MethodGet, eventsPath+"/ws", nil).refused(http.StatusBadRequest, "malformed", "")
}

// eventuallyEvent waits until what the query shows is right.
func (r *rig) eventuallyEvent(what, query string, right func([]entry) bool) {
	r.t.Helper()
	if !r.soon(func() bool { return right(r.events(query).Events) }) {
		r.t.Fatalf("waited in vain for %s: %v", what, typesOf(r.events(query).Events))
	}
}

// A bound token reads and follows the events of its sessions only, and learns
// nothing of others.
func TestBoundTokenEvents(t *testing.T) {
	r := newRig(t)
	r.call(http.MethodPost, sessions, object{"id": "other"}).status(http.StatusCreated)
	bound := r.call(http.MethodPost, "/api/v1/tokens", object{"name": "bot", "sessions": []string{"other"}}).status(http.StatusCreated).text("token")
	ask := func(path string) answer {
		request := r.request(t.Context(), http.MethodGet, path, nil)
		request.Header.Set("Authorization", "Bearer "+bound)
		return r.do(request)
	}
	var page eventsPage
	if err := json.Unmarshal(ask(eventsPath).status(http.StatusOK).raw, &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Events) != 1 || page.Events[0].SessionID != "other" || page.Events[0].Data["reason"] != "created" {
		t.Errorf("it sees %+v", page.Events)
	}
	for _, path := range []string{"", "/stream", "/ws"} {
		ask(eventsPath+path+"?session="+mySession).refused(http.StatusNotFound, "session_not_found", "")
	}
	s := r.stream("", "", bound)
	r.call(http.MethodPost, sessions+"/"+mySession+"/reconnect", nil).status(http.StatusOK)
	r.awaitStatus(mySession, "connected")
	r.call(http.MethodGet, sessions+"/other/qr", nil).status(http.StatusOK)
	if first := s.next(); first.event != "session.status" || !strings.Contains(first.data, `"session_id":"other"`) {
		t.Errorf("it is told %+v", first)
	}
}

// A reader that goes away again and again, and resumes with the last id it had,
// misses nothing and sees nothing twice. The WebSocket has the same to tell.
func TestStreamsResume(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	jid := r.byPhone(ann, sandbox.GroupOptions{Name: "Hers", Participants: []string{myNumber}})
	r.follows(jid)
	const changes = 60
	start := r.events("?after=latest").Next
	changed := make(chan error, 1)
	go func() {
		for i := range changes {
			if err := r.wa.SetSubject(ann, r.jid(jid), fmt.Sprintf("Subject %d", i)); err != nil {
				changed <- err
				return
			}
		}
		changed <- nil
	}()
	var seen []string
	last := ""
	for query := "?after=" + start; len(seen) < changes; query = "?after=latest" { // which the header overrules
		s := r.stream(query+"&type=group.subject", last, adminToken)
		for range min(1+rand.IntN(10), changes-len(seen)) {
			b := s.next()
			if b.id == "" || b.event != "group.subject" {
				t.Fatalf("after %d events comes %+v", len(seen), b)
			}
			last, seen = b.id, append(seen, b.data)
		}
		s.close()
	}
	if err := <-changed; err != nil {
		t.Fatal(err)
	}
	log := r.events("?limit=1000&type=group.subject&after=" + start).Events
	for i, e := range log {
		if i >= len(seen) || seen[i] != string(e.raw) {
			t.Fatalf("event %d of %d was not streamed as it is read: %s", i, len(log), e.raw)
		}
		if want := fmt.Sprintf("Subject %d", i); e.Data["subject"] != want {
			t.Errorf("event %d is %s, want %s", i, e.raw, want)
		}
	}
	if len(log) != changes {
		t.Errorf("%d events, want %d", len(log), changes)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn := r.socket(ctx, "?type=group.subject&after="+start)
	defer func() { _ = conn.CloseNow() }()
	for i := range seen {
		kind, message, err := conn.Read(ctx)
		if err != nil || kind != websocket.MessageText || strings.TrimSpace(string(message)) != seen[i] {
			t.Fatalf("message %d is %s, %v", i, message, err)
		}
	}
	if err := r.wa.SetSubject(ann, r.jid(jid), "Live"); err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.Read(ctx); err != nil || !strings.Contains(string(message), `"subject":"Live"`) {
		t.Errorf("live comes %s, %v", message, err)
	}
}

// A shutdown ends the streams at once, and says so.
func TestStreamsEndWithTheServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ended := make(chan error, 1)
	t.Run("server", func(t *testing.T) {
		r := newRig(t)
		conn := r.socket(ctx, "")
		go func() {
			_, _, err := conn.Read(ctx)
			for err == nil { // the sessions' goodbyes
				_, _, err = conn.Read(ctx)
			}
			ended <- err
		}()
	})
	var closed websocket.CloseError
	if err := <-ended; !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
		t.Errorf("the WebSocket ended with %v", err)
	}
}
