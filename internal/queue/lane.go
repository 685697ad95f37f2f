package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"go.mau.fi/util/dbutil"
)

const (
	// lanePoll is how often a lane looks for jobs that nobody has rung for, such
	// as those whose time has come. Looking takes SQLite's write lock for some
	// microseconds, and there may be hundreds of lanes.
	lanePoll = 2 * time.Second
	// laneCooldown is the least time between two looks: jobs that come faster
	// are taken out together.
	laneCooldown = 5 * time.Millisecond
)

// A lane is a queue of its own inside the queue: its jobs share workers with
// each other and with nobody else, and it can be paused. However many jobs wait
// in one, the others' jobs do not wait for them.

// AddLane makes a lane whose jobs at most so many workers do at once. Lanes are
// not removed while the server runs; adding one again changes nothing. The
// name has small letters, digits and underscores. It must not be called inside
// a transaction.
func (q *Queue) AddLane(name string, workers int) error {
	q.starting.Lock()
	defer q.starting.Unlock()
	if q.lanes[name] > 0 {
		return nil
	}
	if q.client != nil {
		if err := q.client.Queues().Add(name, laneConfig(workers)); err != nil {
			return fmt.Errorf("add the lane %s to the job queue: %w", name, err)
		}
	}
	q.lanes[name] = workers
	return nil
}

func laneConfig(workers int) river.QueueConfig {
	return river.QueueConfig{MaxWorkers: workers, FetchPollInterval: lanePoll, FetchCooldown: laneCooldown}
}

// LaneJob is a job for a lane.
type LaneJob struct {
	Lane string
	Args river.JobArgs
	// Quiet leaves out to tell the lane, for lanes that are paused.
	Quiet bool
}

// InsertMany is Insert for jobs in lanes. They may be attempted any number of
// times: the worker decides when to give up.
func (q *Queue) InsertMany(ctx context.Context, jobs []LaneJob) error {
	if len(jobs) == 0 {
		return nil
	}
	tx, err := q.tx(ctx)
	if err != nil {
		return err
	}
	many := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		many[i] = river.InsertManyParams{Args: job.Args, InsertOpts: &river.InsertOpts{Queue: job.Lane, MaxAttempts: laneAttempts}}
		if !job.Quiet {
			q.announce(ctx, job.Lane)
		}
	}
	if _, err = q.notes.InsertManyFastTx(ctx, tx, many); err != nil {
		return fmt.Errorf("queue %d jobs: %w", len(jobs), err)
	}
	return nil
}

// Pause has a lane's jobs wait until Resume, also over restarts, in the
// transaction that ctx carries. Those in work are not interrupted, and a few
// more may be begun until the lane has heard of it.
func (q *Queue) Pause(ctx context.Context, lane string) error {
	tx, err := q.tx(ctx)
	if err != nil {
		return err
	}
	if err = q.known(ctx, lane); err == nil {
		err = q.notes.QueuePauseTx(ctx, tx, lane, nil)
	}
	if err != nil {
		return fmt.Errorf("pause the lane %s: %w", lane, err)
	}
	return nil
}

// Resume ends a pause, in the transaction that ctx carries. Jobs that wait for
// their next attempt are due at once.
func (q *Queue) Resume(ctx context.Context, lane string) error {
	tx, err := q.tx(ctx)
	if err != nil {
		return err
	}
	exec := q.driver.UnwrapExecutor(tx)
	now := time.Now().UTC()
	ids, err := q.ids(ctx, `SELECT id FROM river_job WHERE queue = $1 AND state IN ('retryable', 'scheduled') ORDER BY id`, lane)
	for i := 0; err == nil && i < len(ids); i++ {
		_, err = exec.JobRetry(ctx, &riverdriver.JobRetryParams{ID: ids[i], Now: &now})
	}
	if err == nil {
		err = q.known(ctx, lane)
	}
	if err == nil {
		err = q.notes.QueueResumeTx(ctx, tx, lane, nil)
	}
	if err != nil {
		return fmt.Errorf("resume the lane %s: %w", lane, err)
	}
	q.announce(ctx, lane)
	return nil
}

// known makes River know a lane that has not been started yet.
func (q *Queue) known(ctx context.Context, lane string) error {
	_, err := q.executor(ctx).QueueCreateOrSetUpdatedAt(ctx, &riverdriver.QueueCreateOrSetUpdatedAtParams{
		Name: lane, Metadata: []byte("{}"),
	})
	return err
}

// waiting are the states of jobs that are neither in work nor done.
const waiting = `('available', 'retryable', 'scheduled')`

// Waiting is a job that waits in a lane.
type Waiting struct {
	ID   int64
	Args json.RawMessage
	// Attempts is how often it was tried, as Attempts counts.
	Attempts int
}

// Oldest returns the jobs that have been waiting in a lane for longest, those
// with ids above after; nobody may be working on them at the moment.
func (q *Queue) Oldest(ctx context.Context, lane string, after int64, limit int) ([]Waiting, error) {
	ids, err := q.ids(ctx, `SELECT id FROM river_job WHERE queue = $1 AND id > $2 AND state IN `+waiting+` ORDER BY id LIMIT $3`, lane, after, limit)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	rows, err := q.executor(ctx).JobGetByIDMany(ctx, &riverdriver.JobGetByIDManyParams{ID: ids})
	if err != nil {
		return nil, fmt.Errorf("read the jobs of the lane %s: %w", lane, err)
	}
	list := make([]Waiting, len(rows))
	for i, row := range rows {
		list[i] = Waiting{ID: row.ID, Args: row.EncodedArgs, Attempts: Attempts(row)}
	}
	return list, nil
}

// Discard deletes a job that waits, in the transaction that ctx carries. It
// tells whether the job was still there and waiting.
func (q *Queue) Discard(ctx context.Context, id int64) (bool, error) {
	tx, err := q.tx(ctx)
	if err != nil {
		return false, err
	}
	_, err = q.driver.UnwrapExecutor(tx).JobDelete(ctx, &riverdriver.JobDeleteParams{ID: id})
	switch {
	case errors.Is(err, rivertype.ErrNotFound), errors.Is(err, rivertype.ErrJobRunning):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("delete job %d: %w", id, err)
	}
	return true, nil
}

// Clear deletes all jobs that wait in a lane, in the transaction of ctx if it
// carries one.
func (q *Queue) Clear(ctx context.Context, lane string) error {
	if _, err := q.db.Exec(ctx, `DELETE FROM river_job WHERE queue = $1 AND state IN `+waiting, lane); err != nil {
		return fmt.Errorf("clear the lane %s: %w", lane, err)
	}
	return nil
}

// Depth says how much waits in a lane.
type Depth struct {
	Waiting int
	// Oldest is when the first of those that wait was queued; zero when none does.
	Oldest time.Time
}

// Depths tells how much waits in each of the lanes, and in the queue that has
// no name. Lanes where nothing waits may be missing.
func (q *Queue) Depths(ctx context.Context) (map[string]Depth, error) {
	type count struct {
		lane    string
		waiting int
		first   int64
	}
	rows, err := q.db.Query(ctx, `SELECT queue, count(*), min(id) FROM river_job WHERE state IN `+waiting+` GROUP BY queue`)
	counts, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (c count, err error) {
		return c, row.Scan(&c.lane, &c.waiting, &c.first)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("count the jobs that wait: %w", err)
	}
	depths, lanes, ids := map[string]Depth{}, map[int64]string{}, make([]int64, len(counts))
	for i, c := range counts {
		name := strings.TrimPrefix(c.lane, river.QueueDefault)
		depths[name], lanes[c.first], ids[i] = Depth{Waiting: c.waiting}, name, c.first
	}
	if len(ids) == 0 {
		return depths, nil
	}
	jobs, err := q.executor(ctx).JobGetByIDMany(ctx, &riverdriver.JobGetByIDManyParams{ID: ids})
	if err != nil {
		return nil, fmt.Errorf("read the oldest jobs that wait: %w", err)
	}
	for _, job := range jobs {
		name := lanes[job.ID]
		depths[name] = Depth{Waiting: depths[name].Waiting, Oldest: job.CreatedAt}
	}
	return depths, nil
}

// Attempts is how often a job was begun, the present time included, whether it
// then failed or asked to be tried again later.
func Attempts(job *rivertype.JobRow) int {
	var metadata struct {
		Snoozes int `json:"snoozes"`
	}
	if json.Unmarshal(job.Metadata, &metadata) != nil {
		return job.Attempt // written by River, for its own use
	}
	return job.Attempt + metadata.Snoozes
}

func (q *Queue) ids(ctx context.Context, query string, args ...any) ([]int64, error) {
	rows, err := q.db.Query(ctx, query, args...)
	ids, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[int64], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("look for jobs that wait: %w", err)
	}
	return ids, nil
}

// executor works in the transaction of the context, if there is one.
func (q *Queue) executor(ctx context.Context) riverdriver.Executor {
	if tx, err := q.tx(ctx); err == nil {
		return q.driver.UnwrapExecutor(tx)
	}
	return q.driver.GetExecutor()
}
