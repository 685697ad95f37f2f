package webhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"muster/internal/event"
	"muster/store"
	"muster/webhooks"
)

// An event arrives once it is committed, as the log shows it, at those who want
// it.
func TestDelivery(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		to := receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL + "/hook?x=1", Headers: map[string]string{"authorization": "Bearer x"}})
		no := errors.New("no")
		err := store.Txn(r.t.Context(), r.db, func(ctx context.Context) error {
			return errors.Join(r.log.Append(ctx, subject("a", "rolled back")), no)
		})
		if !errors.Is(err, no) {
			r.t.Fatal(err)
		}
		r.emit(subject("a", "first"))
		request := to.wait(r.t, 1)[0]
		var body event.Envelope
		var data event.Subject
		r.must(json.Unmarshal(request.body, &body))
		r.must(json.Unmarshal(body.Data, &data))
		if body.ID != request.id || body.Seq != 1 || body.Type != event.GroupSubject || body.SessionID != "a" || body.Group != group || data.Subject != "first" {
			r.t.Errorf("the body is %s, the id %s", request.body, request.id)
		}
		if request.path != "/hook?x=1" || request.header.Get("Content-Type") != "application/json" || request.header.Get("Authorization") != "Bearer x" {
			r.t.Errorf("the request is %s %v", request.path, request.header)
		}
		r.eventually("the attempt's record", 0, func() bool { return len(r.attempts(e.ID)) == 1 })
		a := r.attempts(e.ID)[0]
		if a.EventID != body.ID || a.Result != "delivered" || a.Status != 204 || a.Number != 1 || a.Kind != "delivery" || a.Error != "" {
			r.t.Errorf("the attempt is %+v", a)
		}
		if state := r.get(e.ID).State(); state != webhooks.StateActive {
			r.t.Errorf("the webhook is %s", state)
		}
	})
}

// Endpoints get what they have asked for and nothing else.
func TestMatching(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		const other = "120363099999999999@g.us"
		off := false
		receivers := map[string]*receiver{}
		for name, req := range map[string]webhooks.CreateRequest{
			"all":      {},
			"family":   {Events: []string{"message.*", "session.status"}},
			"exact":    {Events: []string{"group.subject"}},
			"session":  {Sessions: []string{"b"}},
			"group":    {Groups: []string{strings.TrimSuffix(other, "@g.us")}},
			"disabled": {Enabled: &off},
		} {
			to := receive(r.t)
			receivers[name], req.URL = to, to.URL
			r.create(req)
		}
		elsewhere := subject("a", "other")
		elsewhere.Group = other
		r.emit(
			subject("a", "a"), subject("b", "b"), elsewhere,
			event.Event{Type: event.SessionStatus, SessionID: "b", Data: event.Status{Status: "connected"}},
			event.Event{Type: event.MessageRevoked, SessionID: "a", Group: group, Data: event.Revoked{}},
		)
		all := receivers["all"].wait(r.t, 5)
		number := map[string]int{}
		for _, request := range all {
			var e event.Envelope
			r.must(json.Unmarshal(request.body, &e))
			number[request.id] = map[string]int{"a1": 1, "b1": 2, "a2": 3, "b2": 4, "a3": 5}[fmt.Sprint(e.SessionID, e.Seq)]
		}
		for name, want := range map[string]int{"family": 4 + 5, "exact": 1 + 2 + 3, "session": 2 + 4, "group": 3, "disabled": 0} {
			count := map[string]int{"family": 2, "exact": 3, "session": 2, "group": 1}[name]
			sum := 0
			for _, request := range receivers[name].wait(r.t, count) {
				sum += number[request.id]
			}
			if got := len(receivers[name].requests()); sum != want || got != count {
				r.t.Errorf("%s: %d requests whose numbers add up to %d, want %d and %d", name, got, sum, count, want)
			}
		}
	})
}

// What fails is tried again later, with the same id and body, and every attempt
// can be seen.
func TestRetry(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{FirstRetry: time.Millisecond}, func(r *rig) {
		to := receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		to.status(http.StatusBadGateway, "not \x00 now\xff, "+strings.Repeat("x", 5000))
		r.emit(subject("a", "text"))
		first := to.wait(r.t, 1)[0]
		r.eventually("the failure", 0, func() bool { return r.get(e.ID).State() == webhooks.StateFailing })
		failing := r.get(e.ID)
		if failing.Failures != 1 || failing.LastStatus != 502 || failing.LastError != "answered 502" || failing.FailingSince.IsZero() {
			r.t.Errorf("the webhook is %+v", failing)
		}
		r.eventually("the delivery to wait again", 0, func() bool { return r.get(e.ID).Pending == 1 })
		to.status(http.StatusOK, "thanks")
		again := to.wait(r.t, 2)[1]
		if again.id != first.id || string(again.body) != string(first.body) {
			r.t.Errorf("the second time it is %s: %s", again.id, again.body)
		}
		r.eventually("the success", 0, func() bool { return r.get(e.ID).State() == webhooks.StateActive })
		attempts := r.attempts(e.ID)
		if len(attempts) != 2 {
			r.t.Fatalf("%d attempts", len(attempts))
		}
		if a := attempts[0]; a.Number != 1 || a.Result != "failed" || a.Status != 502 || len(a.Answer) > 1100 || !strings.HasPrefix(a.Answer, "not \uFFFD now\uFFFD, xx") {
			r.t.Errorf("the first attempt is %+v", a)
		}
		if a := attempts[1]; a.Number != 2 || a.Result != "delivered" || a.Answer != "thanks" {
			r.t.Errorf("the second attempt is %+v", a)
		}
		page, err := r.hooks.Attempts(r.t.Context(), webhooks.AttemptQuery{WebhookID: e.ID, Result: "failed", EventID: first.id, Limit: 1})
		if err != nil || len(page.Attempts) != 1 || page.Next != "" || page.Attempts[0].Number != 1 {
			r.t.Errorf("those that failed are %+v, %v", page, err)
		}
		page, err = r.hooks.Attempts(r.t.Context(), webhooks.AttemptQuery{WebhookID: e.ID, Limit: 1})
		if err != nil || len(page.Attempts) != 1 || page.Next != attempts[1].ID {
			r.t.Errorf("the first page is %+v, %v", page, err)
		}
	})
}

// A redirect, a hanging and a missing endpoint are failures that say what they
// are.
func TestFailures(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{Timeout: 50 * time.Millisecond, FirstRetry: time.Hour}, func(r *rig) {
		closed := receive(r.t)
		closed.Close()
		elsewhere := receive(r.t)
		redirecting := receive(r.t)
		redirecting.answers(func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, elsewhere.URL, http.StatusTemporaryRedirect)
		})
		hanging := receive(r.t)
		release := make(chan struct{})
		defer close(release)
		hanging.answers(func(http.ResponseWriter, *http.Request) { <-release })
		wants := map[string]string{closed.URL: "refused", redirecting.URL: "a redirect, which is not followed", hanging.URL: "no answer in time"}
		for url := range wants {
			r.create(webhooks.CreateRequest{URL: url})
		}
		r.emit(subject("a", "text"))
		list, err := r.hooks.List(r.t.Context(), webhooks.ListRequest{})
		r.must(err)
		for _, e := range list.Endpoints {
			r.eventually("an attempt at "+e.URL, 0, func() bool { return r.get(e.ID).Failures == 1 })
			if text := r.get(e.ID).LastError; !strings.Contains(text, wants[e.URL]) || strings.Contains(text, e.URL) {
				r.t.Errorf("%s: %q, want %q", e.URL, text, wants[e.URL])
			}
		}
		if len(elsewhere.requests()) > 0 {
			r.t.Error("the redirect was followed")
		}
	})
}

// An endpoint that hangs holds up nobody else, and gets no more requests at
// once than it may.
func TestEndpointsAreApart(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{Concurrency: 3, Timeout: patience}, func(r *rig) {
		var now, most atomic.Int32
		release := make(chan struct{})
		hanging, quick := receive(r.t), receive(r.t)
		hanging.answers(func(http.ResponseWriter, *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			<-release
		})
		stuck := r.create(webhooks.CreateRequest{URL: hanging.URL})
		r.create(webhooks.CreateRequest{URL: quick.URL})
		r.subjects("x", 20)
		quick.wait(r.t, 20)
		hanging.wait(r.t, 3)
		r.eventually("the others to wait", 0, func() bool { return r.get(stuck.ID).Pending == 17 })
		close(release)
		hanging.wait(r.t, 20)
		if most.Load() != 3 {
			r.t.Errorf("%d requests at once, want 3", most.Load())
		}
	})
}

// What is queued when the server ends is delivered by the next one.
func TestRestart(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		to := receive(r.t)
		r.create(webhooks.CreateRequest{URL: to.URL, Secret: secretA})
		r.stop()
		r.subjects("while it is down", 5) // nobody works on the queue
		if n := len(to.requests()); n != 0 {
			r.t.Fatalf("%d requests", n)
		}
		r.start()
		to.wait(r.t, 5)
		r.subjects("after", 1)
		to.wait(r.t, 6)
	})
}

// A webhook that is deleted gets nothing more, and what it leaves its successor
// in the lane does not get.
func TestDelete(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{FirstRetry: time.Hour}, func(r *rig) {
		old, next := receive(r.t), receive(r.t)
		old.status(500, "")
		e := r.create(webhooks.CreateRequest{URL: old.URL})
		r.subjects("old", 3)
		r.eventually("the failures", 0, func() bool { return r.get(e.ID).Pending == 3 && r.get(e.ID).Failures == 3 })
		r.must(r.hooks.Delete(r.t.Context(), e.ID))
		if _, err := r.hooks.Get(r.t.Context(), e.ID); err == nil {
			r.t.Error("it is still there")
		}
		if err := r.hooks.Delete(r.t.Context(), e.ID); err == nil {
			r.t.Error("it was deleted twice")
		}
		successor := r.create(webhooks.CreateRequest{URL: next.URL})
		if pending := r.get(successor.ID).Pending; pending != 0 {
			r.t.Errorf("the next one has %d deliveries", pending)
		}
		r.subjects("new", 2)
		next.wait(r.t, 2)
		if n := len(old.requests()); n != 3 {
			r.t.Errorf("the old one got %d requests", n)
		}
	})
}
