package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/store"
	"google.golang.org/protobuf/proto"
)

// clientName is what the phone's list of linked devices shows.
const clientName = "Muster"

// dialTimeout bounds each step of making a connection.
const dialTimeout = 15 * time.Second

// Network is how clients reach WhatsApp: the real service, or a simulator on
// this machine. The zero value is the real one.
type Network struct {
	endpoint *url.URL // the simulator's websocket; nil for the real service
	root     [32]byte // the simulator's Noise root
}

// Real is the internet. Without a session proxy it honours HTTPS_PROXY and
// NO_PROXY.
func Real() Network { return Network{} }

// Sandbox is a simulator at a loopback websocket URL, with its Noise root key.
// Its clients have no way to any other machine: see loopbackOnly.
func Sandbox(endpoint string, root [32]byte) (Network, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return Network{}, fmt.Errorf("the sandbox endpoint is not a URL: %w", err)
	}
	if u.Scheme != "ws" || u.Port() == "" {
		return Network{}, fmt.Errorf("the sandbox endpoint %q is not of the form ws://127.0.0.1:PORT/ws/chat", endpoint)
	}
	if !loopbackHost(u.Hostname()) {
		return Network{}, fmt.Errorf("the sandbox endpoint %q is not on this machine", endpoint)
	}
	return Network{endpoint: u, root: root}, nil
}

// IsSandbox tells whether this is a simulator.
func (n Network) IsSandbox() bool { return n.endpoint != nil }

// installed remembers what install did. It is the one piece of package state
// here because what it guards is one: whatsmeow verifies every server against
// the variable WACertPubKey and describes every client by store.DeviceProps,
// both process-wide and unsynchronised.
//
//nolint:gochecknoglobals // see above
var installed struct {
	sync.Mutex
	done    bool
	sandbox bool
	root    [32]byte
}

// errMixed is returned when a process would serve both worlds.
var errMixed = errors.New("one process cannot use the real WhatsApp and a sandbox, or two sandboxes with different keys: start a second process")

// install prepares the process for the network. The first call decides; later
// ones succeed for the same network and fail for another.
func (n Network) install() error {
	installed.Lock()
	defer installed.Unlock()
	if installed.done {
		if installed.sandbox != n.IsSandbox() || installed.root != n.root {
			return errMixed
		}
		return nil
	}
	installed.done, installed.sandbox, installed.root = true, n.IsSandbox(), n.root
	// Clients that something else in the process made may be reading it: a
	// value that is right already is left alone.
	if n.IsSandbox() && whatsmeow.WACertPubKey != n.root {
		whatsmeow.WACertPubKey = n.root
	}
	store.DeviceProps.Os = proto.String(clientName)
	store.DeviceProps.PlatformType = waCompanionReg.DeviceProps_CHROME.Enum()
	return nil
}

// stream is told of what befalls one websocket.
type stream interface {
	// received runs after something has arrived.
	received()
	// broken runs when the websocket has broken, before its reader learns of it.
	broken()
	// closing runs before the websocket is closed. whatsmeow may hold locks.
	closing()
}

// httpClient makes the one client that a session uses for its websocket and
// its media. opened is called when a websocket was opened.
func (n Network) httpClient(proxy *url.URL, opened func() stream) *http.Client {
	var next http.RoundTripper
	if n.IsSandbox() {
		next = n.sandboxTransport(proxy)
	} else {
		next = realTransport(proxy)
	}
	return &http.Client{Transport: &tap{next: next, opened: opened}}
}

func realTransport(proxy *url.URL) *http.Transport {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if ok {
		transport = transport.Clone()
	} else { // someone replaced it; its defaults are not ours to guess
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: dialTimeout}
	}
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	transport.ResponseHeaderTimeout = time.Minute
	if proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	return transport
}

func (n Network) sandboxTransport(proxy *url.URL) http.RoundTripper {
	dial := loopbackOnly(&net.Dialer{Timeout: dialTimeout})
	if proxy != nil {
		dial = throughProxy(dial, proxy, nil)
	}
	return &redirect{
		to:   n.endpoint,
		next: &http.Transport{DialContext: dial, ResponseHeaderTimeout: time.Minute},
	}
}

// redirect sends every request to the simulator. What already names a loopback
// host, as the media hosts of the simulator do, keeps it; everything becomes
// plain HTTP.
type redirect struct {
	to   *url.URL
	next *http.Transport
}

// webSocketPath is where WhatsApp's own endpoint is.
const webSocketPath = "/ws/chat"

func (r *redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme = "http"
	if !loopbackHost(req.URL.Hostname()) || req.URL.Port() == "" {
		req.URL.Host = r.to.Host
		if req.URL.Path == webSocketPath && r.to.Path != "" {
			req.URL.Path = r.to.Path
		}
	}
	req.Host = req.URL.Host
	return r.next.RoundTrip(req)
}

func (r *redirect) CloseIdleConnections() { r.next.CloseIdleConnections() }

// tap reports every read on an upgraded connection, which is how a session
// knows when it last heard from WhatsApp, whatever the frame was, and its end.
type tap struct {
	next   http.RoundTripper
	opened func() stream
}

func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if upgraded, ok := resp.Body.(io.ReadWriteCloser); ok {
		resp.Body = &tappedStream{ReadWriteCloser: upgraded, told: t.opened()}
	}
	return resp, nil
}

// CloseIdleConnections makes http.Client.CloseIdleConnections reach the
// transport below.
func (t *tap) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

type tappedStream struct {
	io.ReadWriteCloser
	told stream
}

func (s *tappedStream) Read(p []byte) (int, error) {
	count, err := s.ReadWriteCloser.Read(p)
	if count > 0 {
		s.told.received()
	}
	if err != nil {
		s.told.broken()
	}
	return count, err
}

func (s *tappedStream) Close() error {
	s.told.closing()
	return s.ReadWriteCloser.Close()
}

// dialFunc is the type of http.Transport.DialContext.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// errNotLoopback is what a sandboxed client gets for any address elsewhere.
var errNotLoopback = errors.New("sandbox mode reaches this machine only")

// loopbackOnly dials loopback addresses and nothing else. Names other than
// localhost are refused before they are looked up, so not even a DNS query
// leaves; and Control checks the address that the socket really connects to.
// This is the guarantee that a sandboxed server cannot reach the network.
func loopbackOnly(dialer *net.Dialer) dialFunc {
	dialer.Control = refuseRemote
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if !loopbackHost(host) {
			return nil, fmt.Errorf("dial %s: %w", address, errNotLoopback)
		}
		if host == "localhost" {
			host = "127.0.0.1"
		}
		return dialer.DialContext(ctx, network, net.JoinHostPort(host, port))
	}
}

func refuseRemote(network, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s %s: %w", network, address, errNotLoopback)
	}
	return nil
}

func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
