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
	// statementsKept is how many prepared statements each handle keeps.
	statementsKept = 128
)

// connector makes the connections that database/sql sees, which hold none of
// SQLite's but while a statement runs or a transaction is open. SQLite allows
// one writer at a time and lets the others poll, which is unfair and ends in
// "database is locked" under load. Here writers wait in a first-come queue that
// honours their context, and readers, which WAL never blocks, do not wait at all.
type connector struct {
	*handles
	writer chan struct{} // holds one element while someone writes
}

func newConnector(path string) *connector {
	options := url.Values{
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		// FULL, not NORMAL: an event is acknowledged to WhatsApp once it is
		// committed, so a commit must survive a power failure too.
		"_synchronous": {"FULL"},
		// In KiB, for each handle. What is beyond it is in the system's cache,
		// which is nearly as fast.
		"_cache_size": {"-256"},
		// Parsing a statement costs more than running most of ours: each handle
		// keeps those it has run last.
		"_stmt_cache_size": {fmt.Sprint(statementsKept)},
		"_busy_timeout":    {fmt.Sprint(fileBusyTimeout.Milliseconds())},
		// A transaction takes the write lock at its start; upgrading a read
		// lock later fails at once when another writer was faster.
		"_txlock": {"immediate"},
	}
	return &connector{
		handles: &handles{dsn: "file:" + escapePath(path) + "?" + options.Encode(), driver: &sqlite3.SQLiteDriver{}},
		writer:  make(chan struct{}, 1),
	}
}

// escapePath keeps a path with special characters from being read as a URI's
// query or fragment.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

// Connect implements driver.Connector.
func (c *connector) Connect(context.Context) (driver.Conn, error) { return &conn{connector: c}, nil }

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.driver }

// conn takes the write lock for transactions and for single statements that
// write. database/sql uses a connection from one goroutine at a time, so its
// fields need no lock of their own. What SQLite keeps for a connection outlives
// a statement only in a transaction, with prepared statements and after a PRAGMA:
// temporary tables and attached files do not work.
type conn struct {
	*connector
	held     *sqlite3.SQLiteConn // nil: each statement takes one
	inTx     bool
	sticky   bool // held until the connection is used for something else
	prepared int  // statements that are not closed
}

// handle is SQLite's connection for one statement; call done with its error.
func (c *conn) handle() (raw *sqlite3.SQLiteConn, done func(error), err error) {
	if c.held != nil {
		return c.held, func(error) {}, nil
	}
	if raw, err = c.take(); err != nil {
		return nil, nil, err
	}
	return raw, func(err error) { c.give(raw, err) }, nil
}

// stick holds one handle from now on: what is set on it is for the statements
// that follow.
func (c *conn) stick() (err error) {
	if c.held == nil {
		if c.held, err = c.take(); err != nil {
			return err
		}
	}
	c.sticky = true
	return nil
}

func (c *conn) unhold() {
	if c.held != nil {
		c.give(c.held, nil)
	}
	c.held, c.sticky = nil, false
}

// ResetSession implements driver.SessionResetter: the connection is about to be
// used for something else.
func (c *conn) ResetSession(context.Context) error {
	if c.prepared == 0 {
		c.unhold()
	}
	return nil
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	c.unhold()
	return nil
}

// Ping implements driver.Pinger.
func (c *conn) Ping(ctx context.Context) error {
	raw, done, err := c.handle()
	if err != nil {
		return err
	}
	err = raw.Ping(ctx)
	done(err)
	return err
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

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, options driver.TxOptions) (driver.Tx, error) {
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	raw, done, err := c.handle()
	if err != nil {
		c.release()
		return nil, err
	}
	begun, err := raw.BeginTx(ctx, options)
	if err != nil {
		done(err)
		c.release()
		return nil, err
	}
	c.held, c.inTx = raw, true
	return &tx{Tx: begun, conn: c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.inTx {
		return c.held.ExecContext(ctx, query, args)
	}
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	defer c.release()
	if isPragma(query) {
		if err := c.stick(); err != nil {
			return nil, err
		}
	}
	raw, done, err := c.handle()
	if err != nil {
		return nil, err
	}
	result, err := raw.ExecContext(ctx, query, args)
	done(err)
	return result, err
}

// QueryContext implements driver.QueryerContext. A query that may write
// ("INSERT … RETURNING") holds the lock until its rows are closed.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.inTx {
		return c.held.QueryContext(ctx, query, args)
	}
	release := func() {}
	if !onlyReads(query) {
		if err := c.acquire(ctx); err != nil {
			return nil, err
		}
		release = c.release
	}
	if isPragma(query) {
		if err := c.stick(); err != nil {
			return nil, err
		}
	}
	raw, done, err := c.handle()
	if err != nil {
		release()
		return nil, err
	}
	end := func(err error) {
		done(err)
		release()
	}
	found, err := raw.QueryContext(ctx, query, args)
	if err != nil {
		end(err)
		return nil, err
	}
	sqlite, ok := found.(*sqlite3.SQLiteRows)
	if !ok {
		err = errors.Join(fmt.Errorf("unexpected SQLite rows type %T", found), found.Close())
		end(err)
		return nil, err
	}
	return &rows{SQLiteRows: sqlite, end: end}, nil
}

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext implements driver.ConnPrepareContext. A connection with prepared
// statements keeps its handle; they do not queue for writing.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.stick(); err != nil {
		return nil, err
	}
	prepared, err := c.held.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	sqlite, ok := prepared.(*sqlite3.SQLiteStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("unexpected SQLite statement type %T", prepared), prepared.Close())
	}
	c.prepared++
	return &statement{SQLiteStmt: sqlite, conn: c}, nil
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

// isPragma tells whether a statement may set something for those that follow.
func isPragma(query string) bool {
	query = strings.TrimSpace(query)
	return len(query) >= len("PRAGMA") && strings.EqualFold(query[:len("PRAGMA")], "PRAGMA")
}

// tx gives the handle and the write lock back when the transaction ends,
// whichever way.
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
	c := t.conn
	if !c.inTx {
		return
	}
	c.inTx = false
	if !c.sticky {
		c.unhold() // before the lock, so that the next writer finds it warm
	}
	c.release()
}

// rows end what they came from when they are closed.
type rows struct {
	*sqlite3.SQLiteRows
	end func(error)
}

func (r *rows) Close() error {
	err := r.SQLiteRows.Close()
	if r.end != nil {
		r.end(err)
		r.end = nil
	}
	return err
}

// statement is counted by its connection.
type statement struct {
	*sqlite3.SQLiteStmt
	conn   *conn
	closed bool
}

func (s *statement) Close() error {
	if !s.closed {
		s.closed = true
		s.conn.prepared--
	}
	return s.SQLiteStmt.Close()
}
