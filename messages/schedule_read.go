package messages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mau.fi/util/dbutil"

	"muster/internal/fault"
	"muster/store"
)

// Scheduled returns a session's messages for later, those that have ended
// lately included.
func (s *Service) Scheduled(ctx context.Context, req ScheduledRequest) (ScheduledList, error) {
	if _, err := s.sessions.Get(ctx, req.SessionID); err != nil {
		return ScheduledList{}, err
	}
	states := []OutboxState{"", OutboxScheduled, OutboxSending, OutboxSent, OutboxFailed, OutboxCancelled}
	if !slices.Contains(states, req.State) {
		return ScheduledList{}, fault.Field("status", "must be scheduled, sending, sent, failed or cancelled")
	}
	limit := req.Limit
	switch {
	case limit < 0 || limit > MaxMessages:
		return ScheduledList{}, fault.Field("limit", "must be between 1 and %d", MaxMessages)
	case limit == 0:
		limit = DefaultMessages
	}
	at, id, err := scheduledCursor(req.Cursor)
	if err != nil {
		return ScheduledList{}, err
	}
	rows, err := s.db.Query(ctx, "SELECT "+scheduledColumns+` FROM outbox
		WHERE session_id = $1 AND send_at > 0 AND ($2 = '' OR state = $2) AND (send_at > $3 OR send_at = $3 AND id > $4)
		ORDER BY send_at, id LIMIT $5`, req.SessionID, string(req.State), at, id, limit+1)
	list, err := dbutil.NewRowIterWithError(rows, scanScheduled, err).AsList()
	if err != nil {
		return ScheduledList{}, fmt.Errorf("list the scheduled messages: %w", err)
	}
	var next string
	if len(list) > limit {
		list = list[:limit]
		last := list[limit-1]
		next = fmt.Sprintf("%d.%s", last.SendAt.Unix(), last.ID)
	}
	return ScheduledList{Messages: list, NextCursor: next}, nil
}

func scheduledCursor(cursor string) (at int64, id string, err error) {
	if cursor == "" {
		return 0, "", nil
	}
	stamp, id, found := strings.Cut(cursor, ".")
	at, err = strconv.ParseInt(stamp, 10, 64)
	if err != nil || !found {
		return 0, "", fault.Field("cursor", "is not one that this list has given")
	}
	return at, id, nil
}

// ScheduledMessage returns one message for later.
func (s *Service) ScheduledMessage(ctx context.Context, sessionID, id string) (Scheduled, error) {
	if _, err := s.sessions.Get(ctx, sessionID); err != nil {
		return Scheduled{}, err
	}
	m, err := scanScheduled(s.db.QueryRow(ctx, "SELECT "+scheduledColumns+" FROM outbox WHERE session_id = $1 AND id = $2 AND send_at > 0", sessionID, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Scheduled{}, fault.New(fault.NotFound, "there is no scheduled message with this id")
	}
	if err != nil {
		return Scheduled{}, fmt.Errorf("read a scheduled message: %w", err)
	}
	return m, nil
}

// Cancel takes a message for later back. One that was cancelled already stays
// so; one that is being sent, or has ended otherwise, is a conflict.
func (s *Service) Cancel(ctx context.Context, sessionID, id string) (m Scheduled, err error) {
	err = store.Txn(ctx, s.db, func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `UPDATE outbox SET state = 'cancelled', content = '', hash = '', error_code = '', error = '', updated_at = $3
			WHERE session_id = $1 AND id = $2 AND send_at > 0 AND state = 'scheduled'`, sessionID, id, s.now().Unix())
		if err != nil {
			return fmt.Errorf("cancel a scheduled message: %w", err)
		}
		m, err = s.ScheduledMessage(ctx, sessionID, id)
		return err
	})
	if err == nil && m.State != OutboxCancelled {
		return m, fault.New(fault.Conflict, "the message is %s and cannot be cancelled any more", m.State)
	}
	return m, err
}
