package webhooks_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/event"
	"muster/internal/queue"
	"muster/store"
	"muster/store/storetest"
	"muster/webhooks"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

// clock is a clock that the test turns.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	alarms map[chan time.Time]time.Time
}

func newClock() *clock {
	return &clock{now: time.Unix(1_800_000_000, 0), alarms: map[chan time.Time]time.Time{}}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	alarm := make(chan time.Time, 1)
	c.alarms[alarm] = c.now.Add(d)
	return alarm
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for alarm, at := range c.alarms {
		if !at.After(c.now) {
			alarm <- c.now
			delete(c.alarms, alarm)
		}
	}
}

// rig is the webhooks with a queue and a log of events.
type rig struct {
	t       *testing.T
	db      *dbutil.Database
	options webhooks.Options
	clock   *clock
	metrics *prometheus.Registry

	queue *queue.Queue
	log   *event.Log
	hooks *webhooks.Service
	ended bool
}

// everywhere runs the test on every database, with sessions a and b.
func everywhere(t *testing.T, options webhooks.Options, test func(r *rig)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		for _, id := range []string{"a", "b"} {
			if _, err := db.Exec(t.Context(), "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ($1, $1, 'connected', 1, 1)", id); err != nil {
				t.Fatal(err)
			}
		}
		r := &rig{t: t, db: db, options: options, clock: newClock()}
		r.options.AllowPrivate = true // receivers of tests are on this machine
		r.start()
		t.Cleanup(func() { r.stop() })
		test(r)
	})
}

// start begins as the program does.
func (r *rig) start() {
	r.t.Helper()
	log := zerolog.New(zerolog.NewTestWriter(r.t)).Level(zerolog.ErrorLevel)
	var err error
	if r.queue, err = queue.Open(r.t.Context(), r.db, log); err != nil {
		r.t.Fatal(err)
	}
	r.metrics = prometheus.NewRegistry()
	r.log = event.NewLog(event.Options{DB: r.db, Log: log, Now: r.clock.Now})
	o := r.options
	o.DB, o.Queue, o.Events, o.Log, o.Clock, o.Metrics = r.db, r.queue, r.log, log, r.clock, r.metrics
	if r.hooks, err = webhooks.New(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
	r.log.AddSink(r.hooks.Sink)
	r.hooks.Start(r.t.Context())
	if err = r.queue.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.ended = false
}

func (r *rig) stop() {
	r.t.Helper()
	if r.ended {
		return
	}
	r.ended = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.must(r.queue.Stop(ctx))
	r.must(r.hooks.Close(ctx))
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// eventually waits until the condition holds, while the clock runs by step with
// every look.
func (r *rig) eventually(what string, step time.Duration, holds func() bool) {
	r.t.Helper()
	limit, again := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
			r.clock.advance(step)
		case <-limit:
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// create makes a webhook for the URL.
func (r *rig) create(req webhooks.CreateRequest) webhooks.Endpoint {
	r.t.Helper()
	e, _, err := r.hooks.Create(r.t.Context(), req)
	r.must(err)
	return e
}

func (r *rig) get(id string) webhooks.Endpoint {
	r.t.Helper()
	e, err := r.hooks.Get(r.t.Context(), id)
	r.must(err)
	return e
}

// attempts are those at an endpoint, the oldest first.
func (r *rig) attempts(id string) []webhooks.Attempt {
	r.t.Helper()
	page, err := r.hooks.Attempts(r.t.Context(), webhooks.AttemptQuery{WebhookID: id, Limit: webhooks.MaxLimit})
	r.must(err)
	list := make([]webhooks.Attempt, len(page.Attempts))
	for i, a := range page.Attempts {
		list[len(list)-1-i] = a
	}
	return list
}

func (r *rig) dead(id string) []webhooks.DeadLetter {
	r.t.Helper()
	page, err := r.hooks.DeadLetters(r.t.Context(), webhooks.DeadQuery{WebhookID: id, Limit: webhooks.MaxLimit})
	r.must(err)
	return page.Letters
}

const group = "120363012345678901@g.us"

// subject is an event of a session with a text that tells it apart.
func subject(session, text string) event.Event {
	return event.Event{
		Type: event.GroupSubject, SessionID: session, Group: group,
		Data: event.Subject{About: event.About{GroupJID: group, Subject: text, Source: "whatsapp"}},
	}
}

// emit has things happen, each in a transaction of its own.
func (r *rig) emit(events ...event.Event) {
	r.t.Helper()
	for _, e := range events {
		r.must(store.Txn(r.t.Context(), r.db, func(ctx context.Context) error { return r.log.Append(ctx, e) }))
	}
}

// subjects emits events with the texts prefix0, prefix1, ….
func (r *rig) subjects(prefix string, count int) {
	r.t.Helper()
	for i := range count {
		r.emit(subject("a", fmt.Sprint(prefix, i)))
	}
}

// got is a request that a receiver was sent.
type got struct {
	header http.Header
	path   string
	body   []byte
	id     string
}

// receiver is an endpoint.
type receiver struct {
	*httptest.Server
	answer chan func(w http.ResponseWriter, r *http.Request) // has one element: how it answers
	mu     sync.Mutex
	all    []got
	more   chan struct{} // closed when all grows
}

// receive starts a receiver that takes everything.
func receive(t testing.TB) *receiver {
	r := &receiver{answer: make(chan func(http.ResponseWriter, *http.Request), 1), more: make(chan struct{})}
	r.answer <- func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // the sender has gone
		}
		answer := <-r.answer
		r.answer <- answer
		r.note(got{header: request.Header.Clone(), path: request.URL.RequestURI(), body: body, id: request.Header.Get("webhook-id")})
		answer(w, request)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) note(g got) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, g)
	close(r.more)
	r.more = make(chan struct{})
}

// answers changes how it answers.
func (r *receiver) answers(how func(w http.ResponseWriter, r *http.Request)) {
	<-r.answer
	r.answer <- how
}

// status has it answer with the status and a text.
func (r *receiver) status(code int, text string) {
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	})
}

// requests are those so far.
func (r *receiver) requests() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got(nil), r.all...)
}

// wait waits until there were so many requests, and returns them.
func (r *receiver) wait(t testing.TB, count int) []got {
	t.Helper()
	limit := time.After(patience)
	for {
		r.mu.Lock()
		all, more := r.all, r.more
		r.mu.Unlock()
		if len(all) >= count {
			return append([]got(nil), all...)
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("%d requests came, want %d", len(all), count)
		}
	}
}

func typeOf(v any) reflect.Type { return reflect.TypeOf(v) }

// figures are the counters and gauges, by their names and the values of their
// labels.
func (r *rig) figures() map[string]float64 {
	r.t.Helper()
	families, err := r.metrics.Gather()
	r.must(err)
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			all[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return all
}
