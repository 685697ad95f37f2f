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
	// parkLimit is how many stanzas may wait for the end of a stall.
	parkLimit = 10000
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
	epoch    uint64 // the world's when the client came
	// parked is what waits for the end of a stall, and stalledFor the number of
	// the account that the stall is about, if known.
	parked     []func()
	stalledFor string

	mu      sync.Mutex // of what follows; the world's lock guards the rest
	outbox  []stanza.Node
	spared  int  // how many of the outbox do not count towards outboxLimit
	ended   bool // no more may be queued; the writer drains, then closes
	stalled bool // the writer waits
	muted   bool // nothing is queued
	wake    chan struct{}
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
	c.epoch = w.epoch
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
	if c.epoch != w.epoch {
		return // a reset has closed it
	}
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
	c.parked = nil
	w.withdrawLink(c)
	if c.device != nil && c.device.conn == c {
		c.device.conn = nil
		c.device.LastSeen = w.opts.Now()
		w.wentOffline(c.device)
	}
}

// read takes stanzas until the socket ends. It goes on while the connection is
// stalled, because that is how one learns that the client has left.
func (c *connection) read(ctx context.Context, w *World) {
	for {
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

// stall makes the service handle and say nothing on this connection, as a
// server that died without a word. number is the account it is about, if known.
// The caller holds the world's lock, here and for park and release.
func (c *connection) stall(number string) {
	c.stalledFor = number
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = !c.ended
}

func (c *connection) isStalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalled
}

// park puts something off until the stall ends. A client that goes on talking
// all the same is cut off in the end.
func (c *connection) park(do func()) {
	if len(c.parked) >= parkLimit {
		c.close()
		return
	}
	c.parked = append(c.parked, do)
}

// release ends a stall: what was put off happens, in order, up to the next
// stall. Nothing happens any more when the connection has ended meanwhile.
func (c *connection) release() {
	c.mu.Lock()
	c.stalled = false
	c.signal()
	c.mu.Unlock()
	for len(c.parked) > 0 && !c.isStalled() {
		if c.isEnded() {
			c.parked = nil
			return
		}
		do := c.parked[0]
		c.parked = c.parked[1:]
		do()
	}
}

func (c *connection) isEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// mute drops everything that is sent from now on.
func (c *connection) mute() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.muted = true
}

// send queues a stanza for the writer. It never blocks.
func (c *connection) send(node stanza.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.muted {
		return
	}
	if len(c.outbox)-c.spared >= outboxLimit {
		c.ended = true
		c.cancel()
		return
	}
	c.outbox = append(c.outbox, node)
	c.signal()
}

// sendBacklog queues stanzas that do not count towards outboxLimit: what waited
// for a device is bounded already, and a device with more of it than the limit
// could never sign in again.
func (c *connection) sendBacklog(nodes []stanza.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended || c.muted {
		return
	}
	c.outbox = append(c.outbox, nodes...)
	c.spared += len(nodes)
	c.signal()
}

// finish sends a last stanza and closes once it is written. It ends a stall:
// there is nothing more to wait for.
func (c *connection) finish(node stanza.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if !c.muted {
		c.outbox = append(c.outbox, node)
	}
	c.ended, c.stalled = true, false
	c.signal()
}

// retire takes no more stanzas, and closes once the queued ones are written.
func (c *connection) retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended, c.stalled = true, false
	c.signal()
}

// close drops the connection at once, with whatever is still queued.
func (c *connection) close() {
	c.mu.Lock()
	c.ended, c.stalled = true, false
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
		batch, ended := c.takeOutbox()
		for _, node := range batch {
			if !c.writeNode(ctx, w, node) {
				c.cancel()
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		if ended {
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

// takeOutbox empties the outbox, unless the connection is stalled.
func (c *connection) takeOutbox() (batch []stanza.Node, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stalled {
		batch = c.outbox
		c.outbox, c.spared = nil, 0
	}
	return batch, c.ended
}

// writeNode tells whether the connection can go on.
func (c *connection) writeNode(ctx context.Context, w *World, node stanza.Node) bool {
	limit, done := context.WithTimeout(ctx, writeLimit)
	defer done()
	err := c.wire.WriteNode(limit, node)
	switch {
	case errors.Is(err, wire.ErrUnwritable):
		w.giveUp(c, node, err)
		return true
	case err != nil && ctx.Err() == nil:
		w.log.Debug().Err(err).Str("tag", node.Tag).Msg("Writing failed")
	}
	return err == nil
}

// giveUp drops a stanza that no client can be sent. In the queue it would come
// up again at every sign-in.
func (w *World) giveUp(c *connection, node stanza.Node, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.Error().Err(err).Str("tag", node.Tag).Str("id", stanza.Text(&node, "id")).Msg("Stanza dropped")
	if c.device != nil {
		c.device.settle(node.Tag, stanza.Text(&node, "id"), stanza.Text(&node, "participant"))
		w.touch()
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
