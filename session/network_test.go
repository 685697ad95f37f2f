package session

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLoopbackOnlyRefusesEverythingElse(t *testing.T) {
	dial := loopbackOnly(&net.Dialer{Timeout: time.Second})
	for _, address := range []string{"192.0.2.1:443", "web.whatsapp.com:443", "[2001:db8::1]:80", "0.0.0.0:80", "127.0.0.1.example.org:80", "169.254.169.254:80"} {
		conn, err := dial(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, errNotLoopback) {
			t.Errorf("%s: %v", address, err)
		}
		// The second lock holds without the first.
		if host, _, _ := net.SplitHostPort(address); net.ParseIP(host) != nil {
			if err = refuseRemote("tcp", address, nil); !errors.Is(err, errNotLoopback) {
				t.Errorf("control of %s: %v", address, err)
			}
		}
	}
	listener := listen(t)
	conn, err := dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatalf("a loopback address: %v", err)
	}
	conn.Close()
}

func TestSandboxEndpointMustBeLocal(t *testing.T) {
	for _, endpoint := range []string{"wss://web.whatsapp.com/ws/chat", "ws://example.org:80/ws/chat", "http://127.0.0.1:1/", "ws://127.0.0.1/ws/chat", "%"} {
		if _, err := Sandbox(endpoint, [32]byte{}); err == nil {
			t.Errorf("%q was accepted", endpoint)
		}
	}
}

func TestOneProcessOneNetwork(t *testing.T) {
	installed.Lock()
	done, root, sandboxed := installed.done, installed.root, installed.sandbox
	installed.Unlock()
	if !done {
		// Nothing has been installed yet: this test must not decide for others.
		t.Cleanup(func() {
			installed.Lock()
			defer installed.Unlock()
			installed.done = false
		})
		installed.Lock()
		installed.done, installed.sandbox, installed.root = true, true, [32]byte{1}
		root, sandboxed = installed.root, true
		installed.Unlock()
	}
	same, err := Sandbox("ws://127.0.0.1:2/ws/chat", root)
	if err != nil {
		t.Fatal(err)
	}
	if err = same.install(); (err == nil) != sandboxed {
		t.Errorf("the same root again: %v", err)
	}
	other := root
	other[5]++
	if foreign, err := Sandbox("ws://127.0.0.1:2/ws/chat", other); err != nil || !errors.Is(foreign.install(), errMixed) {
		t.Errorf("another root was accepted (%v)", err)
	}
	if err = Real().install(); sandboxed && !errors.Is(err, errMixed) {
		t.Errorf("the real network beside a sandbox: %v", err)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// echoServer answers each connection with what it reads.
func echoServer(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func pipe(a, b net.Conn) {
	go func() {
		_, _ = io.Copy(a, b)
		a.Close()
	}()
	_, _ = io.Copy(b, a)
	b.Close()
}

// connectProxy is an HTTP proxy that wants a password.
func connectProxy(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		http.Error(w, "tunnels only", http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("Proxy-Authorization") != "Basic bWU6c2VjcmV0" { // me:secret
		http.Error(w, "who are you", http.StatusProxyAuthRequired)
		return
	}
	target, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	client, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		target.Close()
		return
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	pipe(client, target)
}

// socksProxy is a SOCKS5 proxy (RFC 1928) without authentication.
func socksProxy(t *testing.T) string {
	t.Helper()
	listener := listen(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveSOCKS(conn)
		}
	}()
	return listener.Addr().String()
}

func serveSOCKS(conn net.Conn) {
	defer conn.Close()
	head := make([]byte, 2)
	if _, err := io.ReadFull(conn, head); err != nil {
		return
	}
	if _, err := io.ReadFull(conn, make([]byte, head[1])); err != nil {
		return
	}
	_, _ = conn.Write([]byte{5, 0})
	request := make([]byte, 10) // CONNECT to an IPv4 address
	if _, err := io.ReadFull(conn, request); err != nil || request[3] != 1 {
		return
	}
	address := &net.TCPAddr{IP: request[4:8], Port: int(request[8])<<8 | int(request[9])}
	target, err := net.DialTCP("tcp", nil, address)
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	pipe(conn, target)
}

func TestProxies(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(connectProxy))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(connectProxy))
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	target := echoServer(t)
	dial := loopbackOnly(&net.Dialer{Timeout: 5 * time.Second})
	for name, address := range map[string]string{
		"http":   "http://me:secret@" + plain.Listener.Addr().String(),
		"https":  "https://me:secret@" + secure.Listener.Addr().String(),
		"socks5": "socks5://" + socksProxy(t),
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := throughProxy(dial, u, roots)(t.Context(), "tcp", target)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err = io.WriteString(conn, "hello\n"); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "hello\n" {
				t.Fatalf("echo %q, %v", line, err)
			}
		})
	}
}

func TestProxyRefusals(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(connectProxy))
	t.Cleanup(plain.Close)
	dial := loopbackOnly(&net.Dialer{Timeout: 5 * time.Second})
	u := &url.URL{Scheme: "http", Host: plain.Listener.Addr().String(), User: url.UserPassword("me", "wrong-secret")}
	_, err := throughProxy(dial, u, nil)(t.Context(), "tcp", "127.0.0.1:9")
	if err == nil || !strings.Contains(err.Error(), "407") || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("wrong password: %v", err)
	}
	mute := listen(t) // accepts, and never answers
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan struct{})
	go func() {
		if conn, err := mute.Accept(); err == nil {
			close(accepted)
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	go func() {
		<-accepted
		cancel()
	}()
	u = &url.URL{Scheme: "http", Host: mute.Addr().String()}
	if _, err = throughProxy(dial, u, nil)(ctx, "tcp", "127.0.0.1:9"); err == nil {
		t.Error("a mute proxy was waited out")
	}
}

func TestSandboxRedirectsEverything(t *testing.T) {
	hits := make(chan string, 10)
	server := func() *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { hits <- r.Host + r.URL.Path }))
		t.Cleanup(s.Close)
		return s
	}
	main, media := server(), server()
	mainAddress, mediaAddress := main.Listener.Addr().String(), media.Listener.Addr().String()
	network, err := Sandbox("ws://"+mainAddress+"/other/chat", [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	client := network.httpClient(nil, nil)
	defer client.CloseIdleConnections()
	for asked, reached := range map[string]string{
		"https://web.whatsapp.com/ws/chat":         mainAddress + "/other/chat",
		"https://static.whatsapp.net/sticker":      mainAddress + "/sticker",
		"https://" + mediaAddress + "/mms/image/x": mediaAddress + "/mms/image/x",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", asked, err)
		}
		resp.Body.Close()
		if got := <-hits; got != reached {
			t.Errorf("%s reached %s, expected %s", asked, got, reached)
		}
	}
}
