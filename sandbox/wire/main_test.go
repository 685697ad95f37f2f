package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.mau.fi/whatsmeow"
)

// patience is how long a test waits for what must happen. It is no measure of
// anything; it keeps a broken build from hanging.
const patience = 20 * time.Second

// identities are made once: whatsmeow's trusted root is one variable for the
// whole process.
var identities struct {
	good    *Identity // the clients of this process trust its root
	expired *Identity // same keys, certificates of the past
	foreign *Identity // another root
}

func TestMain(m *testing.M) {
	if err := makeIdentities(time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	whatsmeow.WACertPubKey = identities.good.RootPublic()
	os.Exit(m.Run())
}

func makeIdentities(now time.Time) (err error) {
	seeded := func(b byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{b}) }
	if identities.good, err = NewIdentity(seeded(1), now); err != nil {
		return err
	}
	if identities.expired, err = NewIdentity(seeded(1), now.AddDate(-validYears, 0, -2)); err != nil {
		return err
	}
	identities.foreign, err = NewIdentity(seeded(2), now)
	return err
}

// accepted is what Accept returned.
type accepted struct {
	conn *Conn
	err  error
}

// testServer accepts connections as an identity and hands them to the test.
type testServer struct {
	*httptest.Server
	accepted chan accepted
	conns    []*Conn // those that the test took over
}

func serve(t *testing.T, ctx context.Context, id *Identity) *testServer {
	t.Helper()
	s := &testServer{accepted: make(chan accepted, 8)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := Upgrade(w, r)
		if err != nil {
			s.accepted <- accepted{err: err}
			return
		}
		// The handshake's context ends before the first node is read.
		handshake, cancel := context.WithCancel(ctx)
		conn, err := Accept(handshake, ws, id)
		cancel()
		s.accepted <- accepted{conn, err}
	}))
	// This runs after the clients, which are made later, have disconnected. It
	// matters: whatsmeow has a data race (on FrameSocket.OnDisconnect) when the
	// server closes before it has sent a frame behind the handshake.
	t.Cleanup(func() {
		for _, conn := range s.conns {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
		s.Close()
	})
	return s
}

// next waits for the next connection's fate.
func (s *testServer) next(t *testing.T) (*Conn, error) {
	t.Helper()
	select {
	case a := <-s.accepted:
		if a.conn != nil {
			s.conns = append(s.conns, a.conn)
		}
		return a.conn, a.err
	case <-time.After(patience):
		t.Fatal("no connection was accepted or refused")
		return nil, nil
	}
}

// conn waits for the next connection, which must be accepted.
func (s *testServer) conn(t *testing.T) *Conn {
	t.Helper()
	conn, err := s.next(t)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// httpClient reaches the server, whatever host it is asked for.
func (s *testServer) httpClient() *http.Client {
	addr := s.Listener.Addr().String()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
	transport := &http.Transport{DialContext: dial, DialTLSContext: dial}
	return &http.Client{Transport: transport}
}

func (s *testServer) dial(t *testing.T) *websocket.Conn {
	t.Helper()
	ws, _, err := websocket.Dial(testContext(t), s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(maxMessage)
	t.Cleanup(func() { _ = ws.CloseNow() }) // many tests end with it closed already
	return ws
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
