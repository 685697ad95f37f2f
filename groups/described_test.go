package groups_test

import (
	"fmt"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/store/storetest"
)

// TestLastChanges asks about more groups than one question to the database has.
func TestLastChanges(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		must := func(query string, args ...any) {
			t.Helper()
			if _, err := db.Exec(t.Context(), query, args...); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []string{"a", "b"} {
			must("INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ($1, $1, 'connected', 1, 1)", id)
		}
		var jids []string
		for i := range 600 {
			jids = append(jids, fmt.Sprintf("1203630000000%05d@g.us", i))
		}
		const insert = "INSERT INTO group_changes (session_id, seq, group_jid, at, recorded_at, kind, source) VALUES ($1, $2, $3, $4, $4, 'subject', 'event')"
		must(insert, "a", 1, jids[0], 100)
		must(insert, "a", 2, jids[599], 200)
		must(insert, "a", 3, jids[0], 300)
		must(insert, "b", 1, jids[1], 400)
		service := groups.NewService(nil, groups.NewMirror(groups.MirrorOptions{DB: db}))
		changed, err := service.LastChanges(t.Context(), "a", jids...)
		if err != nil || len(changed) != 2 || !changed[jids[0]].Equal(time.Unix(300, 0)) || !changed[jids[599]].Equal(time.Unix(200, 0)) {
			t.Errorf("changed: %v, %v", changed, err)
		}
	})
}
