// Package storetest runs a test on every database that Muster supports.
package storetest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/store"
)

// Each runs the test on an empty, upgraded SQLite database, and on a
// PostgreSQL database of its own where MUSTER_TEST_POSTGRES holds the URL of a
// server (with the right to create databases). With MUSTER_REQUIRE_ALL=1 a
// missing URL fails the test.
func Each(t *testing.T, test func(t *testing.T, db *dbutil.Database)) {
	t.Helper()
	EachStore(t, func(t *testing.T, options store.Options) { test(t, open(t, options)) })
}

// SQLite opens an empty, upgraded SQLite database that is closed with the test.
func SQLite(t testing.TB) *dbutil.Database {
	t.Helper()
	return open(t, store.Options{Driver: store.SQLite, Path: filepath.Join(t.TempDir(), "muster.db")})
}

func open(t testing.TB, options store.Options) *dbutil.Database {
	t.Helper()
	options.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	db, err := store.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	if err := store.Upgrade(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return db
}

// ownDatabase makes a database for one test and returns its URL. A schema would
// not do: the schema upgrades look tables up by name in the whole database.
func ownDatabase(t testing.TB, server string) string {
	t.Helper()
	own, err := url.Parse(server)
	if err != nil || own.Scheme == "" {
		t.Fatalf("MUSTER_TEST_POSTGRES is not a postgres:// URL")
	}
	admin, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	name := "muster_test_" + hex.EncodeToString(random[:])
	if _, err = admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // the test's context has ended
		defer cancel()
		if _, err := admin.ExecContext(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	own.Path = "/" + name
	return own.String()
}
