package session

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
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
)

// Do runs an operation on the session's client: the only door to WhatsApp. op
// must use the context it is given, which ends at the deadline of its kind,
// and must not keep the client.
//
// Errors are faults: SessionNotFound, SessionNotLinked, SessionNotConnected
// before anything was sent; afterwards what the table in errors.go says. A
// fault that op returns itself passes unchanged. A Read whose connection
// breaks runs once more when the session is back within its deadline.
func (m *Manager) Do(ctx context.Context, id string, kind Kind, op func(ctx context.Context, client *whatsmeow.Client) error) error {
	c, err := m.find(id)
	if err != nil {
		return err
	}
	limit := m.options.ReadTimeout
	if kind == Write {
		limit = m.options.WriteTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = c.do(ctx, op)
	if kind == Read && brokeConnection(err) && c.awaitOnline(ctx) {
		err = c.do(ctx, op)
	}
	return translate(kind, err)
}

func (c *companion) do(ctx context.Context, op func(ctx context.Context, client *whatsmeow.Client) error) error {
	r, leave, err := c.enter()
	if err != nil {
		return err
	}
	defer leave()
	return op(ctx, r.client)
}

// enter admits an operation to the connection; call leave at its end. The loop
// waits for those it admitted before it connects again, so that whatsmeow
// finds no connection to repeat their requests on.
func (c *companion) enter() (r *run, leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return nil, nil, notFound(c.id)
	case c.session.JID == "":
		return nil, nil, errNotLinked()
	case c.run == nil || !c.session.Status.online() || c.run.ctx.Err() != nil:
		return nil, nil, notConnected(c.session)
	}
	flights := c.run.flights
	flights.begin()
	return c.run, flights.end, nil
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

// brokeConnection tells whether an operation ended because its connection did.
func brokeConnection(err error) bool {
	var cut *whatsmeow.DisconnectedError
	return errors.As(err, &cut)
}

// abandoned is the fault of a wait whose context has ended.
func abandoned(ctx context.Context) error {
	cause := ctx.Err()
	if errors.Is(cause, context.Canceled) {
		return fault.New(fault.NoAnswer, "the request was given up before it was answered").Because(cause)
	}
	return fault.New(fault.NoAnswer, "there was no answer in time").Because(fmt.Errorf("wait: %w", cause))
}
