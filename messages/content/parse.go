package content

import (
	"math"
	"strings"
	"unicode"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth bounds how deep messages may lie in one another. WhatsApp's clients
// need four levels: sent by another device, disappearing, edited, the edit.
const maxDepth = 8

// Parse reads any message. It never fails and never panics: what it does not
// know is KindUnsupported with the field's name, and what is housekeeping is
// KindNone. Texts come out as valid UTF-8 without NUL, lists and strings are
// cut at this package's limits, and the message is not changed.
func Parse(message *waE2E.Message) Content {
	return parse(message, 0)
}

func parse(message *waE2E.Message, depth int) Content {
	inner, wraps, ok := unwrap(message, &depth)
	if !ok || depth > maxDepth {
		return Content{Kind: KindUnsupported, Unsupported: "nested"}
	}
	c := says(inner, depth)
	if c.Kind == KindNone {
		return c
	}
	c.ViewOnce = c.ViewOnce || wraps.viewOnce
	c.readMessageContext(wraps.context)
	if info := contextOf(inner); info != nil {
		c.readContext(info, depth)
	}
	return c
}

// wrapping is what the layers around a message said of it.
type wrapping struct {
	viewOnce bool
	context  *waE2E.MessageContextInfo // the innermost one
}

// unwrap takes off the layers that say something of a message and nothing
// themselves; false when there are too many. The depth counts them.
func unwrap(message *waE2E.Message, depth *int) (*waE2E.Message, wrapping, bool) {
	var w wrapping
	for ; ; *depth++ {
		if message.GetMessageContextInfo() != nil {
			w.context = message.GetMessageContextInfo()
		}
		layer, once := layerOf(message)
		if layer == nil {
			return message, w, true
		}
		if *depth >= maxDepth {
			return nil, w, false
		}
		w.viewOnce = w.viewOnce || once
		message = layer
	}
}

// layerOf is the message inside, and whether it is there to be viewed once.
func layerOf(m *waE2E.Message) (inner *waE2E.Message, once bool) {
	if inner = m.GetDeviceSentMessage().GetMessage(); inner != nil {
		return inner, false
	}
	for _, layer := range []*waE2E.FutureProofMessage{
		m.GetViewOnceMessage(), m.GetViewOnceMessageV2(), m.GetViewOnceMessageV2Extension(),
	} {
		if layer.GetMessage() != nil {
			return layer.GetMessage(), true
		}
	}
	for _, layer := range []*waE2E.FutureProofMessage{
		m.GetEphemeralMessage(), m.GetDocumentWithCaptionMessage(), m.GetEditedMessage(), m.GetLottieStickerMessage(),
		m.GetGroupMentionedMessage(), m.GetBotInvokeMessage(), m.GetBotForwardedMessage(), m.GetAssociatedChildMessage(),
		m.GetPollCreationMessageV4(), m.GetPollCreationOptionImageMessage(), m.GetSpoilerMessage(), m.GetLimitSharingMessage(),
		m.GetQuestionMessage(), m.GetQuestionReplyMessage(), m.GetStatusMentionMessage(), m.GetGroupStatusMentionMessage(),
		m.GetGroupStatusMessage(), m.GetGroupStatusMessageV2(), m.GetEventCoverImage(), m.GetBotTaskMessage(),
	} {
		if layer.GetMessage() != nil {
			return layer.GetMessage(), false
		}
	}
	return nil, false
}

// says reads a message without its layers and its context.
func says(m *waE2E.Message, depth int) Content {
	switch {
	case m == nil:
		return Content{}
	case m.GetProtocolMessage() != nil:
		return parseProtocol(m.GetProtocolMessage(), depth)
	case m.GetReactionMessage() != nil:
		reaction := m.GetReactionMessage()
		return aimed(KindReaction, reaction.GetKey(), "reaction_message", Content{Emoji: clean(reaction.GetText(), maxEmoji)})
	case m.GetEncReactionMessage() != nil:
		return sealed(KindReaction, m.GetEncReactionMessage().GetTargetMessageKey(), "enc_reaction_message", m.GetEncReactionMessage())
	case m.GetPollUpdateMessage() != nil:
		vote := m.GetPollUpdateMessage()
		return sealed(KindPollVote, vote.GetPollCreationMessageKey(), "poll_update_message", vote.GetVote())
	case m.GetSecretEncryptedMessage() != nil:
		return parseSecret(m.GetSecretEncryptedMessage())
	case m.GetPinInChatMessage() != nil:
		return parsePin(m)
	case m.GetAlbumMessage() != nil:
		album := m.GetAlbumMessage()
		return Content{Kind: KindAlbum, Album: &Album{Images: count(album.GetExpectedImageCount()), Videos: count(album.GetExpectedVideoCount())}}
	}
	if c, ok := parseMedia(m); ok {
		return c
	}
	if c, ok := parsePlain(m); ok {
		return c
	}
	return parseUnknown(m)
}

// parsePlain reads what is shown as it is, and is no file.
func parsePlain(m *waE2E.Message) (Content, bool) {
	switch {
	case m.GetExtendedTextMessage() != nil:
		text := m.GetExtendedTextMessage()
		c := Content{Kind: KindText, Text: clean(text.GetText(), maxRead), ViewOnce: text.GetViewOnce()}
		if link := (Link{
			URL: clean(text.GetMatchedText(), maxURL), Title: clean(text.GetTitle(), maxShort), Description: clean(text.GetDescription(), maxShort),
		}); link != (Link{}) {
			c.Link = &link
		}
		return c, true
	case m.GetLocationMessage() != nil:
		return parseLocation(m.GetLocationMessage()), true
	case m.GetLiveLocationMessage() != nil:
		return parseLiveLocation(m.GetLiveLocationMessage()), true
	case m.GetContactMessage() != nil:
		return Content{Kind: KindContact, Contacts: parseContacts(m.GetContactMessage())}, true
	case m.GetContactsArrayMessage() != nil:
		return Content{Kind: KindContact, Contacts: parseContacts(m.GetContactsArrayMessage().GetContacts()...)}, true
	case pollOf(m) != nil:
		return parsePoll(pollOf(m)), true
	case m.GetGroupInviteMessage() != nil:
		return parseInvite(m.GetGroupInviteMessage()), true
	case m.GetCommentMessage().GetMessage() != nil: // comments on channel posts
		return Content{Kind: KindUnsupported, Unsupported: "comment_message"}, true
	case m.Conversation != nil:
		return Content{Kind: KindText, Text: clean(m.GetConversation(), maxRead)}, true
	}
	return Content{}, false
}

// pollOf is a poll in any of its versions, which all have one shape: 1 for
// several answers, 2 in communities' announcement groups, 3 for a single answer.
func pollOf(m *waE2E.Message) *waE2E.PollCreationMessage {
	for _, poll := range []*waE2E.PollCreationMessage{
		m.GetPollCreationMessage(), m.GetPollCreationMessageV2(), m.GetPollCreationMessageV3(),
		m.GetPollCreationMessageV5(), m.GetPollCreationMessageV6(),
	} {
		if poll != nil {
			return poll
		}
	}
	return nil
}

func parsePoll(message *waE2E.PollCreationMessage) Content {
	poll := Poll{Name: clean(message.GetName(), maxShort)}
	for i, option := range message.GetOptions() {
		if i == maxReadOptions {
			break
		}
		poll.Options = append(poll.Options, clean(option.GetOptionName(), maxShort))
	}
	poll.SelectableCount = min(count(message.GetSelectableOptionsCount()), len(poll.Options))
	return Content{Kind: KindPoll, Poll: &poll}
}

func parseInvite(invite *waE2E.GroupInviteMessage) Content {
	group, ok := parseJID(invite.GetGroupJID())
	if !ok || !isGroup(group) {
		return Content{Kind: KindUnsupported, Unsupported: "group_invite_message"}
	}
	return Content{Kind: KindGroupInvite, Text: clean(invite.GetCaption(), maxRead), Invite: &Invite{
		Group: group, Name: clean(invite.GetGroupName(), maxShort), Code: clean(invite.GetInviteCode(), maxShort),
		Expiration: max(invite.GetInviteExpiration(), 0), Thumbnail: thumbnail(invite.GetJPEGThumbnail()),
		Community: invite.GetGroupType() == waE2E.GroupInviteMessage_PARENT,
	}}
}

func parseLocation(place *waE2E.LocationMessage) Content {
	if !onEarth(place.GetDegreesLatitude(), place.GetDegreesLongitude()) {
		return Content{Kind: KindUnsupported, Unsupported: "location_message"}
	}
	return Content{Kind: KindLocation, Text: clean(place.GetComment(), maxRead), Location: &Location{
		Latitude: place.GetDegreesLatitude(), Longitude: place.GetDegreesLongitude(),
		Name: clean(place.GetName(), maxShort), Address: clean(place.GetAddress(), maxShort), URL: clean(place.GetURL(), maxURL),
		Accuracy: count(place.GetAccuracyInMeters()), Live: place.GetIsLive(), Speed: speed(place.GetSpeedInMps()),
		Heading:   count(place.GetDegreesClockwiseFromMagneticNorth()),
		Thumbnail: thumbnail(place.GetJPEGThumbnail()),
	}}
}

func parseLiveLocation(place *waE2E.LiveLocationMessage) Content {
	if !onEarth(place.GetDegreesLatitude(), place.GetDegreesLongitude()) {
		return Content{Kind: KindUnsupported, Unsupported: "live_location_message"}
	}
	return Content{Kind: KindLocation, Text: clean(place.GetCaption(), maxRead), Location: &Location{
		Latitude: place.GetDegreesLatitude(), Longitude: place.GetDegreesLongitude(), Live: true,
		Accuracy: count(place.GetAccuracyInMeters()), Speed: speed(place.GetSpeedInMps()),
		Heading:  count(place.GetDegreesClockwiseFromMagneticNorth()),
		Sequence: max(place.GetSequenceNumber(), 0), Thumbnail: thumbnail(place.GetJPEGThumbnail()),
	}}
}

// onEarth refuses what is no place, and what JSON cannot hold.
func onEarth(latitude, longitude float64) bool {
	return math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180 // false for NaN
}

func speed(metresPerSecond float32) float64 {
	if s := float64(metresPerSecond); s > 0 && !math.IsInf(s, 0) {
		return s
	}
	return 0
}

// parseUnknown names the field of a message that nothing above has read; with
// the words that it shows, where that is simple.
func parseUnknown(m *waE2E.Message) Content {
	name, number := "", protoreflect.FieldNumber(math.MaxInt32) // of the first field: the order of Range is not defined
	m.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		switch field.Number() {
		case 2, 15, 35, 47, 123, 127: // sender keys, context, recent stickers, other keys: housekeeping
			return true
		}
		if field.Number() < number {
			name, number = snake(string(field.Name())), field.Number()
		}
		return true
	})
	switch {
	case name != "":
		return Content{Kind: KindUnsupported, Unsupported: name, Text: clean(wordsOf(m), maxRead)}
	case len(m.ProtoReflect().GetUnknown()) > 0:
		return Content{Kind: KindUnsupported, Unsupported: "unknown"}
	}
	return Content{}
}

// wordsOf is the text of the kinds that businesses send and that people answer
// them with, so that it can be read and found.
func wordsOf(m *waE2E.Message) string {
	for _, text := range []string{
		m.GetButtonsResponseMessage().GetSelectedDisplayText(), m.GetTemplateButtonReplyMessage().GetSelectedDisplayText(),
		m.GetListResponseMessage().GetTitle(), m.GetInteractiveResponseMessage().GetBody().GetText(),
		m.GetButtonsMessage().GetContentText(), m.GetListMessage().GetDescription(), m.GetInteractiveMessage().GetBody().GetText(),
		m.GetTemplateMessage().GetHydratedTemplate().GetHydratedContentText(),
		m.GetEventMessage().GetName(), m.GetProductMessage().GetProduct().GetTitle(), m.GetOrderMessage().GetOrderTitle(),
	} {
		if text != "" {
			return text
		}
	}
	return ""
}

// snake writes "orderMessage" as "order_message".
func snake(name string) string {
	var out strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
