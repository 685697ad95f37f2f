package session

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/store/storetest"
)

var morning = time.Unix(1_700_000_000, 0)

func newRecord(id string) record {
	return record{desired: desiredConnected, proxy: "socks5://me:secret@127.0.0.1:1080", Session: Session{
		ID: id, Name: "Name of " + id, Status: StatusDisconnected, Reason: ReasonCreated, CreatedAt: morning,
	}}
}

func nothing(context.Context) error { return nil }

func insert(t *testing.T, r repo, id string) {
	t.Helper()
	if created, err := r.insert(t.Context(), newRecord(id), nothing); err != nil || !created {
		t.Fatalf("insert %s: created %v, %v", id, created, err)
	}
}

func only(t *testing.T, r repo) record {
	t.Helper()
	all, err := r.all(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("expected one session, got %d, %v", len(all), err)
	}
	return all[0]
}

func TestStoredSessionIsReadBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		r := repo{db}
		insert(t, r, "a")
		rec := only(t, r)
		want := newRecord("a")
		want.Proxy = "socks5://me:xxxxx@127.0.0.1:1080"
		want.UpdatedAt = morning
		if rec != want {
			t.Fatalf("read back\n%+v, stored\n%+v", rec, want)
		}
		if created, err := r.insert(t.Context(), newRecord("a"), nothing); err != nil || created {
			t.Fatalf("a second session with the same id: created %v, %v", created, err)
		}
	})
}

func TestStateAndHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		r := repo{db}
		insert(t, r, "a")
		insert(t, r, "b")
		for i := range historyLimit + 5 {
			change := StateChange{At: morning.Add(time.Duration(i) * time.Second), Status: StatusConnecting, Reason: ReasonConnectionLost, Detail: fmt.Sprint(i)}
			if err := r.setState(t.Context(), "a", change, morning, nothing); err != nil {
				t.Fatal(err)
			}
		}
		history, err := r.history(t.Context(), "a")
		if err != nil || len(history) != historyLimit {
			t.Fatalf("%d entries kept, %v", len(history), err)
		}
		newest := StateChange{At: morning.Add((historyLimit + 4) * time.Second), Status: StatusConnecting, Reason: ReasonConnectionLost, Detail: fmt.Sprint(historyLimit + 4)}
		if history[0] != newest {
			t.Fatalf("newest entry %+v, expected %+v", history[0], newest)
		}
		if other, err := r.history(t.Context(), "b"); err != nil || len(other) != 1 || other[0].Reason != ReasonCreated {
			t.Fatalf("history of the other session: %+v, %v", other, err)
		}
		if err = r.delete(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if err = r.setState(t.Context(), "b", newest, morning, nothing); err != nil {
			t.Fatalf("a state of a deleted session is an error: %v", err)
		}
		rec := only(t, r)
		if rec.Status != StatusConnecting || rec.Detail != newest.Detail || !rec.LastConnectedAt.Equal(morning) {
			t.Fatalf("stored state %+v", rec.Session)
		}
	})
}

func TestBindAndUnbind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		r := repo{db}
		insert(t, r, "a")
		who := identity{jid: "491700000001:7@s.whatsapp.net", lid: "1000:7@lid", phoneNumber: "491700000001", pushName: "Ann"}
		if found, err := r.bind(t.Context(), "a", who, morning); err != nil || !found {
			t.Fatalf("bind: found %v, %v", found, err)
		}
		if found, err := r.bind(t.Context(), "nobody", identity{}, morning); err != nil || found {
			t.Fatalf("bind of a session that is not there: found %v, %v", found, err)
		}
		if rec := only(t, r); !rec.LoggedIn || rec.JID != who.jid || rec.LID != who.lid || rec.PushName != "Ann" {
			t.Fatalf("bound %+v", rec.Session)
		}
		owner, err := r.unbind(t.Context(), who.jid, morning)
		if err != nil || owner != "a" {
			t.Fatalf("unbind: owner %q, %v", owner, err)
		}
		if owner, err = r.unbind(t.Context(), who.jid, morning); err != nil || owner != "" {
			t.Fatalf("unbind again: owner %q, %v", owner, err)
		}
		if rec := only(t, r); rec.LoggedIn || rec.JID != "" || rec.PhoneNumber != who.phoneNumber {
			t.Fatalf("unbound %+v", rec.Session)
		}
	})
}

func TestDesiredAndProxy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		r := repo{db}
		insert(t, r, "a")
		if err := r.setDesired(t.Context(), "a", desiredDisconnected); err != nil {
			t.Fatal(err)
		}
		if err := r.setProxy(t.Context(), "a", "", morning); err != nil {
			t.Fatal(err)
		}
		if rec := only(t, r); rec.desired != desiredDisconnected || rec.proxy != "" || rec.Proxy != "" {
			t.Fatalf("stored %+v", rec)
		}
	})
}
