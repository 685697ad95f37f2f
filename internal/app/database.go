package app

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/config"
	"muster/store"
)

// databaseFile is SQLite's file in the data directory.
const databaseFile = "muster.db"

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
	if err = store.Upgrade(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}
