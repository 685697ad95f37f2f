// Package turns lets those who want something with the same key do it one at a
// time, in the order in which they came.
package turns

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrTooLong says that a turn has not come in the time that there was for it.
var ErrTooLong = errors.New("those before are still at it")

// Lines has a line of waiting for each key. The zero value is ready, and safe
// for concurrent use. A line is forgotten with its last turn.
type Lines[Key comparable] struct {
	mu    sync.Mutex
	lines map[Key][]*Turn[Key]
}

// Turn is a place in a line. It is Join that decides the order, not Wait: who
// has joined may prepare what is to be done while others are before it.
type Turn[Key comparable] struct {
	lines *Lines[Key]
	key   Key
	come  chan struct{} // closed when nobody is before it
}

// Join takes a place at the end of the key's line. Call Leave in any case.
func (l *Lines[Key]) Join(key Key) *Turn[Key] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines = map[Key][]*Turn[Key]{}
	}
	turn := &Turn[Key]{lines: l, key: key, come: make(chan struct{})}
	if len(l.lines[key]) == 0 {
		close(turn.come)
	}
	l.lines[key] = append(l.lines[key], turn)
	return turn
}

// Len is the number of lines that have somebody in them.
func (l *Lines[Key]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// Wait returns when nobody is before this turn; the error is ErrTooLong or the
// context's.
func (t *Turn[Key]) Wait(ctx context.Context, longest time.Duration) error {
	select {
	case <-t.come:
		return nil
	default:
	}
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-t.come:
		return nil
	case <-timer.C:
		return ErrTooLong
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave ends the turn, or the waiting for it. It may be called again.
func (t *Turn[Key]) Leave() {
	t.lines.mu.Lock()
	defer t.lines.mu.Unlock()
	line := t.lines.lines[t.key]
	for i, turn := range line {
		if turn != t {
			continue
		}
		copy(line[i:], line[i+1:])
		line[len(line)-1] = nil
		line = line[:len(line)-1]
		if len(line) == 0 {
			delete(t.lines.lines, t.key)
			return
		}
		t.lines.lines[t.key] = line
		if i == 0 {
			close(line[0].come)
		}
		return
	}
}
