package store

import (
	"context"

	"go.mau.fi/util/dbutil"
)

type commitKey struct{}

// afterwards are the functions that wait for the end of a transaction.
type afterwards struct{ committed, ended []func() }

// Txn runs fn in a transaction, joining the one that the context carries.
// At its end the functions run that were given to AtEnd and, after a commit
// only, to AfterCommit with the transaction's context.
func Txn(ctx context.Context, db *dbutil.Database, fn func(ctx context.Context) error) error {
	if _, inside := ctx.Value(commitKey{}).(*afterwards); inside {
		return db.DoTxn(ctx, nil, fn)
	}
	after := &afterwards{}
	defer func() {
		for _, run := range after.ended {
			run()
		}
	}()
	if err := db.DoTxn(context.WithValue(ctx, commitKey{}, after), nil, fn); err != nil {
		return err
	}
	// Those of AtEnd come last: they close what was opened before the commit.
	for _, run := range after.committed {
		run()
	}
	return nil
}

// AfterCommit has fn run, on the same goroutine, once the Txn of the context is
// committed; never when it is rolled back. Outside of one it runs at once. It
// is for telling others in this process: what must not be lost is written
// inside the transaction.
func AfterCommit(ctx context.Context, fn func()) {
	if after, inside := ctx.Value(commitKey{}).(*afterwards); inside {
		after.committed = append(after.committed, fn)
		return
	}
	fn()
}

// AtEnd has fn run when the Txn of the context has ended, whichever way.
// Outside of one it runs at once.
func AtEnd(ctx context.Context, fn func()) {
	if after, inside := ctx.Value(commitKey{}).(*afterwards); inside {
		after.ended = append(after.ended, fn)
		return
	}
	fn()
}
