package sandboxtest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the clients' stores
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

// Client is an unmodified whatsmeow client with a record of its events.
type Client struct {
	*whatsmeow.Client
	mu     sync.Mutex
	events []any
	news   chan struct{} // closed and replaced at each event
}

// New makes a client with a store of its own that is not linked yet.
func New(t testing.TB, srv *sandbox.Server) *Client {
	t.Helper()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "client.db")
	container, err := sqlstore.New(ctx, "sqlite3", "file:"+path+"?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=10000&_synchronous=OFF", nil)
	if err != nil {
		t.Fatalf("open the client's store: %v", err)
	}
	t.Cleanup(func() {
		if err := container.Close(); err != nil {
			t.Errorf("close the client's store: %v", err)
		}
	})
	c := &Client{Client: whatsmeow.NewClient(container.NewDevice(), nil), news: make(chan struct{})}
	c.Point(srv)
	c.AddEventHandler(c.record)
	t.Cleanup(c.Disconnect)
	return c
}

// Link makes a client and links it to the phone by QR; it returns once the
// client is connected.
func Link(t testing.TB, srv *sandbox.Server, number string) *Client {
	t.Helper()
	c := New(t, srv)
	if err := c.Connect(); err != nil {
		t.Fatalf("connect: %v", err)
	}
	code := Wait(t, c, "a QR code", func(e *events.QR) bool { return true }).Codes[0]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := srv.ScanQR(ctx, number, code); err != nil {
		t.Fatalf("scan: %v", err)
	}
	Wait(t, c, "being connected", func(*events.Connected) bool { return true })
	return c
}

// Point makes the client talk to the sandbox and to nothing else.
func (c *Client) Point(srv *sandbox.Server) {
	transport := Transport(srv)
	c.SetPreLoginHTTPClient(&http.Client{Transport: transport})
	c.SetWebsocketHTTPClient(&http.Client{Transport: transport})
	c.SetMediaHTTPClient(&http.Client{Transport: transport})
}

// Transport sends every request to the sandbox, whatever host it names.
func Transport(srv *sandbox.Server) http.RoundTripper {
	address := srv.Addr()
	inner := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Scheme = "http"
		return inner.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *Client) record(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, event)
	close(c.news)
	c.news = make(chan struct{})
}

// Events returns what the client has reported so far.
func (c *Client) Events() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]any(nil), c.events...)
}

// Wait returns the first event of type E, past or to come, that fits. It fails
// the test when none comes.
func Wait[E any](t testing.TB, c *Client, what string, fits func(E) bool) E {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	seen := 0
	for {
		c.mu.Lock()
		recent, news := c.events[seen:], c.news
		seen = len(c.events)
		c.mu.Unlock()
		for _, event := range recent {
			if e, ok := event.(E); ok && fits(e) {
				return e
			}
		}
		select {
		case <-news:
		case <-limit.C:
			t.Fatalf("waited for %s in vain; events: %s", what, kinds(c.Events()))
		}
	}
}

func kinds(events []any) string {
	list := ""
	for _, e := range events {
		list += fmt.Sprintf(" %T", e)
	}
	return list
}

// Text waits for a text message in a chat and returns it.
func (c *Client) Text(t testing.TB, chat types.JID, text string) *events.Message {
	t.Helper()
	return Wait(t, c, fmt.Sprintf("the text %q", text), func(e *events.Message) bool {
		return e.Info.Chat == chat && (e.Message.GetConversation() == text || e.Message.GetExtendedTextMessage().GetText() == text)
	})
}
