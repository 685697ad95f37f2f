package media_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

// serve runs a server of hostile or honest answers.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func fetchFrom(t *testing.T, r *rig, url string) (content.Media, error) {
	t.Helper()
	return r.Take(t.Context(), media.Want{Kind: content.KindDocument, Field: "document"}, media.Source{URL: url})
}

func TestFetching(t *testing.T) {
	t.Parallel()
	var last atomic.Pointer[http.Header]
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/old":
			http.Redirect(w, r, "/new/laporan%202026.pdf?token=1", http.StatusFound)
		default:
			last.Store(&r.Header)
			_, _ = io.WriteString(w, "%PDF-1.7\n")
		}
	})
	r := start(t, nil)
	got, err := fetchFrom(t, r, " "+to+"/new/laporan%202026.pdf?x=1 ")
	if err != nil || got.Filename != "laporan 2026.pdf" || got.Mimetype != "application/pdf" || got.Size != 9 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = fetchFrom(t, r, to+"/old"); err != nil || got.Filename != "old" {
		t.Errorf("redirected: %+v, %v", got, err)
	}
	if asked := last.Load(); asked.Get("Referer") != "" || asked.Get("Cookie") != "" || asked.Get("Accept-Encoding") != "identity" {
		t.Errorf("the last request says %v", asked)
	}
}

// Whatever a URL spells, it does not lead inside, and it says so.
func TestAddressesInside(t *testing.T) {
	t.Parallel()
	reached := make(chan string, 100)
	to := serve(t, func(_ http.ResponseWriter, r *http.Request) { reached <- r.Host })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(to, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(_ *media.StoreOptions, o *media.Options) { o.Fetch.AllowPrivate = false })
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "localhost", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
		"169.254.169.254", "198.18.0.1", "224.0.0.1", "255.255.255.255",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[fe80::1]", "[fc00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[ff02::1]", "[2001:db8::1]",
	} {
		_, err = fetchFrom(t, r, "http://"+host+"/")
		r.refused(t, host, err, fault.Invalid, "document", "not of the public internet")
	}
	for _, port := range []string{port, "22", "6379"} {
		_, err = fetchFrom(t, r, "http://localhost:"+port+"/")
		r.refused(t, "port "+port, err, fault.Invalid, "document", "port 80 or 443")
	}
	if len(reached) > 0 {
		t.Errorf("%s was reached", <-reached)
	}
}

func TestWhatIsNoURL(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for url, words := range map[string]string{
		"file:///etc/passwd": "http or https", "ftp://example.com/a": "http or https", "gopher://example.com": "http or https",
		"data:text/plain,x": "http or https", "//example.com/a": "http or https", "example.com/a": "http or https", "http://": "host",
		"http://user:pw@example.com/": "user name", "http://user@example.com/": "user name", "http://[::1": "http or https",
		"http://example.com/" + strings.Repeat("x", 5000): "characters",
	} {
		_, err := fetchFrom(t, r, url)
		r.refused(t, url, err, fault.Invalid, "document", words)
	}
}

func TestHostileServers(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	_, _ = packer.Write(make([]byte, 10*limit))
	_ = packer.Close()
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		code  fault.Code
		words string
	}{
		"an endless body": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, fault.TooLarge, "larger than"},
		"a claim of terabytes": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9000000000000")
			w.WriteHeader(http.StatusOK)
		}, fault.TooLarge, "larger than"},
		"a gzip bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, fault.Invalid, "compressed"},
		"an encoding of its own": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br, gzip")
			_, _ = w.Write([]byte("x"))
		}, fault.Invalid, "compressed"},
		"redirects without end": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}, fault.Invalid, "redirects"},
		"a redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, fault.Invalid, "http or https"},
		"a redirect with a password": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://a:b@example.com/")
			w.WriteHeader(http.StatusFound)
		}, fault.Invalid, "user name"},
		"headers without end": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
			}
		}, fault.Invalid, "could not be fetched"},
		"not found": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, fault.Invalid, "status 404"},
		"a part":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }, fault.Invalid, "status 206"},
		"no answer": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		}, fault.Invalid, "could not be fetched"},
		"an end too early": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("x"))
		}, fault.Invalid, "could not be fetched"},
		"nothing": {func(http.ResponseWriter, *http.Request) {}, fault.Invalid, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, nil)
			_, err := fetchFrom(t, r, serve(t, test.serve))
			r.refused(t, name, err, test.code, "document", test.words)
		})
	}
}

// A server that dribbles its answer, at any stage, is left when the time for
// the whole fetch is over.
func TestSlowServers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(net.Conn, *http.Request, <-chan struct{}){
		"no head": func(_ net.Conn, _ *http.Request, end <-chan struct{}) { <-end },
		"half head": func(c net.Conn, _ *http.Request, end <-chan struct{}) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			<-end
		},
		"slow body": func(c net.Conn, _ *http.Request, end <-chan struct{}) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
			<-end
		},
		"slow redirects": func(c net.Conn, r *http.Request, end <-chan struct{}) {
			if r.URL.Path == "/" {
				_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				_ = c.Close()
				return
			}
			<-end
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := make(chan struct{})
			to := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
					answer(conn, r, end)
					_ = conn.Close()
				}
			})
			defer close(end)
			rig := start(t, func(_ *media.StoreOptions, o *media.Options) { o.Fetch.Timeout = 200 * time.Millisecond })
			_, err := fetchFrom(t, rig, to+"/")
			rig.refused(t, name, err, fault.Invalid, "document", "too long")
		})
	}
}

// names answers every question for an address with the next of a list, and with
// the last one from then on.
func names(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		packet := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			var question dnsmessage.Message
			if question.Unpack(packet[:n]) != nil || len(question.Questions) == 0 {
				continue
			}
			question.Response = true
			if asked := question.Questions[0]; asked.Type == dnsmessage.TypeA {
				question.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: asked.Class, Type: asked.Type},
					Body:   &dnsmessage.AResource{A: [4]byte(net.ParseIP(addresses[0]).To4())},
				}}
				addresses = addresses[min(1, len(addresses)-1):]
			}
			question.Additionals = nil
			if answer, err := question.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A public name that has an address inside does not lead there.
func TestNamesThatLeadInside(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1", "10.1.2.3", "169.254.169.254"} {
		r := start(t, func(_ *media.StoreOptions, o *media.Options) {
			o.Fetch.AllowPrivate, o.Fetch.Resolver = false, names(t, address)
		})
		_, err := fetchFrom(t, r, "http://files.example.com/a.pdf")
		r.refused(t, address, err, fault.Invalid, "document", "not of the public internet")
	}
}
