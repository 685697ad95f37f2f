package phone

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

func protocolMessage(kind waE2E.ProtocolMessage_Type) *waE2E.ProtocolMessage {
	return &waE2E.ProtocolMessage{Type: kind.Enum()}
}

func TestClassify(t *testing.T) {
	wrapped := func(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }
	revoke := protocolMessage(waE2E.ProtocolMessage_REVOKE)
	revoke.Key = &waCommon.MessageKey{ID: proto.String("A")}
	edit := protocolMessage(waE2E.ProtocolMessage_MESSAGE_EDIT)
	edit.EditedMessage = textMessage("better")
	for _, tc := range []struct {
		m                 *waE2E.Message
		kind, text, media string
	}{
		{nil, KindUnknown, "", ""},
		{&waE2E.Message{}, KindUnknown, "", ""},
		{textMessage("a"), KindText, "a", ""},
		{&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("b")}}, KindText, "b", ""},
		{&waE2E.Message{EphemeralMessage: wrapped(textMessage("c"))}, KindText, "c", ""},
		{&waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("d")}}, KindImage, "d", "image"},
		{&waE2E.Message{ViewOnceMessageV2: wrapped(&waE2E.Message{VideoMessage: &waE2E.VideoMessage{}})}, KindVideo, "", "video"},
		{&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true)}}, KindAudio, "", "ptt"},
		{&waE2E.Message{AudioMessage: &waE2E.AudioMessage{}}, KindAudio, "", "audio"},
		{&waE2E.Message{DocumentWithCaptionMessage: wrapped(&waE2E.Message{
			DocumentMessage: &waE2E.DocumentMessage{Caption: proto.String("e")}})}, KindDocument, "e", "document"},
		{&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}}, KindSticker, "", "sticker"},
		{&waE2E.Message{LocationMessage: &waE2E.LocationMessage{}}, KindLocation, "", "location"},
		{&waE2E.Message{ContactMessage: &waE2E.ContactMessage{}}, KindContact, "", "vcard"},
		{&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}}, KindReaction, "👍", ""},
		{&waE2E.Message{PollCreationMessageV3: &waE2E.PollCreationMessage{Name: proto.String("f")}}, KindPoll, "f", ""},
		{&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{}}, KindVote, "", ""},
		{&waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{Caption: proto.String("g")}}, KindInvite, "g", ""},
		{&waE2E.Message{PinInChatMessage: &waE2E.PinInChatMessage{}}, KindPin, "", ""},
		{&waE2E.Message{ProtocolMessage: revoke}, KindRevoke, "", ""},
		{&waE2E.Message{EditedMessage: wrapped(&waE2E.Message{ProtocolMessage: edit})}, KindEdit, "better", ""},
		{&waE2E.Message{ProtocolMessage: protocolMessage(waE2E.ProtocolMessage_EPHEMERAL_SETTING)}, KindTimer, "", ""},
		{&waE2E.Message{ProtocolMessage: protocolMessage(waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_REQUEST)}, KindKeyRequest, "", ""},
		{&waE2E.Message{ProtocolMessage: protocolMessage(waE2E.ProtocolMessage_PEER_DATA_OPERATION_REQUEST_MESSAGE)}, KindPeerData, "", ""},
		{&waE2E.Message{ProtocolMessage: protocolMessage(waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE)}, KindProtocol, "", ""},
		{&waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{}}, KindSenderKey, "", ""},
	} {
		if kind, got, media := classify(tc.m), text(tc.m), mediaType(tc.m); kind != tc.kind || got != tc.text || media != tc.media {
			t.Errorf("%v is %s %q (%q), want %s %q (%q)", tc.m, kind, got, media, tc.kind, tc.text, tc.media)
		}
	}
}

// Nobody sends envelopes like these, but somebody could.
func TestClassifyDeeplyWrapped(t *testing.T) {
	m := textMessage("deep")
	for range 100 {
		m = &waE2E.Message{EphemeralMessage: &waE2E.FutureProofMessage{Message: m}}
	}
	if kind := classify(m); kind != KindUnknown {
		t.Errorf("a hundred envelopes around a text are %s", kind)
	}
}
