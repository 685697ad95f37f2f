package webhooks_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/internal/fault"
	"muster/webhooks"
)

// received is how often each id came.
func received(requests []got) map[string]int {
	counts := map[string]int{}
	for _, request := range requests {
		counts[request.id]++
	}
	return counts
}

// takeAll has the receiver answer with success and remember what it took.
func takeAll(to *receiver) *receiver {
	taken := &receiver{more: make(chan struct{})}
	to.answers(func(w http.ResponseWriter, request *http.Request) {
		taken.note(got{id: request.Header.Get("webhook-id")})
		w.WriteHeader(http.StatusOK)
	})
	return taken
}

// An endpoint that keeps failing is paused: what comes waits, one delivery is
// tried now and then, and once one is taken everything else follows.
func TestPauseAndProbe(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 3, FirstProbe: time.Minute}, func(r *rig) {
		to := receive(r.t)
		to.status(http.StatusInternalServerError, "broken")
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		r.subjects("x", 5)
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StatePaused })
		paused := r.get(e.ID)
		if until := paused.ProbeAt.Sub(r.clock.Now()); until < 40*time.Second || until > 80*time.Second || paused.PausedAt.IsZero() {
			r.t.Errorf("it is tried again after %v: %+v", until, paused)
		}
		r.eventually("those in work to come back", 0, func() bool { return r.get(e.ID).Pending == 5 })
		tried := len(to.requests())
		r.subjects("y", 20)
		if pending := r.get(e.ID).Pending; pending != 25 {
			r.t.Errorf("%d deliveries wait, want 25", pending)
		}
		r.clock.advance(80 * time.Second)
		r.eventually("the first probe", time.Second, func() bool { return r.get(e.ID).ProbeAt.After(r.clock.Now()) })
		if n := len(to.requests()); n != tried+1 {
			r.t.Errorf("%d requests while it is paused, want one", n-tried)
		}
		if until := r.get(e.ID).ProbeAt.Sub(r.clock.Now()); until < 60*time.Second || until > 160*time.Second {
			r.t.Errorf("the next time it is tried after %v", until)
		}
		taken := takeAll(to)
		r.eventually("the second probe", time.Second, func() bool { return len(taken.requests()) > 0 })
		for id, count := range received(taken.wait(r.t, 25)) {
			if count != 1 {
				r.t.Errorf("%s came %d times", id, count)
			}
		}
		r.eventually("the end of it", 0, func() bool { return r.get(e.ID).State() == webhooks.StateActive && r.get(e.ID).Pending == 0 })
		if n := len(taken.requests()); n != 25 {
			r.t.Errorf("%d were taken, want 25", n)
		}
		r.eventually("the last record", 0, func() bool { return len(r.attempts(e.ID)) == tried+26 })
		kinds := map[string]int{}
		for _, a := range r.attempts(e.ID) {
			kinds[a.Kind+" "+a.Result]++
		}
		if kinds["probe failed"] != 1 || kinds["probe delivered"] != 1 || kinds["delivery delivered"] != 24 || kinds["delivery failed"] != tried {
			r.t.Errorf("the attempts are %v", kinds)
		}
	})
}

// A person can end a pause, and so does a new URL.
func TestResumeByHand(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 1, FirstProbe: time.Hour, LongestProbe: time.Hour}, func(r *rig) {
		to, next := receive(r.t), receive(r.t)
		to.status(http.StatusInternalServerError, "")
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		paused := func() bool { return r.get(e.ID).State() == webhooks.StatePaused }
		r.subjects("x", 1)
		r.eventually("the pause", 0, paused)
		r.eventually("the delivery to come back", 0, func() bool { return r.get(e.ID).Pending == 1 })
		resumed, err := r.hooks.Resume(r.t.Context(), e.ID)
		if err != nil || resumed.State() != webhooks.StateActive {
			r.t.Fatalf("resumed: %+v, %v", resumed, err)
		}
		to.wait(r.t, 2)
		r.eventually("the next pause", 0, paused)
		r.eventually("the delivery to come back", 0, func() bool { return r.get(e.ID).Pending == 1 })
		r.stop() // a restart changes nothing
		r.start()
		if !paused() {
			r.t.Error("a restart ends the pause")
		}
		if _, err = r.hooks.Update(r.t.Context(), webhooks.UpdateRequest{ID: e.ID, URL: &next.URL}); err != nil {
			r.t.Fatal(err)
		}
		next.wait(r.t, 1)
	})
}

// A receiver that is down for an hour gets everything.
func TestDownForAnHour(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		to := receive(r.t)
		to.status(http.StatusServiceUnavailable, "down")
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		const first, events = 10, 130
		r.subjects("first", first)
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StatePaused })
		for i := range events - first {
			r.subjects(fmt.Sprint(i, "-"), 1)
			for range 5 { // half a minute for each event
				r.clock.advance(6 * time.Second)
			}
			if i%10 == 0 {
				r.eventually("the probes to catch up", time.Second, func() bool {
					probe := r.get(e.ID).ProbeAt
					return probe.IsZero() || probe.After(r.clock.Now())
				})
			}
		}
		state := r.get(e.ID)
		if state.State() != webhooks.StatePaused || state.Pending != events || r.clock.Now().Sub(state.PausedAt) < time.Hour {
			r.t.Errorf("after an hour: %s, %d wait, paused since %v", state.State(), state.Pending, state.PausedAt)
		}
		if n := len(to.requests()); n > 60 {
			r.t.Errorf("it was tried %d times", n)
		}
		taken := takeAll(to)
		r.eventually("everything to arrive", time.Second, func() bool { return len(taken.requests()) >= events })
		if got := len(received(taken.requests())); got != events {
			r.t.Errorf("%d different events came, want %d", got, events)
		}
		if n := len(taken.requests()); n != events {
			r.t.Errorf("%d requests for %d events", n, events)
		}
		r.eventually("the end of it", 0, func() bool { return r.get(e.ID).Pending == 0 && r.get(e.ID).State() == webhooks.StateActive })
	})
}

// An endpoint can say how long to leave it alone.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 1}, func(r *rig) {
		to := receive(r.t)
		to.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusTooManyRequests)
		})
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		r.subjects("x", 1)
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StatePaused })
		if until := r.get(e.ID).ProbeAt.Sub(r.clock.Now()); until != 30*time.Minute {
			r.t.Errorf("it is tried after %v, want half an hour", until)
		}
	})
}

// 410 turns an endpoint off, and nothing is queued for it until it is turned on.
func TestGone(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{Concurrency: 1}, func(r *rig) {
		to := receive(r.t)
		to.status(http.StatusGone, "bye")
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		r.subjects("x", 1)
		r.eventually("it to be off", 0, func() bool { return r.get(e.ID).State() == webhooks.StateOff })
		off := r.get(e.ID)
		if off.DisabledReason != webhooks.ReasonGone || off.LastStatus != 410 || off.DeadLetters != 1 {
			r.t.Errorf("it is %+v", off)
		}
		letters := r.dead(e.ID)
		if len(letters) != 1 || letters[0].Reason != "gone" || letters[0].Status != 410 || letters[0].Attempts != 1 {
			r.t.Errorf("the dead letters are %+v", letters)
		}
		r.subjects("y", 3)
		if _, err := r.hooks.Resume(r.t.Context(), e.ID); !fault.Is(err, fault.Conflict) {
			r.t.Errorf("resumed: %v", err)
		}
		taken := takeAll(to)
		on := true
		if _, err := r.hooks.Update(r.t.Context(), webhooks.UpdateRequest{ID: e.ID, Enabled: &on}); err != nil {
			r.t.Fatal(err)
		}
		r.must(r.hooks.ReplayDead(r.t.Context(), e.ID, letters[0].ID))
		taken.wait(r.t, 1)
		// What happened while it was off comes from the log.
		if _, err := r.hooks.Replay(r.t.Context(), webhooks.ReplayRequest{WebhookID: e.ID, After: letters[0].EventID}); err != nil {
			r.t.Fatal(err)
		}
		r.eventually("all four events", 0, func() bool { return len(received(taken.requests())) == 4 })
		if n := r.figures()["muster_webhook_dead_letters_total gone"]; n != 1 {
			r.t.Errorf("%v dead letters were counted", n)
		}
	})
}

// What has failed for too long is given up, can be seen, and can be replayed.
func TestExpiry(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 2, RetryFor: 3 * time.Hour}, func(r *rig) {
		to := receive(r.t)
		to.status(http.StatusNotFound, "nobody")
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		const events = 30
		r.subjects("x", events)
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StatePaused })
		r.eventually("the dead letters", time.Minute, func() bool { return r.get(e.ID).DeadLetters == events })
		if r.get(e.ID).Pending != 0 || r.clock.Now().Sub(r.get(e.ID).PausedAt) < 2*time.Hour {
			r.t.Errorf("it is %+v", r.get(e.ID))
		}
		letters := r.dead(e.ID)
		if l := letters[0]; l.Reason != "expired" || l.Status != 404 || l.Error != "answered 404" || l.SessionID != "a" || l.FailedAt.IsZero() {
			r.t.Errorf("the first dead letter is %+v", l)
		}
		page, err := r.hooks.DeadLetters(r.t.Context(), webhooks.DeadQuery{WebhookID: e.ID, Limit: 10, After: letters[4].ID})
		if err != nil || len(page.Letters) != 10 || page.Letters[0].ID != letters[5].ID || page.Next != letters[14].ID {
			r.t.Errorf("a page of them: %d, %q, %v", len(page.Letters), page.Next, err)
		}
		taken := takeAll(to)
		r.must(r.hooks.ReplayDead(r.t.Context(), e.ID, letters[3].ID))
		if err = r.hooks.ReplayDead(r.t.Context(), e.ID, letters[3].ID); !fault.Is(err, fault.NotFound) {
			r.t.Errorf("replayed again: %v", err)
		}
		r.eventually("the replay", time.Minute, func() bool { return len(taken.requests()) == 1 })
		if id := taken.requests()[0].id; id != letters[3].EventID {
			r.t.Errorf("%s was replayed, want %s", id, letters[3].EventID)
		}
		count, err := r.hooks.ReplayAllDead(r.t.Context(), e.ID)
		if err != nil || count != events-1 {
			r.t.Fatalf("%d dead letters are replayed, %v", count, err)
		}
		for id, n := range received(taken.wait(r.t, events)) {
			if n != 1 {
				r.t.Errorf("%s came %d times", id, n)
			}
		}
		r.eventually("no dead letters", 0, func() bool { return r.get(e.ID).DeadLetters == 0 })
	})
}

// The log is replayed from any event on, in steps, and only what the endpoint
// wants.
func TestReplay(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{}, func(r *rig) {
		const events = 450 // three steps
		for i := range events {
			r.emit(subject("a", fmt.Sprint("a", i)), subject("b", fmt.Sprint("b", i)))
		}
		to := receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL, Sessions: []string{"a"}})
		if _, err := r.hooks.Replay(r.t.Context(), webhooks.ReplayRequest{WebhookID: e.ID}); err != nil {
			r.t.Fatal(err)
		}
		requests := to.wait(r.t, events)
		r.eventually("the end of the replay", 0, func() bool { return r.get(e.ID).Pending == 0 })
		if n := len(received(to.requests())); n != events || len(to.requests()) != events {
			r.t.Errorf("%d requests with %d events, want %d", len(to.requests()), n, events)
		}
		ids := make([]string, 0, len(requests))
		for id := range received(requests) {
			ids = append(ids, id)
		}
		least, most := ids[0], ids[0]
		for _, id := range ids {
			least, most = min(least, id), max(most, id)
		}
		answer, err := r.hooks.Replay(r.t.Context(), webhooks.ReplayRequest{WebhookID: e.ID, After: least, Until: most})
		if err != nil || answer.After != least[:len(answer.After)] || answer.Until != most[:len(answer.Until)] {
			r.t.Fatalf("replayed %+v, %v", answer, err)
		}
		to.wait(r.t, 2*events-1)
		for field, req := range map[string]webhooks.ReplayRequest{
			"after": {WebhookID: e.ID, After: "x"}, "until": {WebhookID: e.ID, Until: "evt_1"}, "": {WebhookID: "wh_none"},
		} {
			var failure *fault.Error
			if _, err := r.hooks.Replay(r.t.Context(), req); !errors.As(err, &failure) || failure.Field != field {
				r.t.Errorf("%+v: %v", req, err)
			}
		}
	})
}

// An endpoint that hears of fewer sessions than before is not sent what had
// waited for it of the others.
func TestFewerSessions(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 1, FirstProbe: time.Hour, LongestProbe: time.Hour}, func(r *rig) {
		to := receive(r.t)
		to.status(http.StatusInternalServerError, "")
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		r.emit(subject("b", "theirs"))
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StatePaused })
		r.eventually("the delivery to come back", 0, func() bool { return r.get(e.ID).Pending == 1 })
		tried := len(to.requests())
		r.emit(subject("b", "theirs too"), subject("a", "ours"))
		if _, err := r.hooks.Update(r.t.Context(), webhooks.UpdateRequest{ID: e.ID, Sessions: &[]string{"a"}}); err != nil {
			r.t.Fatal(err)
		}
		to.status(http.StatusOK, "")
		r.clock.advance(2 * time.Hour) // a probe takes what has waited for longest
		r.eventually("the end of the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StateActive && r.get(e.ID).Pending == 0 })
		got := to.requests()[tried:]
		if len(got) != 1 || !strings.Contains(string(got[0].body), "ours") {
			r.t.Errorf("%d requests: %s", len(got), got)
		}
		page, err := r.hooks.Attempts(r.t.Context(), webhooks.AttemptQuery{WebhookID: e.ID, Sessions: []string{"a"}})
		if err != nil || len(page.Attempts) != 1 || page.Attempts[0].SessionID != "a" {
			r.t.Errorf("the attempts about a: %+v, %v", page.Attempts, err)
		}
	})
}

// What a deleted endpoint leaves behind is not sent to the one that has its
// lane after it.
func TestLaneOfADeletedEndpoint(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{PauseAfter: 1, FirstProbe: time.Hour, LongestProbe: time.Hour}, func(r *rig) {
		first, second := receive(r.t), receive(r.t)
		begun, release := make(chan struct{}), make(chan struct{})
		first.answers(func(w http.ResponseWriter, _ *http.Request) {
			close(begun)
			<-release
			w.WriteHeader(http.StatusInternalServerError)
		})
		second.status(http.StatusInternalServerError, "")
		old := r.create(webhooks.CreateRequest{URL: first.URL, Sessions: []string{"a"}})
		r.emit(subject("a", "theirs"))
		<-begun
		r.must(r.hooks.Delete(r.t.Context(), old.ID))
		e := r.create(webhooks.CreateRequest{URL: second.URL, Sessions: []string{"b"}})
		r.emit(subject("b", "ours"))
		r.eventually("the pause", 0, func() bool { return r.get(e.ID).State() == webhooks.StatePaused })
		close(release) // the old one's delivery goes back into the lane, or is forgotten
		r.eventually("the delivery to come back", 0, func() bool { return r.get(e.ID).Pending > 0 })
		second.status(http.StatusOK, "")
		r.eventually("the end of the pause", time.Minute, func() bool { return r.get(e.ID).State() == webhooks.StateActive && r.get(e.ID).Pending == 0 })
		for _, request := range second.requests() {
			if strings.Contains(string(request.body), "theirs") {
				r.t.Errorf("it was sent %s", request.body)
			}
		}
	})
}

// Of the attempts only the last ones are kept.
func TestKeptAttempts(t *testing.T) {
	t.Parallel()
	everywhere(t, webhooks.Options{KeepAttempts: 3, PruneEvery: time.Minute}, func(r *rig) {
		to := receive(r.t)
		e := r.create(webhooks.CreateRequest{URL: to.URL})
		r.subjects("x", 8)
		r.eventually("all attempts", 0, func() bool { return len(r.attempts(e.ID)) == 8 })
		last := r.attempts(e.ID)[5:]
		r.eventually("those that are kept", time.Minute, func() bool { return len(r.attempts(e.ID)) == 3 })
		if kept := r.attempts(e.ID); kept[0].ID != last[0].ID || kept[2].ID != last[2].ID {
			r.t.Errorf("kept are %+v", kept)
		}
	})
}
