package session_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
	"muster/session"
	"muster/store/storetest"
)

// patience bounds every wait; only a failing test uses it up.
const patience = 40 * time.Second

const (
	ann = "491700000001"
	bob = "491700000002"
)

// rig is a manager that talks to a sandbox of its own.
type rig struct {
	t   *testing.T
	srv *sandbox.Server
	db  *dbutil.Database
	m   *session.Manager
}

func newRig(t *testing.T, change ...func(*session.Options)) *rig {
	t.Helper()
	r := &rig{t: t, srv: sandboxtest.Start(t), db: storetest.SQLite(t)}
	for _, number := range []string{ann, bob} {
		if _, err := r.srv.AddPhone(service.PhoneOptions{Number: number, Name: "Phone of " + number}); err != nil {
			t.Fatal(err)
		}
	}
	r.m = r.open(r.db, change...)
	return r
}

// open makes a manager on a database and closes it with the test.
func (r *rig) open(db *dbutil.Database, change ...func(*session.Options)) *session.Manager {
	r.t.Helper()
	network, err := session.Sandbox(r.srv.Endpoint(), r.srv.RootKey())
	if err != nil {
		r.t.Fatal(err)
	}
	options := session.Options{
		DB: db, Network: network, BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, StartJitter: time.Millisecond,
		Log: zerolog.New(zerolog.NewTestWriter(r.t)).Level(zerolog.InfoLevel),
	}
	for _, apply := range change {
		apply(&options)
	}
	m, err := session.NewManager(r.t.Context(), options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.close(m) })
	return m
}

func (r *rig) close(m *session.Manager) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the test's context may have ended
	defer cancel()
	if err := m.Close(ctx); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) create(id string) {
	r.t.Helper()
	if _, err := r.m.Create(r.t.Context(), session.CreateRequest{ID: id}); err != nil {
		r.t.Fatal(err)
	}
}

// link creates a session and links it to a phone by QR.
func (r *rig) link(id, number string) session.Session {
	r.t.Helper()
	r.create(id)
	return r.scan(id, number)
}

// scan links a session that exists.
func (r *rig) scan(id, number string) session.Session {
	r.t.Helper()
	ctx := r.context()
	codes, err := r.m.WatchQR(ctx, id)
	if err != nil {
		r.t.Fatal(err)
	}
	first := <-codes
	if _, err = r.srv.ScanQR(ctx, number, first.Code); err != nil {
		r.t.Fatalf("scan %+v: %v", first, err)
	}
	for qr := range codes {
		if qr.Done() && qr.Status != session.StatusConnected {
			r.t.Fatalf("linking ended with %+v", qr)
		}
	}
	return r.await(id, session.StatusConnected)
}

// await returns the session once it has the status.
func (r *rig) await(id string, status session.Status) session.Session {
	r.t.Helper()
	return awaitOn(r.t, r.m, id, string(status), func(s session.Session) bool { return s.Status == status })
}

func awaitOn(t *testing.T, m *session.Manager, id, what string, fits func(session.Session) bool) session.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	states, err := m.Watch(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var last session.Session
	for last = range states {
		if fits(last) {
			return last
		}
	}
	t.Fatalf("session %s did not become %s; it is %s (%s: %s)", id, what, last.Status, last.Reason, last.Detail)
	return last
}

// trouble scripts a fault for the next stanza that it meets.
func (r *rig) trouble(match fault.Match, effect fault.Script) {
	r.t.Helper()
	if _, err := r.srv.Faults().Add(fault.Fault{Match: match, Effect: effect, Count: 1}); err != nil {
		r.t.Fatal(err)
	}
}

// devices are the JIDs of a phone's linked devices.
func (r *rig) devices(number string) []string {
	r.t.Helper()
	phone, err := r.srv.Phone(number)
	if err != nil {
		r.t.Fatal(err)
	}
	var list []string
	for _, device := range phone.Devices {
		list = append(list, device.JID)
	}
	return list
}

// statuses are the session's states so far, the oldest first.
func (r *rig) statuses(id string) string {
	r.t.Helper()
	history, err := r.m.History(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	text := ""
	for i := len(history) - 1; i >= 0; i-- {
		text += fmt.Sprintf("%s(%s) ", history[i].Status, history[i].Reason)
	}
	return text
}

// eventually looks until the condition holds, for what nobody announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	limit := time.After(patience)
	for !holds() {
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("waited for %s in vain", what)
		}
	}
}
