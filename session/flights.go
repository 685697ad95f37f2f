package session

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errCut is what ends an operation whose connection has ended.
var errCut = errors.New("the connection ended")

// flights are the operations on one connection. They end with it: before
// whatsmeow learns that the connection is gone, since it would keep their
// requests and send them once more on the next one, which creates a group
// twice. (And two requests that it keeps at once race in its event flag.)
type flights struct {
	tally
	dialled chan struct{} // closed when whatsmeow has connected, or failed to

	mu   sync.Mutex
	over bool
	next int
	ends map[int]context.CancelCauseFunc
}

func newFlights() *flights { return &flights{dialled: make(chan struct{})} }

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

// cut ends them all. It returns when every context has ended.
func (f *flights) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for _, cancel := range f.ends {
		cancel(errCut)
	}
}

// ended tells whether cut was called.
func (f *flights) ended() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

// lineLimit bounds how long the end of a connection is kept from whatsmeow.
const lineLimit = 300 * time.Millisecond

// line is what a run makes of one websocket: it keeps the end of it from
// whatsmeow until its operations have left and whatsmeow has finished
// connecting. An operation about to wait for its answer would else find the end
// in the answer's place, as often as the end of its context; and whatsmeow puts
// the handler of a socket's end in place after the handshake, without a lock.
type line struct {
	*run
	flights *flights
}

func (l *line) received() { l.heard() }

// closing only cuts: operations may need the locks that are held here.
func (l *line) closing() { l.flights.cut() }

func (l *line) broken() {
	l.flights.cut()
	limit := time.NewTimer(lineLimit)
	defer limit.Stop()
	for _, over := range []<-chan struct{}{l.flights.zero(), l.flights.dialled} {
		select {
		case <-over:
		case <-limit.C:
			return
		}
	}
}

// wasCut tells whether an operation ended because its connection did.
func wasCut(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errCut)
}
