package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"muster/internal/fault"
	"muster/internal/queue"
)

// Args are what the queue keeps of a job; everything else is in bulk_jobs.
type Args struct {
	JobID string `json:"job_id"`
}

// Kind names the jobs in the queue's table.
func (Args) Kind() string { return "groups_bulk" }

const (
	// turnLength is how long a job keeps its worker. It is well below the
	// queue's limit for one turn, which a batch may run into otherwise.
	turnLength = 5 * time.Minute
	// longPause is where a pause is worth giving the worker back.
	longPause = 30 * time.Second

	// A job that cannot go on tries again after half the time that it has been
	// waiting already, within these bounds.
	firstWait, longestWait = 2 * time.Second, 10 * time.Second
	// The same for defects of the server, by the number of attempts.
	firstRetry, longestRetry = time.Second, 5 * time.Minute
)

// worker is the queue's side of the service.
type worker struct {
	river.WorkerDefaults[Args]
	service *Service
}

// NextRetry says when to try again after an error that is ours.
func (w *worker) NextRetry(job *river.Job[Args]) time.Time {
	return time.Now().Add(retryAfter(job.Attempt))
}

func retryAfter(attempt int) time.Duration {
	if attempt >= 10 {
		return longestRetry
	}
	return min(firstRetry<<attempt, longestRetry)
}

// Work does one turn: batches and pauses until the job has ended, has to wait
// for something, or the turn is over.
func (w *worker) Work(ctx context.Context, job *river.Job[Args]) error {
	s := w.service
	ctx = s.log.With().Str("job", job.Args.JobID).Logger().WithContext(ctx)
	end := time.Now().Add(turnLength)
	woken, unwatch := s.watch(job.Args.JobID)
	defer unwatch()
	for {
		pause, err := s.advance(ctx, job)
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil {
			return s.interrupt(ctx, job, err)
		}
		if pause > longPause || time.Now().Add(pause).After(end) {
			return s.rest(ctx, job, pause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			continue
		case <-woken:
		case <-s.queue.Stopping():
			err = river.JobSnooze(pause)
		case <-ctx.Done():
			err = river.JobSnooze(pause)
		}
		timer.Stop()
		if err != nil {
			return err
		}
	}
}

// rest gives the worker back for a long pause. The job is shown as waiting, so
// that it can be cancelled at once.
func (s *Service) rest(ctx context.Context, job *river.Job[Args], pause time.Duration) error {
	return s.wait(ctx, job, waitPause, func(Job) time.Duration { return pause })
}

// interrupt decides what an error of a batch means for the job.
func (s *Service) interrupt(ctx context.Context, job *river.Job[Args], cause error) error {
	if ctx.Err() != nil {
		return river.JobSnooze(0) // the server stops, or the turn took too long
	}
	why := fault.From(cause)
	switch {
	case patience(cause):
		zerolog.Ctx(ctx).Debug().Err(cause).Msg("a bulk job has to wait")
		return s.wait(ctx, job, string(why.Code), func(found Job) time.Duration {
			return max(why.RetryAfter, s.backoff(found))
		})
	case why.Code != fault.Internal || job.Attempt >= job.MaxAttempts:
		return s.fail(ctx, job, why)
	}
	zerolog.Ctx(ctx).Error().Err(cause).Int("attempt", job.Attempt).Msg("a batch of a bulk job went wrong; it is tried again")
	again := s.wait(ctx, job, string(why.Code), func(Job) time.Duration { return retryAfter(job.Attempt) })
	if again == nil {
		return nil // it has been cancelled
	}
	return cause
}

// patience tells whether trying again later may help: nothing is wrong with
// the request itself.
func patience(err error) bool {
	switch fault.From(err).Code {
	case fault.SessionNotConnected, fault.RateLimited, fault.NoAnswer, fault.OutcomeUnknown, fault.Unavailable:
		return true
	}
	return false
}

// backoff is how long a job waits that has had to wait for a while already.
func (s *Service) backoff(job Job) time.Duration {
	if job.waitSince.IsZero() {
		return firstWait
	}
	return min(max(s.now().Sub(job.waitSince)/2, firstWait), longestWait)
}

// wait notes that the job waits and gives its worker back.
func (s *Service) wait(ctx context.Context, job *river.Job[Args], reason string, duration func(Job) time.Duration) error {
	var pause time.Duration
	err := s.working(ctx, job, func(ctx context.Context, found Job) error {
		pause = duration(found)
		now := s.now()
		since := found.waitSince
		if since.IsZero() {
			since = now
		}
		return s.repo.setWaiting(ctx, found.ID, Waiting{Reason: reason, ResumeAt: now.Add(pause)}, since, now)
	})
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	return river.JobSnooze(pause)
}

// fail ends the job for everybody who is left.
func (s *Service) fail(ctx context.Context, job *river.Job[Args], why *fault.Error) error {
	err := s.working(ctx, job, func(ctx context.Context, found Job) error {
		return s.end(ctx, job, found, StateFailed, why)
	})
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

// errEnded says that there is nothing left to do for a job.
var errEnded = errors.New("the job has ended")

// working runs fn in a transaction of the worker: when the job has been
// cancelled, is finished or gone, that is errEnded instead.
func (s *Service) working(ctx context.Context, job *river.Job[Args], fn func(ctx context.Context, found Job) error) error {
	ended := false
	err := s.locked(ctx, job.Args.JobID, func(ctx context.Context, found Job) error {
		switch {
		case found.State.Final():
			ended = true
			return nil
		case found.Cancelling:
			ended = true
			return s.end(ctx, job, found, StateCancelled, nil)
		}
		return fn(ctx, found)
	})
	if ended && err == nil || fault.Is(err, fault.NotFound) || fault.Is(err, fault.SessionNotFound) {
		return errEnded
	}
	return err
}

// end finishes the job and the queue's job in one transaction, that of ctx.
func (s *Service) end(ctx context.Context, job *river.Job[Args], found Job, state State, why *fault.Error) error {
	if err := s.finish(ctx, found, state, why); err != nil {
		return err
	}
	return queue.Complete(ctx, s.queue, job)
}
