package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"golang.org/x/sync/errgroup"

	"muster/store"
	"muster/store/storetest"
)

// Fifty writers and their readers at once: nothing fails, nothing is lost.
// Half of them write in transactions that read first, which is where SQLite
// reports "database is locked" when the lock is taken too late.
func TestManyWritersAtOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		const writers, rounds = 50, 10
		exec(t, db, "CREATE TABLE counters (id BIGINT PRIMARY KEY, value BIGINT NOT NULL)")
		exec(t, db, "INSERT INTO counters VALUES (1, 0)")
		var group errgroup.Group
		for writer := range writers {
			group.Go(func() error {
				for round := range rounds {
					if err := writeOnce(t.Context(), db, writer, round); err != nil {
						return fmt.Errorf("writer %d: %w", writer, err)
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		if got := count(t, db, "SELECT value FROM counters WHERE id = 1"); got != writers/2*rounds {
			t.Errorf("the shared counter is %d, want %d", got, writers/2*rounds)
		}
		if got := count(t, db, "SELECT COUNT(*) FROM counters WHERE id > 1"); got != writers/2*rounds {
			t.Errorf("%d rows, want %d", got, writers/2*rounds)
		}
	})
}

func writeOnce(ctx context.Context, db *dbutil.Database, writer, round int) error {
	if writer%2 == 0 {
		var id int
		row := db.QueryRow(ctx, "INSERT INTO counters (id, value) VALUES ($1, 0) RETURNING id", 1000*(writer+1)+round)
		return row.Scan(&id)
	}
	return db.DoTxn(ctx, nil, func(ctx context.Context) error {
		query := "SELECT value FROM counters WHERE id = 1"
		if db.Dialect == dbutil.Postgres {
			query += " FOR UPDATE"
		}
		var value int
		if err := db.QueryRow(ctx, query).Scan(&value); err != nil {
			return err
		}
		_, err := db.Exec(ctx, "UPDATE counters SET value = $1 WHERE id = 1", value+1)
		return err
	})
}

// Readers do not wait for a writer that has not finished.
func TestReadersDoNotWait(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		exec(t, db, "CREATE TABLE things (id BIGINT PRIMARY KEY)")
		err := db.DoTxn(t.Context(), nil, func(inside context.Context) error {
			if _, err := db.Exec(inside, "INSERT INTO things VALUES (1)"); err != nil {
				return err
			}
			if got := count(t, db, "SELECT COUNT(*) FROM things"); got != 0 {
				t.Errorf("an uncommitted row is visible outside")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A writer that waits gives up with its context, and a rollback frees the lock.
func TestWaitingWriterHonoursItsContext(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	exec(t, db, "CREATE TABLE things (id BIGINT PRIMARY KEY)")
	rollback := errors.New("roll back")
	err := db.DoTxn(t.Context(), nil, func(context.Context) error {
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := db.Exec(short, "INSERT INTO things VALUES (1)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the waiting writer got %v, want its deadline", err)
		}
		return rollback
	})
	if !errors.Is(err, rollback) {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO things VALUES (2)")
}

func TestUpgradeTwiceAndRefuseNewer(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		if err := store.Upgrade(t.Context(), db); err != nil {
			t.Fatalf("upgrading an up-to-date database: %v", err)
		}
		exec(t, db, "UPDATE muster_version SET version = 999, compat = 999")
		if err := store.Upgrade(t.Context(), db); !errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
			t.Errorf("a newer schema gave %v", err)
		}
	})
}

func TestRealm(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		for range 2 {
			if err := store.ClaimRealm(t.Context(), db, store.Sandbox); err != nil {
				t.Fatal(err)
			}
		}
		err := store.ClaimRealm(t.Context(), db, store.RealWhatsApp)
		var realm *store.RealmError
		if !errors.As(err, &realm) || realm.Database != store.Sandbox || realm.Asked != store.RealWhatsApp {
			t.Fatalf("claiming for the other world gave %v", err)
		}
		for _, word := range []string{"sandbox", "real WhatsApp"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error does not name the %s: %v", word, err)
			}
		}
	})
}

// A second server is kept off a PostgreSQL database until the first lets go.
// For SQLite the lock of the data directory does that.
func TestLock(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		release, err := store.Lock(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		if db.Dialect == dbutil.Postgres {
			if _, err := store.Lock(t.Context(), db); !errors.Is(err, store.ErrInUse) {
				t.Errorf("the second lock gives %v", err)
			}
		}
		if err = release(); err != nil {
			t.Fatal(err)
		}
		if release, err = store.Lock(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if err = release(); err != nil {
			t.Error(err)
		}
	})
}

// All three of SQLite's files are private, also under a permissive umask and
// with a path that would be something else in a URI.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "da%20ta?x#y")
	db, err := store.Open(t.Context(), store.Options{Driver: store.SQLite, Path: filepath.Join(dir, "muster.db"), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err = store.Upgrade(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	assertMode(t, dir, 0o700)
	for _, name := range []string{"muster.db", "muster.db-wal", "muster.db-shm"} {
		assertMode(t, filepath.Join(dir, name), 0o600)
	}
}

func assertMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
	} else if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", filepath.Base(path), got, want)
	}
}

func TestOpenRefusesNonsense(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]store.Options{
		"unknown driver":       {Driver: "mysql"},
		"sqlite without path":  {Driver: store.SQLite},
		"postgres without DSN": {Driver: store.Postgres},
		"a directory":          {Driver: store.SQLite, Path: t.TempDir()},
	} {
		if db, err := store.Open(t.Context(), options); err == nil {
			_ = db.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func exec(t *testing.T, db *dbutil.Database, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, db *dbutil.Database, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A statement that was run before sees what has become of the table since.
func TestStatementsFollowTheSchema(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	exec(t, db, "CREATE TABLE things (id INTEGER PRIMARY KEY)")
	exec(t, db, "INSERT INTO things VALUES (1)")
	columns := func() int {
		rows, err := db.Query(t.Context(), "SELECT * FROM things")
		if err != nil {
			t.Fatal(err)
		}
		names, err := rows.Columns()
		for rows.Next() {
			values := make([]any, len(names))
			for i := range values {
				values[i] = new(any)
			}
			err = errors.Join(err, rows.Scan(values...))
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	for want := 1; want <= 3; want++ {
		for range 2 {
			if got := columns(); got != want {
				t.Errorf("it has %d columns, want %d", got, want)
			}
		}
		exec(t, db, fmt.Sprintf("ALTER TABLE things ADD COLUMN more%d TEXT", want))
	}
	exec(t, db, "DROP TABLE things") // nothing holds it
}
