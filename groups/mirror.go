package groups

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/singleflight"

	"muster/internal/event"
	"muster/session"
	"muster/store"
)

// MirrorOptions configure a Mirror. DB and Log are required; the zero value of
// anything else means its default.
type MirrorOptions struct {
	DB      *dbutil.Database
	Log     zerolog.Logger
	Metrics prometheus.Registerer // default: none
	Now     func() time.Time      // default: time.Now
	// Events is told of every change; nil is nobody.
	Events *event.Log

	// ReconcileEvery is how often a connected session's groups are compared with
	// WhatsApp's although nothing seems to be missing; each wait is spread. 6 h.
	ReconcileEvery time.Duration
	// BacklogWait is how long a new connection may take to deliver what was
	// missed before the groups are compared all the same. 10 s.
	BacklogWait time.Duration
	// Retention bounds the history.
	Retention Retention
}

// Mirror is what is known of the groups of every session: seeded from WhatsApp's
// list, kept by events and by our own changes, and compared with WhatsApp after
// every gap. It is safe for concurrent use.
type Mirror struct {
	db        *dbutil.Database
	log       zerolog.Logger
	now       func() time.Time
	began     time.Time // when this was made: what was expected before is not known
	events    *event.Log
	sessions  *session.Manager
	retention Retention
	absences  absences
	expected  expectations
	owed      debts
	worker    *worker
	metrics   *mirrorMetrics
	flights   singleflight.Group

	mu       sync.RWMutex
	watchers []Watcher
}

// NewMirror makes a mirror. It works once NewService has given it the sessions
// and Start was called; its Apply must be among the manager's handlers.
func NewMirror(o MirrorOptions) *Mirror {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.ReconcileEvery = cmp.Or(o.ReconcileEvery, 6*time.Hour)
	o.BacklogWait = cmp.Or(o.BacklogWait, 10*time.Second)
	m := &Mirror{
		db: o.DB, log: o.Log.With().Str("component", "mirror").Logger(), now: o.Now, began: o.Now(), events: o.Events,
		retention: o.Retention.withDefaults(), metrics: newMirrorMetrics(o.Metrics),
	}
	m.worker = newWorker(m, o.ReconcileEvery, o.BacklogWait)
	return m
}

// Start begins the background work, which ends with Close. The context gives
// values only, it may end.
func (m *Mirror) Start(ctx context.Context) {
	m.worker.start(m.log.WithContext(context.WithoutCancel(ctx)))
}

// Close ends the background work and waits for it, as long as the context lets it.
func (m *Mirror) Close(ctx context.Context) error { return m.worker.close(ctx) }

// Watcher is told when what is stored about a session's group changes: the
// group's JID, or "" for all of the session's. Its functions must return at
// once.
type Watcher struct {
	// Changing is called before the change can be seen, Changed once it can be,
	// or will not be after all; each Changing has its Changed.
	Changing, Changed func(sessionID, groupJID string)
}

// Watch adds a watcher, for good.
func (m *Mirror) Watch(w Watcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers = append(m.watchers, w)
}

// Watch is the mirror's.
func (s *Service) Watch(w Watcher) { s.mirror.Watch(w) }

// announce tells the watchers of a change: now, and at the end of the context's
// transaction.
func (m *Mirror) announce(ctx context.Context, sessionID, groupJID string) {
	m.mu.RLock()
	watchers := m.watchers
	m.mu.RUnlock()
	for _, watcher := range watchers {
		watcher.Changing(sessionID, groupJID)
		store.AtEnd(ctx, func() { watcher.Changed(sessionID, groupJID) })
	}
}

// tell is announce for what is not in a transaction.
func (m *Mirror) tell(sessionID, groupJID string) {
	m.announce(context.Background(), sessionID, groupJID)
}

func (m *Mirror) refreshLater(sessionID string, group types.JID) {
	m.worker.refresh(sessionID, group.String())
}

// account is the session's own account; the zero value when no phone is linked.
func (m *Mirror) account(sessionID string) Identity {
	s, err := m.sessions.Get(context.Background(), sessionID)
	if err != nil {
		return Identity{}
	}
	pn, err1 := types.ParseJID(s.AccountJID())
	lid, err2 := types.ParseJID(s.AccountLID())
	if err1 != nil || err2 != nil {
		return Identity{}
	}
	return identity(pn, lid)
}

// mirrorMetrics counts what comparing with WhatsApp has found.
type mirrorMetrics struct {
	runs      *prometheus.CounterVec
	repairs   *prometheus.CounterVec
	forgotten prometheus.Counter
}

func newMirrorMetrics(to prometheus.Registerer) *mirrorMetrics {
	m := &mirrorMetrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_mirror_reconciles_total", Help: "Comparisons of the mirror with WhatsApp, by what caused them and how they ended.",
		}, []string{"reason", "result"}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_mirror_repairs_total", Help: "Differences between the mirror and WhatsApp that were found and repaired, by kind of change.",
		}, []string{"kind"}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_mirror_forgotten_total", Help: "Changes of groups that were deleted from the history, being too old or too many.",
		}),
	}
	if to != nil {
		to.MustRegister(m.runs, m.repairs, m.forgotten)
	}
	return m
}
