package event_test

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/event"
	"muster/store"
	"muster/store/storetest"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

// rig is a log on a database of its own.
type rig struct {
	t   *testing.T
	db  *dbutil.Database
	log *event.Log
}

// everywhere runs the test on every database, with sessions a, b and c.
func everywhere(t *testing.T, options event.Options, test func(r *rig)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		options := options
		options.DB = db
		r := &rig{t: t, db: db, log: event.NewLog(options)}
		for _, id := range []string{"a", "b", "c"} {
			r.session(id)
		}
		test(r)
	})
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) session(id string) {
	r.t.Helper()
	_, err := r.db.Exec(r.t.Context(), "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ($1, $1, 'connected', 1, 1)", id)
	r.must(err)
}

// add appends events in one transaction.
func (r *rig) add(ctx context.Context, events ...event.Event) error {
	return store.Txn(ctx, r.db, func(ctx context.Context) error {
		for _, e := range events {
			if err := r.log.Append(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// subject is an event of the session with a text that tells it apart.
func subject(session, text string) event.Event {
	return event.Event{
		Type: event.GroupSubject, SessionID: session, Group: "1@g.us", At: time.Unix(1700000000, 0),
		Data: event.Subject{About: event.About{GroupJID: "1@g.us", Subject: text, Source: "whatsapp"}},
	}
}

func (r *rig) read(q event.Query) event.Page {
	r.t.Helper()
	page, err := r.log.Read(r.t.Context(), q)
	r.must(err)
	return page
}

// textOf is what tells an event of subject apart.
func (r *rig) textOf(e event.Event) string {
	r.t.Helper()
	var data event.Subject
	r.must(e.Decode(&data))
	return data.Subject
}

func (r *rig) texts(events []event.Event) (list []string) {
	r.t.Helper()
	for _, e := range events {
		list = append(list, r.textOf(e))
	}
	return list
}
