package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// ErrBusy is returned when the write lock did not become free in time. Within
// one process that means a transaction is held for far too long, or that code
// inside a transaction wrote without the transaction's context.
var ErrBusy = errors.New("the database's write lock did not become free in time")

const (
	// writerWait bounds the queue for the write lock.
	writerWait = 20 * time.Second
	// fileBusyTimeout is how long SQLite waits for another process, for
	// example `muster token create` beside a running server.
	fileBusyTimeout = 10 * time.Second
)

// connector makes SQLite connections that queue for writing inside the
// process. SQLite allows one writer at a time and lets the others poll, which
// is unfair and ends in "database is locked" under load. Here writers wait in
// a first-come queue that honours their context, and readers, which WAL never
// blocks, do not wait at all.
type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
	writer chan struct{} // holds one element while someone writes
}

func newConnector(path string) *connector {
	options := url.Values{
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		// FULL, not NORMAL: an event is acknowledged to WhatsApp once it is
		// committed, so a commit must survive a power failure too.
		"_synchronous": {"FULL"},
		// In KiB, for each connection, and outside Go's heap, where what a burst of
		// connections took is not given back. What is beyond it is in the system's
		// cache, which is nearly as fast.
		"_cache_size":   {"-256"},
		"_busy_timeout": {fmt.Sprint(fileBusyTimeout.Milliseconds())},
		// A transaction takes the write lock at its start; upgrading a read
		// lock later fails at once when another writer was faster.
		"_txlock": {"immediate"},
	}
	return &connector{
		dsn:    "file:" + escapePath(path) + "?" + options.Encode(),
		driver: &sqlite3.SQLiteDriver{},
		writer: make(chan struct{}, 1),
	}
}

// escapePath keeps a path with special characters from being read as a URI's
// query or fragment.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// Connect implements driver.Connector.
func (c *connector) Connect(context.Context) (driver.Conn, error) {
	raw, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	sqlite, ok := raw.(*sqlite3.SQLiteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected SQLite connection type %T", raw), raw.Close())
	}
	return &conn{SQLiteConn: sqlite, writer: c.writer}, nil
}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// conn takes the write lock for transactions and for single statements that
// write. database/sql uses a connection from one goroutine at a time, so
// inTx needs no lock of its own.
type conn struct {
	*sqlite3.SQLiteConn
	writer chan struct{}
	inTx   bool
}

func (c *conn) acquire(ctx context.Context) error {
	select {
	case c.writer <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(writerWait)
	defer timer.Stop()
	select {
	case c.writer <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ErrBusy
	}
}

func (c *conn) release() { <-c.writer }

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	raw, err := c.SQLiteConn.BeginTx(ctx, options)
	if err != nil {
		c.release()
		return nil, err
	}
	c.inTx = true
	return &tx{Tx: raw, conn: c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.inTx {
		return c.SQLiteConn.ExecContext(ctx, query, args)
	}
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	defer c.release()
	return c.SQLiteConn.ExecContext(ctx, query, args)
}

// QueryContext implements driver.QueryerContext. A query that may write
// ("INSERT … RETURNING") holds the lock until its rows are closed.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.inTx || onlyReads(query) {
		return c.SQLiteConn.QueryContext(ctx, query, args)
	}
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	raw, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		c.release()
		return nil, err
	}
	sqlite, ok := raw.(*sqlite3.SQLiteRows)
	if !ok {
		c.release()
		return nil, errors.Join(fmt.Errorf("unexpected SQLite rows type %T", raw), raw.Close())
	}
	return &writingRows{SQLiteRows: sqlite, conn: c}, nil
}

// onlyReads errs on the side of false: a wrong false costs a wait in the
// queue, a wrong true falls back to SQLite's own busy timeout.
func onlyReads(query string) bool {
	query = strings.TrimLeft(query, " \t\r\n(")
	// The job queue's statements begin with a comment that names them.
	for strings.HasPrefix(query, "--") {
		_, query, _ = strings.Cut(query, "\n")
		query = strings.TrimLeft(query, " \t\r\n(")
	}
	word, _, _ := strings.Cut(query, " ")
	word, _, _ = strings.Cut(word, "\n")
	switch strings.ToUpper(strings.TrimSpace(word)) {
	case "SELECT", "PRAGMA", "EXPLAIN", "VALUES":
		return true
	default:
		return false
	}
}

// tx gives the write lock back when the transaction ends, whichever way.
type tx struct {
	driver.Tx
	conn *conn
}

func (t *tx) Commit() error {
	defer t.end()
	return t.Tx.Commit()
}

func (t *tx) Rollback() error {
	defer t.end()
	return t.Tx.Rollback()
}

func (t *tx) end() {
	if t.conn.inTx {
		t.conn.inTx = false
		t.conn.release()
	}
}

type writingRows struct {
	*sqlite3.SQLiteRows
	conn   *conn
	closed bool
}

func (r *writingRows) Close() error {
	err := r.SQLiteRows.Close()
	if !r.closed {
		r.closed = true
		r.conn.release()
	}
	return err
}
