package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"golang.org/x/sync/errgroup"

	"muster/internal/queue"
	"muster/store/storetest"
)

// patience bounds every wait; only a failing test uses it up.
const patience = 30 * time.Second

type note struct {
	Text string `json:"text"`
}

func (note) Kind() string { return "test_note" }

// reader hands the texts of its jobs to the test, and does what the test says.
type reader struct {
	river.WorkerDefaults[note]
	read chan string
	work func(ctx context.Context, job *river.Job[note]) error
}

func (r *reader) NextRetry(*river.Job[note]) time.Time { return time.Now() }

func (r *reader) Work(ctx context.Context, job *river.Job[note]) error {
	select {
	case r.read <- job.Args.Text:
	case <-ctx.Done():
		return ctx.Err()
	}
	return r.work(ctx, job)
}

func done(context.Context, *river.Job[note]) error { return nil }

// open makes a queue that nobody has started.
func open(t *testing.T, db *dbutil.Database, work func(context.Context, *river.Job[note]) error) (*queue.Queue, *reader) {
	t.Helper()
	q, err := queue.Open(t.Context(), db, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{read: make(chan string), work: work}
	queue.Register(q, r)
	return q, r
}

func start(t *testing.T, q *queue.Queue) {
	t.Helper()
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, q *queue.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func insert(t *testing.T, db *dbutil.Database, q *queue.Queue, text string, then error) {
	t.Helper()
	err := db.DoTxn(t.Context(), nil, func(ctx context.Context) error {
		if _, err := q.Insert(ctx, note{text}); err != nil {
			return err
		}
		return then
	})
	if !errors.Is(err, then) {
		t.Fatal(err)
	}
}

func (r *reader) next(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-r.read:
		if got != want {
			t.Fatalf("worked on %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("nobody works on %q", want)
	}
}

// A job belongs to its transaction, and is worked on once that is committed.
func TestJobsBelongToTransactions(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		q, r := open(t, db, done)
		insert(t, db, q, "early", nil)
		start(t, q)
		defer stop(t, q)
		r.next(t, "early")
		insert(t, db, q, "rolled back", errors.New("roll back"))
		insert(t, db, q, "committed", nil)
		r.next(t, "committed")
		if _, err := q.Insert(t.Context(), note{"outside"}); !errors.Is(err, queue.ErrNoTransaction) {
			t.Errorf("outside a transaction: %v", err)
		}
	})
}

// A job that ends in a transaction does not run again, and one whose
// transaction was rolled back does.
func TestCompleteInTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		var q *queue.Queue
		rolledBack := errors.New("rolled back")
		work := func(ctx context.Context, job *river.Job[note]) error {
			return db.DoTxn(ctx, nil, func(ctx context.Context) error {
				err := queue.Complete(ctx, q, job)
				if err == nil && job.Attempt == 1 {
					err = rolledBack
				}
				return err
			})
		}
		q, r := open(t, db, work)
		start(t, q)
		defer stop(t, q)
		insert(t, db, q, "twice", nil)
		r.next(t, "twice")
		r.next(t, "twice")
		insert(t, db, q, "after", nil)
		r.next(t, "after")
	})
}

// What a killed process was working on is begun again at once by the next one.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		release := make(chan struct{})
		q, r := open(t, db, func(context.Context, *river.Job[note]) error {
			<-release
			return nil
		})
		lane(t, q, "one", 1)
		start(t, q)
		send(t, db, q, "one", "cut off")
		r.next(t, "cut off")
		// The first queue hangs in its job as a dead process would, as far as the
		// database can tell: it has no worker left to take another one.
		next, again := open(t, db, done)
		lane(t, next, "one", 1)
		start(t, next)
		again.next(t, "cut off")
		stop(t, next)
		close(release)
		stop(t, q)
	})
}

// Stop tells the jobs, waits for them, and cancels those that do not end.
func TestStop(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	var q *queue.Queue
	q, r := open(t, db, func(ctx context.Context, job *river.Job[note]) error {
		<-q.Stopping()
		if job.Args.Text == "stubborn" {
			<-ctx.Done()
			return river.JobSnooze(0)
		}
		return nil
	})
	start(t, q)
	insert(t, db, q, "polite", nil)
	r.next(t, "polite")
	insert(t, db, q, "stubborn", nil)
	r.next(t, "stubborn")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := q.Stop(ctx); err != nil {
		t.Error(err)
	}
	next, r := open(t, db, done)
	start(t, next)
	r.next(t, "stubborn")
	stop(t, next)
}

// The queue and other writers share SQLite's one write lock: nobody is refused,
// and nothing is lost.
func TestBesideOtherWriters(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		const writers, rounds = 8, 25
		var trouble strings.Builder
		q, err := queue.Open(t.Context(), db, zerolog.New(zerolog.SyncWriter(&trouble)).Level(zerolog.WarnLevel))
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{read: make(chan string, writers*rounds), work: done}
		queue.Register(q, r)
		start(t, q)
		if _, err := db.Exec(t.Context(), "CREATE TABLE counters (writer BIGINT PRIMARY KEY, value BIGINT NOT NULL)"); err != nil {
			t.Fatal(err)
		}
		var group errgroup.Group
		for writer := range writers {
			group.Go(func() error {
				for range rounds {
					err := db.DoTxn(t.Context(), nil, func(ctx context.Context) error {
						_, err := db.Exec(ctx, `INSERT INTO counters (writer, value) VALUES ($1, 1)
							ON CONFLICT (writer) DO UPDATE SET value = counters.value + 1`, writer)
						if err == nil {
							_, err = q.Insert(ctx, note{fmt.Sprint(writer)})
						}
						return err
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err = group.Wait(); err != nil {
			t.Error(err)
		}
		for range writers * rounds {
			select {
			case <-r.read:
			case <-time.After(patience):
				t.Fatal("a job was lost")
			}
		}
		stop(t, q)
		if trouble.Len() > 0 {
			t.Errorf("the queue had trouble: %s", trouble.String())
		}
	})
}
