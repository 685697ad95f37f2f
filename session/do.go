package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
	"muster/internal/idempotency"
)

// Kind says what an operation does when it is cut off in the middle.
type Kind int

const (
	// Read changes nothing: it may be repeated, and an answer that does not
	// come is a NoAnswer.
	Read Kind = iota
	// Write changes something: it is never repeated, and when its answer does
	// not come, whether it happened is OutcomeUnknown.
	Write
	// Transfer is a Read that moves a file to or from WhatsApp's media hosts: it
	// has a deadline of its own, by which large files come through, too.
	Transfer
)

// String is the kind's name in the API.
func (k Kind) String() string {
	if k == Write {
		return "write"
	}
	return "read"
}

// Do runs an operation on the session's client: the only door to WhatsApp. op
// must use the context it is given, which ends at the deadline of its kind,
// and must not keep the client. It first waits for its turn (see Pace), and a
// Write of a repeatable request is written down before it runs (see
// idempotency.Attempt).
//
// Errors are faults: SessionNotFound, SessionNotLinked, SessionNotConnected
// and, for want of a turn, RateLimited before anything was sent; afterwards
// what the table in errors.go says. A fault that op returns itself passes
// unchanged. A Read or Transfer whose connection breaks runs once more when the
// session is back within its deadline.
func (m *Manager) Do(ctx context.Context, id string, kind Kind, op func(ctx context.Context, client *whatsmeow.Client) error) error {
	c, err := m.find(id)
	if err != nil {
		return err
	}
	limit := m.options.ReadTimeout
	switch kind {
	case Write:
		limit = m.options.WriteTimeout
	case Transfer:
		limit = m.options.TransferTimeout
	}
	if err = c.admit(ctx, kind); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = c.do(ctx, op)
	if errors.Is(err, errCut) {
		c.awaitLoss(ctx)
	}
	if kind != Write && brokeConnection(err) && c.awaitOnline(ctx) {
		err = c.do(ctx, op)
	}
	err = translate(kind, err)
	if fault.Is(err, fault.RateLimited) {
		c.bucket(kind).slow(namedPause(err))
	}
	if kind == Write && fault.Is(err, fault.OutcomeUnknown) {
		idempotency.From(ctx).Lose()
	}
	c.bucket(kind).report(ctx)
	return err
}

// admit lets an operation begin: when the session is connected, when its turn
// has come, and, for changes of a repeatable request, once it is written down
// that this one is about to be sent.
func (c *companion) admit(ctx context.Context, kind Kind) error {
	if err := c.ready(); err != nil {
		return err // no turn is used up
	}
	attempt := idempotency.From(ctx)
	if kind == Write && attempt.Unsettled() {
		return attempt.Sending(ctx)
	}
	b := c.bucket(kind)
	if err := b.take(ctx, c.m.options.PaceWait); err != nil {
		b.report(ctx)
		return err
	}
	if kind == Write {
		return attempt.Sending(ctx)
	}
	return nil
}

func (c *companion) bucket(kind Kind) *bucket {
	if kind == Write {
		return c.writes
	}
	return c.reads
}

func (c *companion) do(ctx context.Context, op func(ctx context.Context, client *whatsmeow.Client) error) error {
	r, ctx, leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err = op(ctx, r.client); wasCut(ctx, err) {
		return errCut
	}
	return err
}

// lossLimit bounds the wait for a lost connection to be noticed.
const lossLimit = 5 * time.Second

// awaitLoss waits until the session shows that its connection has ended, which
// an operation is told first: whoever gets its error must not find the session
// connected, and a Read is not to be repeated on what is gone.
func (c *companion) awaitLoss(ctx context.Context) {
	limit := time.NewTimer(lossLimit)
	defer limit.Stop()
	for {
		c.mu.Lock()
		noticed := c.run == nil || !c.session.Status.online() || !c.run.flights.ended()
		changed := c.changed
		c.mu.Unlock()
		if noticed {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// enter admits an operation to the connection, with the context that ends when
// the connection does; call leave at its end. The loop waits for those it
// admitted before it connects again.
func (c *companion) enter(ctx context.Context) (r *run, _ context.Context, leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err = c.online(); err != nil {
		return nil, nil, nil, err
	}
	ctx, leave = c.run.flights.take(ctx)
	return c.run, context.WithValue(ctx, arrivalsKey{}, &c.run.arrivals), leave, nil
}

// connected is the present connection's run.
func (c *companion) connected() (*run, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.run, c.online()
}

// ready says why an operation cannot begin now.
func (c *companion) ready() error {
	_, err := c.connected()
	return err
}

// online is ready for those who hold the lock.
func (c *companion) online() error {
	switch {
	case c.gone:
		return notFound(c.id)
	case c.session.JID == "":
		return errNotLinked()
	case c.run == nil || !c.session.Status.online() || c.run.ctx.Err() != nil:
		return notConnected(c.session)
	case c.run.flights.ended():
		return notConnected(Session{Status: StatusConnecting, Detail: "the connection was closed"})
	}
	return nil
}

func notConnected(s Session) error {
	why := string(s.Status)
	if s.Detail != "" {
		why += ": " + s.Detail
	} else if s.Reason != "" {
		why += ": " + s.Reason
	}
	return fault.New(fault.SessionNotConnected, "this session is not connected to WhatsApp (%s)", why)
}

// awaitOnline waits until the session is connected again; false when that will
// not be, or not in time.
func (c *companion) awaitOnline(ctx context.Context) bool {
	for {
		s, _, changed := c.watch()
		switch {
		case s.Status.online():
			// Still shown as online, the broken connection may not have been
			// noticed; then the second attempt ends like the first.
			return true
		case s.Status != StatusConnecting:
			return false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// abandoned is the fault of a wait whose context has ended.
func abandoned(ctx context.Context) error {
	cause := ctx.Err()
	if errors.Is(cause, context.Canceled) {
		return fault.New(fault.NoAnswer, "the request was given up before it was answered").Because(cause)
	}
	return fault.New(fault.NoAnswer, "there was no answer in time").Because(fmt.Errorf("wait: %w", cause))
}
