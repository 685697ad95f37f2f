package groups

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// exclusiveWait is how long a change waits for those before it. It is longer
// than one of them takes, and shorter than a caller's patience.
const exclusiveWait = 30 * time.Second

// turns lets one change at a time at each group: two at once would reach
// WhatsApp and the mirror in different orders. It is safe for concurrent use.
type turns struct {
	mu     sync.Mutex
	groups map[turnKey]*turn
}

type turnKey struct{ session, group string }

// turn is one group's. It is forgotten with its last user.
type turn struct {
	free  chan struct{}
	users int
}

// heldKey marks contexts of operations that have their turn.
type heldKey struct{ turnKey }

// exclusive waits for the operation's turn at a group. Call done at its end.
// Operations under the context that it returns are part of this one, and do not
// wait for themselves.
func (s *Service) exclusive(ctx context.Context, sessionID string, group types.JID) (_ context.Context, done func(), err error) {
	key := turnKey{sessionID, group.String()}
	if ctx.Value(heldKey{key}) != nil {
		return ctx, func() {}, nil
	}
	t := s.turns.of(key)
	timer := time.NewTimer(exclusiveWait)
	defer timer.Stop()
	select {
	case t.free <- struct{}{}:
		done = func() {
			<-t.free
			s.turns.leave(key, t)
		}
		return context.WithValue(ctx, heldKey{key}, true), done, nil
	case <-ctx.Done():
		err = fault.New(fault.Unavailable, "the request was given up while earlier changes of this group were made").Because(ctx.Err())
	case <-timer.C:
		err = fault.New(fault.RateLimited, "earlier changes of this group are still being made").After(time.Second)
	}
	s.turns.leave(key, t)
	return ctx, nil, err
}

func (t *turns) of(key turnKey) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.groups == nil {
		t.groups = map[turnKey]*turn{}
	}
	one := t.groups[key]
	if one == nil {
		one = &turn{free: make(chan struct{}, 1)}
		t.groups[key] = one
	}
	one.users++
	return one
}

func (t *turns) leave(key turnKey, one *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(t.groups, key)
	}
}
