package webhooks

import (
	"context"
	"sync"
	"time"

	"muster/store"
)

const (
	// idleLook is how long nothing is looked after when nothing is planned.
	idleLook = time.Minute
	// troubleWait is when something is tried again that our own database has
	// kept from happening.
	troubleWait = 5 * time.Second
	// expireBatch is how many deliveries are given up in one transaction.
	expireBatch = 200
)

// pause has an endpoint's deliveries wait, after a failure too many.
func (s *Service) pause(ctx context.Context, r report, failures int) error {
	e, ok, err := s.repo.lock(ctx, r.endpoint.ID)
	if err != nil || !ok || !e.open() {
		return err
	}
	e.PausedAt, e.probes = r.outcome.at, 0
	e.ProbeAt = r.outcome.at.Add(s.untilProbe(e, r.outcome))
	e.UpdatedAt = r.outcome.at
	if err = s.repo.save(ctx, e); err != nil {
		return err
	}
	store.AfterCommit(ctx, func() {
		s.log.Warn().Str("webhook", e.ID).Int("failures", failures).Str("error", e.LastError).Time("next_probe", e.ProbeAt).
			Msg("a webhook keeps failing and was paused: its deliveries wait")
	})
	return s.queue.Pause(ctx, laneName(e.lane))
}

func (s *Service) untilProbe(e Endpoint, out outcome) time.Duration {
	next := jittered(doubled(s.options.FirstProbe, s.options.LongestProbe, e.probes+1))
	return max(next, min(out.retryAfter, longestRetryAfter))
}

// tend looks after paused endpoints and old records until the context ends.
func (s *Service) tend(ctx context.Context) {
	prune := s.clock.Now().Add(s.options.PruneEvery)
	var probing sync.WaitGroup
	defer probing.Wait()
	busy := &names{set: map[string]bool{}}
	for {
		now := s.clock.Now()
		if !prune.After(now) {
			s.prune(ctx)
			prune = now.Add(s.options.PruneEvery)
		}
		wait := min(idleLook, prune.Sub(now))
		for _, e := range s.endpoints.all() {
			if !e.Enabled || e.PausedAt.IsZero() || busy.has(e.ID) {
				continue
			}
			if until := e.ProbeAt.Sub(now); until > 0 {
				wait = min(wait, until)
				continue
			}
			busy.add(e.ID)
			probing.Go(func() {
				s.probe(ctx, e.ID)
				busy.remove(e.ID)
				s.wake()
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-s.woken:
		case <-s.clock.After(wait):
		}
	}
}

// wake has tend look again.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// probe tries a paused endpoint with the delivery that has waited for longest,
// and ends the pause when it is taken. When nothing waits there is nothing to
// hold back.
func (s *Service) probe(ctx context.Context, id string) {
	err := s.tryProbe(ctx, id)
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Error().Err(err).Str("webhook", id).Msg("a paused webhook could not be tried")
	select {
	case <-ctx.Done():
	case <-s.clock.After(troubleWait):
	}
}

func (s *Service) tryProbe(ctx context.Context, id string) error {
	e, ok := s.endpoints.find(id)
	if !ok || !e.Enabled || e.PausedAt.IsZero() {
		return nil
	}
	oldest, err := s.queue.Oldest(ctx, laneName(e.lane), 0, 1)
	if err != nil {
		return err
	}
	if len(oldest) == 0 {
		return s.reopen(ctx, report{endpoint: e}, 0)
	}
	d, err := parseDelivery(oldest[0].Args)
	if err != nil {
		return err
	}
	if !e.takes(d) {
		// Left behind in the lane by an endpoint that was deleted while it was
		// tried, or no longer for this one.
		return s.txn(ctx, func(ctx context.Context) error {
			_, err := s.queue.Discard(ctx, oldest[0].ID)
			return err
		})
	}
	attempt := oldest[0].Attempts + e.probes + 1
	out := s.send(ctx, e, d)
	if !out.success() && ctx.Err() != nil {
		return nil //nolint:nilerr // this server ends, which says nothing of the endpoint
	}
	r := s.report(e, d, kindProbe, attempt, out)
	if r.result == resultDelivered {
		return s.reopen(ctx, r, oldest[0].ID)
	}
	if err = s.closeProbe(ctx, r, oldest[0].ID); err != nil || r.result == resultGone {
		return err
	}
	return s.expire(ctx, e)
}

// reopen ends a pause. job is the delivery that was taken, or 0.
func (s *Service) reopen(ctx context.Context, r report, job int64) error {
	err := s.txn(ctx, func(ctx context.Context) error {
		if job != 0 {
			if _, err := s.queue.Discard(ctx, job); err != nil {
				return err
			}
			if err := s.repo.addAttempt(ctx, r); err != nil {
				return err
			}
		}
		e, ok, err := s.repo.lock(ctx, r.endpoint.ID)
		if err != nil || !ok || !e.Enabled || e.PausedAt.IsZero() {
			return err
		}
		e.recover()
		e.UpdatedAt = s.clock.Now()
		if err = s.repo.save(ctx, e); err != nil {
			return err
		}
		return s.queue.Resume(ctx, laneName(e.lane))
	})
	if err != nil {
		return err
	}
	s.log.Info().Str("webhook", r.endpoint.ID).Msg("a paused webhook goes on")
	if job != 0 {
		s.metrics.attempted(r)
	}
	s.refresh(ctx)
	return nil
}

// closeProbe notes a probe that has failed: the next one is later, or, after a
// 410, never. job is the delivery that was tried.
func (s *Service) closeProbe(ctx context.Context, r report, job int64) error {
	err := s.txn(ctx, func(ctx context.Context) error {
		if err := s.repo.addAttempt(ctx, r); err != nil {
			return err
		}
		if r.result == resultGone {
			if err := s.giveUp(ctx, job, r.delivery, r.burial()); err != nil {
				return err
			}
			return s.disable(ctx, r)
		}
		e, ok, err := s.repo.lock(ctx, r.endpoint.ID)
		if err != nil || !ok || e.PausedAt.IsZero() {
			return err
		}
		e.probes++
		e.Failures++
		e.LastStatus, e.LastError = r.outcome.status, r.outcome.err
		e.ProbeAt = s.clock.Now().Add(s.untilProbe(e, r.outcome))
		return s.repo.save(ctx, e)
	})
	if err != nil {
		return err
	}
	r.dead = "" // giveUp has counted it
	s.metrics.attempted(r)
	s.refresh(ctx)
	return nil
}

// expire gives those deliveries up that have waited in a closed endpoint's lane
// for too long.
func (s *Service) expire(ctx context.Context, e Endpoint) error {
	var after int64
	for {
		list, err := s.queue.Oldest(ctx, laneName(e.lane), after, expireBatch)
		if err != nil || len(list) == 0 {
			return err
		}
		old := 0
		now := s.clock.Now()
		err = s.txn(ctx, func(ctx context.Context) error {
			old = 0
			for _, job := range list {
				d, err := parseDelivery(job.Args)
				if err != nil {
					return err
				}
				if d.age(now) <= s.options.RetryFor {
					continue
				}
				old++
				grave := burial{at: now, reason: deadExpired, text: e.LastError, status: e.LastStatus, attempts: job.Attempts}
				if err = s.giveUp(ctx, job.ID, d, grave); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || old == 0 {
			return err
		}
		after = list[len(list)-1].ID
	}
}

// names is a set that several goroutines use.
type names struct {
	mu  sync.Mutex
	set map[string]bool
}

func (n *names) has(name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.set[name]
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.set[name] = true
}

func (n *names) remove(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.set, name)
}
