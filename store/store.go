// Package store opens the database, brings its schema up to date and guards
// which world its contents belong to. It owns what the domains share: the
// connection pool, the order of the migrations and the one-writer rule. The
// queries live beside the types they fill, in the domain packages.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

// The drivers that Open knows.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// Options says which database to open.
type Options struct {
	// Driver is SQLite or Postgres.
	Driver string
	// Path is the database file (SQLite only). It is made with mode 0600, its
	// directory with mode 0700, when they do not exist.
	Path string
	// DSN is the connection string or URL (Postgres only).
	DSN string
	// Log receives slow queries and migrations, never the values in them.
	Log zerolog.Logger
}

// Pool sizes. Those of SQLite's connections that wait to write cost next to
// nothing, see connector. PostgreSQL's beyond the idle limit are closed again
// after a burst, and those within it when nothing has needed them for a while.
const (
	sqliteMaxOpen   = 64
	sqliteMaxIdle   = 8
	postgresMaxOpen = 32
	postgresMaxIdle = 8
	connMaxIdleTime = time.Minute
	pingTimeout     = 10 * time.Second
)

// Open opens the database and checks that it answers. The caller closes it.
func Open(ctx context.Context, o Options) (*dbutil.Database, error) {
	pool, err := openPool(o)
	if err != nil {
		return nil, err
	}
	pool.SetConnMaxIdleTime(connMaxIdleTime)
	ping, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err = pool.PingContext(ping); err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s database: %w", o.Driver, err), pool.Close())
	}
	dialect := "sqlite3"
	if o.Driver == Postgres {
		dialect = "pgx"
	}
	db, err := dbutil.NewWithDB(pool, dialect)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s database: %w", o.Driver, err), pool.Close())
	}
	db.Log = queryLog{o.Log}
	return db, nil
}

func openPool(o Options) (*sql.DB, error) {
	switch o.Driver {
	case SQLite:
		if o.Path == "" {
			return nil, errors.New("open the sqlite database: no path given")
		}
		if err := createPrivate(o.Path); err != nil {
			return nil, fmt.Errorf("create the sqlite database: %w", err)
		}
		pool := sql.OpenDB(newConnector(o.Path))
		pool.SetMaxOpenConns(sqliteMaxOpen)
		pool.SetMaxIdleConns(sqliteMaxIdle)
		return pool, nil
	case Postgres:
		if o.DSN == "" {
			return nil, errors.New("open the postgres database: no DSN given")
		}
		pool, err := sql.Open("pgx", o.DSN)
		if err != nil {
			return nil, fmt.Errorf("open the postgres database: %w", err)
		}
		pool.SetMaxOpenConns(postgresMaxOpen)
		pool.SetMaxIdleConns(postgresMaxIdle)
		return pool, nil
	default:
		return nil, fmt.Errorf("open the database: unknown driver %q, expected %q or %q", o.Driver, SQLite, Postgres)
	}
}

// createPrivate makes the database file before SQLite does: SQLite gives its
// -wal and -shm files the mode of the main file, so all three are 0600
// whatever the umask is.
func createPrivate(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}
