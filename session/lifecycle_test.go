package session_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	coded "muster/internal/fault"
	"muster/sandbox/fault"
	"muster/session"
)

// privacy is a read that every linked session may do.
func privacy(ctx context.Context, client *whatsmeow.Client) error {
	_, err := client.TryFetchPrivacySettings(ctx, true)
	return err
}

func TestCreateListDelete(t *testing.T) {
	r := newRig(t)
	r.create("b")
	r.create("a")
	if _, err := r.m.Create(t.Context(), session.CreateRequest{ID: "a"}); !coded.Is(err, coded.SessionExists) {
		t.Errorf("the same id again: %v", err)
	}
	made, err := r.m.Create(t.Context(), session.CreateRequest{Proxy: "http://me:secret@127.0.0.1:1"})
	if err != nil || made.ID == "" || made.Name != made.ID || strings.Contains(made.Proxy, "secret") {
		t.Errorf("made up %+v, %v", made, err)
	}
	list, err := r.m.List(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("list %v, %v", list, err)
	}
	if _, err = r.m.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err = r.m.Get(t.Context(), "a"); !coded.Is(err, coded.SessionNotFound) {
		t.Errorf("a deleted session: %v", err)
	}
	if _, err = r.m.Delete(t.Context(), "a"); !coded.Is(err, coded.SessionNotFound) {
		t.Errorf("deleted again: %v", err)
	}
	r.create("a")
}

func TestRestartConnectsWhatWasConnected(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.link("b", bob)
	r.link("c", ann)
	if _, err := r.m.Disconnect(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	r.close(r.m)
	r.m = r.open(r.db, func(o *session.Options) { o.StartParallel = 1 })
	if err := r.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.await("a", session.StatusConnected)
	r.await("c", session.StatusConnected)
	if p := r.m.Progress(); p.Total != 2 {
		t.Errorf("progress %+v", p)
	}
	if s, err := r.m.Get(t.Context(), "b"); err != nil || s.Status != session.StatusDisconnected || s.Reason != session.ReasonRequested {
		t.Errorf("disconnected on purpose: %+v, %v", s, err)
	}
	if _, err := r.m.Connect(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	r.await("b", session.StatusConnected)
}

func TestReconnect(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	states, err := r.m.Watch(r.context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	<-states
	if _, err = r.m.Reconnect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for s := range states {
		if s.Status == session.StatusConnecting && s.Reason == session.ReasonRequested {
			r.await("a", session.StatusConnected)
			return
		}
	}
	t.Error("it did not reconnect")
}

func TestReplaced(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	other := r.open(r.db) // a second server on the same database
	if _, err := other.Connect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	awaitOn(t, other, "a", "connected", func(s session.Session) bool { return s.Status == session.StatusConnected })
	if s := r.await("a", session.StatusDisconnected); s.Reason != session.ReasonReplaced || !s.LoggedIn {
		t.Errorf("replaced session %+v", s)
	}
}

func TestRefusedLogins(t *testing.T) {
	for _, row := range []struct {
		failure int
		status  session.Status
		reason  string
		linked  bool
	}{
		{401, session.StatusLoggedOut, session.ReasonUnlinked, false},
		{403, session.StatusLoggedOut, session.ReasonPrimaryGone, false},
		{406, session.StatusBanned, session.ReasonAccountBanned, false},
		{402, session.StatusBanned, session.ReasonTemporaryBan, true},
		{405, session.StatusDisconnected, session.ReasonOutdated, true},
		{409, session.StatusConnecting, session.ReasonRefused, true},
		{503, session.StatusConnected, "", true}, // on the second attempt
	} {
		t.Run(http.StatusText(row.failure), func(t *testing.T) {
			r := newRig(t)
			r.link("a", ann)
			if _, err := r.m.Disconnect(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			r.trouble(fault.Match{}, fault.Script{LoginFailure: row.failure})
			if _, err := r.m.Connect(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			s := awaitOn(t, r.m, "a", row.reason, func(s session.Session) bool { return s.Status == row.status && s.Reason == row.reason })
			if s.LoggedIn != row.linked || row.reason != "" && s.Detail == "" {
				t.Errorf("session %+v", s)
			}
		})
	}
}

func TestBanIsTriedAgainOnRequest(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.trouble(fault.Match{}, fault.Script{LoginFailure: 402})
	if _, err := r.m.Reconnect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if s := r.await("a", session.StatusBanned); !strings.Contains(s.Detail, "101") || !strings.Contains(s.Detail, "until ") {
		t.Errorf("detail %q", s.Detail)
	}
	if _, err := r.m.Connect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	r.await("a", session.StatusConnected)
}

func TestDoWithoutAConnection(t *testing.T) {
	r := newRig(t)
	r.create("a")
	never := func(context.Context, *whatsmeow.Client) error { t.Error("it ran"); return nil }
	if err := r.m.Do(t.Context(), "nobody", session.Read, never); !coded.Is(err, coded.SessionNotFound) {
		t.Errorf("no such session: %v", err)
	}
	if err := r.m.Do(t.Context(), "a", session.Read, never); !coded.Is(err, coded.SessionNotLinked) {
		t.Errorf("not linked: %v", err)
	}
	r.scan("a", ann)
	if _, err := r.m.Disconnect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := r.m.Do(t.Context(), "a", session.Write, never); !coded.Is(err, coded.SessionNotConnected) {
		t.Errorf("not connected: %v", err)
	}
}

func TestReadIsRepeatedAfterALostConnection(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	for _, effect := range []fault.Script{{StreamError: 503}, {Close: true}, {ApplyThenDisconnect: true}} {
		r.trouble(fault.Match{XMLNS: "privacy"}, effect)
		runs := 0
		err := r.m.Do(t.Context(), "a", session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
			runs++
			return privacy(ctx, client)
		})
		if err != nil || runs != 2 {
			t.Errorf("%+v: %d runs, %v", effect, runs, err)
		}
	}
}

// Who is told that a connection has ended does not find the session connected
// by it, and what comes next is not sent over it.
func TestLostConnectionShowsAtOnce(t *testing.T) {
	r := newRig(t, func(o *session.Options) { o.BackoffMin, o.BackoffMax = time.Minute, time.Minute })
	r.link("a", ann)
	for range 5 {
		r.trouble(fault.Match{XMLNS: "privacy"}, fault.Script{Close: true})
		if err := r.m.Do(t.Context(), "a", session.Write, privacy); !coded.Is(err, coded.OutcomeUnknown) {
			t.Errorf("the lost change: %v", err)
		}
		if s, err := r.m.Get(t.Context(), "a"); err != nil || s.Status != session.StatusConnecting {
			t.Errorf("the session is %s, %v", s.Status, err)
		}
		if err := r.m.Do(t.Context(), "a", session.Write, privacy); !coded.Is(err, coded.SessionNotConnected) {
			t.Errorf("the next change: %v", err)
		}
		if _, err := r.m.Connect(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		r.await("a", session.StatusConnected)
	}
}

// TestWriteIsNeverRepeated: the service makes the group and cuts the
// connection instead of answering.
func TestWriteIsNeverRepeated(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.trouble(fault.Match{XMLNS: "w:g2", Child: "create"}, fault.Script{ApplyThenDisconnect: true})
	err := r.m.Do(t.Context(), "a", session.Write, func(ctx context.Context, client *whatsmeow.Client) error {
		_, err := client.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: "Once", Participants: []types.JID{types.NewJID(bob, types.DefaultUserServer)}})
		return err
	})
	if !coded.Is(err, coded.OutcomeUnknown) {
		t.Errorf("outcome: %v", err)
	}
	awaitOn(t, r.m, "a", "connected again", func(s session.Session) bool { return s.Status == session.StatusConnected })
	if groups := r.srv.Groups(); len(groups) != 1 {
		t.Errorf("%d groups were made", len(groups))
	}
}

func TestDeadlines(t *testing.T) {
	r := newRig(t, func(o *session.Options) { o.ReadTimeout, o.WriteTimeout = 150*time.Millisecond, 150*time.Millisecond })
	r.link("a", ann)
	for kind, code := range map[session.Kind]coded.Code{session.Read: coded.NoAnswer, session.Write: coded.OutcomeUnknown} {
		r.trouble(fault.Match{XMLNS: "privacy"}, fault.Script{DropReply: true})
		if err := r.m.Do(t.Context(), "a", kind, privacy); !coded.Is(err, code) {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
	r.trouble(fault.Match{XMLNS: "privacy"}, fault.Script{Error: 429})
	if err := r.m.Do(t.Context(), "a", session.Read, privacy); !coded.Is(err, coded.RateLimited) || coded.From(err).RetryAfter == 0 {
		t.Errorf("429: %v", err)
	}
}

func TestSilentConnectionIsDegradedAndReplaced(t *testing.T) {
	r := newRig(t, func(o *session.Options) {
		o.SilenceLimit, o.ProbeTimeout, o.DegradedLimit = 200*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
	})
	r.link("a", ann)
	states, err := r.m.Watch(r.context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	r.trouble(fault.Match{XMLNS: "w:p"}, fault.Script{Stall: true})
	degraded := false
	for s := range states {
		switch {
		case s.Status == session.StatusDegraded && s.Reason == session.ReasonSilent:
			degraded = true
		case degraded && s.Status == session.StatusConnected:
			if got := r.statuses("a"); !strings.Contains(got, "degraded(silent) connecting(silent) connected()") {
				t.Errorf("history %s", got)
			}
			return
		}
	}
	t.Errorf("degraded %v; history %s", degraded, r.statuses("a"))
}

func TestProbeThatIsAnsweredChangesNothing(t *testing.T) {
	r := newRig(t, func(o *session.Options) { o.SilenceLimit, o.ProbeTimeout = 50*time.Millisecond, 10*time.Second })
	r.link("a", ann)
	eventually(t, "three probes", func() bool { return r.srv.Stats().Stanzas["iq:w:p:get"] >= 3 })
	if got := r.statuses("a"); strings.Contains(got, "degraded") {
		t.Errorf("history %s", got)
	}
}

func TestLogout(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	s, err := r.m.Logout(r.context(), "a", false)
	if err != nil || s.Status != session.StatusLoggedOut || s.Reason != session.ReasonLoggedOutHere || s.LoggedIn {
		t.Fatalf("logged out %+v, %v", s, err)
	}
	if devices := r.devices(ann); len(devices) != 0 {
		t.Errorf("the phone still lists %v", devices)
	}
	if _, err = r.m.Logout(t.Context(), "a", false); !coded.Is(err, coded.SessionNotLinked) {
		t.Errorf("logged out twice: %v", err)
	}
}

func TestLogoutWithoutAConnection(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	if _, err := r.m.Disconnect(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.m.Logout(t.Context(), "a", false); !coded.Is(err, coded.SessionNotConnected) {
		t.Errorf("not connected: %v", err)
	}
	s, err := r.m.Logout(t.Context(), "a", true)
	if err != nil || s.LoggedIn || s.Status != session.StatusLoggedOut {
		t.Errorf("by force: %+v, %v", s, err)
	}
	if devices := r.devices(ann); len(devices) != 1 {
		t.Errorf("the phone lists %v", devices)
	}
	r.scan("a", ann)
}

func TestDeleteTellsThePhone(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	if told, err := r.m.Delete(r.context(), "a"); err != nil || !told {
		t.Fatal(err)
	}
	if devices := r.devices(ann); len(devices) != 0 {
		t.Errorf("the phone still lists %v", devices)
	}
}

// tunnels is an HTTP proxy that counts.
func tunnels(t *testing.T) (address string, count *atomic.Int32) {
	t.Helper()
	count = new(atomic.Int32)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, err := net.Dial("tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		defer target.Close()
		count.Add(1)
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer client.Close()
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(target, client)
			target.Close()
		}()
		_, _ = io.Copy(client, target)
	}))
	t.Cleanup(proxy.Close)
	return "http://" + proxy.Listener.Addr().String(), count
}

func TestProxyIsUsedAndChanged(t *testing.T) {
	r := newRig(t)
	address, count := tunnels(t)
	if _, err := r.m.Create(t.Context(), session.CreateRequest{ID: "a", Proxy: address}); err != nil {
		t.Fatal(err)
	}
	r.scan("a", ann)
	linked := count.Load()
	if linked == 0 {
		t.Fatal("linking did not pass the proxy")
	}
	if _, err := r.m.SetProxy(r.context(), "a", "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	awaitOn(t, r.m, "a", "unreachable", func(s session.Session) bool { return s.Reason == session.ReasonUnreachable && s.LoggedIn })
	if _, err := r.m.SetProxy(r.context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	r.await("a", session.StatusConnected)
	if count.Load() != linked {
		t.Error("the proxy was used after it was removed")
	}
	if _, err := r.m.SetProxy(t.Context(), "a", "http://proxy.example.org:1"); coded.From(err).Field != "proxy" {
		t.Errorf("a remote proxy in the sandbox: %v", err)
	}
}

func TestLIDLookup(t *testing.T) {
	r := newRig(t)
	s := r.link("a", ann)
	pn := types.NewJID(ann, types.DefaultUserServer)
	lid, err := r.m.LIDForPN(t.Context(), "a", pn)
	if err != nil || lid.String() != s.AccountLID() {
		t.Fatalf("LID %s, %v; the session's is %s", lid, err, s.AccountLID())
	}
	if back, err := r.m.PNForLID(t.Context(), "a", lid); err != nil || back != pn {
		t.Errorf("phone %s, %v", back, err)
	}
	if none, err := r.m.LIDForPN(t.Context(), "a", types.NewJID("4999999999", types.DefaultUserServer)); err != nil || !none.IsEmpty() {
		t.Errorf("an unknown phone: %s, %v", none, err)
	}
	if _, err = r.m.PNForLID(t.Context(), "a", pn); err == nil {
		t.Error("a phone JID was taken for a LID")
	}
}

// TestEventsComeUntilTheyAreStored: the handler fails twice, the second time
// by a panic; the message is not acknowledged and comes again.
func TestEventsComeUntilTheyAreStored(t *testing.T) {
	stored := make(chan string, 10)
	var attempts atomic.Int32
	r := newRig(t, func(o *session.Options) {
		o.RedeliverAfter = time.Millisecond
		o.Handlers = []session.Handler{func(ctx context.Context, id string, evt any) error {
			message, ok := evt.(*events.Message)
			if !ok || message.Message.GetConversation() == "" && message.Message.GetExtendedTextMessage() == nil {
				return nil
			}
			if _, err := o.DB.Exec(ctx, `UPDATE sessions SET name = name || '+' WHERE id=$1`, id); err != nil {
				return err
			}
			switch attempts.Add(1) {
			case 1:
				return errors.New("the disk is full")
			case 2:
				panic("a defect")
			}
			stored <- id
			return nil
		}}
	})
	r.link("a", ann)
	if _, err := r.srv.SendText(bob, ann, "hello"); err != nil {
		t.Fatal(err)
	}
	<-stored
	r.close(r.m) // waits for the event that is being stored
	var name string
	if err := r.db.QueryRow(t.Context(), `SELECT name FROM sessions WHERE id='a'`).Scan(&name); err != nil || name != "a+" {
		t.Errorf("the failed attempts left traces: name %q, %v", name, err)
	}
}

func TestCloseIsBounded(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.link("b", bob)
	r.close(r.m)
	if _, err := r.m.Connect(t.Context(), "a"); !coded.Is(err, coded.Unavailable) {
		t.Errorf("connect after the end: %v", err)
	}
	if _, err := r.m.Create(t.Context(), session.CreateRequest{}); !coded.Is(err, coded.Unavailable) {
		t.Errorf("create after the end: %v", err)
	}
	if got := r.srv.Stats().Connected; got != 0 {
		t.Errorf("%d devices are still connected", got)
	}
}
