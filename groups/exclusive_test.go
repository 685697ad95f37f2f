package groups

import (
	"context"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

func TestOneChangeAtATime(t *testing.T) {
	t.Parallel()
	var s Service
	group := types.NewJID("1", types.GroupServer)
	inside, most := 0, 0
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			ctx, done, err := s.exclusive(t.Context(), "s", group)
			if err != nil {
				t.Error(err)
				return
			}
			defer done()
			inside++ // the race detector sees to it that nobody else is here
			most = max(most, inside)
			_, again, err := s.exclusive(ctx, "s", group) // a part of the same operation
			if err != nil {
				t.Error(err)
				return
			}
			again()
			inside--
		})
	}
	all.Wait()
	if most != 1 || s.turns.Len() != 0 {
		t.Errorf("%d at once, and %d turns are kept", most, s.turns.Len())
	}
}

func TestOtherGroupsDoNotWait(t *testing.T) {
	t.Parallel()
	var s Service
	group := types.NewJID("1", types.GroupServer)
	ctx, done, err := s.exclusive(t.Context(), "s", group)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []struct {
		session string
		group   types.JID
	}{{"t", group}, {"s", types.NewJID("2", types.GroupServer)}} {
		_, end, err := s.exclusive(ctx, other.session, other.group)
		if err != nil {
			t.Fatal(err)
		}
		end()
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err = s.exclusive(gone, "s", group); !fault.Is(err, fault.Unavailable) {
		t.Errorf("who has gone got %v", err)
	}
	done()
	if s.turns.Len() != 0 {
		t.Errorf("%d turns are kept", s.turns.Len())
	}
}
