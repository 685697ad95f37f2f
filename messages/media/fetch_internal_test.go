package media

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"muster/internal/fault"
)

// onLoopback serves at one of the machine's own addresses.
func onLoopback(t *testing.T, address string, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp4", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// Every address of a chain of redirects is checked, and each when the
// connection to it is made. 127.0.0.1 stands for the public internet here, and
// the rest of the network for the inside.
func TestRedirectsInside(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	inside := onLoopback(t, "127.0.0.2", func(w http.ResponseWriter, _ *http.Request) {
		reached.Store(true)
		_, _ = io.WriteString(w, "secret")
	})
	outside := onLoopback(t, "127.0.0.1", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			_, _ = io.WriteString(w, "fine")
		case "/twice":
			http.Redirect(w, r, "/once", http.StatusMovedPermanently)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
		default:
			http.Redirect(w, r, inside, http.StatusFound)
		}
	})
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(netip.MustParsePrefix("127.0.0.1/32")))
	f := newGuarded(FetchOptions{Timeout: 20 * time.Second, MaxRedirects: 3}, guard)
	for path, allowed := range map[string]bool{"/ok": true, "/once": false, "/twice": false, "/metadata": false} {
		body, err := f.fetch(t.Context(), "image", outside+path, 100)
		failure := fault.From(err)
		if allowed != (err == nil) || !allowed && (failure.Field != "image" || !strings.Contains(failure.Message, "not of the public internet")) {
			t.Errorf("%s: %v", path, err)
		}
		if err == nil {
			_ = body.Close()
		}
	}
	if reached.Load() {
		t.Error("the inside was reached")
	}
}
