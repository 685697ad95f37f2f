package bulk

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"

	"muster/groups"
	"muster/internal/event"
	"muster/internal/fault"
)

// advance does the next batch of a job and says how long to pause after it.
// errEnded: the job is over.
func (s *Service) advance(ctx context.Context, job *river.Job[Args]) (pause time.Duration, err error) {
	found, batch, err := s.begin(ctx, job)
	if err != nil {
		return 0, err
	}
	ctx = event.WithRequest(ctx, found.request)
	if batch[0].state == itemInviting {
		err = s.inviteAll(ctx, job, found, batch)
	} else {
		err = s.addAll(ctx, job, found, batch)
	}
	if err != nil {
		return 0, err
	}
	left, err := s.repo.next(ctx, found.ID, 1, itemPending, itemAdding, itemInviting)
	if err != nil || len(left) == 0 || left[0].state == itemInviting {
		return 0, err // the end, or the rest of this batch
	}
	return found.Pause, nil
}

// begin takes the next people of the job, who are not none, or ends it.
func (s *Service) begin(ctx context.Context, job *river.Job[Args]) (found Job, batch []item, err error) {
	over := false
	err = s.working(ctx, job, func(ctx context.Context, now Job) error {
		found = now
		batch, err = s.repo.next(ctx, found.ID, found.BatchSize, itemInviting)
		if err == nil && len(batch) == 0 {
			batch, err = s.repo.next(ctx, found.ID, found.BatchSize, itemAdding, itemPending)
		}
		switch {
		case err != nil:
			return err
		case len(batch) == 0:
			over = true
			return s.end(ctx, job, found, StateCompleted, nil)
		case found.State != StateRunning:
			return s.repo.setRunning(ctx, found.ID, s.now())
		}
		return nil
	})
	if err == nil && over {
		err = errEnded
	}
	return found, batch, err
}

// addAll adds the people of a batch: first it looks who of them need not be
// asked for, then it notes that the others will be, and then asks.
func (s *Service) addAll(ctx context.Context, job *river.Job[Args], found Job, batch []item) error {
	inputs := make([]string, len(batch))
	for i := range batch {
		inputs[i] = batch[i].input
	}
	prospects, err := s.groups.Prospects(ctx, groups.MembershipRequest{Target: found.target(), Participants: inputs})
	if err != nil {
		return err
	}
	if len(prospects) != len(batch) {
		return fmt.Errorf("asked about %d people and was told about %d", len(batch), len(prospects))
	}
	a := attempt{job: found, batch: batch, prospects: prospects}
	err = s.working(ctx, job, func(ctx context.Context, _ Job) error {
		if err := a.sort(ctx, s.repo); err != nil {
			return err
		}
		if err := s.repo.save(ctx, found.ID, a.noted); err != nil {
			return err
		}
		return s.repo.progressed(ctx, found.ID, s.now())
	})
	if err != nil || len(a.asked) == 0 {
		return err
	}
	results, err := s.groups.AddProspects(ctx, found.target(), a.candidates)
	if err != nil {
		return s.takeBack(ctx, a, err)
	}
	for i := range a.asked {
		a.answer(i, results[i])
	}
	// The answer is known: it is written down even if the server stops now.
	return s.record(context.WithoutCancel(ctx), found, a.asked)
}

// record stores what became of people. It does so also when the job has been
// cancelled meanwhile.
func (s *Service) record(ctx context.Context, found Job, items []item) error {
	err := s.locked(ctx, found.ID, func(ctx context.Context, _ Job) error {
		if err := s.repo.save(ctx, found.ID, items); err != nil {
			return err
		}
		return s.repo.progressed(ctx, found.ID, s.now())
	})
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.SessionNotFound) {
		return errEnded
	}
	return err
}

// takeBack puts people back whom WhatsApp has surely not been asked for, or has
// refused to add altogether. It returns the error that was the reason.
func (s *Service) takeBack(ctx context.Context, a attempt, why error) error {
	if fault.Is(why, fault.OutcomeUnknown) || fault.From(why).Code == fault.Internal {
		return why
	}
	var back []item
	for i, it := range a.asked {
		if !a.askedBefore[i] {
			it.state = itemPending
			back = append(back, it)
		}
	}
	if err := s.record(context.WithoutCancel(ctx), a.job, back); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("people who were not asked for could not be put back; the next batch will look for them in the group")
	}
	return why
}

// inviteAll sends the invite messages that are due. One that cannot be sent is
// the person's failure; one of which that is not known is sent again later,
// under the same id.
func (s *Service) inviteAll(ctx context.Context, job *river.Job[Args], found Job, batch []item) error {
	for i := range batch {
		if i > 0 {
			if err := s.proceed(ctx, job); err != nil {
				return err
			}
		}
		it := batch[i]
		err := s.groups.Invite(ctx, groups.InviteRequest{Target: found.target(), To: it.Identity, Ticket: it.ticket, MessageID: it.message})
		switch {
		case err == nil:
			it.status, it.failure = groups.StatusInvited, groups.Failure{}
		case patience(err) || fault.From(err).Code == fault.Internal:
			return err
		default:
			it.status = groups.StatusFailed
			it.failure.Reason += fmt.Sprintf("; no invite message was sent either (%s)", fault.From(err).Message)
		}
		it.state = itemDone
		if err = s.record(context.WithoutCancel(ctx), found, []item{it}); err != nil {
			return err
		}
	}
	return nil
}

// proceed tells whether to go on in the middle of a batch.
func (s *Service) proceed(ctx context.Context, job *river.Job[Args]) error {
	select {
	case <-s.queue.Stopping():
		return fault.New(fault.Unavailable, "the server is stopping")
	default:
		return s.working(ctx, job, func(context.Context, Job) error { return nil })
	}
}
