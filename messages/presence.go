package messages

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/address"
	"muster/internal/fault"
	"muster/session"
)

// ChatState is what those in a chat see of somebody who is about to send.
type ChatState string

// The states. WhatsApp forgets the first two after some seconds, or with the
// next message.
const (
	ChatComposing ChatState = "composing" // typing
	ChatRecording ChatState = "recording" // recording a voice note
	ChatPaused    ChatState = "paused"    // neither any more
)

// ChatStateRequest asks to show a state in a chat.
type ChatStateRequest struct {
	SessionID string
	To        string // a person or a group
	State     ChatState
}

// Validate checks the address and the state.
func (r ChatStateRequest) Validate() error {
	_, err := address.Chat("to", r.To)
	if err == nil {
		_, _, err = r.wire()
	}
	return err
}

func (r ChatStateRequest) wire() (types.ChatPresence, types.ChatPresenceMedia, error) {
	switch r.State {
	case ChatComposing:
		return types.ChatPresenceComposing, types.ChatPresenceMediaText, nil
	case ChatRecording:
		return types.ChatPresenceComposing, types.ChatPresenceMediaAudio, nil
	case ChatPaused:
		return types.ChatPresencePaused, types.ChatPresenceMediaText, nil
	}
	return "", "", fault.Field("state", "must be composing, recording or paused")
}

// SetChatState shows those in a chat that the account types or records, or does
// not any more. WhatsApp does not confirm it.
func (s *Service) SetChatState(ctx context.Context, req ChatStateRequest) error {
	if err := req.Validate(); err != nil {
		return err
	}
	to, err := address.Chat("to", req.To)
	if err != nil {
		return err
	}
	if to, err = s.resolve(ctx, req.SessionID, to, false); err != nil {
		return err
	}
	state, kind, err := req.wire()
	if err != nil {
		return err
	}
	// It may be repeated without harm, so it is paced as questions are, and
	// leaves the pace of changes to the messages.
	return s.sessions.Do(ctx, req.SessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
		lid, err := recipientOf(ctx, client, to)
		if err != nil {
			return err
		}
		return client.SendChatPresence(ctx, lid, state, kind)
	})
}

// recipientOf is the JID under which WhatsApp has the chat: people's is their
// LID, where it is known, as it is for messages.
func recipientOf(ctx context.Context, client *whatsmeow.Client, chat types.JID) (types.JID, error) {
	if chat.Server != types.DefaultUserServer {
		return chat, nil
	}
	lid, err := client.Store.LIDs.GetLIDForPN(ctx, chat)
	if err != nil || lid.IsEmpty() {
		return chat, err
	}
	return lid, nil
}

// PresenceRequest asks to show the account as on line or not.
type PresenceRequest struct {
	SessionID string
	Available bool
}

// SetPresence shows the account as on line, or not any more. While it is on
// line, its phone gets no notifications. It lasts until the session
// reconnects.
func (s *Service) SetPresence(ctx context.Context, req PresenceRequest) error {
	presence := types.PresenceUnavailable
	if req.Available {
		presence = types.PresenceAvailable
	}
	return s.sessions.Do(ctx, req.SessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
		err := client.SendPresence(ctx, presence)
		if errors.Is(err, whatsmeow.ErrNoPushName) {
			return fault.New(fault.Conflict, "the account's name is not known yet, and WhatsApp shows nobody without one: try again in a moment").Because(err)
		}
		return err
	})
}
