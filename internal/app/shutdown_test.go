package app_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // opened after the server has ended

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox/fault"
)

// A request that waits for WhatsApp takes a share of the shutdown's time, and
// leaves the rest to the sessions.
func TestShutdownWhileARequestHangs(t *testing.T) {
	t.Parallel()
	c := apptest.Config(t, demoWorld, func(c *config.Config) { c.ShutdownTimeout = 3 * time.Second })
	p := apptest.Start(t, c)
	p.WaitAnnounced(t)
	faults := p.Sandbox().Faults()
	hang, err := faults.Add(fault.Fault{Match: fault.Match{XMLNS: "w:g2"}, Effect: fault.Script{DropReply: true}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.URL+"/api/v1/sessions/demo/groups", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+p.Token())
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	waitUntil(t, "the request hangs", func() bool {
		for _, f := range faults.List() {
			if f.ID == hang.ID && f.Met > 0 {
				return true
			}
		}
		return false
	})
	p.Stop(t) // fails the test when the shutdown does
	<-answered

	db, err := sql.Open("sqlite3", filepath.Join(c.DataDir, "muster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var status, reason string
	if err = db.QueryRowContext(t.Context(), "SELECT status, reason FROM sessions").Scan(&status, &reason); err != nil {
		t.Fatal(err)
	}
	if status != "disconnected" || reason != "server_stopped: the server was stopped" {
		t.Errorf("the session is stored as %s (%s)", status, reason)
	}
}

// waitUntil looks until the condition holds, for what nobody announces.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
