package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"muster/internal/fault"
	"muster/internal/idempotency"
	"muster/messages/content"
	"muster/store"
)

const (
	// keepScheduled is how long a message for later stays in the list after its end.
	keepScheduled = 30 * 24 * time.Hour
	// maxScheduled bounds what a session has for later.
	maxScheduled = 10000
	// A message whose time has come and that cannot be sent, for want of a
	// connection mostly, is tried again after half the time that it is late,
	// within these bounds, and given up when it is too late.
	laterFirst, laterLongest = 2 * time.Second, time.Minute
	laterMost                = 24 * time.Hour
)

// laterArgs are what the queue keeps of a message for later.
type laterArgs struct {
	Session string `json:"session"`
	ID      string `json:"id"`
	at      time.Time
}

// Kind names the jobs in the queue's table.
func (laterArgs) Kind() string { return "message_later" }

// InsertOpts makes the queue wait for the message's time.
func (a laterArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{ScheduledAt: a.at} }

// later keeps a letter for its time.
func (s *Service) later(ctx context.Context, l *letter) (Sent, error) {
	if err := l.content.Validate(); err != nil {
		return Sent{}, err
	}
	// From here on the request has done something: whoever repeats it must not
	// do it again.
	attempt := idempotency.From(ctx)
	attempt.Settle() // one that was kept before is kept once
	if err := attempt.Sending(ctx); err != nil {
		return Sent{}, err
	}
	encoded, err := encodeContent(l.content)
	if err != nil {
		return Sent{}, err
	}
	own, err := s.sessions.Get(ctx, l.session)
	if err != nil {
		return Sent{}, err
	}
	sent := Sent{ID: l.id, To: l.chat.String(), SendAt: l.sendAt}
	now := s.now()
	return sent, store.Txn(ctx, s.db, func(ctx context.Context) error {
		if err := s.pruneScheduled(ctx, l.session, now); err != nil {
			return err
		}
		result, err := s.db.Exec(ctx, `INSERT INTO outbox (session_id, chat, id, kind, content, hash, account, state, send_at, request_id, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 'scheduled', $8, $9, $10, $11) ON CONFLICT (session_id, id) DO NOTHING`,
			l.session, l.chat.String(), l.id, string(l.content.Kind), encoded, l.file, own.AccountJID(), l.sendAt.Unix(), l.request, l.created.UnixMicro(), now.Unix())
		if err != nil {
			return fmt.Errorf("keep a message for later: %w", err)
		}
		if inserted, err := result.RowsAffected(); err != nil || inserted == 0 {
			return err // an earlier run of the same request has kept it
		}
		_, err = s.queue.Insert(ctx, laterArgs{Session: l.session, ID: l.id, at: l.sendAt})
		return err
	})
}

// pruneScheduled forgets what has ended long ago, and refuses more than there
// is room for.
func (s *Service) pruneScheduled(ctx context.Context, sessionID string, now time.Time) error {
	_, err := s.db.Exec(ctx, `DELETE FROM outbox WHERE session_id = $1 AND send_at > 0 AND state IN ('sent', 'failed', 'cancelled') AND updated_at < $2`,
		sessionID, now.Add(-keepScheduled).Unix())
	if err != nil {
		return fmt.Errorf("forget old scheduled messages: %w", err)
	}
	var waiting int
	err = s.db.QueryRow(ctx, "SELECT count(*) FROM outbox WHERE session_id = $1 AND send_at > 0 AND state = 'scheduled'", sessionID).Scan(&waiting)
	if err != nil {
		return fmt.Errorf("count the scheduled messages: %w", err)
	}
	if waiting >= maxScheduled {
		return fault.New(fault.Conflict, "this session has %d scheduled messages, which is the most", waiting)
	}
	return nil
}

// laterWorker sends messages whose time has come.
type laterWorker struct {
	river.WorkerDefaults[laterArgs]
	service *Service
}

// Work sends one message, or puts it off.
func (w *laterWorker) Work(ctx context.Context, job *river.Job[laterArgs]) error {
	s := w.service
	ctx = s.log.With().Str("session", job.Args.Session).Str("message", job.Args.ID).Logger().WithContext(ctx)
	l, state, err := s.letterOf(ctx, job.Args.Session, job.Args.ID)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the session is gone
	}
	// One that is being sent already was being so when the last run ended: it is
	// held, see Start.
	if err != nil || state != OutboxScheduled {
		return err
	}
	err = s.sendLater(ctx, l)
	switch {
	case err == nil || errors.Is(err, errCancelled) || fault.Is(err, fault.OutcomeUnknown):
		return nil
	case ctx.Err() != nil:
		return river.JobSnooze(0) // the server stops
	}
	late := s.now().Sub(l.sendAt)
	if patient(err) && late < laterMost {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("a scheduled message has to wait")
		if storeErr := s.outboxFailed(ctx, l, err); storeErr != nil {
			return storeErr
		}
		return river.JobSnooze(max(fault.From(err).RetryAfter, min(max(late/2, laterFirst), laterLongest)))
	}
	l.held = true // it is not put off any more
	return s.outboxFailed(ctx, l, err)
}

// sendLater sends a letter whose time has come.
func (s *Service) sendLater(ctx context.Context, l *letter) error {
	chat, err := s.resolve(ctx, l.session, l.chat, false)
	if err != nil {
		return err
	}
	l.chat = chat
	turn := s.lines.Join(l.line())
	defer turn.Leave()
	if err = s.upload(ctx, l); err != nil {
		return err
	}
	if err = wait(ctx, turn); err != nil {
		return err
	}
	if err = s.flush(ctx, l.line()); err != nil {
		return behind(err)
	}
	_, err = s.deliver(ctx, l)
	return err
}

func (s *Service) letterOf(ctx context.Context, sessionID, id string) (*letter, OutboxState, error) {
	l, state, err := scanLetter(s.db.QueryRow(ctx, "SELECT "+letterColumns+" FROM outbox WHERE session_id = $1 AND id = $2", sessionID, id))
	if err != nil {
		return nil, "", fmt.Errorf("read the scheduled message %s: %w", id, err)
	}
	return l, state, nil
}

// Scheduled is a message for later.
type Scheduled struct {
	ID, To    string
	Kind      content.Kind
	SendAt    time.Time
	State     OutboxState
	CreatedAt time.Time
	UpdatedAt time.Time
	SentAt    time.Time // WhatsApp's time; zero unless State is OutboxSent
	// ErrorCode and Error say why it failed, or why it could not be sent so far.
	ErrorCode, Error string
}

// ScheduledRequest asks for a session's messages for later, the next one first.
type ScheduledRequest struct {
	SessionID string
	State     OutboxState // empty for all
	Limit     int         // 0 is DefaultMessages
	Cursor    string      // NextCursor of the page before
}

// ScheduledList is one page.
type ScheduledList struct {
	Messages   []Scheduled
	NextCursor string // empty on the last page
}

const scheduledColumns = "id, chat, kind, send_at, state, created_at, updated_at, sent_at, error_code, error"

func scanScheduled(row dbutil.Scannable) (m Scheduled, err error) {
	var at, created, updated, sent int64
	if err = row.Scan(&m.ID, &m.To, &m.Kind, &at, &m.State, &created, &updated, &sent, &m.ErrorCode, &m.Error); err != nil {
		return m, err
	}
	m.SendAt, m.CreatedAt, m.UpdatedAt = time.Unix(at, 0), time.UnixMicro(created), time.Unix(updated, 0)
	if sent > 0 {
		m.SentAt = time.Unix(sent, 0)
	}
	return m, nil
}
