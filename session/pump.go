package session

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"muster/internal/event"
	"muster/store"
)

// gate counts the events in work and refuses new ones once it is closed.
type gate struct {
	mu     sync.Mutex
	count  int
	closed bool
	empty  chan struct{} // made by close, closed when count reaches 0
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.count++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count--
	if g.closed && g.count == 0 {
		close(g.empty)
	}
}

// close refuses what comes and waits for what is in work.
func (g *gate) close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.empty = make(chan struct{})
		if g.count == 0 {
			close(g.empty)
		}
	}
	empty := g.empty
	g.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the events in work: %w", ctx.Err())
	}
}

// handle is the session's whatsmeow event handler. false makes whatsmeow
// withhold the acknowledgement, so that WhatsApp delivers the event again.
func (r *run) handle(evt any) bool {
	m := r.c.m
	attempt := r.attempts.Load() // before the handlers, which may take long
	if !m.gate.enter() {
		return false
	}
	defer m.gate.leave()
	ctx := event.WithReceived(m.ctx, m.now())
	if r.backlog.follow(attempt, evt) {
		ctx = event.WithOffline(ctx)
	}
	err := m.deliver(ctx, r.c.id, evt)
	if err != nil {
		m.log.Error().Err(err).Str("session", r.c.id).Type("event", evt).Msg("an event could not be stored; it is not acknowledged")
		r.signal(attempt, eventFailed{})
	}
	// What the event says of the connection is true whether it was stored or not.
	if concernsConnection(evt) {
		r.signal(attempt, evt)
	}
	return err == nil
}

// deliver runs the handlers in one transaction.
func (m *Manager) deliver(ctx context.Context, id string, evt any) error {
	if len(m.options.Handlers) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.EventTimeout)
	defer cancel()
	return store.Txn(ctx, m.options.DB, func(ctx context.Context) error {
		for _, handler := range m.options.Handlers {
			if err := guarded(ctx, handler, id, evt); err != nil {
				return err
			}
		}
		return nil
	})
}

// guarded turns a handler's panic into an error. whatsmeow would take a panic
// for success, and dbutil would leave its transaction, and with it the write
// lock, open for ever; so it has to be caught inside the transaction.
func guarded(ctx context.Context, handler Handler, id string, evt any) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("event handler panicked on %T: %v\n%s", evt, value, debug.Stack())
		}
	}()
	return handler(ctx, id, evt)
}

// keysFailed ends the connection on which the database failed while a message
// was decrypted. whatsmeow takes that for a message that cannot be decrypted:
// it would ask for another copy and acknowledge this one, and so lose it when
// the other does not come. It does neither when its context has ended.
func (r *run) keysFailed(ctx context.Context, err error) {
	a := attemptOf(ctx)
	if a == nil || ctx.Err() != nil {
		return // the connection is over, so nothing will be acknowledged
	}
	r.c.m.log.Error().Err(err).Str("session", r.c.id).Msg("the database failed while a message was decrypted; it is not acknowledged")
	r.signal(a.number, keysFailed{}) // before the end of the connection is noticed
	a.end()
}
