package webhooks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/event"
	"muster/internal/queue"
)

// Options configure a Service. DB, Queue and Events are required; the zero
// value of anything else means its default.
type Options struct {
	DB      *dbutil.Database
	Queue   *queue.Queue
	Events  *event.Log // what a replay reads
	Log     zerolog.Logger
	Metrics prometheus.Registerer // default: none
	Clock   Clock                 // default: the system's
	// Encoders are the formats besides FormatMuster, by name.
	Encoders map[string]Encoder

	// AllowPrivate lets endpoints be in the server's own network.
	AllowPrivate bool
	// Timeout bounds one attempt: 15 s. Concurrency is how many requests to one
	// endpoint are on their way at once: 8.
	Timeout     time.Duration
	Concurrency int
	// A delivery that failed is tried again after FirstRetry, 5 s, and then after
	// twice as long each time, but never longer than LongestRetry, 1 h, until
	// RetryFor, 72 h, has gone by since it was queued.
	FirstRetry, LongestRetry, RetryFor time.Duration
	// PauseAfter is how many failures in a row, of any deliveries, pause an
	// endpoint: 10. It is tried again after FirstProbe, 5 s, and then after twice
	// as long each time, but never longer than LongestProbe, 5 min.
	PauseAfter               int
	FirstProbe, LongestProbe time.Duration
	// Attempts are shown for KeepAttemptsFor, 7 days, and the last KeepAttempts,
	// 10,000, of each endpoint; dead letters for KeepDeadFor, 30 days, and the
	// last KeepDead, 100,000, of each endpoint.
	KeepAttemptsFor, KeepDeadFor time.Duration
	KeepAttempts, KeepDead       int
	// PruneEvery is how often those are looked for that need not be kept: 10 min.
	PruneEvery time.Duration
}

func (o Options) orDefault() Options {
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	o.Concurrency = cmp.Or(o.Concurrency, 8)
	o.FirstRetry = cmp.Or(o.FirstRetry, 5*time.Second)
	o.LongestRetry = cmp.Or(o.LongestRetry, time.Hour)
	o.RetryFor = cmp.Or(o.RetryFor, 72*time.Hour)
	o.PauseAfter = cmp.Or(o.PauseAfter, 10)
	o.FirstProbe = cmp.Or(o.FirstProbe, 5*time.Second)
	o.LongestProbe = cmp.Or(o.LongestProbe, 5*time.Minute)
	o.KeepAttemptsFor = cmp.Or(o.KeepAttemptsFor, 7*24*time.Hour)
	o.KeepAttempts = cmp.Or(o.KeepAttempts, 10_000)
	o.KeepDeadFor = cmp.Or(o.KeepDeadFor, 30*24*time.Hour)
	o.KeepDead = cmp.Or(o.KeepDead, 100_000)
	o.PruneEvery = cmp.Or(o.PruneEvery, 10*time.Minute)
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	return o
}

// Service is the webhooks. It is safe for concurrent use.
type Service struct {
	options   Options
	repo      repo
	queue     *queue.Queue
	events    *event.Log
	log       zerolog.Logger
	clock     Clock
	encoders  map[string]Encoder
	guard     guard
	http      *http.Client
	endpoints *registry
	metrics   metrics

	// changing is held while the endpoints are, so that two new ones do not get
	// the same lane, and two changes of one do not undo each other. It must not
	// be wanted inside a transaction.
	changing sync.Mutex

	woken chan struct{}
	stop  context.CancelFunc
	ended chan struct{}
}

// New makes the service, and registers its workers with the queue, which must
// not have been started. Start begins its background work.
func New(ctx context.Context, o Options) (*Service, error) {
	o = o.orDefault()
	tables := repo{o.DB, &ids{}}
	s := &Service{
		options: o, repo: tables, queue: o.Queue, events: o.Events, clock: o.Clock,
		log:       o.Log.With().Str("component", "webhooks").Logger(),
		encoders:  map[string]Encoder{FormatMuster: musterFormat{}},
		guard:     newGuard(o.AllowPrivate),
		endpoints: &registry{repo: tables},
		woken:     make(chan struct{}, 1),
	}
	maps.Copy(s.encoders, o.Encoders)
	s.http = newClient(s.guard, o)
	s.metrics = newMetrics(s)
	if o.Metrics != nil {
		if err := s.metrics.register(o.Metrics); err != nil {
			return nil, fmt.Errorf("open the webhooks: %w", err)
		}
	}
	if err := s.endpoints.load(ctx); err != nil {
		return nil, fmt.Errorf("open the webhooks: %w", err)
	}
	for _, e := range s.endpoints.all() {
		if err := s.queue.AddLane(laneName(e.lane), o.Concurrency); err != nil {
			return nil, fmt.Errorf("open the webhooks: %w", err)
		}
	}
	queue.Register(o.Queue, &deliverer{service: s})
	queue.Register(o.Queue, &replayer{service: s})
	return s, nil
}

// Start begins to look after paused endpoints and old records, until Close. It
// has the values of ctx.
func (s *Service) Start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		s.tend(ctx)
	}()
}

// Close ends what Start has begun. Deliveries end with the queue.
func (s *Service) Close(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	defer s.http.CloseIdleConnections()
	select {
	case <-s.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the webhooks' probes: %w", ctx.Err())
	}
}
