package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.mau.fi/util/dbutil"

	"muster/store"
	"muster/store/storetest"
)

// What waits for the end of a transaction runs once, after it, in order, and
// what waits for its commit not when there is none.
func TestAfterTheTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		exec(t, db, "CREATE TABLE things (id BIGINT PRIMARY KEY)")
		failure := errors.New("no")
		for _, result := range []error{nil, failure} {
			var ran []string
			note := func(what string) func() { return func() { ran = append(ran, what) } }
			err := store.Txn(t.Context(), db, func(ctx context.Context) error {
				store.AtEnd(ctx, note("end"))
				store.AfterCommit(ctx, note("commit"))
				return store.Txn(ctx, db, func(ctx context.Context) error {
					store.AfterCommit(ctx, note("inner commit"))
					if len(ran) != 0 {
						t.Errorf("before the end ran %v", ran)
					}
					_, err := db.Exec(ctx, "INSERT INTO things VALUES (1)")
					return errors.Join(err, result)
				})
			})
			want := []string{"commit", "inner commit", "end"}
			if result != nil {
				want = []string{"end"}
			}
			if !errors.Is(err, result) || !slices.Equal(ran, want) {
				t.Errorf("ending with %v gives %v and runs %v", result, err, ran)
			}
			exec(t, db, "DELETE FROM things")
		}
		ran := false
		store.AfterCommit(t.Context(), func() { ran = true })
		if !ran {
			t.Error("outside of a transaction it does not run at once")
		}
	})
}
