package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	// handlesIdle is how many open handles are kept for the next statements.
	handlesIdle = 8
	// handleIdleTime is how long one is kept that nothing needs.
	handleIdleTime = time.Minute
)

// handles are SQLite's own connections to one file. Each has a page cache, a
// copy of the schema and memory from the C library, whose arenas keep what a
// burst of them took; so there are only as many as statements run at a time. It
// is safe for concurrent use.
type handles struct {
	dsn    string
	driver *sqlite3.SQLiteDriver

	mu     sync.Mutex
	idle   []idleHandle // the one used last at the end
	closed bool
}

type idleHandle struct {
	*sqlite3.SQLiteConn
	since time.Time
}

// take returns a handle for the caller alone, the one used last if there is one.
func (h *handles) take() (*sqlite3.SQLiteConn, error) {
	h.mu.Lock()
	if last := len(h.idle) - 1; last >= 0 {
		handle := h.idle[last].SQLiteConn
		h.idle = h.idle[:last]
		h.mu.Unlock()
		return handle, nil
	}
	h.mu.Unlock()
	raw, err := h.driver.Open(h.dsn)
	if err != nil {
		return nil, err
	}
	handle, ok := raw.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected SQLite connection type %T", raw), raw.Close())
	}
	return handle, nil
}

// give takes a handle back, and closes those that were idle for too long. err is
// that of the last statement.
func (h *handles) give(handle *sqlite3.SQLiteConn, err error) {
	var surplus []idleHandle
	h.mu.Lock()
	// One in a transaction would make the next statements part of it.
	if h.closed || errors.Is(err, driver.ErrBadConn) || !handle.AutoCommit() {
		surplus = append(surplus, idleHandle{SQLiteConn: handle})
	} else {
		h.idle = append(h.idle, idleHandle{handle, time.Now()})
	}
	stale := max(0, len(h.idle)-handlesIdle)
	for stale < len(h.idle) && time.Since(h.idle[stale].since) > handleIdleTime {
		stale++
	}
	surplus = append(surplus, h.idle[:stale]...)
	h.idle = h.idle[stale:]
	h.mu.Unlock()
	for _, each := range surplus {
		_ = each.Close() // nothing is pending on it that could be lost
	}
}

// Close closes what is idle, and what is in use once it is given back.
func (h *handles) Close() error {
	h.mu.Lock()
	idle := h.idle
	h.idle, h.closed = nil, true
	h.mu.Unlock()
	var failures []error
	for _, each := range idle {
		failures = append(failures, each.Close())
	}
	return errors.Join(failures...)
}
