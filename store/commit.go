package store

import (
	"context"
	"errors"

	"go.mau.fi/util/dbutil"
)

type commitKey struct{}

// afterwards are the functions that wait for the end of a transaction.
type afterwards struct {
	before           []func(ctx context.Context) error
	committed, ended []func()
}

// Txn runs fn in a transaction, joining the one that the context carries.
// At its end the functions run that were given to BeforeCommit, as its last
// part, to AtEnd and, after a commit only, to AfterCommit with the
// transaction's context.
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
	err := db.DoTxn(context.WithValue(ctx, commitKey{}, after), nil, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		// Each may add another one.
		for i := 0; i < len(after.before); i++ {
			if err := after.before[i](ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Those of AtEnd come last: they close what was opened before the commit.
	for _, run := range after.committed {
		run()
	}
	return nil
}

// ErrNoTransaction says that something was called outside of Txn that only
// makes sense inside.
var ErrNoTransaction = errors.New("this must be called inside a database transaction")

// BeforeCommit has fn run inside the Txn of the context, as its last part; its
// error rolls everything back. It is for what takes locks that every
// transaction wants: taken last, they are held for a moment only, and whoever
// holds one waits for nothing else. Outside of a Txn it is ErrNoTransaction.
func BeforeCommit(ctx context.Context, fn func(ctx context.Context) error) error {
	after, inside := ctx.Value(commitKey{}).(*afterwards)
	if !inside {
		return ErrNoTransaction
	}
	after.before = append(after.before, fn)
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
