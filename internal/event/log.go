package event

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/store"
)

// Options configure a Log. DB is required; the zero value of anything else
// means its default.
type Options struct {
	DB      *dbutil.Database
	Log     zerolog.Logger
	Metrics prometheus.Registerer // default: none
	Now     func() time.Time      // default: time.Now

	// KeepFor is how long events are kept; 0 is as long as Keep allows.
	KeepFor time.Duration
	// Keep is how many events are kept, of all sessions together; 0 is no limit.
	Keep int64
	// PruneEvery is how often those are looked for that need not be kept: 10 min.
	PruneEvery time.Duration
}

// Log is the log of events. It is safe for concurrent use.
type Log struct {
	db       *dbutil.Database
	log      zerolog.Logger
	now      func() time.Time
	options  Options
	kinds    map[Type]reflect.Type
	appended *prometheus.CounterVec
	head     head
	pruning  pruning

	mu    sync.RWMutex
	sinks []Sink
}

// Sink receives each event inside the transaction that writes it, so that what
// it writes is written with the event or not at all. It must not call the
// network, and takes no locks that somebody may hold who waits for the log.
type Sink func(ctx context.Context, e Event) error

// NewLog makes a log. Start begins its background work.
func NewLog(o Options) *Log {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.PruneEvery = cmp.Or(o.PruneEvery, 10*time.Minute)
	l := &Log{
		db: o.DB, log: o.Log.With().Str("component", "events").Logger(), now: o.Now, options: o,
		kinds: map[Type]reflect.Type{},
		appended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "muster_events_total", Help: "Events written to the log, by type.",
		}, []string{"type"}),
	}
	for _, k := range Kinds() {
		l.kinds[k.Type] = k.Payload
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(l.appended)
	}
	return l
}

// AddSink adds a sink, for good.
func (l *Log) AddSink(sink Sink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sinks = append(l.sinks, sink)
}

// Append adds an event to the log. It must be called inside store.Txn: the
// event is written as the last part of that transaction, together with what
// the sinks make of it, and readers see it once it is committed. RequestID and
// Offline are taken from the context where the event does not have them, At is
// now where it is zero. An event of a session that is deleted meanwhile is
// dropped.
//
// It is written last because adding to the log takes a lock that all
// transactions with events want, and keeps it until the commit: that makes the
// order of the positions and of each session's numbers that of the commits.
func (l *Log) Append(ctx context.Context, e Event) error {
	if want, known := l.kinds[e.Type]; !known {
		return fmt.Errorf("append an event: there is no type %q", e.Type)
	} else if got := reflect.TypeOf(e.Data); got != want {
		return fmt.Errorf("append an event %s: its data is %v and not %v", e.Type, got, want)
	}
	data, err := e.raw() // now: who has made it may change it afterwards
	if err != nil {
		return err
	}
	e.Data = data
	e.RequestID = cmp.Or(e.RequestID, RequestOf(ctx))
	e.Offline = e.Offline || Offline(ctx)
	if e.At.IsZero() {
		e.At = l.now()
	}
	return store.BeforeCommit(ctx, func(ctx context.Context) error { return l.write(ctx, e, data) })
}

// write gives the event its place and writes it.
func (l *Log) write(ctx context.Context, e Event, data json.RawMessage) error {
	var position int64
	// Before anything else of the log, see Append.
	err := l.db.QueryRow(ctx, `UPDATE event_log SET position = position + 1 WHERE id = 1 RETURNING position`).Scan(&position)
	if err != nil {
		return fmt.Errorf("append an event: take the log: %w", err)
	}
	err = l.db.QueryRow(ctx, `INSERT INTO event_counters (session_id, seq) SELECT id, 1 FROM sessions WHERE id = $1
		ON CONFLICT (session_id) DO UPDATE SET seq = event_counters.seq + 1 RETURNING seq`, e.SessionID).Scan(&e.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		l.log.Debug().Str("session", e.SessionID).Str("type", string(e.Type)).Msg("an event of a session that does not exist was dropped")
		return nil
	} else if err != nil {
		return fmt.Errorf("append an event: number it: %w", err)
	}
	e.ID = newID(position)
	_, err = l.db.Exec(ctx, `INSERT INTO events (position, id, session_id, seq, type, group_jid, at, recorded_at, offline, request_id, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		position, e.ID, e.SessionID, e.Seq, string(e.Type), e.Group, unix(e.At), l.now().Unix(), e.Offline, e.RequestID, string(data))
	if err != nil {
		return fmt.Errorf("append an event: %w", err)
	}
	l.mu.RLock()
	sinks := l.sinks
	l.mu.RUnlock()
	for _, sink := range sinks {
		if err = sink(ctx, e); err != nil {
			return fmt.Errorf("pass event %s on: %w", e.ID, err)
		}
	}
	store.AfterCommit(ctx, func() {
		l.appended.WithLabelValues(string(e.Type)).Inc()
		l.head.reach(Cursor(position))
	})
	return nil
}
