package storetest

import (
	"os"
	"testing"
)

// PostgresURL is the URL of an empty PostgreSQL database for one test or
// benchmark; ok is false where MUSTER_TEST_POSTGRES names no server.
func PostgresURL(t testing.TB) (url string, ok bool) {
	t.Helper()
	if dsn := os.Getenv("MUSTER_TEST_POSTGRES"); dsn != "" {
		return ownDatabase(t, dsn), true
	}
	return "", false
}
