package event_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"muster/internal/event"
	"muster/store"
)

// Many write at once, some of them in vain, and readers that begin anew all the
// time, from the last id they had, see every event once and in order.
func TestReadersMissNothing(t *testing.T) {
	t.Parallel()
	const writers, each = 8, 40
	everywhere(t, event.Options{}, func(r *rig) {
		ctx, cancel := context.WithTimeout(r.t.Context(), patience)
		defer cancel()
		failure := errors.New("rolled back")
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					session := string(rune('a' + rand.IntN(3)))
					err := store.Txn(ctx, r.db, func(ctx context.Context) error {
						// A transaction has other things to do too, in any order.
						if _, err := r.db.Exec(ctx, "UPDATE sessions SET updated_at = updated_at + 1 WHERE id = $1", session); err != nil {
							return err
						}
						if err := r.log.Append(ctx, subject(session, fmt.Sprintf("%d.%d", w, i))); err != nil {
							return err
						}
						if i%5 == 4 {
							return failure
						}
						return nil
					})
					if err != nil && !errors.Is(err, failure) {
						r.t.Errorf("writer %d: %v", w, err)
					}
				}
			})
		}
		const want = writers * each * 4 / 5
		var reading sync.WaitGroup
		for reader := range 3 {
			reading.Go(func() {
				if err := r.follow(ctx, want); err != nil {
					r.t.Errorf("reader %d: %v", reader, err)
				}
			})
		}
		writing.Wait()
		reading.Wait()
	})
}

// errEnough ends a stream from inside.
var errEnough = errors.New("enough")

// follow reads until it has so many events, in streams that end after a few.
func (r *rig) follow(ctx context.Context, want int) error {
	var last event.Cursor
	seen, seqs := map[string]bool{}, map[string]int64{}
	for len(seen) < want {
		few := 1 + rand.IntN(30)
		err := r.log.Stream(ctx, event.Query{After: last}, 0, func(page event.Page) error {
			if page.Gap {
				return errors.New("a gap, and nothing was deleted")
			}
			for _, e := range page.Events {
				if seen[e.ID] {
					return fmt.Errorf("%s comes twice", e.ID)
				}
				seen[e.ID] = true
				if seqs[e.SessionID]++; e.Seq != seqs[e.SessionID] {
					return fmt.Errorf("session %s: %d comes as number %d", e.SessionID, e.Seq, seqs[e.SessionID])
				}
				var err error
				if last, err = event.ParseCursor(e.ID); err != nil {
					return err
				}
				if few--; few == 0 || len(seen) == want {
					return errEnough
				}
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			return fmt.Errorf("after %d events: %w", len(seen), err)
		}
	}
	return nil
}

// A stream waits for what is not there yet, ends with its context, and lets go
// of a reader during whose page too much has happened, but not of one that only
// has much to catch up on.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		ctx, cancel := context.WithTimeout(r.t.Context(), patience)
		defer cancel()
		for range 3 {
			var many []event.Event
			for range 50 {
				many = append(many, subject("a", "before"))
			}
			r.must(r.add(ctx, many...))
		}
		pages, caughtUp, blocked, resume := 0, make(chan struct{}), make(chan struct{}), make(chan struct{})
		done := make(chan error, 1)
		var last event.Page
		go func() {
			done <- r.log.Stream(ctx, event.Query{}, 5, func(page event.Page) error {
				last = page
				switch pages++; pages {
				case 2:
					close(caughtUp)
				case 3:
					close(blocked)
					<-resume
				}
				return nil
			})
		}()
		<-caughtUp
		r.must(r.add(ctx, subject("a", "live")))
		<-blocked
		for range 6 {
			r.must(r.add(ctx, subject("b", "meanwhile")))
		}
		close(resume)
		if err := <-done; !errors.Is(err, event.ErrSlow) {
			r.t.Fatalf("the stream ended with %v", err)
		}
		if rest := r.read(event.Query{After: last.Next}); len(rest.Events) != 6 {
			r.t.Errorf("%d events are left to resume with", len(rest.Events))
		}
		short, end := context.WithCancel(ctx)
		go func() {
			done <- r.log.Stream(short, event.Query{}, 0, func(page event.Page) error {
				if !page.More {
					end()
				}
				return nil
			})
		}()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Errorf("with its context it ended with %v", err)
		}
	})
}
