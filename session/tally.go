package session

import "sync"

// tally counts what is going on. Unlike a WaitGroup, it may be waited for while
// more begins.
type tally struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when the count is 0; nil when nobody waits
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count--; t.count == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// zero returns a channel that is closed once nothing is going on.
func (t *tally) zero() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	return t.idle
}
