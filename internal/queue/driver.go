package queue

import (
	"context"
	"database/sql"
	"sync"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"go.mau.fi/util/dbutil"

	"muster/store"
)

// driver is one of River's drivers with our bell in place of the database's
// notifications: River then works as with LISTEN and NOTIFY, on both databases.
type driver struct {
	riverdriver.Driver[*sql.Tx]
	bell     *bell
	together *together
}

func (d driver) SupportsListener() bool     { return true }
func (d driver) SupportsListenNotify() bool { return true }

func (d driver) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return listener{d.bell}
}

func (d driver) GetExecutor() riverdriver.Executor {
	return executor{d.Driver.GetExecutor(), d}
}

func (d driver) UnwrapExecutor(tx *sql.Tx) riverdriver.ExecutorTx {
	return joined{d.Driver.UnwrapExecutor(tx), d.bell}
}

func (d driver) UnwrapTx(tx riverdriver.ExecutorTx) *sql.Tx {
	switch tx := tx.(type) {
	case joined:
		return d.Driver.UnwrapTx(tx.ExecutorTx)
	case *own:
		return d.Driver.UnwrapTx(tx.ExecutorTx)
	default:
		return d.Driver.UnwrapTx(tx)
	}
}

// executor is the database without a transaction.
type executor struct {
	riverdriver.Executor
	driver driver
}

func (e executor) NotifyMany(_ context.Context, p *riverdriver.NotifyManyParams) error {
	e.driver.bell.ring(p.Topic, p.Payload...)
	return nil
}

// JobGetAvailable takes jobs out of a lane, together with what other lanes take
// out: an event that goes to ten endpoints has ten lanes look at once.
func (e executor) JobGetAvailable(ctx context.Context, p *riverdriver.JobGetAvailableParams) (jobs []*rivertype.JobRow, err error) {
	err = e.driver.together.do(ctx, func(ctx context.Context) (err error) {
		transaction, ok := e.driver.together.db.Execable(ctx).(*dbutil.LoggingTxn)
		if !ok {
			return ErrNoTransaction
		}
		jobs, err = e.driver.Driver.UnwrapExecutor(transaction.UnderlyingTx).JobGetAvailable(ctx, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

func (e executor) Begin(ctx context.Context) (riverdriver.ExecutorTx, error) {
	tx, err := e.Executor.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &own{ExecutorTx: tx, bell: e.driver.bell}, nil
}

// joined is one of our transactions: what River does in it is announced when
// store.Txn has committed it.
type joined struct {
	riverdriver.ExecutorTx
	bell *bell
}

func (j joined) NotifyMany(ctx context.Context, p *riverdriver.NotifyManyParams) error {
	// New jobs are announced by Insert, because River leaves announcements out
	// that follow another one closely, and does not know when we commit.
	if p.Topic != topicInsert {
		store.AfterCommit(ctx, func() { j.bell.ring(p.Topic, p.Payload...) })
	}
	return nil
}

// own is a transaction that River has begun.
type own struct {
	riverdriver.ExecutorTx
	bell *bell

	mu    sync.Mutex
	waits []*riverdriver.NotifyManyParams
}

func (o *own) NotifyMany(_ context.Context, p *riverdriver.NotifyManyParams) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waits = append(o.waits, p)
	return nil
}

func (o *own) Commit(ctx context.Context) error {
	if err := o.ExecutorTx.Commit(ctx); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.waits {
		o.bell.ring(p.Topic, p.Payload...)
	}
	o.waits = nil
	return nil
}
