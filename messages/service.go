// Package messages is everything that is said to and by the accounts of the
// sessions: sending to people and groups, at once or later, and the inbox. Each
// operation is a method of Service or Inbox that takes a request which
// validates itself.
package messages

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/queue"
	"muster/internal/turns"
	"muster/messages/media"
	"muster/session"
	"muster/store"
)

// Options are what a Service needs; all but Now are required.
type Options struct {
	DB       *dbutil.Database
	Log      zerolog.Logger
	Sessions *session.Manager // its handlers must include the service's Apply
	Inbox    *Inbox
	Media    *media.Library
	// Queue runs the messages that were to be sent later. It must not have been started.
	Queue *queue.Queue
	// Timer is after how many seconds a group's messages disappear, 0 for never.
	// It must not ask WhatsApp.
	Timer func(ctx context.Context, sessionID, group string) (uint32, error)
	Now   func() time.Time // default: time.Now
}

// Service sends the messages of every session. It is safe for concurrent use.
//
// Messages to one chat are sent in the order in which they were asked for. Each
// is written down before it is sent, with its id, and until it is known what
// became of it: what WhatsApp has not answered is sent again under the same id,
// through crashes too, and whoever gets an id twice shows it once.
type Service struct {
	db       *dbutil.Database
	log      zerolog.Logger
	sessions *session.Manager
	inbox    *Inbox
	media    *media.Library
	queue    *queue.Queue
	timer    func(ctx context.Context, sessionID, group string) (uint32, error)
	now      func() time.Time

	lines turns.Lines[lineKey]
	held  held

	stop func()
	done sync.WaitGroup
}

// NewService makes the service and registers its worker with the queue. It
// sends at once; what an earlier run has left is sent after Start.
func NewService(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{
		db: o.DB, log: o.Log.With().Str("component", "messages").Logger(), sessions: o.Sessions, inbox: o.Inbox, media: o.Media,
		queue: o.Queue, timer: o.Timer, now: o.Now, stop: func() {},
	}
	s.held.init()
	o.Media.Store().AddOwner(s.filesNeeded)
	queue.Register(o.Queue, &laterWorker{service: s})
	return s
}

// Start takes over what the last run has left unfinished, and sends it and what
// comes to the same state, until Close. The context gives values only.
func (s *Service) Start(ctx context.Context) error {
	left, err := s.outboxUnfinished(ctx)
	if err != nil {
		return fmt.Errorf("take over the messages that were being sent: %w", err)
	}
	for _, l := range left {
		s.held.add(l, s.now())
	}
	ctx, s.stop = context.WithCancel(s.log.WithContext(context.WithoutCancel(ctx)))
	s.done.Go(func() { s.sendHeld(ctx) })
	return nil
}

// Close ends the background work and waits for it, as long as the context lets
// it. What was being sent is sent again after the next start.
func (s *Service) Close(ctx context.Context) error {
	s.stop()
	ended := make(chan struct{})
	go func() {
		s.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the messages being sent: %w", ctx.Err())
	}
}

// Apply is a session.Handler: what waits for a session is sent when it is
// connected.
func (s *Service) Apply(ctx context.Context, sessionID string, evt any) error {
	if _, connected := evt.(*events.Connected); connected {
		store.AfterCommit(ctx, func() { s.held.hurry(sessionID, s.now()) })
	}
	return nil
}

// lineKey names a chat as one of the sessions sees it: the line of those who
// send to it.
type lineKey struct {
	session string
	chat    types.JID
}
