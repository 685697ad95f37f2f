package session

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/fault"
)

// served is a connection without a socket, at a time that the test sets.
func served(t *testing.T, now *time.Time) *serving {
	t.Helper()
	m := &Manager{log: zerolog.Nop(), now: func() time.Time { return *now }, options: Options{RedeliverAfter: time.Minute}.withDefaults()}
	c := newCompanion(m, record{Session: Session{ID: "a", JID: device7.String(), Status: StatusConnected}})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r := &run{c: c, ctx: ctx, stop: stop, signals: make(chan signalled, 8), done: make(chan struct{})}
	return &serving{run: r, attempt: &attempt{number: 2}, linkedBefore: true, since: *now, connected: true, timer: time.NewTimer(time.Hour)}
}

// TestLateSignalsAreIgnored: what an earlier connection said is not said of
// this one.
func TestLateSignalsAreIgnored(t *testing.T) {
	now := morning
	s := served(t, &now)
	s.signal(1, &events.ClientOutdated{})
	s.signal(1, reconnectNow{})
	s.signal(2, &events.StreamReplaced{})
	if end := s.serve(); end.reason != ReasonReplaced {
		t.Errorf("ended with %+v", end)
	}
}

// TestRedeliveryBeginsAnewAfterAGoodConnection: the growing wait is for events
// that fail again and again.
func TestRedeliveryBeginsAnewAfterAGoodConnection(t *testing.T) {
	now := morning
	s := served(t, &now)
	for range 3 {
		s.redeliver = nil
		s.onEventFailed()
	}
	if s.redeliveries != 3 {
		t.Fatalf("%d failures in a row count as %d", 3, s.redeliveries)
	}
	now = now.Add(healthyAfter)
	s.redeliver = nil
	s.onEventFailed()
	if s.redeliveries != 1 {
		t.Errorf("after a good connection it counts %d", s.redeliveries)
	}

	s.redeliver = nil
	s.redeliveries = 5
	s.signal(2, reconnectNow{})
	if end := s.serve(); !end.healthy || s.redeliveries != 0 {
		t.Errorf("a good connection ends with %+v and %d", end, s.redeliveries)
	}
}

// TestRefusedSessionsDoNotReturnTogether: WhatsApp refuses many at once.
func TestRefusedSessionsDoNotReturnTogether(t *testing.T) {
	now := morning
	s := served(t, &now)
	pauses := map[time.Duration]bool{}
	for range 8 {
		end := s.onRefusal(&events.ConnectFailure{Reason: events.ConnectFailureGeneric})
		if end.pause < refusedPause || end.pause > 2*refusedPause || end.final {
			t.Errorf("ended with %+v", end)
		}
		pauses[end.pause] = true
	}
	if len(pauses) == 1 {
		t.Errorf("they all wait %v", pauses)
	}
}

func TestBanEndIsReadFromItsDetail(t *testing.T) {
	now := morning
	s := served(t, &now)
	end := s.banned(&events.TemporaryBan{Code: events.TempBanSentToTooManyPeople, Expire: time.Hour})
	if got := banEnd(end.detail); !got.Equal(now.Add(time.Hour)) || end.final || end.pause != time.Hour {
		t.Errorf("ended with %+v until %v", end, got)
	}
	if end = s.banned(&events.TemporaryBan{}); !end.final || !banEnd(end.detail).IsZero() {
		t.Errorf("without an expiry: %+v", end)
	}
}

// TestCodeOfALinkThatWasMadeOtherwise: the phone scanned a QR code while
// another person asked for a pairing code.
func TestCodeOfALinkThatWasMadeOtherwise(t *testing.T) {
	now := morning
	s := served(t, &now)
	if err := s.c.awaitShown(t.Context(), s.run, PairCode{Code: "AAAA-BBBB"}); !fault.Is(err, fault.SessionLinked) {
		t.Errorf("got %v", err)
	}
	s.c.update(func() { s.c.session.JID, s.c.session.Status = "", StatusWaitingForQR })
	close(s.done)
	if err := s.c.awaitShown(t.Context(), s.run, PairCode{Code: "AAAA-BBBB"}); !fault.Is(err, fault.SessionNotConnected) {
		t.Errorf("after the end of its connection: %v", err)
	}
}

// TestPokesOfAConnectionDoNotShortenThePause: someone who asked for a
// connection that was there has not asked for another attempt after it.
func TestPokesOfAConnectionDoNotShortenThePause(t *testing.T) {
	now := morning
	s := served(t, &now)
	s.wake = make(chan struct{}, 1)
	s.poke()
	s.unpoke()
	s.stop()
	if s.pause(time.Hour) {
		t.Error("the pause was cut short")
	}
}

// TestTasksThatDoNotEndDoNotHoldTheShutdown: its context bounds all of it.
func TestTasksThatDoNotEndDoNotHoldTheShutdown(t *testing.T) {
	m := &Manager{cancel: func() {}}
	release := make(chan struct{})
	m.tasks.Go(func() { <-release })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Close(ctx); err == nil {
		t.Error("no error")
	}
	close(release)
	if err := m.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
