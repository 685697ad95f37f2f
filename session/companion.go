package session

import (
	"context"
	"sync"
	"time"
)

// companion is one session at run time. Its snapshot in memory is what readers
// see; every change is stored first.
type companion struct {
	m  *Manager
	id string

	// ops admits one lifecycle operation at a time. It is a channel, so that
	// waiting for it ends with the caller's context.
	ops chan struct{}
	// pairs admits one request for a pairing code at a time: each one makes the
	// code before it void.
	pairs chan struct{}
	// states keeps stored and shown changes in the same order. It is held while
	// the database is written; mu never is, because event handlers read
	// snapshots inside their transactions.
	states sync.Mutex
	// reads and writes pace the operations.
	reads, writes *bucket

	mu      sync.Mutex
	session Session
	proxy   string
	desired string
	run     *run
	link    link
	gone    bool          // deleted
	leaving bool          // a logout of ours was sent, and may have taken effect
	changed chan struct{} // closed and replaced at every change
}

// link is what is shown while a phone is being linked.
type link struct {
	codes   rotation
	pair    PairCode
	passkey *PasskeyChallenge
}

func newCompanion(m *Manager, rec record) *companion {
	return &companion{
		m: m, id: rec.ID, ops: make(chan struct{}, 1), pairs: make(chan struct{}, 1),
		reads: newBucket(Read, m.options.ReadPace), writes: newBucket(Write, m.options.WritePace),
		session: rec.Session, proxy: rec.proxy, desired: rec.desired,
		changed: make(chan struct{}),
	}
}

// begin waits for its turn for a lifecycle operation; call the result at the end.
func (c *companion) begin(ctx context.Context) (end func(), err error) {
	return take(ctx, c.ops)
}

// take waits for the place in a channel with one.
func take(ctx context.Context, place chan struct{}) (leave func(), err error) {
	select {
	case place <- struct{}{}:
		return func() { <-place }, nil
	case <-ctx.Done():
		return nil, abandoned(ctx)
	}
}

func (c *companion) snapshot() Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// wantsStart tells whether a start of the server connects this session.
func (c *companion) wantsStart() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.JID != "" && c.desired == desiredConnected
}

// bannedUntil is the end of a temporary ban; zero when there is none, or none
// that is known.
func (c *companion) bannedUntil() time.Time {
	s := c.snapshot()
	if s.Status != StatusBanned {
		return time.Time{}
	}
	return banEnd(s.Detail)
}

func (c *companion) isLeaving() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaving
}

func (c *companion) linked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.JID != ""
}

// update changes what is shown and wakes those who watch. It must be short.
func (c *companion) update(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.changed)
	c.changed = make(chan struct{})
}

// setState stores and shows a change of state; the same state for the same
// reason again is none. A failure to store is logged: what is shown stays true.
func (c *companion) setState(ctx context.Context, status Status, reason, detail string) {
	c.states.Lock()
	defer c.states.Unlock()
	c.storeState(ctx, status, reason, detail)
}

// setStateOf is setState on behalf of a run, ignored once the run was stopped
// (whoever stopped it says what the state is) or has come to its end.
func (c *companion) setStateOf(r *run, status Status, reason, detail string) {
	c.states.Lock()
	defer c.states.Unlock()
	if r.ctx.Err() == nil && !r.ending.Load() {
		c.storeState(c.m.ctx, status, reason, detail)
	}
}

// endConnection sets the state after one of a run's connections.
func (c *companion) endConnection(r *run, end ending) {
	c.states.Lock()
	defer c.states.Unlock()
	if r.ctx.Err() == nil {
		r.ending.Store(end.final)
		c.storeState(c.m.ctx, end.status, end.reason, end.detail)
	}
}

// stateTimeout bounds the storing of a change, which happens whether or not
// the caller that caused it still waits.
const stateTimeout = 30 * time.Second

func (c *companion) storeState(ctx context.Context, status Status, reason, detail string) {
	before := c.snapshot()
	if before.Status == status && before.Reason == reason && before.Detail == detail {
		return
	}
	now := c.m.now()
	lastConnected := before.LastConnectedAt
	if status == StatusConnected {
		lastConnected = now
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTimeout)
	defer cancel()
	change := StateChange{At: now, Status: status, Reason: reason, Detail: detail}
	err := c.m.repo.setState(ctx, c.id, change, lastConnected, func(ctx context.Context) error {
		return c.m.tellState(ctx, before, change)
	})
	log := c.m.log.Info()
	if err != nil {
		log = c.m.log.Error().Err(err)
	}
	log.Str("session", c.id).Str("status", string(status)).Str("reason", reason).Str("detail", detail).Msg("session state")
	c.update(func() {
		c.session.Status, c.session.Reason, c.session.Detail = status, reason, detail
		c.session.UpdatedAt, c.session.LastConnectedAt = now, lastConnected
		if !status.linking() {
			c.link = link{}
		}
	})
}

// rememberDevice shows the device that was just stored for this session.
func (c *companion) rememberDevice(who identity) {
	c.update(func() {
		c.session.JID, c.session.LID = who.jid, who.lid
		c.session.PhoneNumber, c.session.PushName = who.phoneNumber, who.pushName
		c.session.LoggedIn = true
	})
}

// forgetDevice shows that the device is gone. The number and the name stay:
// they tell which phone has to be linked again.
func (c *companion) forgetDevice() {
	c.update(func() {
		c.session.JID, c.session.LID = "", ""
		c.session.LoggedIn = false
	})
}

// watch returns the present snapshot and a channel that is closed at the next
// change.
func (c *companion) watch() (Session, link, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session, c.link, c.changed
}

// current returns the run in progress, or nil.
func (c *companion) current() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run
}
