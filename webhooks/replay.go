package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/internal/queue"
)

// replayBatch is how many deliveries a replay queues in one transaction.
const replayBatch = 200

// replay is the work of queueing much again, done in steps that each leave the
// next one behind: what a crash cuts off goes on where it was, and nothing is
// queued twice.
type replay struct {
	WebhookID string `json:"webhook_id"`
	// Dead replays the dead letters with ids above DeadAfter, up to DeadUntil.
	Dead      bool   `json:"dead,omitempty"`
	DeadAfter string `json:"dead_after,omitempty"`
	DeadUntil string `json:"dead_until,omitempty"`
	// Otherwise what the log has after After, up to Until.
	After event.Cursor `json:"after,omitempty"`
	Until event.Cursor `json:"until,omitempty"`
}

// Kind names the jobs in the queue's table.
func (replay) Kind() string { return "webhook_replay" }

// replayer works on replays.
type replayer struct {
	river.WorkerDefaults[replay]
	service *Service
}

// NextRetry says when to try again after an error, which is ours.
func (w *replayer) NextRetry(job *river.Job[replay]) time.Time {
	return time.Now().Add(w.service.backoff(job.Attempt))
}

// Work does one step.
func (w *replayer) Work(ctx context.Context, job *river.Job[replay]) error {
	s, r := w.service, job.Args
	return s.txn(ctx, func(ctx context.Context) error {
		to, ok, err := s.repo.lock(ctx, r.WebhookID)
		if err != nil {
			return err
		}
		var more bool
		if ok { // else it was deleted, and this is over
			step := s.replayLog
			if r.Dead {
				step = s.replayDead
			}
			if more, err = step(ctx, to, &r); err != nil {
				return err
			}
		}
		if more {
			if _, err = s.queue.Insert(ctx, r); err != nil {
				return err
			}
		}
		return queue.Complete(ctx, s.queue, job)
	})
}

// replayDead queues dead letters again, and moves the replay on.
func (s *Service) replayDead(ctx context.Context, to Endpoint, r *replay) (more bool, err error) {
	list, err := s.repo.dead(ctx, "webhook_id = $1 AND id > $2 AND id <= $3 ORDER BY id LIMIT $4", to.ID, r.DeadAfter, r.DeadUntil, replayBatch)
	if err != nil || len(list) == 0 {
		return false, err
	}
	r.DeadAfter = list[len(list)-1].ID
	return len(list) == replayBatch, s.revive(ctx, to, list)
}

// replayLog queues events of the log again, and moves the replay on.
func (s *Service) replayLog(ctx context.Context, to Endpoint, r *replay) (more bool, err error) {
	page, err := s.events.Read(ctx, event.Query{Filter: to.filter(), After: r.After, Limit: replayBatch})
	if err != nil {
		return false, err
	}
	for _, e := range page.Events {
		at, err := event.ParseCursor(e.ID)
		if err != nil {
			return false, err
		}
		if at > r.Until {
			return false, nil
		}
		if !to.wants(e) {
			continue
		}
		jobs, err := s.deliveries(ctx, e, to)
		if err == nil {
			err = s.queue.InsertMany(ctx, jobs)
		}
		if err != nil {
			return false, err
		}
	}
	r.After = page.Next
	return page.More && page.Next < r.Until, nil
}

// filter is what the log can leave out for the endpoint by itself.
func (e Endpoint) filter() event.Filter {
	f := event.Filter{Types: make([]event.Type, 0, len(e.types))}
	for t := range e.types {
		f.Types = append(f.Types, t)
	}
	if len(e.Sessions) > 0 {
		f.Sessions = e.Sessions
	}
	if len(e.Groups) == 1 {
		f.Group = e.Groups[0]
	}
	return f
}

// ReplayAllDead queues all of an endpoint's dead letters again, in the
// background. It returns how many there are.
func (s *Service) ReplayAllDead(ctx context.Context, webhookID string) (count int, err error) {
	err = s.txn(ctx, func(ctx context.Context) error {
		if _, ok, err := s.repo.lock(ctx, webhookID); err != nil || !ok {
			return errors.Join(err, missing(ok, webhookID))
		}
		newest, n, err := s.repo.newestDead(ctx, webhookID)
		if count = n; err != nil || n == 0 {
			return err
		}
		_, err = s.queue.Insert(ctx, replay{WebhookID: webhookID, Dead: true, DeadUntil: newest})
		return err
	})
	return count, err
}

func missing(ok bool, id string) error {
	if ok {
		return nil
	}
	return NotFound(id)
}

// ReplayRequest asks for all events that are for an endpoint and that the log
// has, after one event up to another.
type ReplayRequest struct {
	WebhookID string
	After     string // an event's id; empty is the beginning
	Until     string // an event's id, which is the last one; empty is the newest
}

// Replayed says what is queued again.
type Replayed struct{ After, Until string }

// Replay queues events of the log again, in the background.
func (s *Service) Replay(ctx context.Context, req ReplayRequest) (Replayed, error) {
	r := replay{WebhookID: req.WebhookID}
	var err error
	if req.After != "" {
		if r.After, err = event.ParseCursor(req.After); err != nil {
			return Replayed{}, fault.Field("after", "%v", err)
		}
	}
	newest, err := s.events.Newest(ctx)
	if err != nil {
		return Replayed{}, err
	}
	if r.After > newest {
		return Replayed{}, fault.Field("after", "is ahead of this log: it comes from another database, or from before this one was restored")
	}
	r.Until = newest
	if req.Until != "" {
		if r.Until, err = event.ParseCursor(req.Until); err != nil {
			return Replayed{}, fault.Field("until", "%v", err)
		}
		r.Until = min(r.Until, newest)
	}
	err = s.txn(ctx, func(ctx context.Context) error {
		if _, ok, err := s.repo.lock(ctx, req.WebhookID); err != nil || !ok {
			return errors.Join(err, missing(ok, req.WebhookID))
		}
		_, err := s.queue.Insert(ctx, r)
		return err
	})
	if err != nil {
		return Replayed{}, err
	}
	return Replayed{After: r.After.String(), Until: r.Until.String()}, nil
}
