package session_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow"

	"muster/session"
)

// mute is a service that accepts websockets and never says a word, so that the
// handshake of its clients hangs. It tells of each frame that arrives.
func mute(t *testing.T, r *rig) (session.Network, <-chan struct{}) {
	t.Helper()
	greeted := make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ws, err := websocket.Accept(w, req, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		for {
			if _, _, err = ws.Read(context.Background()); err != nil {
				return
			}
			greeted <- struct{}{}
		}
	}))
	t.Cleanup(server.Close)
	network, err := session.Sandbox("ws"+strings.TrimPrefix(server.URL, "http")+"/ws/chat", r.srv.RootKey())
	if err != nil {
		t.Fatal(err)
	}
	return network, greeted
}

// TestStoppingDoesNotWaitForTheHandshake: whatsmeow cannot be interrupted while
// it waits for the answer to its first frame; what stops a session must not
// wait with it.
func TestStoppingDoesNotWaitForTheHandshake(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	r.close(r.m)
	network, greeted := mute(t, r)
	for _, act := range []struct {
		name string
		do   func(context.Context, *session.Manager) error
	}{
		{"disconnect", func(ctx context.Context, m *session.Manager) error {
			_, err := m.Disconnect(ctx, "a")
			return err
		}},
		{"another proxy", func(ctx context.Context, m *session.Manager) error {
			_, err := m.SetProxy(ctx, "a", "")
			return err
		}},
		{"shutdown", func(ctx context.Context, m *session.Manager) error { return m.Close(ctx) }},
		{"logout", func(ctx context.Context, m *session.Manager) error {
			_, err := m.Logout(ctx, "a", true)
			return err
		}},
		{"delete", func(ctx context.Context, m *session.Manager) error { _, err := m.Delete(ctx, "a"); return err }},
	} {
		t.Run(act.name, func(t *testing.T) {
			m := r.open(r.db, func(o *session.Options) { o.Network = network })
			defer r.close(m)
			if _, err := m.Connect(r.context(), "a"); err != nil {
				t.Fatal(err)
			}
			<-greeted
			ended := make(chan error, 1)
			go func() { ended <- act.do(r.context(), m) }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(whatsmeow.NoiseHandshakeResponseTimeout / 2):
				t.Fatal("it waits for whatsmeow to give up the handshake")
			}
		})
	}
}

// TestConnectAndDisconnectAgree: whichever comes last, what is done is what is
// desired after a restart.
func TestConnectAndDisconnectAgree(t *testing.T) {
	r := newRig(t)
	r.link("a", ann)
	for round := range 40 {
		var both sync.WaitGroup
		for _, act := range []func(context.Context, string) (session.Session, error){r.m.Disconnect, r.m.Connect} {
			both.Go(func() {
				if _, err := act(r.context(), "a"); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		s, err := r.m.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		var desired string
		if err = r.db.QueryRow(t.Context(), `SELECT desired FROM sessions WHERE id='a'`).Scan(&desired); err != nil {
			t.Fatal(err)
		}
		if running := s.Status != session.StatusDisconnected; running != (desired == "connected") {
			t.Fatalf("round %d: the session is %s (%s), desired is %s", round, s.Status, s.Reason, desired)
		}
	}
}
