package session_test

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/fault"
	"muster/session"
	"muster/store"
)

func TestLinkByQR(t *testing.T) {
	r := newRig(t)
	s := r.link("a", ann)
	if !s.LoggedIn || s.PhoneNumber != ann || s.LastConnectedAt.IsZero() {
		t.Errorf("linked session %+v", s)
	}
	if devices := r.devices(ann); len(devices) != 1 || devices[0] != s.JID {
		t.Errorf("the phone lists %v, the session is %s", devices, s.JID)
	}
	phone, err := r.srv.Phone(ann)
	if err != nil || s.AccountJID() != phone.JID || s.AccountLID() != phone.LID {
		t.Errorf("session %+v of phone %+v (%v)", s, phone, err)
	}
	if _, err := r.m.QR(t.Context(), "a"); !fault.Is(err, fault.SessionLinked) {
		t.Errorf("QR of a linked session: %v", err)
	}
	if _, err := r.m.Pair(t.Context(), "a", session.PairRequest{PhoneNumber: bob}); !fault.Is(err, fault.SessionLinked) {
		t.Errorf("pairing a linked session: %v", err)
	}
	if got := r.statuses("a"); !strings.HasPrefix(got, "disconnected(created) connecting(requested) waiting_for_qr() connecting(linked) ") || !strings.HasSuffix(got, " connected() ") {
		t.Errorf("history %s", got)
	}
}

func TestOnePhoneLinkedTwice(t *testing.T) {
	r := newRig(t)
	first, second := r.link("a", ann), r.link("b", ann)
	if first.JID == second.JID || first.AccountJID() != second.AccountJID() || len(r.devices(ann)) != 2 {
		t.Errorf("devices %s and %s; the phone lists %v", first.JID, second.JID, r.devices(ann))
	}
}

func TestLinkByCode(t *testing.T) {
	r := newRig(t)
	r.create("a")
	ctx := r.context()
	code, err := r.m.Pair(ctx, "a", session.PairRequest{PhoneNumber: "+" + ann, ShowPushNotification: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.m.Get(ctx, "a")
	if err != nil || s.Status != session.StatusWaitingForPairCode || len(code.Code) != 9 || !code.ExpiresAt.After(s.UpdatedAt) {
		t.Fatalf("code %+v, session %+v (%v)", code, s, err)
	}
	wrong := "1111-1111"
	if _, err = r.srv.EnterCode(ctx, ann, wrong); err == nil {
		t.Fatal("a wrong code was accepted")
	}
	if s, err := r.m.Get(ctx, "a"); err != nil || s.Status != session.StatusWaitingForPairCode {
		t.Fatalf("after a wrong code: %+v, %v", s, err)
	}
	device, err := r.srv.EnterCode(ctx, ann, code.Code)
	if err != nil {
		t.Fatal(err)
	}
	if s := r.await("a", session.StatusConnected); s.JID != device.String() {
		t.Errorf("session %s, device %s", s.JID, device)
	}
}

// TestPairCodesAtTheSameTime: every request is answered, although each code
// makes the one before it void.
func TestPairCodesAtTheSameTime(t *testing.T) {
	r := newRig(t)
	r.create("a")
	var all sync.WaitGroup
	for range 4 { // each costs whatsmeow a second or more of computing
		all.Go(func() {
			if code, err := r.m.Pair(r.context(), "a", session.PairRequest{PhoneNumber: ann}); err != nil || code.Code == "" {
				t.Errorf("code %+v, %v", code, err)
			}
		})
	}
	all.Wait()
}

func TestPairRefusals(t *testing.T) {
	r := newRig(t)
	r.create("a")
	if _, err := r.m.Pair(t.Context(), "a", session.PairRequest{PhoneNumber: "0170"}); fault.From(err).Field != "phone_number" {
		t.Errorf("a national number: %v", err)
	}
	if _, err := r.m.Pair(t.Context(), "nobody", session.PairRequest{PhoneNumber: ann}); !fault.Is(err, fault.SessionNotFound) {
		t.Errorf("no such session: %v", err)
	}
}

// clock is a manager's clock that stands still until it is set.
type clock struct{ now atomic.Pointer[time.Time] }

func newClock() *clock {
	c := &clock{}
	c.set(time.Now())
	return c
}

func (c *clock) set(now time.Time) { c.now.Store(&now) }

// short shows each QR code for a moment only, by the clock.
func (c *clock) short(o *session.Options) {
	o.QRFirst, o.QRNext, o.Now = 20*time.Millisecond, 10*time.Millisecond, func() time.Time { return *c.now.Load() }
}

func TestQRCodesRunOut(t *testing.T) {
	clock := newClock()
	r := newRig(t, clock.short)
	r.create("a")
	codes, err := r.m.WatchQR(r.context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var last session.QR
	for last = range codes {
		if last.Done() {
			continue
		}
		if seen[last.Code] || last.Attempt != len(seen)+1 || last.Status != session.StatusWaitingForQR {
			t.Errorf("code %d shown again or out of order: %+v", len(seen)+1, last)
		}
		seen[last.Code] = true
		clock.set(last.ExpiresAt)
	}
	if !last.Done() || last.Status != session.StatusDisconnected || last.Reason != session.ReasonQRExpired || len(seen) != 6 {
		t.Fatalf("ended with %+v after %d codes", last, len(seen))
	}
	again, err := r.m.QR(r.context(), "a")
	if err != nil || seen[again.Code] || again.Code == "" {
		t.Fatalf("a new start shows %+v (%v)", again, err)
	}
}

func TestPairCodeRunsOut(t *testing.T) {
	clock := newClock()
	r := newRig(t, clock.short)
	r.create("a")
	code, err := r.m.Pair(r.context(), "a", session.PairRequest{PhoneNumber: ann})
	if err != nil {
		t.Fatal(err)
	}
	clock.set(code.ExpiresAt)
	if s := r.await("a", session.StatusDisconnected); s.Reason != session.ReasonCodeExpired {
		t.Errorf("ended with %+v", s)
	}
}

func TestQRWhenWhatsAppIsAway(t *testing.T) {
	r := newRig(t)
	r.create("a")
	if err := r.srv.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.m.QR(r.context(), "a"); !fault.Is(err, fault.SessionNotConnected) {
		t.Errorf("QR: %v", err)
	}
	if s := r.await("a", session.StatusDisconnected); s.Reason != session.ReasonUnreachable {
		t.Errorf("session %+v", s)
	}
}

func TestUnlinkedByThePhoneAndLinkedAgain(t *testing.T) {
	r := newRig(t)
	before := r.link("a", ann)
	if err := r.srv.Unlink(ann, nil); err != nil {
		t.Fatal(err)
	}
	s := r.await("a", session.StatusLoggedOut)
	if s.LoggedIn || s.JID != "" || s.Reason != session.ReasonUnlinked || s.PhoneNumber != ann {
		t.Errorf("unlinked session %+v", s)
	}
	if err := r.m.Do(t.Context(), "a", session.Read, nil); !fault.Is(err, fault.SessionNotLinked) {
		t.Errorf("an operation: %v", err)
	}
	if after := r.scan("a", bob); after.PhoneNumber != bob || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("linked again as %+v", after)
	}
}

func TestPasskey(t *testing.T) {
	r := newRig(t)
	if err := r.srv.DemandPasskey(ann, true); err != nil {
		t.Fatal(err)
	}
	r.create("a")
	if _, err := r.m.Passkey(t.Context(), "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a challenge before it is demanded: %v", err)
	}
	ctx := r.context()
	codes, err := r.m.WatchQR(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	qr := <-codes
	scanned := make(chan error, 1)
	go func() {
		_, err := r.srv.ScanQR(ctx, ann, qr.Code)
		scanned <- err
	}()
	if told := <-codes; told.Status != session.StatusPasskeyRequired || told.Code != "" || told.Done() {
		t.Errorf("after the scan those who watch are told %+v", told)
	}
	challenge, err := r.m.Passkey(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	var options struct{ Challenge, RPID string }
	if err = json.Unmarshal(challenge.PublicKey, &options); err != nil || options.Challenge == "" {
		t.Fatalf("challenge %s: %v", challenge.PublicKey, err)
	}
	if err = r.m.AnswerPasskey(ctx, "a", json.RawMessage(`{"id":"AAAA"}`)); fault.From(err).Field != "rawId" {
		t.Errorf("half an answer: %v", err)
	}
	if err = r.m.ConfirmPasskey(ctx, "a"); !fault.Is(err, fault.Conflict) {
		t.Errorf("confirmation before the answer: %v", err)
	}
	clientData := base64.RawURLEncoding.EncodeToString([]byte(`{"type":"webauthn.get","challenge":"` + options.Challenge + `"}`))
	answer := `{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"clientDataJSON":"` + clientData + `","authenticatorData":"AAAA","signature":"AAAA","userHandle":null}}`
	if err = r.m.AnswerPasskey(ctx, "a", json.RawMessage(answer)); err != nil {
		t.Fatal(err)
	}
	if told := <-codes; told.Status != session.StatusConnected {
		t.Errorf("at the end those who watch are told %+v", told)
	}
	// The code was scanned from this session, so nothing is left to compare.
	if s := r.await("a", session.StatusConnected); s.PhoneNumber != ann {
		t.Errorf("linked %+v", s)
	}
	if err = <-scanned; err != nil {
		t.Errorf("the phone: %v", err)
	}
}

// TestWhatIsOnDiskWhenThePhoneIsTold takes a copy of the database right after
// the phone was told that it is linked, and starts from it: no later write is
// needed for the link to survive a kill.
func TestWhatIsOnDiskWhenThePhoneIsTold(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	live, copied := filepath.Join(dir, "live.db"), filepath.Join(dir, "copy.db")
	taken := make(chan error, 1)
	r.m = r.open(openStore(t, live), func(o *session.Options) {
		o.Handlers = append(o.Handlers, func(ctx context.Context, _ string, evt any) error {
			if _, ok := evt.(*events.PairSuccess); ok {
				taken <- copyStore(ctx, live, copied)
			}
			return nil
		})
	})
	s := r.link("a", ann)
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	r.close(r.m)
	r.m = r.open(openStore(t, copied))
	if err := r.m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := r.await("a", session.StatusConnected); again.JID != s.JID || len(r.devices(ann)) != 1 {
		t.Errorf("from the copy: %+v, linked as %s; the phone lists %v", again, s.JID, r.devices(ann))
	}
}

func openStore(t *testing.T, path string) *dbutil.Database {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Driver: store.SQLite, Path: path, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err = store.Upgrade(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

// copyStore copies what is committed, over a connection of its own.
func copyStore(ctx context.Context, from, to string) error {
	db, err := sql.Open("sqlite3", from)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	return errors.Join(err, db.Close())
}
