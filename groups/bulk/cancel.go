package bulk

import (
	"context"

	"muster/internal/fault"
)

// Cancel ends a job: at once when nobody is being added at the moment, else
// after the batch that is in work, which the returned job then says. It is no
// error when the job is cancelled already; fault conflict when it has ended in
// another way.
func (s *Service) Cancel(ctx context.Context, id string) (job Job, err error) {
	err = s.locked(ctx, id, func(ctx context.Context, found Job) error {
		switch found.State {
		case StateCancelled:
		case StateCompleted, StateFailed:
			return fault.New(fault.Conflict, "the job has ended already: it is %s", found.State)
		case StateRunning:
			err = s.repo.setCancelling(ctx, id, s.now())
		default:
			err = s.finish(ctx, found, StateCancelled, nil)
		}
		if err != nil {
			return err
		}
		job, err = s.repo.job(ctx, id)
		return err
	})
	if err == nil {
		s.wake(id)
	}
	return job, err
}

// locked runs fn in a transaction in which nobody else changes the session's
// jobs, with the job as it is then.
func (s *Service) locked(ctx context.Context, id string, fn func(ctx context.Context, job Job) error) error {
	return s.repo.txn(ctx, func(ctx context.Context) error {
		job, err := s.repo.job(ctx, id)
		if err != nil {
			return err
		}
		if err = s.repo.lockSession(ctx, job.SessionID); err != nil {
			return err
		}
		if job, err = s.repo.job(ctx, id); err != nil {
			return err
		}
		return fn(ctx, job)
	})
}

// finish ends a job and lets the session's next one begin. ctx carries the
// transaction of locked.
func (s *Service) finish(ctx context.Context, job Job, state State, why *fault.Error) error {
	if err := s.repo.closeItems(ctx, job.ID); err != nil {
		return err
	}
	if err := s.repo.finish(ctx, job.ID, state, why, s.now()); err != nil {
		return err
	}
	s.log.Info().Str("session", job.SessionID).Str("group", job.GroupJID).Str("job", job.ID).Str("state", string(state)).
		AnErr("why", asError(why)).Msg("a bulk job has ended")
	if job.queueID == 0 {
		return nil // another job has the session's turn
	}
	return s.promote(ctx, job.SessionID)
}

// asError keeps a nil fault from becoming an error that is not nil.
func asError(why *fault.Error) error {
	if why == nil {
		return nil
	}
	return why
}
