// Package queue runs durable jobs: work that is noted in our own database, in
// the same transaction as what it is about, and that is done some time later
// even if the server is killed in between. River does it, on SQLite and on
// PostgreSQL alike.
package queue

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/store"
)

const (
	// clientID is the same after every start, so that a start can take over
	// from a process that was killed. Only one server works on a database: see
	// store.Lock and the lock of the data directory.
	clientID = "muster"

	// pollEvery is how often the database is asked for jobs that nobody has rung
	// for, such as those whose time has come. On SQLite the question takes the
	// write lock, for some microseconds.
	pollEvery    = time.Second
	pollCooldown = 10 * time.Millisecond

	// maxWorkers bounds how many jobs are worked on at once. One costs a
	// goroutine, and a database connection only while it writes.
	maxWorkers = 100

	// turnLimit is the longest that one turn of a job may take. A job that is
	// running for longer than rescueAfter is taken for lost and started again.
	turnLimit   = 10 * time.Minute
	rescueAfter = 30 * time.Minute

	// maxAttempts is how often a job may fail, or be cut off by a crash, before
	// it is given up. Snoozing does not count.
	maxAttempts = 50
	// laneAttempts is the same for the jobs of lanes: as often as can be counted.
	laneAttempts = 30_000

	// keepDone is how long River keeps jobs that are done. What became of a job
	// is written where its owner looks for it.
	keepDone = 10 * time.Minute
)

// Queue runs jobs. Register workers, then Start; Stop at the end. Its methods
// are safe for concurrent use from Start on.
type Queue struct {
	db       *dbutil.Database
	driver   riverdriver.Driver[*sql.Tx]
	bell     *bell
	together *together
	logger   *slog.Logger
	workers  *river.Workers
	stopping chan struct{}

	// notes takes jobs in, and needs no start for it.
	notes *river.Client[*sql.Tx]

	// starting is held while River writes to the database, so nobody inside a
	// transaction may want it.
	starting sync.Mutex
	client   *river.Client[*sql.Tx] // nil before Start
	lanes    map[string]int         // the workers of each
}

// Open brings the queue's tables up to date and takes over what a killed
// process has left. Nothing runs before Start.
func Open(ctx context.Context, db *dbutil.Database, log zerolog.Logger) (*Queue, error) {
	ring, shared := newBell(), &together{db: db}
	q := &Queue{
		db:       db,
		driver:   driver{driverOf(db), ring, shared},
		bell:     ring,
		together: shared,
		lanes:    map[string]int{},
		logger:   slog.New(quieter{zerolog.NewSlogHandler(log.With().Str("component", "queue").Logger())}),
		workers:  river.NewWorkers(),
		stopping: make(chan struct{}),
	}
	notes, err := river.NewClient(q.driver, &river.Config{ID: clientID, Logger: q.logger, MaxAttempts: maxAttempts})
	if err != nil {
		return nil, fmt.Errorf("set up the job queue: %w", err)
	}
	q.notes = notes
	migrator, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.logger})
	if err != nil {
		return nil, fmt.Errorf("prepare the job queue's tables: %w", err)
	}
	if _, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("upgrade the job queue's tables: %w", err)
	}
	if err = q.dropIdle(ctx); err != nil {
		return nil, err
	}
	if err = q.takeOver(ctx); err != nil {
		return nil, fmt.Errorf("take over the jobs of the last run: %w", err)
	}
	return q, nil
}

// dropIdle drops two indexes that River makes on PostgreSQL for people who look
// for jobs by what is in them. Nobody does here, and each job writes to them
// three times.
func (q *Queue) dropIdle(ctx context.Context) error {
	if q.db.Dialect != dbutil.Postgres {
		return nil
	}
	for _, name := range []string{"river_job_args_index", "river_job_metadata_index"} {
		if _, err := q.db.Exec(ctx, "DROP INDEX IF EXISTS "+name); err != nil {
			return fmt.Errorf("drop the index %s: %w", name, err)
		}
	}
	return nil
}

func driverOf(db *dbutil.Database) riverdriver.Driver[*sql.Tx] {
	if db.Dialect == dbutil.SQLite {
		return riversqlite.New(db.RawDB)
	}
	return riverdatabasesql.New(db.RawDB)
}

// Register says who works on the jobs that have the worker's kind of
// arguments. It must be called before Start, once for each kind.
func Register[Args river.JobArgs](q *Queue, worker river.Worker[Args]) {
	river.AddWorker(q.workers, worker)
}

// Start begins to work. The jobs' contexts have the values of ctx and end when
// Stop gives up waiting for them, not with ctx.
func (q *Queue) Start(ctx context.Context) error {
	q.starting.Lock()
	defer q.starting.Unlock()
	queues := map[string]river.QueueConfig{
		river.QueueDefault: {MaxWorkers: maxWorkers, FetchPollInterval: pollEvery, FetchCooldown: pollCooldown},
	}
	for name, workers := range q.lanes {
		queues[name] = laneConfig(workers)
	}
	client, err := river.NewClient(q.driver, &river.Config{
		ID:      clientID,
		Logger:  q.logger,
		Workers: q.workers,
		Queues:  queues,
		// For everything, this also is how closely River's own announcements may
		// follow each other; any other one is left out.
		FetchCooldown:               river.FetchCooldownMin,
		JobTimeout:                  turnLimit,
		RescueStuckJobsAfter:        rescueAfter,
		MaxAttempts:                 maxAttempts,
		CompletedJobRetentionPeriod: keepDone,
		// The index that River would rebuild every night is small.
		ReindexerIndexNames: []string{},
	})
	if err != nil {
		return fmt.Errorf("set up the job queue: %w", err)
	}
	if err = client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	q.client = client
	return nil
}

// Stopping is closed when Stop begins: a sign for jobs to end their turn at
// the next good moment.
func (q *Queue) Stopping() <-chan struct{} { return q.stopping }

// graceful is the share of a shutdown's time in which jobs may end their turn
// by themselves.
const graceful = 0.5

// Stop ends the work. Jobs in the middle of something are cancelled when half
// of the context's time is over, and go on after the next Start.
func (q *Queue) Stop(ctx context.Context) error {
	q.starting.Lock()
	client := q.client
	q.starting.Unlock()
	if client == nil {
		return nil
	}
	close(q.stopping)
	soft, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		soft, cancel = context.WithTimeout(ctx, time.Duration(float64(time.Until(deadline))*graceful))
	}
	defer cancel()
	err := client.Stop(soft)
	if err != nil && ctx.Err() == nil {
		err = client.StopAndCancel(ctx)
	}
	if err != nil {
		return fmt.Errorf("stop the job queue: %w", err)
	}
	return nil
}

// ErrNoTransaction says that a job was to be noted outside a transaction.
var ErrNoTransaction = errors.New("a job can only be queued inside a database transaction")

// Insert notes a job in the transaction that ctx carries: if that is rolled
// back, there is no job. It returns the job's number. After a store.Txn work
// begins at once, after another transaction within a second, and never before
// Start.
func (q *Queue) Insert(ctx context.Context, args river.JobArgs) (int64, error) {
	tx, err := q.tx(ctx)
	if err != nil {
		return 0, err
	}
	inserted, err := q.notes.InsertTx(ctx, tx, args, nil)
	if err != nil {
		return 0, fmt.Errorf("queue a job: %w", err)
	}
	q.announce(ctx, river.QueueDefault)
	return inserted.Job.ID, nil
}

// announce tells a lane of new jobs once the transaction of ctx is committed.
func (q *Queue) announce(ctx context.Context, lane string) {
	store.AfterCommit(ctx, func() { q.bell.newJobs(lane) })
}

// Complete ends a job in the transaction that ctx carries. ctx must descend
// from that of the job's Work.
func Complete[Args river.JobArgs](ctx context.Context, q *Queue, job *river.Job[Args]) error {
	tx, err := q.tx(ctx)
	if err != nil {
		return err
	}
	if q.db.Dialect == dbutil.SQLite {
		_, err = river.JobCompleteTx[*riversqlite.Driver](ctx, tx, job)
	} else {
		_, err = river.JobCompleteTx[*riverdatabasesql.Driver](ctx, tx, job)
	}
	if err != nil {
		return fmt.Errorf("complete a job: %w", err)
	}
	return nil
}

// tx is the transaction of ctx as database/sql knows it.
func (q *Queue) tx(ctx context.Context) (*sql.Tx, error) {
	transaction, ok := q.db.Execable(ctx).(*dbutil.LoggingTxn)
	if !ok {
		return nil, ErrNoTransaction
	}
	return transaction.UnderlyingTx, nil
}
