package store

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// openPlain opens an empty database as Open does, with what it is made of.
func openPlain(t *testing.T) (*sql.DB, *connector) {
	t.Helper()
	c := newConnector(filepath.Join(t.TempDir(), "test.db"))
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(sqliteMaxOpen)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE a (n INTEGER PRIMARY KEY, b INTEGER REFERENCES a (n))"); err != nil {
		t.Fatal(err)
	}
	return db, c
}

// Those who wait to write hold nothing of SQLite's meanwhile.
func TestWaitingWritersCostNothing(t *testing.T) {
	t.Parallel()
	db, c := openPlain(t)
	first, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	const writers = 40
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			query := "INSERT INTO a (n) VALUES ($1)"
			if n%2 == 0 {
				query += " RETURNING n"
			}
			if err := db.QueryRowContext(t.Context(), query, n).Scan(new(int)); err != nil && (n%2 == 0 || err != sql.ErrNoRows) {
				t.Error(err)
			}
		})
	}
	for db.Stats().InUse <= writers {
		if err = db.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err = first.Commit(); err != nil {
		t.Fatal(err)
	}
	writing.Wait()
	var count int
	if err = db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM a").Scan(&count); err != nil || count != writers {
		t.Errorf("%d rows, %v", count, err)
	}
	if open := len(c.idle); open > 3 { // the pings had one of their own
		t.Errorf("%d handles were needed", open)
	}
}

// What a PRAGMA sets is there for the transaction that follows on the same
// connection, and for nobody else.
func TestPragmaSticks(t *testing.T) {
	t.Parallel()
	db, c := openPlain(t)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	exec := func(query string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("PRAGMA foreign_keys=OFF")
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tx.ExecContext(t.Context(), "INSERT INTO a (n, b) VALUES (1, 999)"); err != nil {
		t.Errorf("the setting did not last: %v", err)
	}
	if err = tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err = db.ExecContext(t.Context(), "INSERT INTO a (n, b) VALUES (2, 999)"); err == nil {
		t.Error("the setting is everybody's")
	}
	exec("PRAGMA foreign_keys=ON")
	if err = conn.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = db.ExecContext(t.Context(), "INSERT INTO a (n, b) VALUES (3, 999)"); err == nil {
		t.Error("the setting was not taken back")
	}
	if open := len(c.idle); open > 2 {
		t.Errorf("%d handles are open", open)
	}
}

func TestIdleHandlesAreClosed(t *testing.T) {
	t.Parallel()
	db, c := openPlain(t)
	readAtOnce(t, db, handlesIdle+3)
	if open := len(c.idle); open != handlesIdle {
		t.Errorf("%d handles are kept", open)
	}
	for i := range c.idle {
		c.idle[i].since = time.Now().Add(-2 * handleIdleTime)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open := len(c.idle); open != 1 {
		t.Errorf("%d handles are kept that nothing has needed", open)
	}
}

// readAtOnce opens so many results, one inside the other, and closes them.
func readAtOnce(t *testing.T, db *sql.DB, depth int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT 1 UNION SELECT 2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() || rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	if depth > 1 {
		readAtOnce(t, db, depth-1)
	}
}

// A prepared statement works in a transaction, too, which it has to share the
// handle with.
func TestPreparedStatements(t *testing.T) {
	t.Parallel()
	db, c := openPlain(t)
	prepareAndRoll(t, db)
	var numbers string
	if err := db.QueryRowContext(t.Context(), "SELECT group_concat(n) FROM a").Scan(&numbers); err != nil || numbers != "0,1,2" {
		t.Errorf("%s, %v", numbers, err)
	}
	if len(c.idle) == 0 {
		t.Error("no handle was given back")
	}
}

// prepareAndRoll inserts three rows with a prepared statement, and one more in a
// transaction that is rolled back.
func prepareAndRoll(t *testing.T, db *sql.DB) {
	t.Helper()
	insert, err := db.PrepareContext(t.Context(), "INSERT INTO a (n) VALUES ($1)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = insert.Close() }()
	for n := range 3 {
		if _, err = insert.ExecContext(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	inside := tx.StmtContext(t.Context(), insert)
	defer func() { _ = inside.Close() }()
	if _, err = inside.ExecContext(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err = tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyReads(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"SELECT 1":             true,
		"  (select 1)":         true,
		"PRAGMA\nuser_version": true,
		"-- name: JobGetStuck :many\nSELECT * FROM t": true,
		"-- one\n\t-- two\n  SELECT 1":                true,
		"INSERT INTO t VALUES (1) RETURNING id":       false,
		"-- name: SELECT :one\nUPDATE t SET a = 1":    false,
		"-- SELECT":                          false,
		"WITH a AS (SELECT 1) DELETE FROM t": false,
		"":                                   false,
	} {
		if got := onlyReads(query); got != want {
			t.Errorf("onlyReads(%q) = %v", query, got)
		}
	}
}
