package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/store"
)

// Handler receives every event of every session inside a database transaction,
// one per event, which its context carries. An error rolls all of it back, and
// an event that WhatsApp wants acknowledged will then be delivered again:
// handlers must be idempotent. They must not call the network nor this
// manager's operations, except LIDForPN and PNForLID.
type Handler func(ctx context.Context, sessionID string, evt any) error

// Options configure a Manager. DB and Log are required; the zero value of
// anything else means its default.
type Options struct {
	DB       *dbutil.Database
	Network  Network // default Real()
	Log      zerolog.Logger
	Handlers []Handler
	Events   *event.Log            // is told of every change of state; nil is nobody
	Metrics  prometheus.Registerer // default: none
	Now      func() time.Time      // default time.Now

	StartParallel int           // sessions that connect at the same time at start: 16
	StartJitter   time.Duration // each waits a random time up to this before; 0 is none

	ReadTimeout  time.Duration // deadline of Do(Read): 30 s
	WriteTimeout time.Duration // deadline of Do(Write): 60 s
	// TransferTimeout is the deadline of Do(Transfer): 5 min.
	TransferTimeout time.Duration
	// ReadPace and WritePace bound how often each session asks WhatsApp and how
	// often it changes something: 10 a second and 60 at once, 5 and 30. PaceWait
	// is how long an operation waits for its turn before it is refused: 5 s.
	ReadPace, WritePace Pace
	PaceWait            time.Duration

	EventTimeout time.Duration // deadline of one event's transaction: 60 s
	LoginTimeout time.Duration // from the open socket to "connected": 60 s

	// RedeliverAfter is when a session reconnects to be given the events again
	// that could not be stored; it doubles each time, up to an hour: 30 s.
	RedeliverAfter time.Duration

	BackoffMin time.Duration // first pause between attempts to connect: 1 s
	BackoffMax time.Duration // longest pause: 60 s

	SilenceLimit  time.Duration // nothing received for so long: probe. 50 s, above the keep-alive's 30 s
	ProbeTimeout  time.Duration // a probe unanswered for so long: degraded. 10 s
	DegradedLimit time.Duration // degraded for so long: reconnect. 2 min

	// QRFirst and QRNext are how long the first of six QR codes and each other
	// is shown: 60 s and 20 s, as WhatsApp does.
	QRFirst, QRNext time.Duration
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.StartParallel = cmp.Or(o.StartParallel, 16)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 30*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 60*time.Second)
	o.TransferTimeout = cmp.Or(o.TransferTimeout, 5*time.Minute)
	o.ReadPace = cmp.Or(o.ReadPace, Pace{Rate: 10, Burst: 60})
	o.WritePace = cmp.Or(o.WritePace, Pace{Rate: 5, Burst: 30})
	o.PaceWait = cmp.Or(o.PaceWait, 5*time.Second)
	o.EventTimeout = cmp.Or(o.EventTimeout, 60*time.Second)
	o.LoginTimeout = cmp.Or(o.LoginTimeout, 60*time.Second)
	o.RedeliverAfter = cmp.Or(o.RedeliverAfter, 30*time.Second)
	o.BackoffMin = cmp.Or(o.BackoffMin, time.Second)
	o.BackoffMax = cmp.Or(o.BackoffMax, 60*time.Second)
	o.SilenceLimit = cmp.Or(o.SilenceLimit, 50*time.Second)
	o.ProbeTimeout = cmp.Or(o.ProbeTimeout, 10*time.Second)
	o.DegradedLimit = cmp.Or(o.DegradedLimit, 2*time.Minute)
	o.QRFirst = cmp.Or(o.QRFirst, 60*time.Second)
	o.QRNext = cmp.Or(o.QRNext, 20*time.Second)
	return o
}

// Manager holds every session. It is safe for concurrent use.
type Manager struct {
	options Options
	log     zerolog.Logger
	repo    repo
	devices *deviceStore
	gate    gate
	metrics *metrics
	now     func() time.Time

	// ctx lives from NewManager to the end of Close; events are handled under it.
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup // Start's goroutines

	mu       sync.RWMutex
	sessions map[string]*companion
	closing  bool
	progress Progress
}

// Progress tells how far the reconnection after a start is: Settled of Total
// sessions have made their first attempt, successful or not.
type Progress struct{ Total, Settled int }

// NewManager reads the stored sessions. Nothing connects before Start, Connect
// or QR. The manager outlives ctx and ends with Close. It fails when this
// process already serves another network.
func NewManager(ctx context.Context, options Options) (*Manager, error) {
	options = options.withDefaults()
	if err := options.Network.install(); err != nil {
		return nil, err
	}
	m := &Manager{
		options:  options,
		log:      options.Log.With().Str("component", "session").Logger(),
		repo:     repo{options.DB},
		now:      options.Now,
		sessions: map[string]*companion{},
	}
	m.metrics = newMetrics(m)
	m.devices = &deviceStore{
		db:        options.DB,
		container: store.Devices(options.DB, quiet(m.log)),
		repo:      m.repo,
		now:       m.now,
	}
	m.ctx, m.cancel = context.WithCancel(quiet(m.log).WithContext(context.WithoutCancel(ctx)))
	if err := m.restore(ctx); err != nil {
		m.cancel()
		return nil, err
	}
	if options.Metrics != nil {
		if err := options.Metrics.Register(m.metrics); err != nil {
			m.cancel()
			return nil, fmt.Errorf("show the sessions' metrics: %w", err)
		}
	}
	return m, nil
}

// restore loads the sessions and makes their rows tell the truth after
// whatever ended the last process.
func (m *Manager) restore(ctx context.Context) error {
	stored, orphans, records, err := m.devices.reconcile(ctx)
	if err != nil {
		return fmt.Errorf("restore the sessions: %w", err)
	}
	for _, jid := range orphans {
		m.log.Warn().Stringer("jid", jid).Msg("the database holds the keys of a device that no session owns; they are left alone")
	}
	for _, rec := range records {
		c := newCompanion(m, rec)
		m.sessions[rec.ID] = c
		if rec.JID != "" && !stored[rec.JID] {
			// The keys are gone, so this can only be linked anew.
			m.log.Warn().Str("session", rec.ID).Str("jid", rec.JID).Msg("the keys of this session are missing: it is no longer linked")
			if _, err = m.repo.unbind(ctx, rec.JID, m.now()); err != nil {
				return err
			}
			c.forgetDevice()
			c.setState(ctx, StatusLoggedOut, ReasonDeviceMissing, "the keys of the linked device are missing: link this session again")
			continue
		}
		if rec.Status.online() || rec.Status.linking() || rec.Status == StatusConnecting {
			c.setState(ctx, StatusDisconnected, ReasonStopped, "the server was stopped")
		}
	}
	return nil
}

// Start connects every linked session that was not disconnected on purpose,
// some at a time, and returns at once. A session that cannot connect keeps
// trying in the background.
func (m *Manager) Start(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return errClosing()
	}
	var waiting []*companion
	for _, c := range m.sessions {
		if !c.wantsStart() {
			continue
		}
		if until := c.bannedUntil(); until.After(m.now()) {
			m.tasks.Go(func() { m.startAfterBan(c, until) })
			continue
		}
		waiting = append(waiting, c)
	}
	m.progress = Progress{Total: len(waiting)}
	m.tasks.Go(func() { m.startAll(waiting) })
	return nil
}

func (m *Manager) startAll(waiting []*companion) {
	slots := make(chan struct{}, m.options.StartParallel)
	var group sync.WaitGroup
	defer group.Wait()
	for _, c := range waiting {
		select {
		case slots <- struct{}{}:
		case <-m.ctx.Done():
			return
		}
		group.Go(func() {
			defer func() { <-slots }()
			m.startOne(c)
			m.mu.Lock()
			m.progress.Settled++
			m.mu.Unlock()
		})
	}
}

// startOne starts a session and waits for the end of its first attempt.
func (m *Manager) startOne(c *companion) {
	if !sleep(m.ctx, jitter(m.options.StartJitter)) {
		return
	}
	r, err := c.start(m.ctx, ReasonStarted)
	if err != nil {
		if !fault.Is(err, fault.Unavailable) { // we are stopping
			m.log.Error().Err(err).Str("session", c.id).Msg("cannot start a session")
		}
		return
	}
	select {
	case <-r.settled:
	case <-m.ctx.Done():
	}
}

// startAfterBan starts a session when its ban ends, unless someone has decided
// otherwise by then: to log in before would prolong the ban.
func (m *Manager) startAfterBan(c *companion, until time.Time) {
	if !sleep(m.ctx, until.Sub(m.now())) {
		return
	}
	end, err := c.begin(m.ctx)
	if err != nil {
		return // closing
	}
	defer end()
	if c.current() != nil || !c.wantsStart() || c.bannedUntil().IsZero() {
		return
	}
	if _, err = c.startInTurn(m.ctx, ReasonStarted); err != nil && !fault.Is(err, fault.Unavailable) {
		m.log.Error().Err(err).Str("session", c.id).Msg("cannot start a session after its ban")
	}
}

// Progress tells how far the reconnection after Start is.
func (m *Manager) Progress() Progress {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.progress
}

// Close disconnects every session, waits for the events in work, and ends the
// manager. When ctx ends first, it returns an error that says how many
// sessions had not ended; nothing is lost by that.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closing = true
	all := make([]*companion, 0, len(m.sessions))
	for _, c := range m.sessions {
		all = append(all, c)
	}
	m.mu.Unlock()
	defer m.cancel()

	results := make(chan error, len(all))
	for _, c := range all {
		go func() { results <- c.shutDown(ctx) }()
	}
	var failures []error
	for range all {
		if err := <-results; err != nil {
			failures = append(failures, err)
		}
	}
	if err := m.gate.close(ctx); err != nil {
		failures = append(failures, err)
	}
	m.cancel()
	if err := m.awaitTasks(ctx); err != nil {
		failures = append(failures, err)
	}
	if len(failures) > 0 {
		return fmt.Errorf("%d did not end in time: %w", len(failures), errors.Join(failures...))
	}
	return nil
}

// awaitTasks waits for the manager's own goroutines, whose context has ended.
func (m *Manager) awaitTasks(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		m.tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the sessions' start: %w", ctx.Err())
	}
}

func errClosing() error { return fault.New(fault.Unavailable, "the server is stopping") }

// Create stores a new session, not linked and not connected.
func (m *Manager) Create(ctx context.Context, req CreateRequest) (Session, error) {
	if err := req.Validate(); err != nil {
		return Session{}, err
	}
	if _, err := m.options.Network.parseProxy(req.Proxy); err != nil {
		return Session{}, err
	}
	id := req.ID
	if id == "" {
		id = strings.ToLower(rand.Text()[:12])
	}
	now := m.now()
	rec := record{proxy: req.Proxy, desired: desiredConnected, Session: Session{
		ID: id, Name: cmp.Or(req.Name, id), Status: StatusDisconnected, Reason: ReasonCreated,
		Proxy: redact(req.Proxy), CreatedAt: now, UpdatedAt: now,
	}}
	m.mu.RLock()
	closing, taken := m.closing, m.sessions[id] != nil
	m.mu.RUnlock()
	if closing {
		return Session{}, errClosing()
	}
	if !taken {
		created, err := m.repo.insert(ctx, rec, func(ctx context.Context) error {
			return m.tellState(ctx, Session{ID: id, Name: rec.Name}, StateChange{At: now, Status: rec.Status, Reason: rec.Reason})
		})
		if err != nil {
			return Session{}, err
		}
		taken = !created
	}
	if taken {
		return Session{}, fault.New(fault.SessionExists, "a session with the id %q exists already", id)
	}
	c := newCompanion(m, rec)
	m.mu.Lock()
	m.sessions[id] = c
	m.mu.Unlock()
	return c.snapshot(), nil
}

// find returns the session or a SessionNotFound fault.
func (m *Manager) find(id string) (*companion, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if c := m.sessions[id]; c != nil {
		return c, nil
	}
	return nil, notFound(id)
}

func notFound(id string) error {
	if !validID.MatchString(id) {
		return fault.New(fault.SessionNotFound, "there is no such session")
	}
	return fault.New(fault.SessionNotFound, "there is no session %q", id)
}

// Get returns one session.
func (m *Manager) Get(_ context.Context, id string) (Session, error) {
	c, err := m.find(id)
	if err != nil {
		return Session{}, err
	}
	return c.snapshot(), nil
}

// List returns every session, ordered by id.
func (m *Manager) List(context.Context) ([]Session, error) {
	m.mu.RLock()
	list := make([]Session, 0, len(m.sessions))
	for _, c := range m.sessions {
		list = append(list, c.snapshot())
	}
	m.mu.RUnlock()
	slices.SortFunc(list, func(a, b Session) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// History returns the session's last state changes, the newest first.
func (m *Manager) History(ctx context.Context, id string) ([]StateChange, error) {
	if _, err := m.find(id); err != nil {
		return nil, err
	}
	return m.repo.history(ctx, id)
}

// Watch sends the session as it is now and again after each change, until ctx
// or the manager ends; then the channel is closed. A slow receiver misses
// states in between, never the last one.
func (m *Manager) Watch(ctx context.Context, id string) (<-chan Session, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	out := make(chan Session)
	go func() {
		defer close(out)
		var sent Session
		for {
			s, _, changed := c.watch()
			send := out
			if s == sent {
				send = nil
			}
			select {
			case send <- s:
				sent = s
			case <-changed:
			case <-ctx.Done():
				return
			case <-m.ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// LIDForPN returns the LID of a phone JID, or an empty JID when it is not
// known. It reads the stored mapping and asks nobody.
//
// It reads whatsmeow's table rather than its cache: the cache holds a lock
// while it waits for the database, so a handler that asked it inside a
// transaction could wait for itself.
func (m *Manager) LIDForPN(ctx context.Context, id string, pn types.JID) (types.JID, error) {
	if pn.Server != types.DefaultUserServer {
		return types.EmptyJID, fmt.Errorf("look up a LID: %s is not a phone JID", pn)
	}
	return m.mapped(ctx, id, `SELECT lid FROM whatsmeow_lid_map WHERE pn=$1`, pn, types.HiddenUserServer)
}

// PNForLID returns the phone JID of a LID, or an empty JID when it is not known.
func (m *Manager) PNForLID(ctx context.Context, id string, lid types.JID) (types.JID, error) {
	if lid.Server != types.HiddenUserServer {
		return types.EmptyJID, fmt.Errorf("look up a phone number: %s is not a LID", lid)
	}
	return m.mapped(ctx, id, `SELECT pn FROM whatsmeow_lid_map WHERE lid=$1`, lid, types.DefaultUserServer)
}

func (m *Manager) mapped(ctx context.Context, id, query string, from types.JID, server string) (types.JID, error) {
	if _, err := m.find(id); err != nil {
		return types.EmptyJID, err
	}
	rows, err := m.options.DB.Query(ctx, query, from.User)
	users, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return types.EmptyJID, fmt.Errorf("look up %s: %w", from, err)
	}
	if len(users) == 0 || users[0] == "" {
		return types.EmptyJID, nil
	}
	return types.JID{User: users[0], Device: from.Device, Server: server}, nil
}
