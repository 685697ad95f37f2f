package v1

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/messages"
)

// TargetBody names the message that another one is about.
type TargetBody struct {
	MessageID string `json:"message_id" minLength:"1" maxLength:"128" example:"3EB0C431C26A1916E07A" doc:"The id of the message that it is about."`
	To        string `json:"to,omitempty" maxLength:"128" doc:"The chat that the message is in. Not needed where the inbox has the message."`
	Sender    string `json:"sender,omitempty" maxLength:"128" doc:"Who has sent the message, the session's own account for its own. Needed, with to, only where the inbox does not have it."`
	SendAt    Moment `json:"send_at,omitempty" doc:"Do it then, and not now: UNIX seconds, or a time such as 2030-01-31T08:00:00Z."`
}

func (b TargetBody) ref(sessionID string) (messages.Ref, error) {
	at, err := b.SendAt.time()
	return messages.Ref{SessionID: sessionID, MessageID: b.MessageID, To: b.To, Sender: b.Sender, SendAt: at}, err
}

// ReactBody is a reaction.
type ReactBody struct {
	TargetBody
	Emoji string `json:"emoji" maxLength:"64" example:"👍" doc:"Empty takes the reaction back."`
}

// EditBody is a new text.
type EditBody struct {
	TargetBody
	Text string `json:"text" minLength:"1" maxLength:"65536" doc:"The new text, or the new caption of a file."`
}

// RevokeBody names a message to delete.
type RevokeBody struct {
	TargetBody
	OriginalSender string `json:"original_sender,omitempty" maxLength:"128" doc:"The same as sender."`
}

// PinBody names a message to pin.
type PinBody struct {
	TargetBody
	Chat            string `json:"chat,omitempty" maxLength:"128" doc:"The same as to."`
	DurationSeconds *int64 `json:"duration_seconds,omitempty" nullable:"true" enum:"0,86400,604800,2592000" default:"86400" doc:"How long it stays; 0 takes the pin away."`
}

// ForwardBody names a message to send on.
type ForwardBody struct {
	To        string `json:"to" minLength:"1" maxLength:"128" example:"123456789-1234567890@g.us" doc:"Where to: a group's JID, or a person."`
	MessageID string `json:"message_id" minLength:"1" maxLength:"128" doc:"The id of a message that the inbox has."`
	From      string `json:"from,omitempty" maxLength:"128" doc:"The chat that it is in, should two have a message of this id."`
	SendAt    Moment `json:"send_at,omitempty" doc:"Send it then, and not now: UNIX seconds, or a time such as 2030-01-31T08:00:00Z."`
}

// registerTargets adds what is about another message.
func registerTargets(api huma.API, service *messages.Service) {
	sends(api, "react", "React to a message", "One reaction of each person counts: a new one replaces it.",
		func(ctx context.Context, id string, b ReactBody) (messages.Sent, error) {
			ref, err := b.ref(id)
			if err != nil {
				return messages.Sent{}, err
			}
			return service.React(ctx, messages.ReactRequest{Ref: ref, Emoji: b.Emoji})
		})
	sends(api, "edit", "Edit a message", "A text, or the caption of a file, that this account has sent in the last 20 minutes.",
		func(ctx context.Context, id string, b EditBody) (messages.Sent, error) {
			ref, err := b.ref(id)
			if err != nil {
				return messages.Sent{}, err
			}
			return service.Edit(ctx, messages.EditRequest{Ref: ref, Text: b.Text})
		})
	sends(api, "revoke", "Delete a message for everybody", "One of this account's; or, where it is an admin of the group, anybody's.",
		func(ctx context.Context, id string, b RevokeBody) (messages.Sent, error) {
			b.Sender = cmp.Or(b.Sender, b.OriginalSender)
			ref, err := b.ref(id)
			if err != nil {
				return messages.Sent{}, err
			}
			return service.Revoke(ctx, ref)
		})
	sends(api, "pin", "Pin a message", "In its chat, for everybody in it.",
		func(ctx context.Context, id string, b PinBody) (messages.Sent, error) {
			b.To = cmp.Or(b.To, b.Chat)
			ref, err := b.ref(id)
			if err != nil {
				return messages.Sent{}, err
			}
			stays := 24 * time.Hour
			if b.DurationSeconds != nil {
				stays = time.Duration(*b.DurationSeconds) * time.Second
			}
			return service.Pin(ctx, messages.PinRequest{Ref: ref, Duration: stays})
		})
	sends(api, "forward", "Forward a message", "Sends a message of the inbox on, marked as forwarded. "+sendDescription,
		func(ctx context.Context, id string, b ForwardBody) (messages.Sent, error) {
			at, err := b.SendAt.time()
			if err != nil {
				return messages.Sent{}, err
			}
			return service.Forward(ctx, messages.ForwardRequest{
				Envelope: messages.Envelope{SessionID: id, To: b.To, SendAt: at}, MessageID: b.MessageID, From: b.From,
			})
		})
	registerRead(api, service)
}

type readInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		MessageID  string   `json:"message_id,omitempty" maxLength:"128" doc:"The message; or message_ids, for several of one chat."`
		MessageIDs []string `json:"message_ids,omitempty" nullable:"true" maxItems:"500" doc:"Several messages of one chat."`
		To         string   `json:"to,omitempty" maxLength:"128" doc:"The chat. Not needed where the inbox has the messages."`
		ChatJID    string   `json:"chat_jid,omitempty" maxLength:"128" doc:"The same as to."`
		Sender     string   `json:"sender,omitempty" maxLength:"128" doc:"Who has sent them. Needed, with to, only where the inbox does not have them."`
	}
}

func registerRead(api huma.API, service *messages.Service) {
	handle(api, route{
		Method: http.MethodPost, Path: messagesPath + "/read", ID: "mark-read", Tag: messagesTag, Summary: "Mark messages as read",
		Description: "Tells their senders, unless the account's privacy settings forbid it, and the account's other devices. The chat's count of unread messages follows.",
	}, func(ctx context.Context, in *readInput) (done, error) {
		ids := in.Body.MessageIDs
		if in.Body.MessageID != "" {
			ids = append([]string{in.Body.MessageID}, ids...)
		}
		err := service.Read(ctx, messages.ReadRequest{
			SessionID: in.SessionID, MessageIDs: ids, Chat: cmp.Or(in.Body.To, in.Body.ChatJID), Sender: in.Body.Sender,
		})
		return done{Success: err == nil}, err
	})
}
