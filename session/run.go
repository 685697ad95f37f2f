package session

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types/events"
)

// ending is how one connection ended and what follows.
type ending struct {
	status         Status
	reason, detail string
	final          bool          // do not connect again
	pause          time.Duration // before the next attempt; 0 = by the number of failures
	now            bool          // next attempt without a pause
	healthy        bool          // it had been up for a while
}

// drainLimit bounds the wait for operations that a lost connection has cut.
const drainLimit = 6 * time.Second

// healthyAfter is how long a connection must have lasted for the next failure
// to count as the first.
const healthyAfter = 30 * time.Second

// attempt is one of a run's connections, or the attempt to make it.
type attempt struct {
	// number tells the attempts of a run apart: what one of them signals late
	// says nothing about the next.
	number int64
	// events is the context of what it delivers; it carries the attempt.
	events context.Context
	end    context.CancelFunc
	// abandoned is set when its connection was not waited for, see dial.
	abandoned bool
}

type attemptKey struct{}

// attemptOf is the attempt that delivered what is handled under the context.
func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

func (r *run) nextAttempt() *attempt {
	a := &attempt{number: r.attempts.Add(1)}
	events, end := context.WithCancel(r.events)
	a.events, a.end = context.WithValue(events, attemptKey{}, a), end
	return a
}

// loop connects, and connects again, until the session is stopped or a
// connection ends for good.
func (r *run) loop() {
	defer r.finish()
	for failures := 0; ; failures++ {
		a := r.nextAttempt()
		end := r.connection(a)
		r.unpoke()
		r.c.endConnection(r, end)
		r.hangUp(a)
		r.settle()
		if end.final || r.ctx.Err() != nil {
			return
		}
		if end.healthy || end.now {
			failures = 0
		}
		pause := end.pause
		if pause == 0 && !end.now {
			pause = backoff(failures, r.c.m.options.BackoffMin, r.c.m.options.BackoffMax)
		}
		if !r.pause(pause) {
			return
		}
	}
}

// finish releases what the run holds.
func (r *run) finish() {
	r.device.closed.Store(true)
	r.endEvents()
	r.stop()
	r.settle()
	r.http.CloseIdleConnections()
	r.c.update(func() {
		if r.c.run == r {
			r.c.run = nil
		}
	})
	close(r.done)
}

func (r *run) settle() { r.settleOnce.Do(func() { close(r.settled) }) }

// hangUp closes the socket and waits for what was going on over it: the
// operations, see flights, and the decryption of events, see watchedBuffer.
func (r *run) hangUp(a *attempt) {
	defer a.end()
	if a.abandoned {
		return // nothing was ever sent over it, and whatsmeow holds its lock
	}
	r.c.mu.Lock()
	going := r.flights
	r.flights = newFlights()
	r.c.mu.Unlock()
	going.cut()
	// No events.Disconnected for what we end ourselves, and no waiting for the
	// next connection by those who have seen the end of this one.
	r.client.DangerousInternals().ExpectDisconnect()
	r.drain(&going.tally, "operations of the last connection are still running")
	r.closeSocket()
	// What the closed connection has delivered and nobody has begun to decrypt
	// stays unacknowledged and will be delivered again.
	a.end()
	r.drain(&r.device.decrypting, "events of the last connection are still being decrypted")
	r.arrivals.clear()
}

// closeSocket makes whatsmeow close the socket.
//
// Disconnect alone takes away the socket's handler without the lock under which
// the socket's reader, when the connection breaks at that moment, calls it.
// ResetConnection leaves the handler where it is; and Disconnect leaves alone
// what has been closed.
func (r *run) closeSocket() {
	r.client.DangerousInternals().ExpectDisconnect()
	r.client.ResetConnection()
	r.client.Disconnect()
}

func (r *run) drain(going *tally, otherwise string) {
	select {
	case <-going.zero():
	case <-time.After(drainLimit):
		r.c.m.log.Warn().Str("session", r.c.id).Msg(otherwise)
	}
}

// pause waits before the next attempt; Connect and Reconnect shorten it.
func (r *run) pause(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-r.wake:
			return true
		case <-r.signals: // late words of the connection that has ended
		case <-r.ctx.Done():
			return false
		}
	}
}

// poke ends a pause, if there is one.
func (r *run) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// unpoke forgets a poke at the end of an attempt, before anyone is shown that a
// pause follows: what was asked for while it was connected is no reason to cut
// the pause short, least of all that of a ban.
func (r *run) unpoke() {
	select {
	case <-r.wake:
	default:
	}
}

// signalled is what an attempt has to tell the loop.
type signalled struct {
	attempt int64
	event   any
}

// signal hands an event of an attempt to the loop, which ignores it once that
// attempt is over.
func (r *run) signal(attempt int64, evt any) {
	select {
	case r.signals <- signalled{attempt, evt}:
	case <-r.done:
	}
}

// connection makes one connection and stays with it until it ends.
func (r *run) connection(a *attempt) ending {
	s := &serving{run: r, attempt: a, linkedBefore: r.c.linked()}
	if err := r.dial(a); err != nil {
		return r.notMade(err)
	}
	r.heard()
	s.since = r.c.m.now()
	s.timer = time.NewTimer(r.c.m.options.LoginTimeout)
	s.expire = func() *ending {
		end := r.lost(ReasonNoLogin, "WhatsApp did not answer the login")
		return &end
	}
	defer s.timer.Stop()
	return s.serve()
}

// dial makes the connection, and gives up when the session is stopped.
// whatsmeow's handshake knows no context: once begun, it waits up to 20 seconds
// for an answer, holding the lock that its Disconnect needs. So it is left to
// end by itself. It cannot log in any more: what it would send, and the
// websocket, end with the context that is cancelled here.
func (r *run) dial(a *attempt) error {
	made := make(chan error, 1)
	dialled := r.presentFlights().dialled
	go func() {
		defer close(dialled)
		made <- r.client.ConnectContext(a.events)
	}()
	select {
	case err := <-made:
		return err
	case <-r.ctx.Done():
	}
	a.abandoned = true
	a.end()
	go func() {
		<-made //nolint:errcheck // nobody waits for the outcome any more
		r.closeSocket()
	}()
	return r.ctx.Err()
}

// notMade is the ending of an attempt without a connection. What went wrong in
// detail is for the log only: in the state it would tell whoever may choose
// the proxy what listens where in the server's network.
func (r *run) notMade(err error) ending {
	if r.ctx.Err() != nil {
		return ending{}
	}
	r.c.m.log.Warn().Err(err).Str("session", r.c.id).Msg("cannot connect to WhatsApp")
	if errors.Is(err, store.ErrDeviceDeleted) {
		// The word of it came too late for the connection that brought it.
		return *r.loggedOut(events.ConnectFailureLoggedOut)
	}
	if r.proxied {
		return r.lost(ReasonUnreachable, "cannot connect to WhatsApp through this session's proxy")
	}
	return r.lost(ReasonUnreachable, "cannot connect to WhatsApp")
}

// lost is the ending after which a linked session tries again. One that is not
// linked has someone waiting at a QR code: for them it is the end.
func (r *run) lost(reason, detail string) ending {
	if r.c.linked() {
		return ending{status: StatusConnecting, reason: reason, detail: detail}
	}
	return ending{status: StatusDisconnected, reason: reason, detail: detail, final: true}
}

// backoff is the pause before attempt number failures+1: doubling, bounded,
// and spread so that sessions that broke together do not return together.
func backoff(failures int, shortest, longest time.Duration) time.Duration {
	if failures == 0 {
		return jitter(shortest)
	}
	wait := longest
	if failures < 16 { // beyond, the doubling would overflow
		wait = min(shortest<<failures, longest)
	}
	return wait/2 + jitter(wait/2)
}

// jitter is a random part of limit.
func jitter(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return time.Duration(rand.Int64N(int64(limit)))
}

// sleep waits, and reports false when ctx ended first.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
