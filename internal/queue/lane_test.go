package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"go.mau.fi/util/dbutil"

	"muster/internal/queue"
	"muster/store"
	"muster/store/storetest"
)

// send notes jobs for a lane in one transaction.
func send(t *testing.T, db *dbutil.Database, q *queue.Queue, lane string, texts ...string) {
	t.Helper()
	jobs := make([]queue.LaneJob, len(texts))
	for i, text := range texts {
		jobs[i] = queue.LaneJob{Lane: lane, Args: note{text}}
	}
	if err := store.Txn(t.Context(), db, func(ctx context.Context) error { return q.InsertMany(ctx, jobs) }); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, db *dbutil.Database, fn func(ctx context.Context) error) {
	t.Helper()
	if err := store.Txn(t.Context(), db, fn); err != nil {
		t.Fatal(err)
	}
}

func lane(t *testing.T, q *queue.Queue, name string, workers int) {
	t.Helper()
	if err := q.AddLane(name, workers); err != nil {
		t.Fatal(err)
	}
}

// Lanes can be made before and after the start, and the jobs of one that is
// full do not hold up those of another.
func TestLanesAreApart(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		release := make(chan struct{})
		q, r := open(t, db, func(_ context.Context, job *river.Job[note]) error {
			if job.Args.Text == "stuck" {
				<-release
			}
			return nil
		})
		lane(t, q, "before", 2)
		within(t, db, func(ctx context.Context) error { return q.Pause(ctx, "before") })
		within(t, db, func(ctx context.Context) error { return q.Resume(ctx, "before") })
		start(t, q)
		defer stop(t, q)
		defer close(release)
		lane(t, q, "after_1", 2)
		lane(t, q, "after_1", 2) // again: nothing happens
		send(t, db, q, "before", "stuck", "stuck", "waits", "waits")
		r.next(t, "stuck")
		r.next(t, "stuck")
		for i := range 3 {
			send(t, db, q, "after_1", fmt.Sprint(i))
			r.next(t, fmt.Sprint(i))
		}
		depths, err := q.Depths(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := depths["before"]; d.Waiting != 2 || d.Oldest.IsZero() || time.Since(d.Oldest) > time.Hour {
			t.Errorf("in the full lane: %+v", d)
		}
		if d := depths["after_1"]; d.Waiting != 0 {
			t.Errorf("in the other lane: %+v", d)
		}
	})
}

// What waits in a paused lane waits until it is resumed, over a restart too,
// and then goes at once, whatever its next attempt was planned for.
func TestPause(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		q, r := open(t, db, func(_ context.Context, job *river.Job[note]) error {
			if job.Args.Text == "later" && queue.Attempts(job.JobRow) == 1 {
				return river.JobSnooze(time.Hour)
			}
			return nil
		})
		lane(t, q, "one", 2)
		start(t, q)
		send(t, db, q, "one", "later")
		r.next(t, "later")
		within(t, db, func(ctx context.Context) error { return q.Pause(ctx, "one") })
		stop(t, q) // which also waits for the snooze to be written

		q, r = open(t, db, done)
		lane(t, q, "one", 2)
		lane(t, q, "two", 2)
		start(t, q)
		defer stop(t, q)
		send(t, db, q, "one", "first", "second")
		send(t, db, q, "two", "elsewhere")
		r.next(t, "elsewhere")

		waits, err := q.Oldest(t.Context(), "one", 0, 10)
		if err != nil || len(waits) != 3 {
			t.Fatalf("%d jobs wait: %v", len(waits), err)
		}
		var args note
		if err = json.Unmarshal(waits[0].Args, &args); err != nil || args.Text != "later" || waits[0].Attempts != 1 || waits[2].Attempts != 0 {
			t.Errorf("the oldest is %+v (%s), %v", waits[0], args.Text, err)
		}
		within(t, db, func(ctx context.Context) error {
			gone, err := q.Discard(ctx, waits[1].ID)
			if err == nil && !gone {
				err = errors.New("it was not there")
			}
			return err
		})
		within(t, db, func(ctx context.Context) error { return q.Resume(ctx, "one") })
		got := map[string]bool{}
		for range 2 {
			select {
			case text := <-r.read:
				got[text] = true
			case <-time.After(patience):
				t.Fatalf("after the pause only %v", got)
			}
		}
		if !got["later"] || !got["second"] {
			t.Errorf("after the pause: %v", got)
		}
	})
}

// A lane is rung for when the transaction is over: many jobs in many
// transactions, one worker, nothing waits for the next look of its own accord.
func TestBellAfterCommit(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		q, r := open(t, db, done)
		lane(t, q, "one", 2)
		start(t, q)
		defer stop(t, q)
		const rounds = 50
		begin := time.Now()
		for i := range rounds {
			send(t, db, q, "one", fmt.Sprint(i))
			r.next(t, fmt.Sprint(i))
		}
		t.Logf("%v for each job", time.Since(begin)/rounds)
	})
}

func TestClear(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		q, _ := open(t, db, done)
		lane(t, q, "one", 2)
		start(t, q)
		within(t, db, func(ctx context.Context) error { return q.Pause(ctx, "one") })
		stop(t, q) // the pause reaches a running lane a moment after the commit
		q, r := open(t, db, done)
		lane(t, q, "one", 2)
		start(t, q)
		defer stop(t, q)
		send(t, db, q, "one", "gone", "gone")
		within(t, db, func(ctx context.Context) error { return q.Clear(ctx, "one") })
		within(t, db, func(ctx context.Context) error { return q.Resume(ctx, "one") })
		send(t, db, q, "one", "next")
		r.next(t, "next")
	})
}

// The figures are of what waits outside the lanes.
func TestMetrics(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) {
		q, _ := open(t, db, done)
		lane(t, q, "one", 2)
		insert(t, db, q, "waits", nil)
		send(t, db, q, "one", "elsewhere", "elsewhere")
		registry := prometheus.NewRegistry()
		registry.MustRegister(q.Metrics())
		families, err := registry.Gather()
		if err != nil || len(families) != 2 {
			t.Fatalf("%d figures, %v", len(families), err)
		}
		for _, family := range families {
			switch value := family.GetMetric()[0].GetGauge().GetValue(); family.GetName() {
			case "muster_jobs_waiting":
				if value != 1 {
					t.Errorf("%v jobs wait", value)
				}
			case "muster_jobs_oldest_seconds":
				if value < 0 || value > 3600 {
					t.Errorf("the oldest waits for %v seconds", value)
				}
			}
		}
	})
}
