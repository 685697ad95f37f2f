package session

import (
	"context"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// arrivals are the notifications about groups that a run has received and not
// acknowledged yet: they wait for their turn in whatsmeow, or are being written.
// WhatsApp tells of a change before it answers with what that has made, but
// whatsmeow hands an answer on at once, ahead of all that waits. It logs each
// stanza as it comes and as it goes, which is how they are known here; and it
// acknowledges a notification when its handlers have returned.
type arrivals struct {
	mu      sync.Mutex
	waiting map[string]bool // by the stanza's id
	fewer   chan struct{}   // closed when one has left; nil when nobody waits
}

// came notes a stanza that was received.
func (a *arrivals) came(node *waBinary.Node) {
	id, ok := node.Attrs["id"].(string)
	if !ok || node.Tag != "notification" {
		return
	}
	if kind := node.Attrs["type"]; kind != "w:gp2" && kind != "picture" {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[string]bool{}
	}
	a.waiting[id] = true
}

// went notes a stanza that was sent.
func (a *arrivals) went(node *waBinary.Node) {
	if node.Tag != "ack" || node.Attrs["class"] != "notification" {
		return
	}
	id, _ := node.Attrs["id"].(string)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting[id] {
		delete(a.waiting, id)
		a.left()
	}
}

// clear forgets them at the end of their connection: the next one brings again
// what was not acknowledged.
func (a *arrivals) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = nil
	a.left()
}

// left wakes those who wait. The caller holds mu.
func (a *arrivals) left() {
	if a.fewer != nil {
		close(a.fewer)
		a.fewer = nil
	}
}

// pass waits until those have left that are there now.
func (a *arrivals) pass(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var before []string
	for id := range a.waiting {
		before = append(before, id)
	}
	for ctx.Err() == nil { // the connection, too, has not ended
		for len(before) > 0 && !a.waiting[before[0]] {
			before = before[1:]
		}
		if len(before) == 0 {
			return nil
		}
		if a.fewer == nil {
			a.fewer = make(chan struct{})
		}
		fewer := a.fewer
		a.mu.Unlock()
		select {
		case <-fewer:
		case <-ctx.Done():
		}
		a.mu.Lock()
	}
	return ctx.Err()
}

type arrivalsKey struct{}

// LetEventsPass waits until the handlers have taken what WhatsApp had told of
// groups before this call. An operation of Do, whose context it wants, calls it
// when it has its answer: what the answer shows and no event has told of by then
// is told by none that was sent before it.
func LetEventsPass(ctx context.Context) error {
	a, ok := ctx.Value(arrivalsKey{}).(*arrivals)
	if !ok {
		return nil
	}
	return a.pass(ctx)
}
