// Package truth_test compares what Muster says of groups with what the
// simulated service knows of them: after every operation, and after thousands
// of random ones under faults.
package truth_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/store"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

// rig is the whole program, with a simulated WhatsApp that runs apart.
type rig struct {
	t       testing.TB
	wa      *sandbox.Server
	program *apptest.Program
}

func newRig(t testing.TB, change ...func(*config.Config)) *rig {
	t.Helper()
	return newLoggingRig(t, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel), change...)
}

func newLoggingRig(t testing.TB, log zerolog.Logger, change ...func(*config.Config)) *rig {
	t.Helper()
	wa := sandboxtest.Start(t)
	change = append([]func(*config.Config){apptest.Apart(wa), unpaced}, change...)
	return &rig{t: t, wa: wa, program: apptest.StartLogging(t, apptest.Config(t, change...), log)}
}

// on makes the program use a database.
func on(o store.Options) func(*config.Config) {
	return func(c *config.Config) { c.Database = config.Database{Driver: o.Driver, DSN: o.DSN} }
}

// with is the rig for a subtest.
func (r *rig) with(t testing.TB) *rig { return &rig{t: t, wa: r.wa, program: r.program} }

// phone makes a phone.
func (r *rig) phone(number string, o sandbox.PhoneOptions) {
	r.t.Helper()
	o.Number = number
	if _, err := r.wa.AddPhone(o); err != nil {
		r.t.Fatal(err)
	}
}

// session is a linked device that Muster runs.
type session struct {
	*rig
	id, number string
}

// link makes a session for a phone and waits until it knows its groups.
func (r *rig) link(id, number string) session {
	r.t.Helper()
	r.program.Link(r.t, r.wa, id, number)
	s := session{r, id, number}
	r.until("the session "+id+" knows its groups", s.settled)
	return s
}

// with is the session for a subtest.
func (s session) with(t testing.TB) session { return session{s.rig.with(t), s.id, s.number} }

// object is a JSON object.
type object = map[string]any

// answer is what the API answered.
type answer struct {
	t      testing.TB
	what   string // the request, for messages
	status int
	header http.Header
	raw    []byte
	body   object
}

// call sends a request about the session; path is below its own. A body may be
// JSON text, bytes of another type, a value to be made into JSON, or nil.
func (s session) call(method, path string, body any) answer {
	s.t.Helper()
	a, err := s.try(method, path, body)
	if err != nil {
		s.t.Fatalf("%s: %v", a.what, err)
	}
	return answer{s.t, a.what, a.status, a.header, a.raw, a.body}
}

// try is call for goroutines other than the test's.
func (s session) try(method, path string, body any) (answer, error) {
	a := answer{t: s.t, what: method + " " + s.id + path}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.program.URL+"/api/v1/sessions/"+s.id+path, nil)
	if err != nil {
		return a, err
	}
	request.Header.Set("Authorization", "Bearer "+s.program.Token())
	if content, ok := body.([]byte); ok {
		request.Header.Set("Content-Type", http.DetectContentType(content))
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	} else if body != nil {
		text, isText := body.(string)
		content := []byte(text)
		if !isText {
			if content, err = json.Marshal(body); err != nil {
				return a, err
			}
		}
		a.what += " " + string(content)
		request.Header.Set("Content-Type", "application/json")
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return a, err
	}
	defer func() { _ = response.Body.Close() }()
	a.status, a.header = response.StatusCode, response.Header
	if a.raw, err = io.ReadAll(response.Body); err != nil {
		return a, err
	}
	if len(a.raw) > 0 && a.raw[0] == '{' {
		err = json.Unmarshal(a.raw, &a.body)
	}
	return a, err
}

// group calls something about a group of the session.
func (s session) group(method string, jid types.JID, rest string, body any) answer {
	s.t.Helper()
	return s.call(method, "/groups/"+jid.String()+rest, body)
}

// ok fails the test unless the request succeeded.
func (a answer) ok() answer {
	a.t.Helper()
	if a.status/100 != 2 {
		a.t.Fatalf("%s: %d %s", a.what, a.status, a.raw)
	}
	return a
}

// text is a field of the body as text, or "".
func (a answer) text(field string) string {
	text, _ := a.body[field].(string)
	return text
}

// code is that of a problem document, or "".
func (a answer) code() string { return a.text("code") }

// until waits until the condition holds. The simulated world signals when
// something in it changes; what follows from that inside the server has no
// signal that a client could wait on, so the condition is also asked again.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	limit, again := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-r.wa.Changed():
		case <-again.C:
		case <-limit:
			r.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// delivered tells whether every device is on line and has acknowledged all
// that was sent to it. An acknowledged event is in the mirror.
func (r *rig) delivered() bool {
	for _, p := range r.wa.Phones() {
		for _, d := range p.Devices {
			if !d.Online || d.Queued > 0 {
				return false
			}
		}
	}
	return true
}

// settled tells whether the session's list is complete and no group waits to
// be asked for again.
func (s session) settled() bool {
	list, err := s.list()
	if err != nil || !list.Complete || list.Stale {
		return false
	}
	for _, g := range list.Groups {
		if g["stale"] == true {
			return false
		}
	}
	return true
}

// groupList is the session's list of groups.
type groupList struct {
	Groups          []object
	Total           int
	Complete, Stale bool
}

func (s session) list() (list groupList, err error) {
	a, err := s.try(http.MethodGet, "/groups?limit=2000", nil)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", a.what, a.status, a.raw)
	}
	if err == nil {
		err = json.Unmarshal(a.raw, &list)
	}
	return list, err
}

// quiet waits until nothing more is about to change.
func (r *rig) quiet(sessions ...session) {
	r.t.Helper()
	r.until("everything is delivered", r.delivered)
	for _, s := range sessions {
		r.until("the session "+s.id+" has settled", func() bool { return s.settled() && r.delivered() })
	}
}
