// Package apptest runs the whole program in tests: the real server on a free
// port, with a sandbox inside and a database in a temporary directory.
package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"muster/internal/app"
	"muster/internal/config"
	"muster/sandbox/sandboxtest"
)

// stopTimeout is far more than a shutdown takes.
const stopTimeout = 30 * time.Second

// Program is a running server.
type Program struct {
	*app.App
	// URL is the API's base, without a slash at the end.
	URL string
	// Announced receives what the start printed, once it has.
	Announced <-chan string

	stop  context.CancelFunc
	ended chan error
	once  sync.Once
}

// Config is the configuration of a test's server: free ports, an empty
// sandbox and a database of its own.
func Config(t testing.TB, change ...func(*config.Config)) config.Config {
	t.Helper()
	c := config.Default()
	c.Listen, c.Sandbox.Listen, c.DataDir = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	c.Sandbox.Enabled, c.Sandbox.World = true, config.WorldEmpty
	c.ShutdownTimeout = 10 * time.Second
	// Tests do in a second what a bot does in an hour.
	c.Sessions.ReadRate, c.Sessions.ReadBurst, c.Sessions.WriteRate, c.Sessions.WriteBurst = 1e4, 1e4, 1e4, 1e4
	for _, apply := range change {
		apply(&c)
	}
	return c
}

// Start runs a server until Stop or the end of the test. Its warnings go to
// the test's log.
func Start(t testing.TB, c config.Config) *Program {
	t.Helper()
	return StartLogging(t, c, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
}

// StartLogging is Start with a logger of the test's choice.
func StartLogging(t testing.TB, c config.Config, log zerolog.Logger) *Program {
	t.Helper()
	out := &announcement{said: make(chan string, 1)}
	server, err := app.New(t.Context(), c, app.Surroundings{
		Version: "test", Out: out, Identity: sandboxtest.Identity(t),
		Log: log,
	})
	if err != nil {
		t.Fatalf("start the program: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Program{App: server, URL: "http://" + server.Addr(), Announced: out.said, stop: stop, ended: make(chan error, 1)}
	go func() { p.ended <- server.Run(ctx) }()
	t.Cleanup(func() { p.Stop(t) })
	return p
}

// Stop shuts the server down as a signal would, and waits for its end.
func (p *Program) Stop(t testing.TB) {
	t.Helper()
	p.once.Do(func() {
		http.DefaultClient.CloseIdleConnections()
		p.stop()
		select {
		case err := <-p.ended:
			if err != nil {
				t.Errorf("the program ended with %v", err)
			}
		case <-time.After(stopTimeout):
			t.Errorf("the program did not end within %v", stopTimeout)
		}
	})
}

// WaitAnnounced waits for the end of the start, and gives what it printed.
func (p *Program) WaitAnnounced(t testing.TB) string {
	t.Helper()
	select {
	case text := <-p.Announced:
		return text
	case err := <-p.ended:
		p.ended <- nil
		t.Fatalf("the program ended at its start: %v", err)
	case <-t.Context().Done():
		t.Fatal("the program did not announce itself")
	}
	return ""
}

// Call makes a request with the program's token and decodes a JSON answer into
// answer, unless that is nil. It returns the status.
func (p *Program) Call(t testing.TB, method, path string, body, answer any) int {
	t.Helper()
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.Token())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if answer != nil {
		if err = json.Unmarshal(raw, answer); err != nil {
			t.Fatalf("%s %s answers %d: %v: %s", method, path, response.StatusCode, err, raw)
		}
	}
	return response.StatusCode
}

// announcement passes on what the start prints, which is one write.
type announcement struct{ said chan string }

func (a *announcement) Write(p []byte) (int, error) {
	select {
	case a.said <- strings.Clone(string(p)):
	default:
	}
	return len(p), nil
}
