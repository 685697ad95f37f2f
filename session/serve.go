package session

import (
	"time"

	"go.mau.fi/whatsmeow/types/events"
)

// serving is the state of one open connection. Only its goroutine touches it.
type serving struct {
	*run
	attempt *attempt
	// linkedBefore tells whether the session was linked before it connected.
	linkedBefore bool

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
	defer func() {
		if end.healthy = s.lasted(); end.healthy && s.redeliver == nil {
			s.redeliveries = 0
		}
	}()
	ticker := time.NewTicker(s.c.m.options.pulseInterval())
	defer ticker.Stop()
	for {
		var over *ending
		select {
		case <-s.ctx.Done():
			return ending{}
		case told := <-s.signals:
			if told.attempt == s.attempt.number {
				over = s.on(told.event)
			}
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
	keysFailed     struct{}           // the database failed while a message was decrypted
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
		s.onEventFailed()
		return nil
	case keysFailed:
		return &ending{status: StatusConnecting, reason: ReasonRedelivery,
			detail: "a message could not be stored while it was decrypted: connecting anew, so that it is delivered again"}
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
	s.c.update(func() { s.c.leaving = false }) // WhatsApp still knows this device
	s.c.setStateOf(s.run, StatusConnected, "", "")
	s.settle()
}

// redeliveryLimit bounds the growing wait before events that could not be
// stored are asked for again, so that one that can never be stored does not
// keep the session reconnecting.
const redeliveryLimit = time.Hour

// onEventFailed sets the time at which the event is asked for again. What
// cannot be stored at all fails soon after the login, when it is delivered
// again; a connection that has been good for a while begins anew.
func (s *serving) onEventFailed() {
	if s.redeliver != nil {
		return
	}
	if s.lasted() {
		s.redeliveries = 0
	}
	s.redeliver = time.After(s.redeliveryWait())
}

// lasted tells whether this connection has been up for a while.
func (s *serving) lasted() bool {
	return s.connected && s.c.m.now().Sub(s.since) >= healthyAfter
}

// redeliveryWait is the wait after one more connection with such events.
func (r *run) redeliveryWait() time.Duration {
	wait := redeliveryLimit
	if r.redeliveries < 16 {
		wait = min(r.c.m.options.RedeliverAfter<<r.redeliveries, redeliveryLimit)
	}
	r.redeliveries++
	return wait
}
