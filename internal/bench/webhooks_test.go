package bench_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/store/storetest"
)

const (
	hookSessions = 4     // which all hear of every change
	hookChanges  = 500   // of a group, for the throughput
	hookSamples  = 300   // of the latency
	hookBacklog  = 10000 // deliveries for the endpoint that is dead

	hookPatience = 2 * time.Minute // bounds every wait
)

// BenchmarkWebhooks measures the way of a group change from the simulated
// WhatsApp to the receiver of a webhook: how many events a second arrive at one
// endpoint, and at each of ten; and how long one change takes by itself, from
// the moment it is made, at rest and while 10,000 deliveries wait for an
// endpoint that refuses connections. The program, the simulator and the
// receivers share the machine.
//
//	go test ./internal/bench -run '^$' -bench Webhooks -benchtime 1x
func BenchmarkWebhooks(b *testing.B) {
	databases := map[string]func(*testing.B, *config.Config){"sqlite": func(*testing.B, *config.Config) {}}
	if _, ok := storetest.PostgresURL(b); ok {
		databases["postgres"] = func(b *testing.B, c *config.Config) {
			c.Database.Driver = config.DriverPostgres
			c.Database.DSN, _ = storetest.PostgresURL(b)
		}
	}
	for name, use := range databases {
		for _, endpoints := range []int{1, 10} {
			b.Run(fmt.Sprintf("%s/events/%d-endpoints", name, endpoints), func(b *testing.B) {
				w := newHookWorld(b, use)
				for b.Loop() {
					w.throughput(b, endpoints)
				}
			})
		}
		b.Run(name+"/latency", func(b *testing.B) {
			w := newHookWorld(b, use)
			for b.Loop() {
				w.latencies(b)
			}
		})
	}
}

// hookWorld is the program with sessions that are all in one group.
type hookWorld struct {
	*world
	admin   string
	group   types.JID
	changes int
}

func newHookWorld(b *testing.B, use func(*testing.B, *config.Config)) *hookWorld {
	b.Helper()
	wa := sandboxtest.Start(b)
	c := apptest.Config(b, apptest.Apart(wa), func(c *config.Config) {
		c.Webhooks.AllowPrivate = true
		use(b, c)
	})
	w := &hookWorld{world: &world{wa: wa, program: apptest.StartLogging(b, c, zerolog.New(io.Discard).Level(zerolog.InfoLevel))}}
	w.admin = w.phone(b)
	members := make([]string, hookSessions)
	for i := range members {
		members[i] = w.phone(b)
	}
	var err error
	if w.group, _, _, err = wa.CreateGroup(w.admin, sandbox.GroupOptions{Name: "Bench", Participants: members}); err != nil {
		b.Fatal(err)
	}
	for i, number := range members {
		id := fmt.Sprint("s", i)
		w.program.Link(b, wa, id, number)
		w.awaitMirror(b, "/api/v1/sessions/"+id+"/groups", 1)
	}
	return w
}

// change gives the group a new subject and returns it.
func (w *hookWorld) change(b *testing.B) string {
	b.Helper()
	w.changes++
	subject := fmt.Sprint("Subject ", w.changes)
	if err := w.wa.SetSubject(w.admin, w.group, subject); err != nil {
		b.Fatal(err)
	}
	return subject
}

// hook makes a webhook for changes of the subject.
func (w *hookWorld) hook(b *testing.B, url string, sessions ...string) string {
	b.Helper()
	var made struct{ ID string }
	body := map[string]any{"url": url, "events": []string{"group.subject"}, "sessions": sessions}
	if status := w.program.Call(b, http.MethodPost, "/api/v1/webhooks", body, &made); status != http.StatusCreated {
		b.Fatalf("make a webhook: %d", status)
	}
	return made.ID
}

// sink is a receiver that notes when each subject came first, and how many
// different events there were.
type sink struct {
	*httptest.Server
	mu    sync.Mutex
	ids   map[string]bool
	first map[string]time.Time
	more  chan struct{} // closed when something comes
}

func newSink(b *testing.B) *sink {
	s := &sink{ids: map[string]bool{}, first: map[string]time.Time{}, more: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		now := time.Now()
		var e struct {
			ID   string
			Data struct{ Subject string }
		}
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			return // the benchmark has ended
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids[e.ID] = true
		if s.first[e.Data.Subject].IsZero() {
			s.first[e.Data.Subject] = now
		}
		close(s.more)
		s.more = make(chan struct{})
	}))
	b.Cleanup(s.Close)
	return s
}

// wait waits for the condition, under the sink's lock.
func (s *sink) wait(b *testing.B, what string, holds func() bool) {
	b.Helper()
	limit := time.After(hookPatience)
	for {
		s.mu.Lock()
		done, more := holds(), s.more
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-more:
		case <-limit:
			b.Fatalf("waited in vain for %s", what)
		}
	}
}

// throughput makes changes as fast as the simulator takes them, and waits until
// every session's event has come to every endpoint.
func (w *hookWorld) throughput(b *testing.B, endpoints int) {
	sinks := make([]*sink, endpoints)
	hooks := make([]string, endpoints)
	for i := range sinks {
		sinks[i] = newSink(b)
		hooks[i] = w.hook(b, sinks[i].URL)
	}
	began := time.Now()
	for range hookChanges {
		w.change(b)
	}
	const events = hookChanges * hookSessions
	for _, s := range sinks {
		s.wait(b, "all events", func() bool { return len(s.ids) >= events })
	}
	took := time.Since(began).Seconds()
	b.ReportMetric(events/took, "events/s")
	b.ReportMetric(events*float64(endpoints)/took, "deliveries/s")
	b.ReportMetric(0, "ns/op")
	for _, id := range hooks {
		w.program.Call(b, http.MethodDelete, "/api/v1/webhooks/"+id, nil, nil)
	}
}

// latencies measures single changes, without and with a backlog elsewhere.
func (w *hookWorld) latencies(b *testing.B) {
	s := newSink(b)
	w.hook(b, s.URL, "s0")
	rest := w.sample(b, s)
	w.backlog(b)
	busy := w.sample(b, s)
	for name, list := range map[string][]time.Duration{"rest": rest, "backlog": busy} {
		slices.Sort(list)
		b.ReportMetric(milliseconds(list[len(list)/2]), name+"-p50-ms")
		b.ReportMetric(milliseconds(list[len(list)*99/100]), name+"-p99-ms")
	}
	b.ReportMetric(milliseconds(busy[len(busy)/2])/milliseconds(rest[len(rest)/2]), "ratio-p50")
	b.ReportMetric(0, "ns/op")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (w *hookWorld) sample(b *testing.B, s *sink) []time.Duration {
	b.Helper()
	list := make([]time.Duration, hookSamples)
	for i := range list {
		began := time.Now()
		subject := w.change(b)
		s.wait(b, subject, func() bool { return !s.first[subject].IsZero() })
		list[i] = s.first[subject].Sub(began)
	}
	return list
}

// backlog queues 10,000 deliveries for an endpoint that refuses connections, by
// delivering the log to it again and again.
func (w *hookWorld) backlog(b *testing.B) {
	b.Helper()
	dead := httptest.NewServer(http.NotFoundHandler())
	url := dead.URL
	dead.Close()
	id := w.hook(b, url, "s0")
	limit, again := time.After(hookPatience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for queued := 0; queued < hookBacklog; {
		if status := w.program.Call(b, http.MethodPost, "/api/v1/webhooks/"+id+"/replay", nil, nil); status != http.StatusAccepted {
			b.Fatalf("replay: %d", status)
		}
		for before := queued; queued < before+hookSamples/2; {
			var hook struct{ Pending int }
			w.program.Call(b, http.MethodGet, "/api/v1/webhooks/"+id, nil, &hook)
			queued = hook.Pending
			select {
			case <-again.C:
			case <-limit:
				b.Fatalf("only %d deliveries are queued", queued)
			}
		}
	}
}
