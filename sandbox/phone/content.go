package phone

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// What a message is, in Received.Kind.
const (
	KindText       = "text"
	KindImage      = "image"
	KindVideo      = "video"
	KindAudio      = "audio"
	KindDocument   = "document"
	KindSticker    = "sticker"
	KindLocation   = "location"
	KindContact    = "contact"
	KindReaction   = "reaction"
	KindPoll       = "poll"
	KindVote       = "poll_vote"
	KindInvite     = "group_invite"
	KindPin        = "pin"
	KindRevoke     = "revoke"
	KindEdit       = "edit"
	KindTimer      = "ephemeral_setting"
	KindSenderKey  = "sender_key"            // brings a sender key and nothing else
	KindKeyRequest = "app_state_key_request" // a companion asks for app-state keys; see KeyShare
	KindPeerData   = "peer_data_request"     // a companion asks the phone for data
	KindProtocol   = "protocol"              // any other message between devices
	KindUnknown    = "unknown"
)

// unwrap takes off the envelopes that change how a message is shown and not
// what it says.
func unwrap(m *waE2E.Message) *waE2E.Message {
	// Envelopes may be nested, but not deeply; the bound is for crafted ones.
	for range 8 {
		var inner *waE2E.Message
		for _, envelope := range []*waE2E.FutureProofMessage{
			m.GetEphemeralMessage(), m.GetViewOnceMessage(), m.GetViewOnceMessageV2(),
			m.GetViewOnceMessageV2Extension(), m.GetDocumentWithCaptionMessage(), m.GetEditedMessage(),
			m.GetGroupMentionedMessage(), m.GetLottieStickerMessage(),
		} {
			if envelope.GetMessage() != nil {
				inner = envelope.GetMessage()
			}
		}
		if inner == nil {
			break
		}
		m = inner
	}
	return m
}

// classify names the kind of a message.
func classify(m *waE2E.Message) string {
	m = unwrap(m)
	switch {
	case m == nil:
		return KindUnknown
	case m.Conversation != nil, m.ExtendedTextMessage != nil:
		return KindText
	case m.ImageMessage != nil:
		return KindImage
	case m.VideoMessage != nil, m.PtvMessage != nil:
		return KindVideo
	case m.AudioMessage != nil:
		return KindAudio
	case m.DocumentMessage != nil:
		return KindDocument
	case m.StickerMessage != nil:
		return KindSticker
	case m.LocationMessage != nil, m.LiveLocationMessage != nil:
		return KindLocation
	case m.ContactMessage != nil, m.ContactsArrayMessage != nil:
		return KindContact
	case m.ReactionMessage != nil, m.EncReactionMessage != nil:
		return KindReaction
	case pollIn(m) != nil:
		return KindPoll
	case m.PollUpdateMessage != nil:
		return KindVote
	case m.GroupInviteMessage != nil:
		return KindInvite
	case m.PinInChatMessage != nil:
		return KindPin
	case m.ProtocolMessage != nil:
		return classifyProtocol(m.ProtocolMessage)
	case m.SenderKeyDistributionMessage != nil:
		return KindSenderKey
	}
	return KindUnknown
}

func classifyProtocol(m *waE2E.ProtocolMessage) string {
	switch m.GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		if m.GetKey() != nil {
			return KindRevoke
		}
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		return KindEdit
	case waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		return KindTimer
	case waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_REQUEST:
		return KindKeyRequest
	case waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_MESSAGE:
		return KindPeerData
	}
	return KindProtocol
}

// text is what a person would read of a message.
func text(m *waE2E.Message) string {
	m = unwrap(m)
	switch {
	case m == nil:
		return ""
	case m.Conversation != nil:
		return m.GetConversation()
	case m.ExtendedTextMessage != nil:
		return m.ExtendedTextMessage.GetText()
	case m.ImageMessage != nil:
		return m.ImageMessage.GetCaption()
	case m.VideoMessage != nil:
		return m.VideoMessage.GetCaption()
	case m.DocumentMessage != nil:
		return m.DocumentMessage.GetCaption()
	case m.ReactionMessage != nil:
		return m.ReactionMessage.GetText()
	case m.GroupInviteMessage != nil:
		return m.GroupInviteMessage.GetCaption()
	case pollIn(m) != nil:
		return pollIn(m).GetName()
	case m.LocationMessage != nil:
		return m.LocationMessage.GetComment()
	case m.LiveLocationMessage != nil:
		return m.LiveLocationMessage.GetCaption()
	case m.GetProtocolMessage().GetEditedMessage() != nil:
		// An edit never holds another one; its text is taken as it stands.
		edited := unwrap(m.ProtocolMessage.EditedMessage)
		if edited.GetProtocolMessage() == nil {
			return text(edited)
		}
	}
	return ""
}

// pollIn is the poll of a message, in whichever version, or nil.
func pollIn(m *waE2E.Message) *waE2E.PollCreationMessage {
	for _, poll := range []*waE2E.PollCreationMessage{
		m.GetPollCreationMessage(), m.GetPollCreationMessageV2(), m.GetPollCreationMessageV3(), m.GetPollCreationMessageV5(), m.GetPollCreationMessageV6(),
	} {
		if poll != nil {
			return poll
		}
	}
	return nil
}
