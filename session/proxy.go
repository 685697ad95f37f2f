package session

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/proxy"

	"muster/internal/fault"
)

// parseProxy reads a session's proxy; nil for "". Its errors never repeat the
// value, which may hold a password.
func (n Network) parseProxy(value string) (*url.URL, error) {
	if value == "" {
		return nil, nil
	}
	u, err := url.Parse(value)
	if err != nil {
		return nil, fault.Field("proxy", "not a URL")
	}
	switch u.Scheme {
	case "http", "https", "socks5":
	default:
		return nil, fault.Field("proxy", "the scheme must be http, https or socks5")
	}
	if u.Hostname() == "" {
		return nil, fault.Field("proxy", "the URL has no host")
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.Field("proxy", "expected scheme://[user:password@]host[:port] and nothing after it")
	}
	if n.IsSandbox() && !loopbackHost(u.Hostname()) {
		return nil, fault.Field("proxy", "in sandbox mode the proxy must be on this machine")
	}
	return u, nil
}

// redact shows a stored proxy without its password.
func redact(value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil {
		return "(unreadable)"
	}
	return u.Redacted()
}

// proxyAddress adds the scheme's usual port.
func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// throughProxy makes connections that pass a proxy, itself reached with dial.
// roots verify an https proxy; nil means the system's.
func throughProxy(dial dialFunc, u *url.URL, roots *x509.CertPool) dialFunc {
	if u.Scheme == "socks5" {
		return throughSOCKS(dial, u)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, proxyAddress(u))
		if err != nil {
			return nil, fmt.Errorf("reach the proxy: %w", err)
		}
		// The handshake below knows no context: closing the connection ends it.
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		defer stop()
		if u.Scheme == "https" {
			secure := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: roots, MinVersion: tls.VersionTLS12})
			if err = secure.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(fmt.Errorf("reach the proxy: %w", err), conn.Close())
			}
			conn = secure
		}
		if err = connectTunnel(conn, u, address); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

// connectTunnel asks an HTTP proxy for a tunnel (RFC 9110, 9.3.6).
func connectTunnel(conn net.Conn, u *url.URL, address string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if u.User != nil {
		password, _ := u.User.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(conn); err != nil {
		return fmt.Errorf("ask the proxy for a tunnel: %w", err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, req) //nolint:bodyclose // a tunnel has no body; closing it would read the tunnel
	if err != nil {
		return fmt.Errorf("read the proxy's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy refused a tunnel: %s", resp.Status)
	}
	if reader.Buffered() > 0 { // the server speaks after the client does
		return errors.New("the proxy sent data before the tunnel was used")
	}
	return nil
}

// forwarder lets the SOCKS client dial the proxy with our dialer.
type forwarder struct{ dial dialFunc }

func (f forwarder) Dial(network, address string) (net.Conn, error) {
	return f.dial(context.Background(), network, address)
}

func (f forwarder) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f.dial(ctx, network, address)
}

func throughSOCKS(dial dialFunc, u *url.URL) dialFunc {
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer, err := proxy.SOCKS5(network, proxyAddress(u), auth, forwarder{dial})
		if err != nil {
			return nil, fmt.Errorf("set up the SOCKS proxy: %w", err)
		}
		contextual, ok := dialer.(proxy.ContextDialer)
		if !ok {
			return nil, errors.New("set up the SOCKS proxy: its dialer takes no context")
		}
		conn, err := contextual.DialContext(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("reach through the SOCKS proxy: %w", err)
		}
		return conn, nil
	}
}
