package session

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"

	"muster/internal/fault"
)

// run is one stretch of a session being connected: one whatsmeow client, which
// reconnects as often as needed, and the goroutine that looks after it (loop).
type run struct {
	c      *companion
	client *whatsmeow.Client
	device *ownedDevice
	http   *http.Client

	// ctx ends when the session is stopped; it governs the loop.
	ctx  context.Context
	stop context.CancelFunc
	// events is the context of whatsmeow's connection and event handling. It
	// outlives ctx until the socket is closed in order.
	events    context.Context
	endEvents context.CancelFunc

	signals chan signalled // connection events, in whatsmeow's order as far as it keeps one
	wake    chan struct{}  // ends a pause between attempts
	settled chan struct{}  // closed at the end of the first attempt to connect
	done    chan struct{}  // closed when the loop has ended

	settleOnce  sync.Once
	deletedOnce sync.Once
	deleted     chan struct{} // closed when the device's keys were deleted

	proxied  bool         // the connection passes the session's proxy
	attempts atomic.Int64 // how many there were: the number of the present one
	received atomic.Int64 // when something last arrived, UNIX nanoseconds
	ending   atomic.Bool  // the loop will not connect again
	flights  *flights     // the operations on the present connection; under c.mu
	backlog  backlog      // what WhatsApp has kept for the present connection
	arrivals arrivals     // what it has told of groups and was not taken yet

	redeliveries int // connections with events that could not be stored; the loop's
}

// newRun builds the client. The caller holds the turn for operations.
func (c *companion) newRun(ctx context.Context) (*run, error) {
	c.mu.Lock()
	jid, proxy := c.session.JID, c.proxy
	c.mu.Unlock()
	proxyURL, err := c.m.options.Network.parseProxy(proxy)
	if err != nil {
		return nil, fmt.Errorf("stored proxy of session %s: %w", c.id, err)
	}
	r := &run{
		c: c, proxied: proxyURL != nil, signals: make(chan signalled, 64), wake: make(chan struct{}, 1),
		settled: make(chan struct{}), done: make(chan struct{}), deleted: make(chan struct{}),
		flights: newFlights(),
	}
	r.device = &ownedDevice{deviceStore: c.m.devices, sessionID: c.id, saved: r.deviceSaved, deleted: r.deviceDeleted, keysFailed: r.keysFailed}
	device, err := c.loadDevice(ctx, jid)
	if err != nil {
		return nil, err
	}
	log := quiet(c.m.log).With().Str("session", c.id).Logger()
	base := log.WithContext(c.m.ctx)
	r.ctx, r.stop = context.WithCancel(base)
	r.events, r.endEvents = context.WithCancel(base)
	r.http = c.m.options.Network.httpClient(proxyURL, r.opened)
	r.client = newClient(r.device.own(device), clientLog{log: log, traffic: c.m.metrics.traffic, came: r.arrivals.came, went: r.arrivals.went}, r.http)
	r.client.BackgroundEventCtx = r.events
	r.client.AddEventHandlerWithSuccessStatus(r.handle)
	return r, nil
}

// loadDevice returns the linked device, or a new one to be linked.
func (c *companion) loadDevice(ctx context.Context, stored string) (*store.Device, error) {
	if stored == "" {
		return c.m.devices.container.NewDevice(), nil
	}
	jid, err := types.ParseJID(stored)
	if err != nil {
		return nil, fmt.Errorf("stored jid of session %s: %w", c.id, err)
	}
	device, err := c.m.devices.load(ctx, jid)
	if err != nil {
		return nil, err
	}
	if device == nil {
		return nil, fault.New(fault.SessionNotLinked, "the keys of the linked device are missing: log this session out and link it again")
	}
	return device, nil
}

func newClient(device *store.Device, log waLog.Logger, http *http.Client) *whatsmeow.Client {
	client := whatsmeow.NewClient(device, log)
	client.SetPreLoginHTTPClient(http)
	client.SetWebsocketHTTPClient(http)
	client.SetMediaHTTPClient(http)

	// Acknowledge after our handlers, and keep what was decrypted until then:
	// Signal messages decrypt once only, and what was not stored comes again.
	client.SynchronousAck = true
	client.EnableDecryptedEventBuffer = true
	// Answer "please send again" also after a restart.
	client.UseRetryMessageStore = true
	// People reinstall; refusing their new keys would silence them for ever.
	client.AutoTrustIdentity = true

	// The loop reconnects, not whatsmeow: whatsmeow would wait ever longer
	// without jitter, would not try again when the reconnect after pairing
	// fails, and would send a request whose connection broke a second time on
	// the next one, which creates a group twice.
	client.EnableAutoReconnect = false
	client.InitialAutoReconnect = false
	client.DisableLoginAutoReconnect = true
	return client
}

func (r *run) heard() { r.received.Store(r.c.m.now().UnixNano()) }

// opened runs when a websocket was opened.
func (r *run) opened() stream {
	r.heard()
	return &line{run: r, flights: r.presentFlights()}
}

func (r *run) presentFlights() *flights {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.flights
}

// deviceSaved runs whenever whatsmeow has stored the device.
func (r *run) deviceSaved(who identity, evicted string) {
	r.c.rememberDevice(who)
	if evicted != "" {
		r.c.m.evict(evicted)
	}
}

func (r *run) deviceDeleted() {
	r.c.forgetDevice()
	r.deletedOnce.Do(func() { close(r.deleted) })
}

// evict ends a session whose device number the phone has given to a new link.
func (m *Manager) evict(id string) {
	c, err := m.find(id)
	if err != nil {
		return // deleted meanwhile
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return // the database already tells it
	}
	m.tasks.Go(func() {
		end, err := c.begin(m.ctx)
		if err != nil {
			return // closing
		}
		defer end()
		c.forgetDevice()
		ctx, cancel := context.WithTimeout(m.ctx, haltLimit)
		defer cancel()
		if err = c.haltWithin(ctx); err != nil {
			m.log.Warn().Err(err).Str("session", id).Msg("the connection of a replaced device is slow to end")
		}
		c.setState(m.ctx, StatusLoggedOut, ReasonDeviceTaken, "the phone has given this device's place to a newer link: link this session again")
	})
}
