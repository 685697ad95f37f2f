package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// ErrInUse says that another server works on the database. Two would connect
// the same devices, and WhatsApp would throw one out for the other, for ever.
var ErrInUse = errors.New("another server is using this database")

// serverLock is the key of the advisory lock, within one PostgreSQL database.
const serverLock = 0x6d7573746572 // "muster"

// Lock keeps a second server off a PostgreSQL database until release is
// called or the process ends. A SQLite file is guarded by the lock of its data
// directory instead, so for it this does nothing. The lock is lost with its
// connection when PostgreSQL restarts.
func Lock(ctx context.Context, db *dbutil.Database) (release func() error, err error) {
	if db.Dialect != dbutil.Postgres {
		return func() error { return nil }, nil
	}
	conn, err := db.RawDB.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	var locked bool
	if err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(serverLock)).Scan(&locked); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the database: %w", err), conn.Close())
	}
	if !locked {
		return nil, errors.Join(ErrInUse, conn.Close())
	}
	return func() error { return unlock(conn) }, nil
}

func unlock(conn *sql.Conn) error {
	// The connection goes back to the pool, and the lock is the connection's.
	_, err := conn.ExecContext(context.Background(), "SELECT pg_advisory_unlock($1)", int64(serverLock))
	if err != nil {
		err = fmt.Errorf("unlock the database: %w", err)
	}
	return errors.Join(err, conn.Close())
}
