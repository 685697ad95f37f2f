package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/config"
	"muster/store"
)

// databaseFile is SQLite's file in the data directory.
const databaseFile = "muster.db"

// DatabaseExists tells whether there is a database to open. One on a server of
// its own is taken to be there.
func DatabaseExists(c config.Config) bool {
	if c.Database.Driver != config.DriverSQLite {
		return true
	}
	_, err := os.Stat(filepath.Join(c.DataDir, databaseFile))
	return !errors.Is(err, fs.ErrNotExist)
}

// OpenDatabase opens the configured database and brings its schema up to date.
func OpenDatabase(ctx context.Context, c config.Config, log zerolog.Logger) (*dbutil.Database, error) {
	db, err := store.Open(ctx, store.Options{
		Driver: c.Database.Driver,
		Path:   filepath.Join(c.DataDir, databaseFile),
		DSN:    c.Database.DSN,
		Log:    log.With().Str("component", "store").Logger(),
	})
	if err != nil {
		return nil, err
	}
	// Before the schema is touched: a database of the other world stays as it is.
	if err = store.CheckRealm(ctx, db, realm(c)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err = store.Upgrade(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
