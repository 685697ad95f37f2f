package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/internal/auth"
	"muster/webhooks"
)

// AttemptView is one attempt to deliver something to a webhook.
type AttemptView struct {
	ID         string `json:"id"`
	MessageID  string `json:"message_id" doc:"The webhook-id of the request: the event's id, with a number behind it where the format makes several requests of one event."`
	EventID    string `json:"event_id"`
	Type       string `json:"type" example:"group.subject"`
	SessionID  string `json:"session_id"`
	Attempt    int    `json:"attempt" doc:"Which attempt it was, from 1."`
	Kind       string `json:"kind" enum:"delivery,probe,test" doc:"probe: what a paused webhook was tried with. test: a sample."`
	Timestamp  int64  `json:"timestamp" doc:"When it began, in UNIX seconds."`
	DurationMS int64  `json:"duration_ms" doc:"How long it took."`
	Result     string `json:"result" enum:"delivered,failed,gone" doc:"gone: it was answered with 410."`
	Status     int    `json:"status,omitempty" doc:"The answer's status; absent when there was none."`
	Error      string `json:"error,omitempty" doc:"Why there was no answer, or what was wrong with it."`
	Answer     string `json:"answer,omitempty" doc:"How the answer begins."`
}

type attemptList struct {
	Deliveries []AttemptView `json:"deliveries" nullable:"false" doc:"Every attempt, the newest first."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type listAttemptsInput struct {
	WebhookPath
	EventID string `query:"event_id" maxLength:"64" doc:"Only attempts to deliver this event."`
	Result  string `query:"result" enum:"delivered,failed,gone" doc:"Only attempts with this result."`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"100" doc:"The most attempts in one answer."`
	Cursor  string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

// DeadLetterView is a delivery that was given up.
type DeadLetterView struct {
	ID        string `json:"id"`
	EventID   string `json:"event_id"`
	Type      string `json:"type" example:"group.subject"`
	SessionID string `json:"session_id"`
	FailedAt  int64  `json:"failed_at" doc:"When it was given up."`
	Attempts  int    `json:"attempts" doc:"How often it was tried; a paused webhook's deliveries wait for others' attempts."`
	Reason    string `json:"reason" enum:"expired,gone,unwritable" doc:"expired: it has failed for too long. gone: it was answered with 410. unwritable: the format could not write the event."`
	Status    int    `json:"status,omitempty" doc:"What the last attempt was answered."`
	Error     string `json:"error,omitempty" doc:"What was wrong with the last attempt."`
}

type deadLetterList struct {
	DeadLetters []DeadLetterView `json:"dead_letters" nullable:"false" doc:"The oldest first."`
	NextCursor  string           `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type listDeadLettersInput struct {
	WebhookPath
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100" doc:"The most dead letters in one answer."`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

type replayDeadLetterInput struct {
	WebhookPath
	DeadLetterID string `path:"dead_letter_id" maxLength:"64"`
}

type queuedAgain struct {
	Queued int `json:"queued" doc:"How many deliveries are queued again."`
}

// registerDeliveries adds what was delivered and what was given up.
func (h hooks) registerDeliveries(api huma.API) {
	handle(api, route{
		Method: http.MethodGet, Path: webhookPath + "/deliveries", ID: "list-webhook-deliveries", Tag: webhooksTag,
		Summary: "List every attempt to deliver", Description: "They are kept for a while, see webhooks.attempts_for and webhooks.keep_attempts in the configuration.",
	}, h.attempts)
	handle(api, route{
		Method: http.MethodGet, Path: webhookPath + "/dead-letters", ID: "list-webhook-dead-letters", Tag: webhooksTag,
		Summary: "List the deliveries that were given up",
	}, h.deadLetters)
	handle(api, route{
		Method: http.MethodPost, Path: webhookPath + "/dead-letters/replay", ID: "replay-webhook-dead-letters", Tag: webhooksTag,
		Summary: "Deliver all dead letters again", Description: "In the background, as if they were new.", Status: http.StatusAccepted,
	}, func(ctx context.Context, in *struct{ WebhookPath }) (queuedAgain, error) {
		if _, err := h.own(ctx, in.WebhookID); err != nil {
			return queuedAgain{}, err
		}
		count, err := h.ReplayAllDead(ctx, in.WebhookID)
		return queuedAgain{count}, err
	})
	handle(api, route{
		Method: http.MethodPost, Path: webhookPath + "/dead-letters/{dead_letter_id}/replay", ID: "replay-webhook-dead-letter", Tag: webhooksTag,
		Summary: "Deliver a dead letter again", Status: http.StatusAccepted,
	}, func(ctx context.Context, in *replayDeadLetterInput) (queuedAgain, error) {
		if _, err := h.own(ctx, in.WebhookID); err != nil {
			return queuedAgain{}, err
		}
		return queuedAgain{1}, h.ReplayDead(ctx, in.WebhookID, in.DeadLetterID)
	})
}

func (h hooks) attempts(ctx context.Context, in *listAttemptsInput) (attemptList, error) {
	e, err := h.own(ctx, in.WebhookID)
	if err != nil {
		return attemptList{}, err
	}
	page, err := h.Attempts(ctx, webhooks.AttemptQuery{
		WebhookID: in.WebhookID, Sessions: shownSessions(ctx, e), EventID: in.EventID, Result: in.Result, Limit: in.Limit, Before: in.Cursor,
	})
	return attemptList{Deliveries: viewAttempts(page.Attempts), NextCursor: page.Next}, err
}

func viewAttempts(list []webhooks.Attempt) []AttemptView {
	views := make([]AttemptView, len(list))
	for i, a := range list {
		views[i] = AttemptView{
			ID: a.ID, MessageID: a.MessageID, EventID: a.EventID, Type: string(a.Type), SessionID: a.SessionID, Attempt: a.Number, Kind: a.Kind,
			Timestamp: seconds(a.At), DurationMS: int64(a.Took / time.Millisecond), Result: a.Result, Status: a.Status, Error: a.Error, Answer: a.Answer,
		}
	}
	return views
}

func (h hooks) deadLetters(ctx context.Context, in *listDeadLettersInput) (deadLetterList, error) {
	e, err := h.own(ctx, in.WebhookID)
	if err != nil {
		return deadLetterList{}, err
	}
	page, err := h.DeadLetters(ctx, webhooks.DeadQuery{WebhookID: in.WebhookID, Sessions: shownSessions(ctx, e), Limit: in.Limit, After: in.Cursor})
	view := deadLetterList{DeadLetters: make([]DeadLetterView, len(page.Letters)), NextCursor: page.Next}
	for i, l := range page.Letters {
		view.DeadLetters[i] = DeadLetterView{
			ID: l.ID, EventID: l.EventID, Type: string(l.Type), SessionID: l.SessionID, FailedAt: seconds(l.FailedAt), Attempts: l.Attempts,
			Reason: l.Reason, Status: l.Status, Error: l.Error,
		}
	}
	return view, err
}

// shownSessions are those whose deliveries the caller may see; nil is all. A
// webhook that is about a bound token's sessions alone may once have been about
// others.
func shownSessions(ctx context.Context, e webhooks.Endpoint) []string {
	if auth.From(ctx).Admin {
		return nil
	}
	return e.Sessions
}
