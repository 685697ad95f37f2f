package session_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types/events"

	coded "muster/internal/fault"
	"muster/sandbox/fault"
	"muster/session"
)

// TestLogoutWhoseAnswerIsLost: WhatsApp removes the device and the connection
// breaks before it says so. The next login is refused, by our own doing.
func TestLogoutWhoseAnswerIsLost(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.trouble(fault.Match{XMLNS: "md", Child: "remove-companion-device"}, fault.Script{ApplyThenDisconnect: true})
	if _, err := r.m.Logout(r.context(), "a", false); !coded.Is(err, coded.OutcomeUnknown) {
		t.Errorf("logout: %v", err)
	}
	s := r.await("a", session.StatusLoggedOut)
	if s.Reason != session.ReasonLoggedOutHere || s.LoggedIn || strings.Contains(s.Detail, "phone") {
		t.Errorf("session %+v", s)
	}
	if devices := r.devices(ann); len(devices) != 0 {
		t.Errorf("the phone lists %v", devices)
	}
}

// TestFailedLogoutIsForgotten: a logout that WhatsApp never saw does not claim
// the removal that happens later.
func TestFailedLogoutIsForgotten(t *testing.T) {
	r := newRig(t)
	before := r.link("a", ann)
	r.trouble(fault.Match{XMLNS: "md", Child: "remove-companion-device"}, fault.Script{Close: true})
	if _, err := r.m.Logout(r.context(), "a", false); !coded.Is(err, coded.OutcomeUnknown) {
		t.Errorf("logout: %v", err)
	}
	awaitOn(t, r.m, "a", "connected again", func(s session.Session) bool {
		return s.Status == session.StatusConnected && s.UpdatedAt.After(before.UpdatedAt)
	})
	if err := r.srv.Unlink(ann, nil); err != nil {
		t.Fatal(err)
	}
	if s := r.await("a", session.StatusLoggedOut); s.Reason != session.ReasonUnlinked {
		t.Errorf("session %+v", s)
	}
}

// TestReconnectionOnRequestOfWhatsApp: the 515 that completes a link also comes
// to linked sessions, and is no link then.
func TestReconnectionOnRequestOfWhatsApp(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	linking := r.statuses("a")
	r.trouble(fault.Match{XMLNS: "privacy"}, fault.Script{StreamError: 515})
	if err := r.m.Do(r.context(), "a", session.Read, privacy); err != nil && !coded.Is(err, coded.NoAnswer) {
		t.Errorf("an operation: %v", err)
	}
	awaitOn(t, r.m, "a", "connected again", func(s session.Session) bool {
		return s.Status == session.StatusConnected && r.statuses("a") != linking
	})
	if after := strings.TrimPrefix(r.statuses("a"), linking); after != "connecting(stream_error) connected() " {
		t.Errorf("afterwards it was %s", after)
	}
}

// TestUnreachableTellsNoDetails: whoever sets a proxy learns nothing of what
// answers at its address.
func TestUnreachableTellsNoDetails(t *testing.T) {
	r := newRig(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "SSH-2.0-banner\r\n")
			_ = conn.Close()
		}
	}()
	details := map[string]bool{}
	for id, proxy := range map[string]string{"open": "http://" + listener.Addr().String(), "shut": "http://127.0.0.1:1"} {
		if _, err = r.m.Create(t.Context(), session.CreateRequest{ID: id, Proxy: proxy}); err != nil {
			t.Fatal(err)
		}
		_, err = r.m.QR(r.context(), id)
		s := r.await(id, session.StatusDisconnected)
		if !coded.Is(err, coded.SessionNotConnected) || s.Reason != session.ReasonUnreachable || strings.Contains(err.Error(), "SSH") {
			t.Errorf("%s: %v, %+v", id, err, s)
		}
		details[s.Detail] = true
	}
	if len(details) != 1 {
		t.Errorf("they differ: %v", details)
	}
}

// TestBanOutlivesARestart: a banned session waits for the end of its ban, also
// over restarts, and connects then.
func TestBanOutlivesARestart(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.trouble(fault.Match{}, fault.Script{LoginFailure: 402})
	if _, err := r.m.Reconnect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	banned := r.await("a", session.StatusBanned)
	_, stated, _ := strings.Cut(banned.Detail, "until ")
	until, err := time.Parse(time.RFC3339, stated)
	if err != nil {
		t.Fatal(err)
	}
	history := r.statuses("a")
	r.close(r.m)

	r.m = r.open(r.db)
	if err = r.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := r.m.Get(t.Context(), "a"); err != nil || s.Status != session.StatusBanned || s.Detail != banned.Detail {
		t.Errorf("after a restart: %+v, %v", s, err)
	}
	if p := r.m.Progress(); p.Total != 0 {
		t.Errorf("it waits for %+v", p)
	}
	r.close(r.m)
	if got := r.statuses("a"); got != history {
		t.Errorf("history %s, before %s", got, history)
	}

	shift := time.Until(until) - 50*time.Millisecond
	r.m = r.open(r.db, func(o *session.Options) { o.Now = func() time.Time { return time.Now().Add(shift) } })
	if err = r.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.await("a", session.StatusConnected)
}

// TestMessageOutlivesAFailureOfTheDatabase: the message arrives while the
// database refuses to take part in its decryption. It must be neither
// acknowledged nor asked for anew, but be delivered again.
func TestMessageOutlivesAFailureOfTheDatabase(t *testing.T) {
	for name, sql := range map[string]struct{ harm, mend string }{
		"buffer not read": {
			`ALTER TABLE whatsmeow_event_buffer RENAME TO away`, `ALTER TABLE away RENAME TO whatsmeow_event_buffer`},
		"buffer not written": {
			`CREATE TRIGGER harm BEFORE INSERT ON whatsmeow_event_buffer BEGIN SELECT RAISE(FAIL, 'disk full'); END`, `DROP TRIGGER harm`},
		"keys not written": {
			`CREATE TRIGGER harm BEFORE INSERT ON whatsmeow_sessions BEGIN SELECT RAISE(FAIL, 'disk full'); END`, `DROP TRIGGER harm`},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan string, 16)
			r := newRig(t, func(o *session.Options) {
				o.Handlers = []session.Handler{func(_ context.Context, _ string, evt any) error {
					switch evt := evt.(type) {
					case *events.UndecryptableMessage:
						arrived <- "undecryptable"
					case *events.Message:
						if text := evt.Message.GetConversation(); text != "" {
							arrived <- text
						}
					}
					return nil
				}}
			})
			r.link("a", ann)
			if _, err := r.db.Exec(t.Context(), sql.harm); err != nil {
				t.Fatal(err)
			}
			if _, err := r.srv.SendText(bob, ann, "hello"); err != nil {
				t.Fatal(err)
			}
			awaitOn(t, r.m, "a", "waiting for the message", func(s session.Session) bool { return s.Reason == session.ReasonRedelivery })
			if _, err := r.db.Exec(t.Context(), sql.mend); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-arrived:
				if got != "hello" {
					t.Error(got)
				}
			case <-r.context().Done():
				t.Error("the message was lost")
			}
		})
	}
}
