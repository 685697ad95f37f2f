// Package bulk adds many people to a group: as a durable job that works in
// small batches with pauses, goes on after a crash where it was, and knows of
// every person what became of them.
//
// Of each person the database says, before WhatsApp is asked, that it will be
// ("adding"). Whoever is in that state after a crash may have been added; the
// next batch looks who is in the group and takes such a member for added. So
// nobody is asked for twice, and nobody who had been a member before is counted
// as added.
package bulk

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/internal/fault"
	"muster/internal/queue"
)

// Bounds and defaults of a job.
const (
	MaxParticipants = 1024

	DefaultBatch, MaxBatch = 20, 100
	DefaultPause, MaxPause = 10 * time.Second, time.Hour

	// maxUnfinished bounds the jobs of a session that wait for one another.
	maxUnfinished = 50
	// keepFinished is how long a finished job can be looked at.
	keepFinished = 30 * 24 * time.Hour
)

// kindAdd is the one kind of job there is.
const kindAdd = "add_participants"

// State is where a job stands.
type State string

// Every state. The first three are unfinished.
const (
	StateQueued    State = "queued"    // it has not begun; jobs of one session run one after the other
	StateRunning   State = "running"   // people are being added
	StateWaiting   State = "waiting"   // it goes on by itself, see Waiting
	StateCompleted State = "completed" // everybody has an outcome
	StateCancelled State = "cancelled" // ended by request
	StateFailed    State = "failed"    // it could not go on, see Failure
)

// Final tells whether nothing will change any more.
func (s State) Final() bool {
	return s == StateCompleted || s == StateCancelled || s == StateFailed
}

// What a person's result can be besides what groups.Service.Add says.
const (
	StatusPending groups.Status = "Pending" // not attempted yet, or not known to have ended
	StatusSkipped groups.Status = "Skipped" // the job ended before it was the person's turn
)

// CodeOutcomeUnknown is the failure of people whose addition was sent without
// an answer when the job ended.
const CodeOutcomeUnknown = string(fault.OutcomeUnknown)

// Why a job waits, apart from the codes of the faults that made it wait.
const waitPause = "pause"

// Job is one request to add people. Its times have a resolution of one second.
type Job struct {
	ID, SessionID, GroupJID string
	OnPrivate               groups.OnPrivate
	BatchSize               int
	Pause                   time.Duration
	State                   State
	// Total counts the people, Done those who have an outcome.
	Total, Done int
	// Cancelling: it will be cancelled after the batch that is in work.
	Cancelling bool
	// Waiting is set when State is StateWaiting.
	Waiting *Waiting
	// Failure is set when State is StateFailed. It is safe to show.
	Failure *fault.Error

	CreatedAt, UpdatedAt time.Time
	// FinishedAt is zero until State is final.
	FinishedAt time.Time

	queueID   int64 // 0 while another job of the session has its turn
	waitSince time.Time
	request   string // the API's id of the request that has asked for it
}

func (j Job) target() groups.Target {
	return groups.Target{SessionID: j.SessionID, GroupJID: j.GroupJID}
}

// Waiting says why a job waits.
type Waiting struct {
	// Reason is "pause" between batches, or the code of the fault that made it wait.
	Reason   string
	ResumeAt time.Time
}

// Service takes, shows, cancels and works off jobs. It is safe for concurrent use.
type Service struct {
	repo   repo
	groups *groups.Service
	queue  *queue.Queue
	log    zerolog.Logger
	now    func() time.Time

	mu    sync.Mutex
	wakes map[string]chan struct{} // of the jobs that are being worked on
}

// Options are what a Service needs.
type Options struct {
	DB     *dbutil.Database
	Groups *groups.Service
	Queue  *queue.Queue
	Log    zerolog.Logger
	Now    func() time.Time // time.Now
}

// NewService makes the service and registers its worker with the queue, which
// must not have been started.
func NewService(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{
		repo: repo{o.DB}, groups: o.Groups, queue: o.Queue, now: o.Now,
		log:   o.Log.With().Str("component", "bulk").Logger(),
		wakes: map[string]chan struct{}{},
	}
	queue.Register(o.Queue, &worker{service: s})
	return s
}

// watch gives the channel that wake signals while the job is worked on.
func (s *Service) watch(id string) (woken <-chan struct{}, end func()) {
	wake := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakes[id] = wake
	return wake, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.wakes, id)
	}
}

// wake ends the job's pause, if it is in one.
func (s *Service) wake(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wakes[id] <- struct{}{}:
	default:
	}
}
