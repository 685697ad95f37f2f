package session

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/event"
	"muster/internal/fault"
)

// QR is what there is to be scanned, or how the linking ended.
type QR struct {
	// Code is the text of the QR code; empty unless Status is a waiting one.
	Code      string
	ExpiresAt time.Time // when the next code replaces it
	Attempt   int       // 1 for the first code
	Status    Status
	Reason    string // set at the end
	Detail    string
	JID       string // the linked device, when Status is connected
}

// Done tells whether this is a result, and not a code to be shown.
func (q QR) Done() bool { return !q.Status.linking() && q.Status != StatusConnecting }

// rotation is the sequence of codes that one connection is given. It knows by
// the time which one is valid, so a replaced one cannot be shown.
type rotation struct {
	codes       []string
	started     time.Time
	first, next time.Duration
}

// refCount is the number of codes of a fresh connection. WhatsApp's own client
// shows the first of exactly six for longer and every other equally long.
const refCount = 6

// at returns the valid code, its number from 1, and when it ends.
func (r rotation) at(now time.Time) (code string, attempt int, until time.Time, ok bool) {
	until = r.started
	for i, code := range r.codes {
		window := r.next
		if len(r.codes)-i == refCount {
			window = r.first
		}
		if until = until.Add(window); now.Before(until) {
			return code, i + 1, until, true
		}
	}
	return "", 0, until, false
}

// end is when the last code ends.
func (r rotation) end() time.Time {
	end := r.started.Add(time.Duration(len(r.codes)) * r.next)
	if len(r.codes) >= refCount {
		end = end.Add(r.first - r.next)
	}
	return end
}

// QR returns the code to be scanned now. A session that is not linked and not
// running is started. Errors: SessionLinked; SessionNotConnected when the
// connection fails; Conflict when WhatsApp demands a passkey.
func (m *Manager) QR(ctx context.Context, id string) (QR, error) {
	c, err := m.startLinking(ctx, id)
	if err != nil {
		return QR{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, m.options.ReadTimeout)
	defer cancel()
	for {
		s, l, changed := c.watch()
		qr := c.present(s, l)
		switch {
		case s.JID != "":
			return QR{}, errLinked()
		case qr.Code != "":
			return qr, nil
		case s.Status == StatusPasskeyRequired:
			return QR{}, errPasskeyDemanded()
		case qr.Done():
			return QR{}, notConnected(s)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return QR{}, abandoned(ctx)
		}
	}
}

// newTo tells whether someone who was last told sent has to be told this: each
// code, once under each status, and a demand for a passkey.
func (q QR) newTo(sent QR) bool {
	if q.Done() {
		return true
	}
	if q.Code == "" && q.Status != StatusPasskeyRequired {
		return false
	}
	return q.Code != sent.Code || q.Status != sent.Status
}

// WatchQR starts the session like QR and sends each new code, each code again
// whose status has changed, and a demand for a passkey, without a code. It ends
// with the result: the session is connected, or linking has failed with a
// reason. The channel is closed after the result, or when ctx or the manager
// ends. A slow receiver misses replaced codes and never gets one.
func (m *Manager) WatchQR(ctx context.Context, id string) (<-chan QR, error) {
	c, err := m.startLinking(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make(chan QR)
	go func() {
		defer close(out)
		m.watchQR(ctx, c, out)
	}()
	return out, nil
}

func (m *Manager) watchQR(ctx context.Context, c *companion, out chan<- QR) {
	var sent QR
	for {
		s, l, changed := c.watch()
		qr := c.present(s, l)
		var send chan<- QR
		if qr.newTo(sent) {
			send = out
		}
		select {
		case send <- qr:
			if qr.Done() {
				return
			}
			sent = qr
		case <-changed:
		case <-ctx.Done():
			return
		case <-m.ctx.Done():
			return
		}
	}
}

// present makes the QR of a snapshot.
func (c *companion) present(s Session, l link) QR {
	qr := QR{Status: s.Status}
	if qr.Done() {
		qr.Reason, qr.Detail, qr.JID = s.Reason, s.Detail, s.JID
		return qr
	}
	if s.Status == StatusWaitingForQR || s.Status == StatusWaitingForPairCode {
		if code, attempt, until, valid := l.codes.at(c.m.now()); valid {
			qr.Code, qr.Attempt, qr.ExpiresAt = code, attempt, until
		}
	}
	return qr
}

// startLinking makes sure that a session that is not linked is running.
func (m *Manager) startLinking(ctx context.Context, id string) (*companion, error) {
	c, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if c.linked() {
		return nil, errLinked()
	}
	if _, err = c.start(ctx, ReasonRequested); err != nil {
		return nil, err
	}
	return c, nil
}

func errPasskeyDemanded() error {
	return fault.New(fault.Conflict, "WhatsApp demands a passkey for the link that is in work: see /passkey")
}

func errLinked() error {
	return fault.New(fault.SessionLinked, "a phone is linked to this session already: log it out first")
}

// pairedPause is how long WhatsApp may take to ask for the reconnection that
// completes linking, before it is made unasked.
const pairedPause = 10 * time.Second

// onPairing takes the events of an unpaired connection.
func (s *serving) onPairing(evt any) *ending {
	switch evt := evt.(type) {
	case *events.QR:
		s.onCodes(evt.Codes)
	case pairCodeIssued:
		s.onPairCode(evt.PairCode)
	case *events.PairSuccess:
		if s.connected {
			return nil // told late, about the connection before this one
		}
		s.pairing.saved = true
		return s.afterPairing()
	case *events.ManualLoginReconnect:
		if s.linkedBefore {
			return &ending{status: StatusConnecting, reason: ReasonStreamError, detail: "WhatsApp asked for a new connection (515)"}
		}
		s.pairing.asked = true
		return s.afterPairing()
	case *events.PairError:
		return s.pairingFailed("linking could not be completed", evt.Error)
	default:
		return s.onPasskey(evt)
	}
	return nil
}

// pairing is how far a link is that the phone has confirmed. whatsmeow tells
// the two from different goroutines, in any order: hanging up before it has
// seen its own confirmation sent would make it take the pairing for failed.
type pairing struct {
	saved bool // the device is stored and the confirmation is sent
	asked bool // WhatsApp wants the client to reconnect and log in
}

func (s *serving) afterPairing() *ending {
	login := &ending{status: StatusConnecting, reason: ReasonLinked, detail: "the phone has confirmed the link", now: true}
	if s.pairing.saved && s.pairing.asked {
		return login
	}
	s.c.setStateOf(s.run, login.status, login.reason, login.detail)
	s.arm(pairedPause, func() *ending { return login })
	return nil
}

// pairingFailed is the ending of a link that failed; the error is for the log.
func (s *serving) pairingFailed(detail string, err error) *ending {
	s.c.m.log.Warn().Err(discreet(err)).Str("session", s.c.id).Msg(detail)
	return &ending{status: StatusDisconnected, reason: ReasonPairingFailed, detail: detail, final: true}
}

func (s *serving) onCodes(codes []string) {
	o := &s.c.m.options
	codesNow := rotation{codes: codes, started: s.c.m.now(), first: o.QRFirst, next: o.QRNext}
	s.c.update(func() { s.c.link = link{codes: codesNow} })
	s.c.setStateOf(s.run, StatusWaitingForQR, "", "")
	s.settle()
	s.nextCode()
}

// nextCode shows the code that is valid now and waits for its end.
func (s *serving) nextCode() *ending {
	_, l, _ := s.c.watch()
	now := s.c.m.now()
	if code, attempt, until, ok := l.codes.at(now); ok {
		s.c.update(func() {}) // those who watch look for themselves
		s.tellCode(event.QR{QR: code, Attempt: attempt, ExpiresAt: seconds(until)})
		s.arm(until.Sub(now), s.nextCode)
		return nil
	}
	end := &ending{status: StatusDisconnected, reason: ReasonQRExpired, final: true,
		detail: "no code was scanned in time: ask for a new one"}
	if l.pair.Code != "" {
		end.reason, end.detail = ReasonCodeExpired, "the pairing code was not used in time: ask for a new one"
	}
	return end
}
