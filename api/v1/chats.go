package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/internal/event"
	"muster/messages"
)

const chatsPath = "/sessions/{session_id}/chats"

// ChatView is a conversation.
type ChatView struct {
	JID               string        `json:"jid" doc:"A group's JID, a person's phone JID, or a LID whose phone is not known."`
	Group             bool          `json:"group" doc:"Whether it is a group."`
	Name              string        `json:"name" doc:"The group's subject, or what the person calls themself; empty when not known."`
	Person            *event.Person `json:"person,omitempty" doc:"Who the chat is with, when it is not a group."`
	Unread            int           `json:"unread_count" doc:"Messages of others since the chat was last read."`
	MarkedUnread      bool          `json:"marked_unread,omitempty" doc:"Somebody has marked it as unread by hand."`
	LastMessage       *MessageView  `json:"last_message,omitempty" doc:"The newest message; absent when none is kept."`
	LastAt            int64         `json:"last_at" doc:"When the newest message was sent, in UNIX seconds; 0 when there was none."`
	ExpirationSeconds uint32        `json:"expiration_seconds" doc:"The timer of disappearing messages in a chat with a person; a group's is one of its settings."`
	Archived          bool          `json:"archived"`
	Pinned            bool          `json:"pinned"`
	MutedUntil        int64         `json:"muted_until,omitempty" doc:"UNIX seconds; -1 is for ever."`
}

type chatList struct {
	Chats      []ChatView `json:"chats" nullable:"false" doc:"The one with the newest message first."`
	NextCursor string     `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type listChatsInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Q         string `query:"q" maxLength:"100" doc:"Only chats whose name or number contains this, whatever the case."`
	Kind      string `query:"kind" enum:"group,person" doc:"Only groups, or only people."`
	Unread    bool   `query:"unread" doc:"Only chats with unread messages."`
	Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Cursor    string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before."`
}

type chatMessagesInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	ChatJID   string `path:"chat_jid" doc:"A group's JID, or a person: phone JID, LID or phone number." example:"123456789-1234567890@g.us"`
	Before    string `query:"before" maxLength:"200" doc:"Only messages older than this cursor: older of an earlier answer."`
	After     string `query:"after" maxLength:"200" doc:"Only messages newer than this cursor: newer of an earlier answer."`
	Limit     int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func registerChats(api huma.API, inbox *messages.Inbox) {
	handle(api, route{
		Method: http.MethodGet, Path: chatsPath, ID: "list-chats", Tag: inboxTag, Summary: "List chats",
		Description: "The groups and people that the account has exchanged messages with since it was linked here.",
	}, func(ctx context.Context, in *listChatsInput) (chatList, error) {
		page, err := inbox.Chats(ctx, messages.ChatsRequest{
			SessionID: in.SessionID, Query: in.Q, Kind: in.Kind, Unread: in.Unread, Limit: in.Limit, Cursor: in.Cursor,
		})
		if err != nil {
			return chatList{}, err
		}
		list := chatList{Chats: make([]ChatView, len(page.Chats)), NextCursor: page.NextCursor}
		for i, chat := range page.Chats {
			if list.Chats[i], err = chatView(ctx, inbox, in.SessionID, chat); err != nil {
				return chatList{}, err
			}
		}
		return list, nil
	})
	handle(api, route{
		Method: http.MethodGet, Path: chatsPath + "/{chat_jid}/messages", ID: "list-chat-messages", Tag: inboxTag, Summary: "List the messages of a chat",
		Description: "The newest first. older and newer lead on in both directions.",
	}, func(ctx context.Context, in *chatMessagesInput) (messageList, error) {
		page, err := inbox.ChatMessages(ctx, messages.ChatMessagesRequest{
			SessionID: in.SessionID, Chat: in.ChatJID, Before: in.Before, After: in.After, Limit: in.Limit,
		})
		if err != nil {
			return messageList{}, err
		}
		return listView(ctx, inbox, in.SessionID, page)
	})
}

func chatView(ctx context.Context, inbox *messages.Inbox, sessionID string, chat messages.Chat) (ChatView, error) {
	view := ChatView{
		JID: chat.JID, Group: chat.Group, Name: chat.Name, Unread: chat.Unread, MarkedUnread: chat.MarkedUnread, LastAt: seconds(chat.LastAt),
		ExpirationSeconds: chat.ExpirationSeconds, Archived: chat.Archived, Pinned: chat.Pinned, MutedUntil: seconds(chat.MutedUntil),
	}
	if chat.MutedForever {
		view.MutedUntil = -1
	}
	if !chat.Group {
		person := chat.Person.Payload()
		view.Person = &person
	}
	if chat.LastMessage != nil {
		last, err := messageView(ctx, inbox, sessionID, *chat.LastMessage)
		if err != nil {
			return view, err
		}
		view.LastMessage = &last
	}
	return view, nil
}
