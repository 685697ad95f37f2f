package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/internal/event"
	"muster/messages"
)

const inboxTag = "Inbox"

// MessageView is a message of the inbox. Times are UNIX seconds.
type MessageView struct {
	event.MessageKey
	Timestamp  int64 `json:"timestamp" doc:"When it was sent, by WhatsApp's clock."`
	ReceivedAt int64 `json:"received_at" doc:"When it came here."`
	Offline    bool  `json:"offline,omitempty" doc:"It came with the backlog after a reconnection."`
	event.MessageContent
	EditedAt    int64          `json:"edited_at,omitempty"`
	RevokedAt   int64          `json:"revoked_at,omitempty" doc:"When it was deleted for everybody; nothing of it is kept then."`
	RevokedBy   string         `json:"revoked_by,omitempty" doc:"Who has deleted it."`
	PinnedUntil int64          `json:"pinned_until,omitempty"`
	ExpiresAt   int64          `json:"expires_at,omitempty" doc:"When it disappears."`
	Status      string         `json:"status,omitempty" enum:"pending,sent,delivered,read,played,failed" doc:"Of the account's own messages. delivered, read and played mean by somebody: see reach. pending is not confirmed by WhatsApp yet."`
	Reach       *ReachView     `json:"reach,omitempty" doc:"Of the account's own messages: how many people they have come to."`
	Error       *SendError     `json:"error,omitempty" doc:"Why it was not sent."`
	RequestID   string         `json:"request_id,omitempty" doc:"The X-Request-Id of the request that sent it."`
	Reactions   []ReactionView `json:"reactions,omitempty" nullable:"false"`
	PollResults []PollResult   `json:"poll_results,omitempty" nullable:"false" doc:"Of a poll: the votes for each option."`
	File        *FileView      `json:"file,omitempty" doc:"Whether the file can be had at …/media."`
}

// ReachView counts people.
type ReachView struct {
	Delivered int `json:"delivered" doc:"People on whose devices it is."`
	Read      int `json:"read"`
	Played    int `json:"played"`
}

// ReactionView is somebody's reaction.
type ReactionView struct {
	Person    event.Person `json:"person"`
	Emoji     string       `json:"emoji" example:"👍"`
	Timestamp int64        `json:"timestamp"`
}

// PollResult is what one option of a poll has got.
type PollResult struct {
	Option string         `json:"option"`
	Count  int            `json:"count"`
	Voters []event.Person `json:"voters" nullable:"false"`
}

// FileView says whether a message's file is here.
type FileView struct {
	State string     `json:"state" enum:"pending,stored,failed,skipped,expired" doc:"stored: it can be had. skipped: it is too large, or files are not kept. expired: it was deleted after its time."`
	Size  int64      `json:"size,omitempty" doc:"Bytes."`
	Error *SendError `json:"error,omitempty"`
}

// ReceiptView is what one person has told of a message.
type ReceiptView struct {
	Person      event.Person `json:"person"`
	DeliveredAt int64        `json:"delivered_at,omitempty"`
	ReadAt      int64        `json:"read_at,omitempty"`
	PlayedAt    int64        `json:"played_at,omitempty"`
}

type messageDetail struct {
	MessageView
	Receipts []ReceiptView `json:"receipts" nullable:"false" doc:"Of the account's own messages: what each person has told."`
}

type messageList struct {
	Messages []MessageView `json:"messages" nullable:"false" doc:"The newest first."`
	Older    string        `json:"older,omitempty" doc:"The cursor for older ones; absent when there are none."`
	Newer    string        `json:"newer,omitempty" doc:"The cursor for newer ones; there may be none yet."`
}

type messageInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	MessageID string `path:"message_id" doc:"The message's id." example:"3EB0C431C26A1916E07A"`
	Chat      string `query:"chat" maxLength:"128" doc:"The chat, should two have a message of this id."`
}

type searchInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Q         string `query:"q" required:"true" minLength:"1" maxLength:"500" doc:"Words that the messages contain, all of them; the last one may be the beginning of a word." example:"rapat besok"`
	Chat      string `query:"chat" maxLength:"128" doc:"Only this chat."`
	Limit     int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor    string `query:"cursor" maxLength:"200" doc:"older of the page before."`
}

func registerInbox(api huma.API, inbox *messages.Inbox) {
	handle(api, route{
		Method: http.MethodGet, Path: messagesPath, ID: "search-messages", Tag: inboxTag, Summary: "Search messages",
		Description: "Finds the messages whose text or caption contains the words, in any language, the newest first.",
	}, func(ctx context.Context, in *searchInput) (messageList, error) {
		page, err := inbox.Search(ctx, messages.SearchRequest{SessionID: in.SessionID, Query: in.Q, Chat: in.Chat, Limit: in.Limit, Cursor: in.Cursor})
		if err != nil {
			return messageList{}, err
		}
		return listView(ctx, inbox, in.SessionID, page)
	})
	handle(api, route{
		Method: http.MethodGet, Path: messagesPath + "/{message_id}", ID: "get-message", Tag: inboxTag, Summary: "Get a message with its receipts",
	}, func(ctx context.Context, in *messageInput) (messageDetail, error) {
		m, err := inbox.Message(ctx, messages.MessageRequest{SessionID: in.SessionID, ID: in.MessageID, Chat: in.Chat})
		if err != nil {
			return messageDetail{}, err
		}
		view, err := messageView(ctx, inbox, in.SessionID, m.Message)
		detail := messageDetail{MessageView: view, Receipts: make([]ReceiptView, len(m.Receipts))}
		for i, r := range m.Receipts {
			detail.Receipts[i] = ReceiptView{
				Person: r.Person.Payload(), DeliveredAt: seconds(r.DeliveredAt), ReadAt: seconds(r.ReadAt), PlayedAt: seconds(r.PlayedAt),
			}
		}
		return detail, err
	})
}

func listView(ctx context.Context, inbox *messages.Inbox, sessionID string, page messages.MessageList) (messageList, error) {
	list := messageList{Messages: make([]MessageView, len(page.Messages)), Older: page.Older, Newer: page.Newer}
	for i, m := range page.Messages {
		view, err := messageView(ctx, inbox, sessionID, m)
		if err != nil {
			return messageList{}, err
		}
		list.Messages[i] = view
	}
	return list, nil
}

func messageView(ctx context.Context, inbox *messages.Inbox, sessionID string, m messages.Message) (MessageView, error) {
	said, err := inbox.Describe(ctx, sessionID, m.Content)
	if err != nil {
		return MessageView{}, err
	}
	said.Kind, said.ViewOnce = string(m.Kind), m.ViewOnce
	view := MessageView{
		MessageKey: event.MessageKey{MessageID: m.ID, Chat: m.Chat, FromMe: m.FromMe, Sender: m.Sender.Payload()},
		Timestamp:  seconds(m.Timestamp), ReceivedAt: seconds(m.ReceivedAt), Offline: m.Offline, MessageContent: said,
		EditedAt: seconds(m.EditedAt), RevokedAt: seconds(m.RevokedAt), RevokedBy: m.RevokedBy,
		PinnedUntil: seconds(m.PinnedUntil), ExpiresAt: seconds(m.ExpiresAt),
		Error: sendError(m.ErrorCode, m.Error), RequestID: m.RequestID, PollResults: pollResults(m),
	}
	if m.FromMe {
		view.Status = statusOf(m)
		view.Reach = &ReachView{Delivered: m.Reach.Delivered, Read: m.Reach.Read, Played: m.Reach.Played}
	}
	for _, r := range m.Reactions {
		view.Reactions = append(view.Reactions, ReactionView{Person: r.Person.Payload(), Emoji: r.Emoji, Timestamp: seconds(r.At)})
	}
	if m.Media != nil {
		view.File = &FileView{State: m.Media.State, Size: m.Media.Size, Error: sendError(m.Media.ErrorCode, m.Media.Error)}
	}
	return view, nil
}

// statusOf is the farthest that a message of ours has come with anybody.
func statusOf(m messages.Message) string {
	switch {
	case m.State != messages.StateSent:
		return string(m.State)
	case m.Reach.Played > 0:
		return "played"
	case m.Reach.Read > 0:
		return "read"
	case m.Reach.Delivered > 0:
		return "delivered"
	}
	return string(m.State)
}

// pollResults counts the votes of a poll, option by option.
func pollResults(m messages.Message) []PollResult {
	if m.Content.Poll == nil {
		return nil
	}
	results := make([]PollResult, len(m.Content.Poll.Options))
	for i, option := range m.Content.Poll.Options {
		results[i] = PollResult{Option: option, Voters: []event.Person{}}
		for _, vote := range m.Votes {
			for _, chosen := range vote.Options {
				if chosen == option {
					results[i].Count++
					results[i].Voters = append(results[i].Voters, vote.Person.Payload())
				}
			}
		}
	}
	return results
}
