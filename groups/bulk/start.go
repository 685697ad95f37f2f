package bulk

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/event"
	"muster/internal/fault"
)

// StartRequest names people to add.
type StartRequest struct {
	groups.Target
	// Participants are phone JIDs, LIDs or phone numbers, up to
	// MaxParticipants; repeated ones count once.
	Participants []string
	OnPrivate    groups.OnPrivate
	BatchSize    int            // 0 is DefaultBatch
	Pause        *time.Duration // nil is DefaultPause
}

// Validate checks the group, every participant and the pace.
func (r StartRequest) Validate() error {
	_, _, err := r.parse()
	return err
}

func (r StartRequest) parse() (group string, people []address.Entry, err error) {
	jid, err := address.Group("group_jid", r.GroupJID)
	if err != nil {
		return "", nil, err
	}
	pause := r.pause()
	switch {
	case len(r.Participants) == 0:
		return "", nil, fault.Field("participants", "must name at least one person")
	case len(r.Participants) > MaxParticipants:
		return "", nil, fault.Field("participants", "has %d entries; %d is the most in one request", len(r.Participants), MaxParticipants)
	case r.BatchSize < 0 || r.BatchSize > MaxBatch:
		return "", nil, fault.Field("batch_size", "must be between 1 and %d", MaxBatch)
	case pause < 0 || pause > MaxPause:
		return "", nil, fault.Field("pause_seconds", "must be between 0 and %d", int(MaxPause.Seconds()))
	}
	switch r.OnPrivate {
	case "", groups.OnPrivateFail, groups.OnPrivateInvite:
	default:
		return "", nil, fault.Field("on_private", "must be %q or %q", groups.OnPrivateFail, groups.OnPrivateInvite)
	}
	people, err = address.People("participants", r.Participants)
	return jid.String(), people, err
}

func (r StartRequest) pause() time.Duration {
	if r.Pause == nil {
		return DefaultPause
	}
	return *r.Pause
}

// Start notes a job that adds the people. It begins at once, or after the
// session's earlier jobs. A session that is only disconnected for now takes
// jobs; one without a phone, and a group that is known not to be the account's,
// do not.
func (s *Service) Start(ctx context.Context, req StartRequest) (Job, error) {
	group, people, err := req.parse()
	if err != nil {
		return Job{}, err
	}
	target := groups.Target{SessionID: req.SessionID, GroupJID: group}
	if err = s.known(ctx, target); err != nil {
		return Job{}, err
	}
	moment := s.now()
	now := moment.Truncate(time.Second)
	job := Job{
		ID: newID(moment), SessionID: req.SessionID, GroupJID: group,
		OnPrivate: cmp.Or(req.OnPrivate, groups.OnPrivateFail),
		BatchSize: cmp.Or(req.BatchSize, DefaultBatch), Pause: req.pause(),
		State: StateQueued, Total: len(people), CreatedAt: now, UpdatedAt: now,
		request: event.RequestOf(ctx),
	}
	return job, s.repo.txn(ctx, func(ctx context.Context) error {
		if err := s.repo.lockSession(ctx, job.SessionID); err != nil {
			return err
		}
		if err := s.repo.prune(ctx, job.SessionID, now.Add(-keepFinished)); err != nil {
			return err
		}
		unfinished, err := s.repo.unfinished(ctx, job.SessionID)
		if err != nil {
			return err
		}
		if unfinished >= maxUnfinished {
			return fault.New(fault.Conflict, "this session has %d unfinished jobs, which is the most", unfinished)
		}
		if err = s.repo.insert(ctx, job, people); err != nil {
			return err
		}
		return s.promote(ctx, job.SessionID)
	})
}

// known refuses what is sure to fail. That the mirror does not have the group
// is not enough for that: WhatsApp is asked.
func (s *Service) known(ctx context.Context, target groups.Target) error {
	_, err := s.groups.Get(ctx, groups.GetRequest{Target: target})
	if fault.Is(err, fault.GroupNotFound) || fault.Is(err, fault.NotInGroup) {
		_, err = s.groups.Get(ctx, groups.GetRequest{Target: target, Refresh: true})
	}
	if err != nil && patience(err) {
		return nil
	}
	return err
}

// promote hands the session's oldest unfinished job to the queue, unless one is
// there already. ctx carries a transaction that holds the session's lock.
func (s *Service) promote(ctx context.Context, sessionID string) error {
	id, err := s.repo.head(ctx, sessionID)
	if err != nil || id == "" {
		return err
	}
	number, err := s.queue.Insert(ctx, Args{JobID: id})
	if err != nil {
		return err
	}
	return s.repo.setQueueID(ctx, id, number)
}

// newID makes a job's id. Ids sort by the time they were made.
func newID(now time.Time) string {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	return fmt.Sprintf("job_%011x%05x%s", now.UnixMilli(), now.Nanosecond()%int(time.Millisecond), hex.EncodeToString(random[:]))
}
