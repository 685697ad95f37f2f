package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

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

// loop connects, and connects again, until the session is stopped or a
// connection ends for good.
func (r *run) loop() {
	defer r.finish()
	for failures := 0; ; failures++ {
		events, endEvents := context.WithCancel(r.events)
		end := r.connection(events)
		r.c.endConnection(r, end)
		r.hangUp(endEvents)
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
// operations, so that none is sent a second time on the next connection, and
// the decryption of events, see countedBuffer. Disconnecting also when the
// socket is gone already matters: it makes whatsmeow give up the requests that
// wait for a reconnection to be sent once more.
func (r *run) hangUp(endEvents context.CancelFunc) {
	r.c.mu.Lock()
	flights := r.flights
	r.flights = &tally{}
	r.c.mu.Unlock()
	r.client.Disconnect()
	r.drain(flights, "operations of the last connection are still running")
	// What the closed connection has delivered and nobody has begun to decrypt
	// stays unacknowledged and will be delivered again.
	endEvents()
	r.drain(&r.device.decrypting, "events of the last connection are still being decrypted")
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

// signal hands an event to the loop.
func (r *run) signal(evt any) {
	select {
	case r.signals <- evt:
	case <-r.done:
	}
}

// connection makes one connection, whose events are handled under the context,
// and stays with it until it ends.
func (r *run) connection(events context.Context) ending {
	// A dial ends with the stop of the session; whatsmeow's handshake has a
	// limit of its own (20 s).
	unhook := context.AfterFunc(r.ctx, r.endEvents)
	err := r.client.ConnectContext(events)
	unhook()
	if err != nil {
		return r.lost(ReasonUnreachable, "cannot connect to WhatsApp: "+err.Error())
	}
	r.heard()
	s := &serving{run: r, since: r.c.m.now(), timer: time.NewTimer(r.c.m.options.LoginTimeout)}
	s.expire = func() *ending {
		end := r.lost(ReasonNoLogin, "WhatsApp did not answer the login")
		return &end
	}
	defer s.timer.Stop()
	return s.serve()
}

// lost is the ending after which a linked session tries again. One that is not
// linked has someone waiting at a QR code: for them it is the end.
func (r *run) lost(reason, detail string) ending {
	if r.c.linked() {
		return ending{status: StatusConnecting, reason: reason, detail: detail}
	}
	return ending{status: StatusDisconnected, reason: reason, detail: detail, final: true}
}

// serving is the state of one open connection. Only its goroutine touches it.
type serving struct {
	*run
	since     time.Time
	connected bool
	pulse     pulse
	pairing   pairing
	// redeliver fires when an event that was not stored should come again.
	redeliver <-chan time.Time
	// One deadline at a time is pending: for the login, the present QR code,
	// the reconnect after pairing, or the passkey.
	timer  *time.Timer
	expire func() *ending
}

// arm replaces the pending deadline.
func (s *serving) arm(wait time.Duration, expire func() *ending) {
	s.timer.Stop()
	s.expire = expire
	if expire != nil {
		s.timer.Reset(max(wait, 0))
	}
}

func (s *serving) serve() (end ending) {
	defer func() { end.healthy = s.connected && s.c.m.now().Sub(s.since) >= healthyAfter }()
	ticker := time.NewTicker(s.c.m.options.pulseInterval())
	defer ticker.Stop()
	for {
		var over *ending
		select {
		case <-s.ctx.Done():
			return ending{}
		case evt := <-s.signals:
			over = s.on(evt)
		case <-s.timer.C:
			if s.expire != nil {
				over = s.expire()
			}
		case <-ticker.C:
			over = s.checkPulse()
		case <-s.redeliver:
			over = &ending{status: StatusConnecting, reason: ReasonRedelivery, now: true,
				detail: "an event could not be stored: connecting anew, so that it is delivered again"}
		}
		if over != nil {
			return *over
		}
	}
}

// concernsConnection tells which events the loop wants to see.
func concernsConnection(evt any) bool {
	switch evt.(type) {
	case *events.QR, *events.PairSuccess, *events.PairError, *events.ManualLoginReconnect,
		*events.PairPasskeyRequest, *events.PairPasskeyConfirmation, *events.PairPasskeyError,
		*events.Connected, *events.Disconnected, *events.StreamReplaced, *events.StreamError,
		*events.LoggedOut, *events.TemporaryBan, *events.ClientOutdated, *events.ConnectFailure:
		return true
	default:
		return false
	}
}

// Signals of our own.
type (
	reconnectNow   struct{}           // someone asked for a new connection
	pairCodeIssued struct{ PairCode } // WhatsApp has accepted a pairing code
	eventFailed    struct{}           // an event could not be stored
)

// on takes one event; a result ends the connection.
func (s *serving) on(evt any) *ending {
	switch evt := evt.(type) {
	case *events.QR, *events.PairSuccess, *events.PairError, *events.ManualLoginReconnect, pairCodeIssued,
		*events.PairPasskeyRequest, *events.PairPasskeyConfirmation, *events.PairPasskeyError:
		return s.onPairing(evt)
	case *events.Connected:
		s.onConnected()
		return nil
	case eventFailed:
		if s.redeliver == nil {
			s.redeliver = time.After(s.redeliveryWait())
		}
		return nil
	case reconnectNow:
		return &ending{status: StatusConnecting, reason: ReasonRequested, now: true}
	case *events.Disconnected:
		// Dispatched by a goroutine of its own, it can be a late word about the
		// connection before this one.
		if s.client.IsConnected() {
			return nil
		}
		end := s.lost(ReasonConnectionLost, "the connection was closed")
		return &end
	case *events.StreamError:
		end := s.lost(ReasonStreamError, "WhatsApp ended the connection with error "+evt.Code)
		return &end
	case *events.LoggedOut, *events.StreamReplaced, *events.TemporaryBan, *events.ClientOutdated, *events.ConnectFailure:
		return s.onRefusal(evt)
	default:
		return nil
	}
}

func (s *serving) onConnected() {
	s.connected = true
	s.since = s.c.m.now()
	s.pulse = pulse{}
	s.arm(0, nil)
	s.c.setStateOf(s.run, StatusConnected, "", "")
	s.settle()
}

// redeliveryLimit bounds the growing wait before events that could not be
// stored are asked for again, so that one that can never be stored does not
// keep the session reconnecting.
const redeliveryLimit = time.Hour

// redeliveryWait is the wait after one more connection with such events.
func (r *run) redeliveryWait() time.Duration {
	wait := redeliveryLimit
	if r.redeliveries < 16 {
		wait = min(r.c.m.options.RedeliverAfter<<r.redeliveries, redeliveryLimit)
	}
	r.redeliveries++
	return wait
}

// refusedPause is the wait after a refusal that is neither known to be final
// nor known to be short.
const refusedPause = 5 * time.Minute

// onRefusal takes the events after which WhatsApp does not want this client.
func (s *serving) onRefusal(evt any) *ending {
	switch evt := evt.(type) {
	case *events.LoggedOut:
		return s.onLoggedOut(evt)
	case *events.StreamReplaced:
		return &ending{status: StatusDisconnected, reason: ReasonReplaced, final: true,
			detail: "another program connected with this session's keys; stop it, then connect this session again"}
	case *events.ClientOutdated:
		return &ending{status: StatusDisconnected, reason: ReasonOutdated, final: true,
			detail: "WhatsApp no longer accepts this version of the client: update Muster, then connect this session again"}
	case *events.TemporaryBan:
		end := &ending{status: StatusBanned, reason: ReasonTemporaryBan, detail: evt.Code.String(), final: true}
		if evt.Expire > 0 {
			until := s.c.m.now().Add(evt.Expire).UTC().Format(time.RFC3339)
			end.detail = fmt.Sprintf("%s; until %s", evt.Code, until)
			end.final, end.pause = false, evt.Expire
		}
		return end
	case *events.ConnectFailure:
		end := s.lost(ReasonRefused, "WhatsApp refused the login: "+evt.Reason.String())
		end.pause = refusedPause
		return &end
	default:
		return nil
	}
}

// deletionWait is how long whatsmeow may take to delete the keys after it has
// announced the logout; after that they are deleted here.
const deletionWait = 5 * time.Second

func (s *serving) onLoggedOut(evt *events.LoggedOut) *ending {
	if s.leaving.Load() {
		return nil // the logout that is in work says so itself
	}
	select {
	case <-s.deleted:
	case <-time.After(deletionWait):
	}
	if err := s.c.dropDevice(); err != nil {
		s.c.m.log.Error().Err(err).Str("session", s.c.id).Msg("cannot delete the keys of a session that was logged out: WhatsApp refuses them again at the next login, and then they are")
	}
	reason, detail := ReasonUnlinked, "this device was removed in the phone's list of linked devices"
	switch evt.Reason {
	case events.ConnectFailureMainDeviceGone:
		reason, detail = ReasonPrimaryGone, "the phone was logged out or its account is locked"
	case events.ConnectFailureUnknownLogout:
		reason, detail = ReasonAccountBanned, "WhatsApp has logged the account out for good (406)"
	}
	return &ending{status: StatusLoggedOut, reason: reason, detail: detail, final: true}
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
