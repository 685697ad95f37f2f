package messages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

// OutboxState is how far a message of the outbox has come.
type OutboxState string

// The states. A message that is to be sent at once is in the outbox only while
// it is sending.
const (
	OutboxScheduled OutboxState = "scheduled" // its time has not come, or it could not be sent yet
	OutboxSending   OutboxState = "sending"   // WhatsApp may have it
	OutboxSent      OutboxState = "sent"
	OutboxFailed    OutboxState = "failed"
	OutboxCancelled OutboxState = "cancelled"
)

// errCancelled ends the sending of a message that was cancelled in between.
var errCancelled = errors.New("the message has been cancelled")

// storedContent is a content as the outbox has it: with what is quoted, which
// the JSON of contents leaves out.
type storedContent struct {
	content.Content
	Quoted *content.Content `json:"quoted,omitempty"`
}

func encodeContent(c content.Content) (string, error) {
	stored := storedContent{Content: c}
	if c.ReplyTo != nil {
		stored.Quoted = c.ReplyTo.Quoted
	}
	encoded, err := json.Marshal(stored)
	if err != nil {
		return "", fmt.Errorf("write a message down: %w", err)
	}
	return string(encoded), nil
}

func decodeContent(text string) (content.Content, error) {
	var stored storedContent
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return content.Content{}, fmt.Errorf("read a stored message: %w", err)
	}
	if stored.ReplyTo != nil {
		stored.ReplyTo.Quoted = stored.Quoted
	}
	return stored.Content, nil
}

// outboxWrite says that a letter is being sent, before it is.
func (s *Service) outboxWrite(ctx context.Context, l *letter) error {
	if l.written {
		return nil
	}
	now := s.now().Unix()
	if l.sendAt.IsZero() {
		_, err := s.db.Exec(ctx, `INSERT INTO outbox (session_id, chat, id, kind, payload, account, hash, state, request_id, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 'sending', $8, $9, $10)
			ON CONFLICT (session_id, id) DO UPDATE SET payload = excluded.payload, account = excluded.account, state = 'sending', updated_at = excluded.updated_at`,
			l.session, l.chat.String(), l.id, string(l.content.Kind), l.payload, l.account, l.file, l.request, l.created.UnixMicro(), now)
		if err != nil {
			return fmt.Errorf("write a message down before it is sent: %w", err)
		}
		l.written = true
		return nil
	}
	result, err := s.db.Exec(ctx, `UPDATE outbox SET payload = $3, account = $4, state = 'sending', updated_at = $5
		WHERE session_id = $1 AND id = $2 AND state = 'scheduled'`, l.session, l.id, l.payload, l.account, now)
	if err != nil {
		return fmt.Errorf("write a message down before it is sent: %w", err)
	}
	changed, err := result.RowsAffected()
	switch {
	case err != nil:
		return fmt.Errorf("write a message down before it is sent: %w", err)
	case changed == 0:
		return fault.New(fault.Conflict, "the message has been cancelled").Because(errCancelled)
	}
	l.written = true
	return nil
}

// outboxSent takes a letter out of the outbox, or notes in it that one for
// later was sent. ctx carries a transaction.
func (s *Service) outboxSent(ctx context.Context, l *letter, at time.Time) error {
	var err error
	if l.sendAt.IsZero() {
		_, err = s.db.Exec(ctx, "DELETE FROM outbox WHERE session_id = $1 AND id = $2", l.session, l.id)
	} else {
		_, err = s.db.Exec(ctx, `UPDATE outbox SET state = 'sent', sent_at = $3, payload = NULL, content = '', hash = '', error_code = '', error = '', updated_at = $4
			WHERE session_id = $1 AND id = $2`, l.session, l.id, at.Unix(), s.now().Unix())
	}
	if err != nil {
		return fmt.Errorf("take a message out of the outbox: %w", err)
	}
	return nil
}

// outboxFailed takes a letter out of the outbox that was not sent. One for
// later is kept there: with the reason, and to be tried again if that may pass.
// ctx carries a transaction.
func (s *Service) outboxFailed(ctx context.Context, l *letter, cause error) error {
	why, now := fault.From(cause), s.now().Unix()
	var err error
	switch {
	case l.sendAt.IsZero():
		_, err = s.db.Exec(ctx, "DELETE FROM outbox WHERE session_id = $1 AND id = $2", l.session, l.id)
	case patient(cause) && !l.held:
		_, err = s.db.Exec(ctx, `UPDATE outbox SET state = 'scheduled', payload = NULL, error_code = $3, error = $4, updated_at = $5
			WHERE session_id = $1 AND id = $2 AND state IN ('scheduled', 'sending')`, l.session, l.id, string(why.Code), why.Message, now)
	default:
		_, err = s.db.Exec(ctx, `UPDATE outbox SET state = 'failed', payload = NULL, content = '', hash = '', error_code = $3, error = $4, updated_at = $5
			WHERE session_id = $1 AND id = $2 AND state IN ('scheduled', 'sending')`, l.session, l.id, string(why.Code), why.Message, now)
	}
	if err != nil {
		return fmt.Errorf("take a message out of the outbox: %w", err)
	}
	return nil
}

const letterColumns = "session_id, chat, id, kind, content, payload, account, hash, state, send_at, request_id, created_at"

// scanLetter reads a row of letterColumns.
func scanLetter(row dbutil.Scannable) (*letter, OutboxState, error) {
	l := &letter{}
	var chat, text string
	var kind content.Kind
	var state OutboxState
	var sendAt, created int64
	if err := row.Scan(&l.session, &chat, &l.id, &kind, &text, &l.payload, &l.account, &l.file, &state, &sendAt, &l.request, &created); err != nil {
		return nil, "", err
	}
	var err error
	if l.chat, err = types.ParseJID(chat); err != nil {
		return nil, "", fmt.Errorf("stored chat of message %s: %w", l.id, err)
	}
	l.content.Kind = kind
	if text != "" {
		if l.content, err = decodeContent(text); err != nil {
			return nil, "", err
		}
	}
	if sendAt > 0 {
		l.sendAt = time.Unix(sendAt, 0)
	}
	l.created = time.UnixMicro(created)
	if l.payload != nil && len(l.payload) == 0 {
		l.payload = nil
	}
	l.written = state == OutboxSending
	return l, state, nil
}

// outboxUnfinished returns what the last run was sending when it ended, in the
// order in which it was to be sent.
func (s *Service) outboxUnfinished(ctx context.Context) ([]*letter, error) {
	rows, err := s.db.Query(ctx, "SELECT "+letterColumns+" FROM outbox WHERE state = 'sending' ORDER BY created_at")
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*letter, error) {
		l, _, err := scanLetter(row)
		return l, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return list, nil
}

// filesNeeded is the outbox's media.Owner: what is still to be sent needs its
// file.
func (s *Service) filesNeeded(ctx context.Context, sums []media.Sum) (map[media.Sum]media.Use, error) {
	asked := make(map[media.Sum]bool, len(sums))
	for _, sum := range sums {
		asked[sum] = true
	}
	rows, err := s.db.Query(ctx, "SELECT DISTINCT hash FROM outbox WHERE state IN ('sending', 'scheduled') AND hash <> ''")
	all, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[media.Sum], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read which files the outbox needs: %w", err)
	}
	uses := map[media.Sum]media.Use{}
	for _, sum := range all {
		if asked[sum] {
			uses[sum] = media.Needed
		}
	}
	return uses, nil
}
