package service_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// cutWire is a client's way to the sandbox that can be made to swallow what the
// client sends, as a network does that has died without a word.
type cutWire struct {
	swallow atomic.Bool
	conn    atomic.Value // of net.Conn: the last one
}

type cutConn struct {
	net.Conn
	wire *cutWire
}

func (c cutConn) Write(b []byte) (int, error) {
	if c.wire.swallow.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// install puts the wire under a client that is not linked yet.
func (w *cutWire) install(c *sandboxtest.Client, srv *sandbox.Server) {
	c.SetPreLoginHTTPClient(&http.Client{Transport: &plainTransport{&http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", srv.Addr())
			if err != nil {
				return nil, err
			}
			cut := cutConn{conn, w}
			w.conn.Store(cut)
			return cut, nil
		},
	}}})
}

// cut ends the connection.
func (w *cutWire) cut(t *testing.T) {
	t.Helper()
	if err := w.conn.Load().(net.Conn).Close(); err != nil {
		t.Errorf("cut the connection: %v", err)
	}
}

// plainTransport speaks HTTP whatever the URL says.
type plainTransport struct{ inner *http.Transport }

func (p *plainTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return p.inner.RoundTrip(r)
}

// loseConfirmation links a client whose confirmation never arrives, and returns
// once it has its credentials and no connection.
func loseConfirmation(t *testing.T, srv *sandbox.Server, meanwhile func()) *sandboxtest.Client {
	t.Helper()
	c := sandboxtest.New(t, srv)
	c.EnableAutoReconnect = false
	wire := &cutWire{}
	wire.install(c, srv)
	codes := connectForQR(t, c)
	c.PrePairCallback = func(types.JID, string, string) bool {
		wire.swallow.Store(true)
		return true
	}
	result := make(chan error, 1)
	go func() {
		_, err := srv.ScanQR(context.WithoutCancel(t.Context()), alice, codes[0])
		result <- err
	}()
	sandboxtest.Wait(t, c, "pair success", func(*events.PairSuccess) bool { return true })
	meanwhile()
	wire.cut(t)
	if err := <-result; !errors.Is(err, service.ErrLinkLost) {
		t.Errorf("scan: %v, want ErrLinkLost", err)
	}
	c.Disconnect()
	return c
}

func TestLostConfirmation(t *testing.T) {
	srv := world(t, alice)
	c := loseConfirmation(t, srv, func() {})
	if info, err := srv.Phone(alice); err != nil || len(info.Devices) != 0 {
		t.Errorf("before it signs in: devices %+v, %v; want none", info.Devices, err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	connectedTimes(t, c, 1)
	if info, err := srv.Phone(alice); err != nil || len(info.Devices) != 1 {
		t.Errorf("after it signed in: devices %+v, %v; want one", info.Devices, err)
	}
}

func TestLostConfirmationExpires(t *testing.T) {
	var ahead atomic.Int64 // nanoseconds
	srv := sandboxtest.Start(t, func(o *sandbox.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	addPhones(t, srv, alice)
	c := loseConfirmation(t, srv, func() {})
	ahead.Store(int64(time.Hour))
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, c, "being logged out", func(e *events.LoggedOut) bool { return e.OnConnect })
}

func TestServiceDiesWhileLinking(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	saved := filepath.Join(t.TempDir(), "state.json")
	srv := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	addPhones(t, srv, alice)
	c := loseConfirmation(t, srv, func() {
		// What a service that dies at this moment leaves behind.
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(saved, data, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	revived := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = saved })
	c.Point(revived)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	connectedTimes(t, c, 1)
	if info, err := revived.Phone(alice); err != nil || len(info.Devices) != 1 || !info.Devices[0].Online {
		t.Errorf("devices after the restart: %+v, %v; want one on line", info.Devices, err)
	}
}

func TestLinkFailsWhenStateCannotBeWritten(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	srv := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = filepath.Join(folder, "state.json") })
	addPhones(t, srv, alice)
	c, codes := offered(t, srv)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.ScanQR(t.Context(), alice, codes[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("scan: %v, want the error of the file system", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := srv.ScanQR(t.Context(), alice, codes[0]); err != nil {
		t.Errorf("scan again: %v", err)
	}
	connectedTimes(t, c, 1)
}
