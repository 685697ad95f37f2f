package store

import "testing"

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
