package groups

import (
	"context"
	"errors"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/internal/turns"
)

// exclusiveWait is how long a change waits for those before it. It is longer
// than one of them takes, and shorter than a caller's patience.
const exclusiveWait = 30 * time.Second

// turnKey names a group as one of the sessions sees it. Two changes of it at
// once would reach WhatsApp and the mirror in different orders.
type turnKey struct{ session, group string }

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
	turn := s.turns.Join(key)
	if err = turn.Wait(ctx, exclusiveWait); err == nil {
		return context.WithValue(ctx, heldKey{key}, true), turn.Leave, nil
	}
	turn.Leave()
	if errors.Is(err, turns.ErrTooLong) {
		return ctx, nil, fault.New(fault.RateLimited, "earlier changes of this group are still being made").After(time.Second)
	}
	return ctx, nil, fault.New(fault.Unavailable, "the request was given up while earlier changes of this group were made").Because(err)
}
