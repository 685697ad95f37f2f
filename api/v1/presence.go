package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/messages"
)

type chatStateInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		To    string `json:"to" minLength:"1" maxLength:"128" example:"628123456789" doc:"A group's JID, or a person."`
		State string `json:"state" enum:"composing,recording,paused" doc:"composing is typing, recording is a voice note, paused is neither any more."`
	}
}

type typingInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		To string `json:"to" minLength:"1" maxLength:"128" example:"628123456789" doc:"A group's JID, or a person."`
	}
}

type presenceInput struct {
	SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
	Body      struct {
		Status string `json:"status" enum:"available,unavailable" doc:"While the account is available here, its phone gets no notifications."`
	}
}

const presenceTag = "Presence"

func registerPresence(api huma.API, service *messages.Service) {
	const chatState = "/sessions/{session_id}/chatstate/"
	const brief = "WhatsApp forgets it after some seconds, or with the next message, and confirms nothing."
	show := func(ctx context.Context, sessionID, to string, state messages.ChatState) (done, error) {
		err := service.SetChatState(ctx, messages.ChatStateRequest{SessionID: sessionID, To: to, State: state})
		return done{Success: err == nil}, err
	}
	handle(api, route{
		Method: http.MethodPost, Path: chatState + "send", ID: "send-chat-state", Tag: presenceTag,
		Summary: "Show in a chat that one is typing or recording", Description: brief,
	}, func(ctx context.Context, in *chatStateInput) (done, error) {
		return show(ctx, in.SessionID, in.Body.To, messages.ChatState(in.Body.State))
	})
	for _, shortcut := range []struct {
		name, summary string
		state         messages.ChatState
	}{
		{"typing", "Show in a chat that one is typing", messages.ChatComposing},
		{"recording", "Show in a chat that one is recording", messages.ChatRecording},
	} {
		handle(api, route{
			Method: http.MethodPost, Path: chatState + shortcut.name, ID: "send-" + shortcut.name, Tag: presenceTag,
			Summary: shortcut.summary, Description: brief,
		}, func(ctx context.Context, in *typingInput) (done, error) {
			return show(ctx, in.SessionID, in.Body.To, shortcut.state)
		})
	}
	handle(api, route{
		Method: http.MethodPost, Path: "/sessions/{session_id}/presence/set", ID: "set-presence", Tag: presenceTag,
		Summary: "Show the account as on line or not", Description: "It lasts until the session reconnects.",
	}, func(ctx context.Context, in *presenceInput) (done, error) {
		err := service.SetPresence(ctx, messages.PresenceRequest{SessionID: in.SessionID, Available: in.Body.Status == "available"})
		return done{Success: err == nil}, err
	})
}
