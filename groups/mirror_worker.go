package groups

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/session"
)

const (
	// workerParallel is how many sessions are asked about at the same time. An
	// answer about a thousand groups is large while it is read.
	workerParallel = 4
	// settleWait lets the events of one moment come together before a group is
	// asked about.
	settleWait = 50 * time.Millisecond
	// listWhen is how many groups of a session must be in doubt for one query
	// about all of them to be kinder.
	listWhen = 16
	// connectWait bounds the wait for a session that has just connected to be
	// usable.
	connectWait = 30 * time.Second
	retryMin    = 2 * time.Second
	retryMax    = 10 * time.Minute
)

// Why the groups are compared.
const (
	reasonSeed     = "seed"
	reasonConnect  = "connect"
	reasonSchedule = "schedule"
	reasonAsked    = "asked"
	reasonDoubt    = "doubt"
	reasonSought   = "sought"
)

// errand is what is to be asked for one session.
type errand struct {
	all     bool // compare all groups
	reason  string
	groups  map[string][]hint
	due     time.Time // of the above
	next    time.Time // of the slow schedule
	running bool
	tries   int // in vain

	online  bool // connected
	caught  bool // the backlog has been delivered
	behind  bool // since a connection, until the groups were compared
	settled chan struct{}
}

// worker asks WhatsApp about groups in the background.
type worker struct {
	m     *Mirror
	every time.Duration
	wait  time.Duration

	mu      sync.Mutex
	errands map[string]*errand
	news    chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	jobs   sync.WaitGroup
}

func newWorker(m *Mirror, every, wait time.Duration) *worker {
	return &worker{m: m, every: every, wait: wait, errands: map[string]*errand{}, news: make(chan struct{}, 1)}
}

func (w *worker) start(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done != nil {
		return
	}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.done = make(chan struct{})
	w.jobs.Go(func() { w.m.keepPruned(w.ctx) })
	go w.loop()
}

func (w *worker) close(ctx context.Context) error {
	w.mu.Lock()
	done := w.done
	w.mu.Unlock()
	if done == nil {
		return nil
	}
	w.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("end the mirror's work: %w", ctx.Err())
	}
}

// change edits a session's errand and wakes the loop.
func (w *worker) change(sessionID string, edit func(*errand)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.errands[sessionID]
	if e == nil {
		e = &errand{}
		w.errands[sessionID] = e
	}
	edit(e)
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// connected has all groups compared, since anything may have been missed; but
// first comes what WhatsApp has kept for this device.
func (w *worker) connected(sessionID string) {
	now := w.m.now()
	w.change(sessionID, func(e *errand) {
		e.online, e.behind, e.all, e.reason, e.tries = true, true, true, reasonConnect, 0
		e.due = now.Add(w.wait)
		if e.caught {
			e.due = now
		}
		e.caught = false
		if e.settled == nil {
			e.settled = make(chan struct{})
		}
	})
	w.m.tell(sessionID, "")
}

// caughtUp notes that the backlog is delivered. It may come before connected.
func (w *worker) caughtUp(sessionID string) {
	now := w.m.now()
	w.change(sessionID, func(e *errand) {
		if e.all && e.behind {
			e.due = now
		} else {
			e.caught = true
		}
	})
}

// refresh has one group asked about.
func (w *worker) refresh(sessionID, jid string, hints ...hint) {
	now := w.m.now()
	w.change(sessionID, func(e *errand) {
		if e.groups == nil {
			e.groups = map[string][]hint{}
		}
		e.groups[jid] = append(e.groups[jid], hints...)
		if due := now.Add(settleWait); e.due.IsZero() || !e.all && e.due.After(due) && e.tries == 0 {
			e.due = due
		}
	})
}

// hintsOf are the hints about a group that wait for it to be asked about.
func (w *worker) hintsOf(sessionID, jid string) []hint {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.errands[sessionID]; e != nil {
		return slices.Clone(e.groups[jid])
	}
	return nil
}

// isBehind tells whether the groups have not been compared since the session
// connected; settled is closed when the present attempt has ended.
func (w *worker) isBehind(sessionID string) (behind bool, settled <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.errands[sessionID]
	if e == nil {
		return true, nil
	}
	return e.behind || !e.online, e.settled
}

// loop starts what is due.
func (w *worker) loop() {
	defer close(w.done)
	defer w.jobs.Wait()
	slots := make(chan struct{}, workerParallel)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := w.dispatch(slots)
		timer.Reset(wait)
		select {
		case <-w.ctx.Done():
			return
		case <-w.news:
		case <-timer.C:
		}
	}
}

// dispatch starts a job for each session that is due, as far as there are
// slots, and returns how long there is nothing to do.
func (w *worker) dispatch(slots chan struct{}) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Hour
	now := w.m.now()
	for id, e := range w.errands {
		if e.running {
			continue
		}
		if !e.next.IsZero() && !e.next.After(now) && !e.all {
			e.all, e.reason, e.due, e.next = true, reasonSchedule, now, time.Time{}
		}
		at := e.due
		if at.IsZero() || !e.next.IsZero() && e.next.Before(at) {
			at = e.next
		}
		if at.IsZero() {
			continue
		}
		if left := at.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		select {
		case slots <- struct{}{}:
			w.launch(id, e, slots)
		default:
			// A job that ends wakes the loop.
		}
	}
	return wait
}

// launch takes a session's errand and does it. The caller holds mu.
func (w *worker) launch(id string, e *errand, slots chan struct{}) {
	job := errand{all: e.all, reason: e.reason, groups: e.groups}
	e.running, e.all, e.reason, e.groups, e.due = true, false, "", nil, time.Time{}
	w.jobs.Go(func() {
		err := w.do(id, &job)
		<-slots
		w.ended(id, job, err)
	})
}

func (w *worker) do(id string, job *errand) error {
	if err := w.awaitOnline(id); err != nil {
		return err
	}
	if job.all || len(job.groups) > listWhen {
		if job.reason == "" {
			job.reason = reasonDoubt
		}
		return w.m.reconcile(w.ctx, id, job.reason, job.groups)
	}
	var failures []error
	for jid, hints := range job.groups {
		parsed, err := types.ParseJID(jid)
		if err == nil {
			_, err = w.m.fetch(w.ctx, id, parsed, reasonDoubt, hints)
		}
		if err != nil && !isAbsent(err) {
			failures = append(failures, err)
			continue
		}
		delete(job.groups, jid)
	}
	return errors.Join(failures...)
}

// awaitOnline waits for a session that has announced its connection to be
// usable, which is a moment later.
func (w *worker) awaitOnline(id string) error {
	ctx, cancel := context.WithTimeout(w.ctx, connectWait)
	defer cancel()
	states, err := w.m.sessions.Watch(ctx, id)
	if err != nil {
		return err
	}
	for s := range states {
		switch s.Status {
		case session.StatusConnected, session.StatusDegraded:
			return nil
		case session.StatusConnecting, session.StatusWaitingForQR, session.StatusWaitingForPairCode, session.StatusPasskeyRequired:
		default:
			return fault.New(fault.SessionNotConnected, "the session is not connected")
		}
	}
	return fault.New(fault.SessionNotConnected, "the session did not connect in time")
}

// ended notes how a job went and when there is to be another.
func (w *worker) ended(id string, job errand, err error) {
	now := w.m.now()
	w.change(id, func(e *errand) {
		e.running = false
		switch {
		case err == nil:
			e.tries = 0
			if job.all {
				e.next = now.Add(spread(w.every))
				if !e.all { // not connected anew meanwhile
					e.behind = false
				}
			}
		case fault.Is(err, fault.SessionNotFound):
			delete(w.errands, id)
		case isOffline(err):
			// All groups are compared when it connects.
			e.next = time.Time{}
		default:
			e.again(job, now, err)
		}
		if job.all && e.settled != nil && (!e.all || err != nil) {
			close(e.settled)
			e.settled = nil
		}
		if e.due.IsZero() && (e.all || len(e.groups) > 0) {
			e.due = now
		}
	})
	if err == nil && job.all {
		w.m.tell(id, "")
	}
	if err != nil && w.ctx.Err() == nil && !isOffline(err) && !fault.Is(err, fault.SessionNotFound) {
		w.m.log.Warn().Err(err).Str("session", id).Msg("WhatsApp could not be asked about the groups; trying again later")
	}
}

// again puts a job that failed back.
func (e *errand) again(job errand, now time.Time, err error) {
	e.tries++
	pause := retryMax
	if e.tries < 10 {
		pause = min(retryMin<<(e.tries-1), retryMax)
	}
	if f := fault.From(err); f.RetryAfter > pause {
		pause = f.RetryAfter
	}
	e.all = e.all || job.all
	if e.reason == "" {
		e.reason = job.reason
	}
	for jid, hints := range job.groups {
		if e.groups == nil {
			e.groups = map[string][]hint{}
		}
		e.groups[jid] = append(hints, e.groups[jid]...)
	}
	e.due = now.Add(pause/2 + rand.N(pause/2))
}

// spread is a wait of about the length.
func spread(wait time.Duration) time.Duration { return wait*3/4 + rand.N(wait/2) }

func isOffline(err error) bool {
	return fault.Is(err, fault.SessionNotConnected) || fault.Is(err, fault.SessionNotLinked)
}

// isAbsent tells whether WhatsApp says that the account is not in a group.
func isAbsent(err error) bool {
	return fault.Is(err, fault.NotInGroup) || fault.Is(err, fault.GroupNotFound)
}
