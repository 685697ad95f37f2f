package storetest

import (
	"os"
	"path/filepath"
	"testing"

	"muster/store"
)

// EachStore is Each for tests that run a whole server: they get the options of
// an empty database, which they open and upgrade themselves.
func EachStore(t *testing.T, test func(t *testing.T, options store.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, store.Options{Driver: store.SQLite, Path: filepath.Join(t.TempDir(), "muster.db")})
	})
	if dsn := os.Getenv("MUSTER_TEST_POSTGRES"); dsn != "" {
		t.Run("postgres", func(t *testing.T) {
			test(t, store.Options{Driver: store.Postgres, DSN: ownDatabase(t, dsn)})
		})
	} else if os.Getenv("MUSTER_REQUIRE_ALL") == "1" {
		t.Run("postgres", func(t *testing.T) {
			t.Fatal("MUSTER_REQUIRE_ALL is set and MUSTER_TEST_POSTGRES is not")
		})
	}
}
