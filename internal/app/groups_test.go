package app_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// The settings of the groups reach the mirror: how often it is compared with
// WhatsApp, and how much of the history a start finds to forget.
func TestGroupSettings(t *testing.T) {
	t.Parallel()
	const number = "628111000000"
	wa := sandboxtest.Start(t)
	if _, err := wa.AddPhone(sandbox.PhoneOptions{Number: number}); err != nil {
		t.Fatal(err)
	}
	jid, _, _, err := wa.CreateGroup(number, sandbox.GroupOptions{Name: "Anglers"})
	if err != nil {
		t.Fatal(err)
	}
	c := apptest.Config(t, apptest.Apart(wa), func(c *config.Config) { c.Groups.ReconcileEvery = 50 * time.Millisecond })
	p := apptest.Start(t, c)
	p.Link(t, wa, "one", number)
	compared := func() int { return wa.Stats().ByAccount[number]["iq:w:g2:get:participating"] }
	waitUntil(t, "the groups are compared again and again", func() bool { return compared() >= 3 })
	path := "/api/v1/sessions/one/groups/" + jid.String()
	for i := range 5 {
		body := map[string]any{"subject": fmt.Sprint("Anglers ", i)}
		if status := p.Call(t, http.MethodPatch, path, body, nil); status != http.StatusOK {
			t.Fatalf("change the subject: %d", status)
		}
	}
	history := func() int {
		var page struct{ Changes []any }
		p.Call(t, http.MethodGet, path+"/changes", nil, &page)
		return len(page.Changes)
	}
	if n := history(); n != 5 {
		t.Errorf("the history has %d changes", n)
	}
	p.Stop(t)
	c.Groups.HistoryCount = 2
	p = apptest.Start(t, c)
	waitUntil(t, "the surplus is forgotten", func() bool { return history() == 2 })
	p.Stop(t)
	age(t, c, 48*time.Hour)
	c.Groups.HistoryAge = 24 * time.Hour
	p = apptest.Start(t, c)
	waitUntil(t, "all is old and forgotten", func() bool { return history() == 0 })
}

// age makes the history older, in the database of a server that has ended.
func age(t *testing.T, c config.Config, by time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(c.DataDir, "muster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err = db.ExecContext(t.Context(), "UPDATE group_changes SET recorded_at = recorded_at - $1", int64(by.Seconds())); err != nil {
		t.Fatal(err)
	}
}
