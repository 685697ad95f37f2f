package webhooks

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"muster/internal/queue"
)

const (
	// timeoutMargin is what a job may take besides its request: mostly waiting
	// for the database.
	timeoutMargin = time.Minute
	// closedWait is when a delivery is looked at again that was begun although
	// its endpoint had just been paused.
	closedWait = 10 * time.Second
	// longestRetryAfter is as long as an endpoint can ask to be left alone for.
	longestRetryAfter = 6 * time.Hour
)

// deliverer works on deliveries.
type deliverer struct {
	river.WorkerDefaults[delivery]
	service *Service
}

// Timeout bounds one turn of a job.
func (w *deliverer) Timeout(*river.Job[delivery]) time.Duration {
	return w.service.options.Timeout + timeoutMargin
}

// NextRetry is for errors of our own, such as of the database: the outcomes of
// attempts are not errors.
func (w *deliverer) NextRetry(job *river.Job[delivery]) time.Time {
	return time.Now().Add(w.service.backoff(job.Attempt))
}

// Work makes one attempt.
func (w *deliverer) Work(ctx context.Context, job *river.Job[delivery]) error {
	s := w.service
	d := job.Args
	endpoint, ok := s.endpoints.find(d.WebhookID)
	if !ok || !endpoint.takes(d) {
		return nil // it was deleted, or does not hear of this session any more
	}
	if !endpoint.open() {
		return river.JobSnooze(closedWait)
	}
	attempt := queue.Attempts(job.JobRow)
	if attempt == 1 {
		s.metrics.first(s.clock.Now(), d)
	}
	out := s.send(ctx, endpoint, d)
	if !out.success() && ctx.Err() != nil {
		return river.JobSnooze(0) // this server ends: it says nothing of the endpoint
	}
	r := s.report(endpoint, d, kindDelivery, attempt, out)
	wait := max(s.backoff(attempt), min(out.retryAfter, longestRetryAfter))
	if r.result == resultFailed && d.age(out.at)+wait > s.options.RetryFor {
		r.dead = deadExpired
	}
	if err := s.record(ctx, r); err != nil {
		return err
	}
	if r.result == resultFailed && r.dead == "" {
		zerolog.Ctx(ctx).Debug().Str("webhook", d.WebhookID).Str("event", d.EventID).Int("attempt", attempt).Str("error", out.err).Msg("a webhook's delivery has failed; it is tried again")
		return river.JobSnooze(wait)
	}
	return nil
}

// backoff is the pause after so many failed attempts: twice as long each time,
// and up to a quarter more or less, so that what failed together is not tried
// together.
func (s *Service) backoff(attempts int) time.Duration {
	return jittered(doubled(s.options.FirstRetry, s.options.LongestRetry, attempts))
}

// doubled is first, doubled with each time after the first one, but at most
// longest.
func doubled(first, longest time.Duration, times int) time.Duration {
	pause := first
	for range times - 1 {
		if pause >= longest {
			break
		}
		pause *= 2
	}
	return min(pause, longest)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.75 + rand.Float64()/2)) //nolint:gosec // spreading, not secrecy
}
