package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/messages"
)

const scheduledPath = "/sessions/{session_id}/scheduled"

// ScheduledView is a message for later.
type ScheduledView struct {
	MessageID string     `json:"message_id" example:"3EB0C431C26A1916E07A"`
	To        string     `json:"to" example:"123456789-1234567890@g.us" doc:"The chat."`
	Kind      string     `json:"kind" example:"text"`
	SendAt    int64      `json:"send_at" doc:"When it is to be sent, in UNIX seconds."`
	Status    string     `json:"status" enum:"scheduled,sending,sent,failed,cancelled" doc:"sending: WhatsApp may have it, and has not confirmed it yet."`
	SentAt    int64      `json:"sent_at,omitempty" doc:"When WhatsApp took it, in UNIX seconds."`
	Error     *SendError `json:"error,omitempty" doc:"Why it failed; of one that is scheduled, why it could not be sent so far."`
	CreatedAt int64      `json:"created_at" doc:"UNIX seconds."`
	UpdatedAt int64      `json:"updated_at" doc:"UNIX seconds."`
}

// SendError says why a message was not sent.
type SendError struct {
	Code    string `json:"code" example:"not_in_group" doc:"One of the codes of problem documents."`
	Message string `json:"message"`
}

func sendError(code, message string) *SendError {
	if code == "" {
		return nil
	}
	return &SendError{Code: code, Message: message}
}

func scheduledView(m messages.Scheduled) ScheduledView {
	return ScheduledView{
		MessageID: m.ID, To: m.To, Kind: string(m.Kind), SendAt: m.SendAt.Unix(), Status: string(m.State), SentAt: seconds(m.SentAt),
		Error: sendError(m.ErrorCode, m.Error), CreatedAt: seconds(m.CreatedAt), UpdatedAt: seconds(m.UpdatedAt),
	}
}

type scheduledList struct {
	Messages   []ScheduledView `json:"messages" nullable:"false" doc:"In the order of their times."`
	NextCursor string          `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type listScheduledInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Status    string `query:"status" enum:"scheduled,sending,sent,failed,cancelled" doc:"Only those in this state."`
	Limit     int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor    string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before."`
}

type scheduledInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	MessageID string `path:"message_id" doc:"The message's id."`
}

func registerScheduled(api huma.API, service *messages.Service) {
	handle(api, route{
		Method: http.MethodGet, Path: scheduledPath, ID: "list-scheduled", Tag: messagesTag, Summary: "List the messages for later",
		Description: "Those that were sent, have failed or were cancelled stay for 30 days. One whose time comes while the session is not connected is sent as soon as it is, for a day.",
	}, func(ctx context.Context, in *listScheduledInput) (scheduledList, error) {
		page, err := service.Scheduled(ctx, messages.ScheduledRequest{
			SessionID: in.SessionID, State: messages.OutboxState(in.Status), Limit: in.Limit, Cursor: in.Cursor,
		})
		list := scheduledList{Messages: make([]ScheduledView, len(page.Messages)), NextCursor: page.NextCursor}
		for i, m := range page.Messages {
			list.Messages[i] = scheduledView(m)
		}
		return list, err
	})
	handle(api, route{
		Method: http.MethodGet, Path: scheduledPath + "/{message_id}", ID: "get-scheduled", Tag: messagesTag, Summary: "Get a message for later",
	}, func(ctx context.Context, in *scheduledInput) (ScheduledView, error) {
		m, err := service.ScheduledMessage(ctx, in.SessionID, in.MessageID)
		return scheduledView(m), err
	})
	handle(api, route{
		Method: http.MethodDelete, Path: scheduledPath + "/{message_id}", ID: "cancel-scheduled", Tag: messagesTag, Summary: "Cancel a message for later",
		Description: "409 when it is being sent, was sent or has failed.",
	}, func(ctx context.Context, in *scheduledInput) (ScheduledView, error) {
		m, err := service.Cancel(ctx, in.SessionID, in.MessageID)
		return scheduledView(m), err
	})
}
