package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/store"
)

const (
	// commitPatience bounds one commit, whose work must not be lost when the
	// context of one of those who want it ends.
	commitPatience = 30 * time.Second
	// commitBatch bounds how many are committed together.
	commitBatch = 200
)

// together runs small changes of many goroutines in common transactions: a
// commit costs the disk's time, and it is the same for one change and for a
// hundred. What comes while one transaction is committed is the next one.
type together struct {
	db *dbutil.Database

	mu      sync.Mutex
	waiting []*change

	turn sync.Mutex // held by who commits
}

type change struct {
	fn   func(ctx context.Context) error
	done bool // under turn
	err  error
}

// Together runs fn in a transaction that it may share with others, and returns
// when that has been committed or fn has failed. fn has the values of one of
// those contexts, may run twice, and does not end with ctx once it has begun.
func (q *Queue) Together(ctx context.Context, fn func(ctx context.Context) error) error {
	return q.together.do(ctx, fn)
}

func (t *together) do(ctx context.Context, fn func(ctx context.Context) error) error {
	own := &change{fn: fn}
	t.mu.Lock()
	t.waiting = append(t.waiting, own)
	t.mu.Unlock()
	t.turn.Lock()
	defer t.turn.Unlock()
	for !own.done { // else somebody else has taken it along
		t.mu.Lock()
		batch := t.waiting[:min(len(t.waiting), commitBatch)]
		t.waiting = t.waiting[len(batch):]
		t.mu.Unlock()
		t.commit(ctx, batch)
	}
	return own.err
}

// commit runs a batch in one transaction, and where that fails each of it in
// its own, so that one does not spoil the others.
func (t *together) commit(ctx context.Context, batch []*change) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitPatience)
	defer cancel()
	err := store.Txn(ctx, t.db, func(ctx context.Context) error {
		for _, one := range batch {
			if err := one.run(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, one := range batch {
		one.done, one.err = true, err
		if err != nil && len(batch) > 1 && ctx.Err() == nil {
			one.err = store.Txn(ctx, t.db, one.run)
		}
	}
}

// run turns a panic into an error: a transaction that it left would stay open.
func (c *change) run(ctx context.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = errors.Join(err, fmt.Errorf("panic: %v", cause))
		}
	}()
	return c.fn(ctx)
}
