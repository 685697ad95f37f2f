package messages

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/event"
	"muster/messages/media"
	"muster/session"
)

// InboxOptions configure an Inbox. DB, Log and Events are required; the zero
// value of anything else means its default.
type InboxOptions struct {
	DB     *dbutil.Database
	Log    zerolog.Logger
	Events EventLog
	Now    func() time.Time // default: time.Now

	Retention Retention
	// Files is where the files of messages are kept; nil keeps none. Later notes,
	// in the context's transaction, that one is to be fetched.
	Files *media.Store
	Later func(ctx context.Context, job river.JobArgs) (int64, error)
	// MaxFile is the size of the largest file that is fetched, in bytes; 0 is no limit.
	MaxFile int64
}

// EventLog takes the events of messages, inside the transaction that makes them
// true; event.Log is one.
type EventLog interface {
	Append(ctx context.Context, e event.Event) error
}

// Inbox is what was said to and by the accounts of every session since they
// were linked: live and from the backlog of a reconnection, not the history
// that the phone has. It is safe for concurrent use.
type Inbox struct {
	db        *dbutil.Database
	log       zerolog.Logger
	events    EventLog
	now       func() time.Time
	retention Retention
	files     *media.Store
	later     func(context.Context, river.JobArgs) (int64, error)
	maxFile   int64
	sessions  *session.Manager
	index     searchIndex
	settled   settledNames

	stop func()
	done sync.WaitGroup
}

// OpenInbox makes an inbox and brings its search index up to date. It works
// once Attach has given it the sessions; its Apply must be among the manager's
// handlers.
func OpenInbox(ctx context.Context, o InboxOptions) (*Inbox, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Inbox{
		db: o.DB, log: o.Log.With().Str("component", "inbox").Logger(), events: o.Events, now: o.Now,
		retention: o.Retention.withDefaults(), files: o.Files, later: o.Later, maxFile: o.MaxFile, stop: func() {},
	}
	var err error
	if b.index, err = openSearch(ctx, b.db); err != nil {
		return nil, fmt.Errorf("open the search index: %w", err)
	}
	if b.files != nil {
		b.files.AddOwner(b.filesUsed)
	}
	return b, nil
}

// Attach gives the inbox the sessions, before any of them connects.
func (b *Inbox) Attach(sessions *session.Manager) { b.sessions = sessions }

// Start begins to delete what is past its retention, until Close. The context
// gives values only, it may end.
func (b *Inbox) Start(ctx context.Context) {
	ctx, b.stop = context.WithCancel(b.log.WithContext(context.WithoutCancel(ctx)))
	b.done.Go(func() { b.sweep(ctx) })
}

// Close ends the background work and waits for it, as long as the context lets it.
func (b *Inbox) Close(ctx context.Context) error {
	b.stop()
	ended := make(chan struct{})
	go func() {
		b.done.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the inbox: %w", ctx.Err())
	}
}

// lock keeps other writers of the session's inbox out until the transaction
// ends, so that messages become visible in the order of seq, and nobody inserts
// the same one in between. On SQLite a transaction is alone anyway.
func (b *Inbox) lock(ctx context.Context, sessionID string) error {
	if b.db.Dialect != dbutil.Postgres {
		return nil
	}
	const space = 0x696e626f // "inbo": of the advisory locks
	if _, err := b.db.Exec(ctx, "SELECT pg_advisory_xact_lock($1, hashtext($2))", space, sessionID); err != nil {
		return fmt.Errorf("lock the inbox of %s: %w", sessionID, err)
	}
	return nil
}
