package phone

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// What the stanza around a message says of it, in the clear, after whatsmeow's
// getTypeFromMessage, getMediaTypeFromMessage and getEditAttribute.

// Label fills in the attributes and children by which a stanza tells what kind
// of message it carries. The service sees those, and nothing of the message.
func Label(node *stanza.Node, m *waE2E.Message) {
	kind := classify(m)
	node.Attrs["type"] = "text"
	switch {
	case kind == KindReaction:
		node.Attrs["type"] = "reaction"
	case kind == KindPoll, kind == KindVote:
		node.Attrs["type"] = "poll"
		about := "creation"
		if kind == KindVote {
			about = "vote"
		}
		children, _ := node.Content.([]stanza.Node)
		node.Content = append(children, stanza.Node{Tag: "meta", Attrs: stanza.Attrs{"polltype": about}})
	case mediaType(m) != "":
		node.Attrs["type"] = "media"
	}
	if edit := editOf(kind, unwrap(m)); edit != types.EditAttributeEmpty {
		node.Attrs["edit"] = string(edit)
	}
}

// editOf tells what a message does to another one, if anything.
func editOf(kind string, m *waE2E.Message) types.EditAttribute {
	switch kind {
	case KindEdit:
		return types.EditAttributeMessageEdit
	case KindPin:
		return types.EditAttributePinInChat
	case KindRevoke:
		if !m.GetProtocolMessage().GetKey().GetFromMe() {
			return types.EditAttributeAdminRevoke
		}
		return types.EditAttributeSenderRevoke
	case KindReaction:
		if m.GetReactionMessage() != nil && m.GetReactionMessage().GetText() == "" {
			return types.EditAttributeSenderRevoke
		}
	}
	return types.EditAttributeEmpty
}

// mediaType is the value of <enc mediatype>; "" for what has none.
func mediaType(m *waE2E.Message) string {
	kind := classify(m)
	m = unwrap(m)
	switch kind {
	case KindImage, KindDocument, KindSticker:
		return kind
	case KindVideo:
		if m.GetVideoMessage().GetGifPlayback() {
			return "gif"
		}
		return "video"
	case KindAudio:
		if m.GetAudioMessage().GetPTT() {
			return "ptt"
		}
		return "audio"
	case KindContact:
		if m.ContactsArrayMessage != nil {
			return "contact_array"
		}
		return "vcard"
	case KindLocation:
		if m.LiveLocationMessage != nil {
			return "livelocation"
		}
		return "location"
	}
	return ""
}
