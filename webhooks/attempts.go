package webhooks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/internal/event"
)

// Attempt is one attempt to deliver something.
type Attempt struct {
	ID string
	// MessageID is the webhook-id that the request had.
	MessageID, EventID string
	Type               event.Type
	SessionID          string
	Number             int    // from 1
	Kind               string // delivery, probe or test
	At                 time.Time
	Took               time.Duration
	Result             string // delivered, failed or gone
	// Status is 0 when there was no answer; Answer is how the answer begins.
	Status        int
	Error, Answer string
}

// AttemptQuery asks for a page of an endpoint's attempts.
type AttemptQuery struct {
	WebhookID string
	// Sessions limits them to those about events of these sessions; nil is all.
	Sessions []string
	EventID  string // only about this event
	Result   string // only with this result
	Before   string // the id of the last one of the page before
	Limit    int    // 0 is DefaultLimit
}

// AttemptPage is a page of attempts, the newest first.
type AttemptPage struct {
	Attempts []Attempt
	Next     string // Before for the next page; empty on the last one
}

// Attempts lists what was tried at an endpoint.
func (s *Service) Attempts(ctx context.Context, q AttemptQuery) (AttemptPage, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit = min(limit, MaxLimit)
	where, args := "webhook_id = $1", []any{q.WebhookID}
	and := func(column, compare, value string) {
		if value != "" {
			args = append(args, value)
			where += fmt.Sprintf(" AND %s %s $%d", column, compare, len(args))
		}
	}
	and("event_id", "=", q.EventID)
	and("result", "=", q.Result)
	and("id", "<", q.Before)
	where, args = ofSessions(where, args, q.Sessions)
	args = append(args, limit+1)
	rows, err := s.repo.db.Query(ctx, "SELECT id, message_id, event_id, type, session_id, attempt, kind, at, took, result, status, error, answer FROM webhook_attempts WHERE "+
		where+fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)), args...)
	list, err := dbutil.NewRowIterWithError(rows, scanAttempt, err).AsList()
	if err != nil {
		return AttemptPage{}, fmt.Errorf("read the attempts of webhook %s: %w", q.WebhookID, err)
	}
	page := AttemptPage{Attempts: list}
	if len(list) > limit {
		page.Attempts, page.Next = list[:limit], list[limit-1].ID
	}
	return page, nil
}

func scanAttempt(row dbutil.Scannable) (a Attempt, err error) {
	var at, took int64
	err = row.Scan(&a.ID, &a.MessageID, &a.EventID, &a.Type, &a.SessionID, &a.Number, &a.Kind, &at, &took, &a.Result, &a.Status, &a.Error, &a.Answer)
	a.At, a.Took = fromMilliseconds(at), time.Duration(took)*time.Millisecond
	return a, err
}

// ofSessions limits a query to these sessions; nil is all.
func ofSessions(where string, args []any, sessions []string) (string, []any) {
	if sessions == nil {
		return where, args
	}
	places := make([]string, len(sessions))
	for i, id := range sessions {
		args = append(args, id)
		places[i] = fmt.Sprintf("$%d", len(args))
	}
	return where + " AND session_id IN (" + strings.Join(places, ", ") + ")", args
}
