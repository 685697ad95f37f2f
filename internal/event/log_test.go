package event_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/internal/event"
	"muster/store"
)

// Each session's events are numbered from 1 without gaps, whatever is rolled
// back between them, and say what their context says of them.
func TestAppend(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		ctx := r.t.Context()
		failure := errors.New("no")
		r.must(r.add(ctx, subject("a", "a1"), subject("b", "b1"), subject("a", "a2")))
		err := store.Txn(ctx, r.db, func(ctx context.Context) error {
			return errors.Join(r.log.Append(ctx, subject("a", "never")), failure)
		})
		if !errors.Is(err, failure) {
			r.t.Fatal(err)
		}
		r.must(r.add(event.WithOffline(event.WithRequest(ctx, "request-1")), subject("a", "a3")))
		events := r.read(event.Query{}).Events
		if got := strings.Join(r.texts(events), " "); got != "a1 b1 a2 a3" {
			r.t.Fatalf("read %s", got)
		}
		for i, want := range []int64{1, 1, 2, 3} {
			if events[i].Seq != want {
				r.t.Errorf("event %d has the number %d, want %d", i, events[i].Seq, want)
			}
		}
		last := events[3]
		if last.RequestID != "request-1" || !last.Offline || last.Group != "1@g.us" || last.At.Unix() != 1700000000 || events[2].Offline {
			r.t.Errorf("the last event is %+v", last)
		}
		again, ok, err := r.log.Get(ctx, last.ID)
		if err != nil || !ok || again.Seq != 3 || again.ID != last.ID {
			r.t.Errorf("by its id it is %+v, %v, %v", again, ok, err)
		}
		if _, ok, err = r.log.Get(ctx, "evt_nothing"); ok || err != nil {
			r.t.Errorf("an id of nothing gives %v, %v", ok, err)
		}
	})
}

// The event as others see it: its own fields, and its data as it was when it
// was appended.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		actor := &event.Person{JID: "49@s.whatsapp.net", PhoneNumber: "49"}
		e := subject("a", "x")
		e.Data = event.Subject{About: event.About{GroupJID: "1@g.us", Subject: "x", Actor: actor, Source: "api"}, PreviousSubject: "w"}
		r.must(store.Txn(r.t.Context(), r.db, func(ctx context.Context) error {
			err := r.log.Append(ctx, e)
			actor.JID = "changed"
			return err
		}))
		got := r.read(event.Query{}).Events[0]
		text, err := json.Marshal(got)
		r.must(err)
		want := fmt.Sprintf(`{"id":%q,"seq":1,"type":"group.subject","session_id":"a","group_jid":"1@g.us","timestamp":1700000000,`+
			`"data":{"group_jid":"1@g.us","subject":"x","actor":{"jid":"49@s.whatsapp.net","phone_number":"49"},"source":"api","previous_subject":"w"}}`, got.ID)
		if string(text) != want {
			r.t.Errorf("%s, want %s", text, want)
		}
	})
}

// What is wrong with a call is an error and not an event.
func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		if err := r.log.Append(r.t.Context(), subject("a", "x")); !errors.Is(err, store.ErrNoTransaction) {
			r.t.Errorf("outside of a transaction: %v", err)
		}
		wrong := subject("a", "x")
		wrong.Data = event.Left{}
		if err := r.add(r.t.Context(), wrong); err == nil {
			r.t.Error("another type's data is taken")
		}
		wrong.Type = "group.nothing"
		if err := r.add(r.t.Context(), wrong); err == nil {
			r.t.Error("a type that does not exist is taken")
		}
		r.must(r.add(r.t.Context(), subject("deleted", "x"))) // at this moment, by somebody else
		if page := r.read(event.Query{}); len(page.Events) != 0 {
			r.t.Errorf("there are %d events", len(page.Events))
		}
	})
}

// A session's events go with it; one of the same name goes on counting.
func TestDeletedSession(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		r.must(r.add(r.t.Context(), subject("a", "a1"), subject("b", "b1"), subject("a", "a2")))
		_, err := r.db.Exec(r.t.Context(), "DELETE FROM sessions WHERE id = 'a'")
		r.must(err)
		r.session("a")
		r.must(r.add(r.t.Context(), subject("a", "a3")))
		events := r.read(event.Query{}).Events
		if got := r.texts(events); !slices.Equal(got, []string{"b1", "a3"}) || events[1].Seq != 3 {
			r.t.Errorf("%v, the last with the number %d", got, events[len(events)-1].Seq)
		}
	})
}

// Sinks take part in the transaction, with the event as it will be read.
func TestSinks(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		_, err := r.db.Exec(r.t.Context(), "CREATE TABLE noted (id TEXT PRIMARY KEY)")
		r.must(err)
		failure := errors.New("no")
		r.log.AddSink(func(ctx context.Context, e event.Event) error {
			if r.textOf(e) == "refused" {
				return failure
			}
			_, err := r.db.Exec(ctx, "INSERT INTO noted VALUES ($1)", e.ID)
			return err
		})
		r.must(r.add(r.t.Context(), subject("a", "taken")))
		if err := r.add(r.t.Context(), subject("a", "taken with it"), subject("a", "refused")); !errors.Is(err, failure) {
			r.t.Errorf("a sink's refusal gives %v", err)
		}
		events := r.read(event.Query{}).Events
		var noted string
		r.must(r.db.QueryRow(r.t.Context(), "SELECT id FROM noted").Scan(&noted))
		if len(events) != 1 || events[0].ID != noted {
			r.t.Errorf("%d events, and the sink noted %s", len(events), noted)
		}
	})
}

func TestPrune(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	everywhere(t, event.Options{KeepFor: time.Hour, Keep: 3, Now: clock}, func(r *rig) {
		now = time.Unix(1_700_000_000, 0)
		prune := func(want int64) {
			r.t.Helper()
			if count, err := r.log.Prune(r.t.Context()); err != nil || count != want {
				r.t.Errorf("%d are deleted, want %d: %v", count, want, err)
			}
		}
		r.must(r.add(r.t.Context(), subject("a", "1"), subject("a", "2"), subject("b", "3"), subject("a", "4"), subject("a", "5")))
		first := r.read(event.Query{Limit: 1})
		second := r.read(event.Query{Limit: 1, After: first.Next})
		third := r.read(event.Query{Limit: 1, After: second.Next})
		prune(2) // by number
		prune(0)
		if page := r.read(event.Query{After: first.Next}); !page.Gap || !slices.Equal(r.texts(page.Events), []string{"3", "4", "5"}) {
			r.t.Errorf("after one that is gone comes %v, gap %v", r.texts(page.Events), page.Gap)
		}
		for _, after := range []event.Cursor{0, second.Next, third.Next} { // nothing follows that is gone
			if page := r.read(event.Query{After: after}); page.Gap {
				r.t.Errorf("after %s there is a gap", after)
			}
		}
		now = now.Add(59 * time.Minute)
		r.must(r.add(r.t.Context(), subject("a", "6")))
		prune(1) // by number
		now = now.Add(2 * time.Minute)
		prune(2) // by age
		if page := r.read(event.Query{}); !slices.Equal(r.texts(page.Events), []string{"6"}) || page.Events[0].Seq != 5 {
			r.t.Errorf("what is left is %v", r.texts(page.Events))
		}
	})
}
