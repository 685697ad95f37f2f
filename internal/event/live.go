package event

import (
	"context"
	"errors"
	"sync"
)

// head is how far this process has brought the log, and wakes those who wait
// for more.
type head struct {
	mu       sync.Mutex
	position Cursor
	moved    chan struct{} // closed when position grows; nil when nobody waits
}

// reach is called with each position after its commit. Commits come in the
// order of the positions, but what follows them may not.
func (h *head) reach(position Cursor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if position <= h.position {
		return
	}
	h.position = position
	if h.moved != nil {
		close(h.moved)
		h.moved = nil
	}
}

// watch returns the position and a channel that is closed when it grows.
func (h *head) watch() (position Cursor, moved <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.moved == nil {
		h.moved = make(chan struct{})
	}
	return h.position, h.moved
}

// streamPage is how many events a stream takes from the log at once.
const streamPage = 100

// ErrSlow says that a stream's reader takes events in so much slower than they
// come that it was let go.
var ErrSlow = errors.New("the reader of a stream of events is too slow")

// Stream reads the log and then follows it until the context ends, passing
// each page that has events to deliver, which may block. The pages' events are
// each passed once and in order; Page.Next is where to resume. It holds nothing
// in memory but the present page.
//
// With patience above zero, a reader during whose page so many other events
// have come is too slow: Stream returns ErrSlow.
func (l *Log) Stream(ctx context.Context, q Query, patience int64, deliver func(Page) error) error {
	q.Limit = streamPage
	for {
		_, moved := l.head.watch()
		page, err := l.Read(ctx, q)
		if err != nil {
			return err
		}
		q.After = page.Next
		if len(page.Events) > 0 || page.Gap {
			if err = deliver(page); err != nil {
				return err
			}
			if now, _ := l.head.watch(); patience > 0 && int64(now-page.newest) > patience {
				return ErrSlow
			}
		}
		if page.More {
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
