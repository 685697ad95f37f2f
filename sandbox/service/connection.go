package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"

	"muster/sandbox/stanza"
	"muster/sandbox/wire"
)

const (
	handshakeLimit = 20 * time.Second
	writeLimit     = 30 * time.Second
	// outboxLimit is how many frames may wait for a client that does not read
	// before the service gives the connection up. Real queues are bounded too;
	// what was not acknowledged stays in the device's queue.
	outboxLimit = 20000
)

// connection is one socket: a reader, which takes stanzas into the world, and a
// writer, which drains the outbox.
type connection struct {
	wire   *wire.Conn
	device *Device  // nil until logged in
	refs   []string // the references offered for QR linking, while unlinked
	// linking is the link that waits for the client's signature, while unlinked.
	linking *linking
	// presence is what the client said about itself and about whom it watches.
	presence presence

	mu      sync.Mutex
	outbox  []stanza.Node
	ended   bool // no more may be queued; the writer drains, then closes
	wake    chan struct{}
	stalled chan struct{} // non-nil: the reader waits until it is closed
	cancel  context.CancelFunc
}

// Serve speaks to one client until its socket ends. It returns when both of
// the connection's goroutines have ended.
func (w *World) Serve(ctx context.Context, ws *websocket.Conn) {
	if !w.enter() {
		_ = ws.CloseNow() // a closed world has nothing to say
		return
	}
	defer w.background.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(w.ctx, cancel)
	defer stop()

	shake, done := context.WithTimeout(ctx, handshakeLimit)
	conn, err := wire.Accept(shake, ws, w.opts.Identity)
	done()
	if err != nil {
		w.log.Debug().Err(err).Msg("Handshake failed")
		return
	}
	c := &connection{wire: conn, wake: make(chan struct{}, 1), cancel: cancel}
	w.mu.Lock()
	w.conns[c] = struct{}{}
	w.mu.Unlock()

	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write(ctx, w)
	}()
	w.welcome(c)
	c.read(ctx, w)
	cancel()
	<-written
	_ = conn.Close() // already ended one way or the other
	w.forget(c)
}

// welcome answers the client's payload: an offer to link, or a login.
func (w *World) welcome(c *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.wire.Payload().GetDevicePairingData() != nil {
		w.offerLink(c)
		return
	}
	w.login(c)
}

// forget drops a connection that has ended.
func (w *World) forget(c *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	w.withdrawLink(c)
	if c.device != nil && c.device.conn == c {
		c.device.conn = nil
		c.device.LastSeen = w.opts.Now()
		w.wentOffline(c.device)
	}
}

// read takes stanzas until the socket ends.
func (c *connection) read(ctx context.Context, w *World) {
	for {
		if !c.awaitRelease(ctx) {
			return
		}
		node, err := c.wire.ReadNode(ctx)
		if errors.Is(err, wire.ErrMalformed) {
			w.log.Warn().Err(err).Msg("Frame that holds no node")
			c.finish(stanza.Node{Tag: "stream:error", Content: []stanza.Node{{Tag: "xml-not-well-formed"}}})
			continue // until the client has closed, or the grace is over
		}
		if err != nil {
			var closed websocket.CloseError
			if !errors.As(err, &closed) && ctx.Err() == nil {
				w.log.Debug().Err(err).Msg("Connection ended")
			}
			return
		}
		w.receive(c, node)
	}
}

// awaitRelease blocks while a fault has stalled the connection.
func (c *connection) awaitRelease(ctx context.Context) bool {
	c.mu.Lock()
	stalled := c.stalled
	c.mu.Unlock()
	if stalled == nil {
		return ctx.Err() == nil
	}
	select {
	case <-stalled:
		return true
	case <-ctx.Done():
		return false
	}
}

// stall makes the service neither read nor write on this connection, as a
// server that died without a word.
func (c *connection) stall() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stalled == nil {
		c.stalled = make(chan struct{})
	}
}

// release ends a stall.
func (c *connection) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stalled != nil {
		close(c.stalled)
		c.stalled = nil
		c.signal()
	}
}

// send queues a stanza for the writer. It never blocks.
func (c *connection) send(node stanza.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if len(c.outbox) >= outboxLimit {
		c.ended = true
		c.cancel()
		return
	}
	c.outbox = append(c.outbox, node)
	c.signal()
}

// finish sends a last stanza and closes once it is written.
func (c *connection) finish(node stanza.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.outbox = append(c.outbox, node)
	c.ended = true
	c.signal()
}

// retire takes no more stanzas, and closes once the queued ones are written.
func (c *connection) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.signal()
}

// close drops the connection at once, with whatever is still queued.
func (c *connection) close() {
	c.mu.Lock()
	c.ended = true
	c.outbox = nil
	c.mu.Unlock()
	c.cancel()
}

func (c *connection) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// closeGrace is how long a client gets to read a last stanza and close by
// itself before the socket is cut.
const closeGrace = 2 * time.Second

// write drains the outbox until the connection ends.
func (c *connection) write(ctx context.Context, w *World) {
	for {
		c.mu.Lock()
		batch, ended, stalled := c.outbox, c.ended, c.stalled != nil
		if stalled {
			batch = nil
		} else {
			c.outbox = nil
		}
		c.mu.Unlock()
		for _, node := range batch {
			limit, done := context.WithTimeout(ctx, writeLimit)
			err := c.wire.WriteNode(limit, node)
			done()
			if err != nil {
				if ctx.Err() == nil {
					w.log.Debug().Err(err).Str("tag", node.Tag).Msg("Writing failed")
				}
				c.cancel()
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if ended && !stalled {
			c.linger(ctx)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
	}
}

// linger waits for the client to close after a last stanza, then cuts.
func (c *connection) linger(ctx context.Context) {
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		c.cancel()
	}
}
