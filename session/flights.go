package session

import (
	"context"
	"errors"
	"sync"
)

// errCut is what ends an operation whose connection has ended.
var errCut = errors.New("the connection ended")

// flights are the operations on one connection. They end with it: before
// whatsmeow learns that the connection is gone, since it would keep their
// requests and send them once more on the next one, which creates a group
// twice.
type flights struct {
	tally
	mu   sync.Mutex
	over bool
	next int
	ends map[int]context.CancelCauseFunc
}

// take lets an operation begin, with the context that it must use; call leave
// at its end.
func (f *flights) take(ctx context.Context) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		cancel(errCut)
	}
	if f.ends == nil {
		f.ends = make(map[int]context.CancelCauseFunc)
	}
	id := f.next
	f.next++
	f.ends[id] = cancel
	f.begin()
	return ctx, func() {
		f.mu.Lock()
		delete(f.ends, id)
		f.mu.Unlock()
		cancel(nil)
		f.end()
	}
}

// cut ends them all. It returns when every context has ended, and is called
// with whatsmeow's locks held.
func (f *flights) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for _, cancel := range f.ends {
		cancel(errCut)
	}
}

// wasCut tells whether an operation ended because its connection did.
func wasCut(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errCut)
}
