package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/store/storetest"
)

// clock is a time that stands still until it is moved.
type clock struct {
	mu   sync.Mutex
	time time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time = c.time.Add(d)
}

type rig struct {
	*testing.T
	db    *dbutil.Database
	clock *clock
	keys  *idempotency.Keys
}

// each runs the test on every database.
func each(t *testing.T, test func(r *rig)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		now := &clock{time: time.Unix(1_800_000_000, 0)}
		test(&rig{t, db, now, idempotency.NewKeys(idempotency.Options{DB: db, Now: now.now})})
	})
}

func request(change ...func(*idempotency.Request)) idempotency.Request {
	r := idempotency.Request{Session: "s", Token: "t", Key: "k", Fingerprint: "f"}
	for _, apply := range change {
		apply(&r)
	}
	return r
}

// begin expects to be admitted.
func (r *rig) begin(req idempotency.Request) *idempotency.Attempt {
	r.Helper()
	attempt, answer, err := r.keys.Begin(r.Context(), req)
	if err != nil || attempt == nil || answer != nil {
		r.Fatalf("begin %+v: %v, %v, %v", req, attempt, answer, err)
	}
	return attempt
}

// refused expects the fault.
func (r *rig) refused(req idempotency.Request, code fault.Code) {
	r.Helper()
	attempt, answer, err := r.keys.Begin(r.Context(), req)
	if attempt != nil || answer != nil || !fault.Is(err, code) {
		r.Fatalf("begin %+v: %v, %v, %v; want %s", req, attempt, answer, err, code)
	}
}

// replayed expects the stored answer.
func (r *rig) replayed(req idempotency.Request, want idempotency.Answer) {
	r.Helper()
	attempt, answer, err := r.keys.Begin(r.Context(), req)
	if err != nil || attempt != nil || answer == nil {
		r.Fatalf("begin %+v: %v, %v, %v", req, attempt, answer, err)
	}
	if answer.Status != want.Status || !bytes.Equal(answer.Body, want.Body) || len(answer.Header) != len(want.Header) || answer.Header["A"] != want.Header["A"] {
		r.Errorf("the answer is %+v, want %+v", answer, want)
	}
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func TestAnswerIsKeptForADay(t *testing.T) {
	each(t, func(r *rig) {
		answer := idempotency.Answer{Status: 201, Header: map[string]string{"A": "b"}, Body: []byte("\x00body\xff")}
		r.ok(r.begin(request()).Done(r.Context(), answer))
		r.clock.advance(idempotency.Kept - time.Second)
		r.replayed(request(), answer)
		r.refused(request(func(q *idempotency.Request) { q.Fingerprint = "other" }), fault.Invalid)
		r.clock.advance(time.Second)
		r.ok(r.begin(request()).Done(r.Context(), idempotency.Answer{Status: 204}))
		r.replayed(request(), idempotency.Answer{Status: 204})
	})
}

// Others' keys are others.
func TestScope(t *testing.T) {
	each(t, func(r *rig) {
		r.begin(request())
		r.begin(request(func(q *idempotency.Request) { q.Token = "u" }))
		r.begin(request(func(q *idempotency.Request) { q.Session = "" }))
		r.begin(request(func(q *idempotency.Request) { q.Key = "K" }))
		r.refused(request(), fault.Conflict)
	})
}

func TestFreedKey(t *testing.T) {
	each(t, func(r *rig) {
		first := r.begin(request())
		r.refused(request(), fault.Conflict)
		r.ok(first.Free(r.Context()))
		r.begin(request(func(q *idempotency.Request) { q.Fingerprint = "other" }))
	})
}

// Of many at once, one runs.
func TestOneOfMany(t *testing.T) {
	each(t, func(r *rig) {
		admitted := make(chan *idempotency.Attempt, 16)
		var all sync.WaitGroup
		for range cap(admitted) {
			all.Go(func() {
				attempt, _, err := r.keys.Begin(r.Context(), request())
				if err != nil && !fault.Is(err, fault.Conflict) {
					r.Error(err)
				}
				admitted <- attempt
			})
		}
		all.Wait()
		close(admitted)
		count := 0
		for attempt := range admitted {
			if attempt != nil {
				count++
			}
		}
		if count != 1 {
			r.Errorf("%d requests run", count)
		}
	})
}

// An unknown outcome is taken up by one at a time, knows its notes, sends
// nothing before it is settled, and stays unknown since the first time.
func TestUnknownOutcome(t *testing.T) {
	each(t, func(r *rig) {
		ctx := r.Context()
		first := r.begin(request())
		if first.Resumed() || first.Unsettled() || first.Sent() {
			r.Error("a first attempt continues something")
		}
		r.ok(first.Note(ctx, "n", []string{"a"}))
		r.ok(first.Sending(ctx))
		r.ok(first.Unknown(ctx))
		r.clock.advance(20 * time.Second)

		second := r.begin(request())
		r.refused(request(), fault.Conflict)
		var note []string
		if found, err := second.Noted("n", &note); err != nil || !found || len(note) != 1 || note[0] != "a" {
			r.Errorf("the note is %v, %v, %v", note, found, err)
		}
		if !second.Resumed() || !second.Unsettled() || !second.Sent() || second.Doubt() != 10*time.Second {
			r.Errorf("resumed %t, unsettled %t, sent %t, doubt %v", second.Resumed(), second.Unsettled(), second.Sent(), second.Doubt())
		}
		if err := second.Sending(ctx); !fault.Is(err, fault.OutcomeUnknown) {
			r.Errorf("sent while unsettled: %v", err)
		}
		r.ok(second.Unknown(ctx))
		r.clock.advance(10 * time.Second)

		third := r.begin(request())
		if third.Doubt() > 0 {
			r.Errorf("the doubt began anew: %v", third.Doubt())
		}
		third.Settle()
		r.ok(third.Sending(ctx))
		r.ok(third.Unknown(ctx)) // now it is that of what was sent just now
		if fourth := r.begin(request()); fourth.Doubt() != 30*time.Second {
			r.Errorf("the doubt about what was just sent is %v", fourth.Doubt())
		}
	})
}

// What a crash has interrupted is unknown when it had been sent, and has not
// happened otherwise; it is never running for ever.
func TestRecover(t *testing.T) {
	each(t, func(r *rig) {
		ctx := r.Context()
		key := func(name string) idempotency.Request {
			return request(func(q *idempotency.Request) { q.Key = name })
		}
		r.begin(key("begun"))
		r.ok(r.begin(key("sent")).Sending(ctx))
		r.ok(r.begin(key("done")).Done(ctx, idempotency.Answer{Status: 200}))
		resumed := r.begin(key("again"))
		r.ok(resumed.Sending(ctx))
		r.ok(resumed.Unknown(ctx))
		r.begin(key("again"))

		after := &rig{r.T, r.db, r.clock, idempotency.NewKeys(idempotency.Options{DB: r.db, Now: r.clock.now})}
		r.ok(after.keys.Recover(ctx))
		if after.begin(key("begun")).Resumed() {
			r.Error("what was not sent is unknown")
		}
		for _, name := range []string{"sent", "again"} {
			if !after.begin(key(name)).Unsettled() {
				r.Errorf("%s is not unknown", name)
			}
		}
		after.replayed(key("done"), idempotency.Answer{Status: 200})
	})
}

// A session that was made anew under an old name inherits no answers.
func TestFormerSession(t *testing.T) {
	each(t, func(r *rig) {
		r.ok(r.begin(request()).Done(r.Context(), idempotency.Answer{Status: 200}))
		r.replayed(request(), idempotency.Answer{Status: 200})
		_, err := r.db.Exec(r.Context(), `INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ('s', 's', 'disconnected', $1, $1)`,
			r.clock.now().Add(time.Second).Unix())
		r.ok(err)
		r.begin(request())
	})
}

func TestClaim(t *testing.T) {
	each(t, func(r *rig) {
		for _, step := range []struct {
			thing, owner string
			mine         bool
		}{{"g1", "a", true}, {"g1", "b", false}, {"g1", "a", true}, {"g2", "b", true}, {"g3", "", true}, {"g3", "a", false}} {
			mine, err := idempotency.Claim(r.Context(), r.db, r.clock.now(), "s", step.thing, step.owner)
			if err != nil || mine != step.mine {
				r.Errorf("%+v: %t, %v", step, mine, err)
			}
		}
	})
}

// Old keys go away by themselves.
func TestPurge(t *testing.T) {
	each(t, func(r *rig) {
		r.ok(r.begin(request()).Done(r.Context(), idempotency.Answer{Status: 200}))
		r.clock.advance(idempotency.Kept)
		r.begin(request(func(q *idempotency.Request) { q.Key = "another" }))
		var rows int
		r.ok(r.db.QueryRow(r.Context(), "SELECT COUNT(*) FROM idempotency").Scan(&rows))
		if rows != 1 {
			r.Errorf("%d keys are left", rows)
		}
	})
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"a", "!~", "7f9c24e8-3b12-4fef-91e0-5d1f6a0c7b3e", strings.Repeat("x", 255)} {
		if err := idempotency.CheckKey(key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
	for _, key := range []string{"", " ", "a b", "a\tb", "ä", "a\x7f", "\x00", strings.Repeat("x", 256)} {
		var failure *fault.Error
		if err := idempotency.CheckKey(key); !errors.As(err, &failure) || failure.Code != fault.Invalid || failure.Field != idempotency.Header {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestSeal(t *testing.T) {
	t.Parallel()
	body := []byte(`{"token":"secret"}`)
	sealed, err := idempotency.Seal("bearer", "key", body)
	if err != nil || bytes.Contains(sealed, []byte("secret")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if opened, err := idempotency.Open("bearer", "key", sealed); err != nil || !bytes.Equal(opened, body) {
		t.Errorf("%q, %v", opened, err)
	}
	for _, other := range [][2]string{{"other", "key"}, {"bearer", "other"}} {
		if _, err := idempotency.Open(other[0], other[1], sealed); err == nil {
			t.Errorf("%v opens it", other)
		}
	}
}

// A request without a key needs no distinctions.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	attempt := idempotency.From(context.Background())
	attempt.Settle()
	attempt.Lose()
	if attempt.Resumed() || attempt.Unsettled() || attempt.Sent() || attempt.Lost() || attempt.Owner() != "" || attempt.Doubt() != 0 {
		t.Error("nothing is something")
	}
	if err := errors.Join(attempt.Sending(t.Context()), attempt.Note(t.Context(), "n", 1)); err != nil {
		t.Error(err)
	}
	if found, err := attempt.Noted("n", new(int)); found || err != nil {
		t.Errorf("%t, %v", found, err)
	}
}
