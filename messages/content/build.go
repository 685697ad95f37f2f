package content

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muster/internal/fault"
)

// Build makes the message. The time goes into reactions, edits and pins. What
// cannot be sent is a coded fault that names the field as the API spells it:
// text, caption, name, options[2], selectable_count, latitude, contact.name,
// emoji, message_id, … A file must have been uploaded: Media needs Key,
// DirectPath, EncSHA256 and SHA256.
func (c Content) Build(now time.Time) (*waE2E.Message, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Kind.HasMedia() && !c.Media.uploaded() {
		return nil, errors.New("the file of the message has not been uploaded")
	}
	if c.Kind.ChangesTarget() && c.Target.Chat.IsEmpty() {
		return nil, errors.New("the key of the target lacks its chat")
	}
	if c.Kind.ChangesTarget() || c.Kind == KindTimer {
		return c.change(now), nil
	}
	message := c.body(c.context())
	if c.ViewOnce {
		message = onceAround(c.Kind, message)
	}
	if len(c.Secret) > 0 {
		message.MessageContextInfo = &waE2E.MessageContextInfo{MessageSecret: c.Secret}
	}
	return message, nil
}

// onceAround wraps a file to be viewed once: voice notes have a wrapper of
// their own.
func onceAround(kind Kind, message *waE2E.Message) *waE2E.Message {
	wrapper := &waE2E.FutureProofMessage{Message: message}
	if kind == KindAudio {
		return &waE2E.Message{ViewOnceMessageV2Extension: wrapper}
	}
	return &waE2E.Message{ViewOnceMessageV2: wrapper}
}

// context is what goes into a message's own context, nil for nothing.
func (c Content) context() *waE2E.ContextInfo {
	info := &waE2E.ContextInfo{}
	for _, person := range c.Mentions {
		info.MentionedJID = append(info.MentionedJID, person.ToNonAD().String())
	}
	if c.MentionAll {
		info.NonJIDMentions = proto.Uint32(1)
	}
	if c.Forwarded > 0 {
		info.IsForwarded, info.ForwardingScore = proto.Bool(true), proto.Uint32(uint32(min(c.Forwarded, manyTimes)))
	}
	if c.ExpirationSeconds > 0 {
		info.Expiration = proto.Uint32(uint32(c.ExpirationSeconds))
		if c.ExpirationSetAt > 0 {
			info.EphemeralSettingTimestamp = proto.Int64(c.ExpirationSetAt)
		}
	}
	if c.ReplyTo != nil {
		c.ReplyTo.into(info)
	}
	if proto.Equal(info, &waE2E.ContextInfo{}) {
		return nil
	}
	return info
}

// into writes the reply into a message's context. WhatsApp's clients show no
// reply without a quoted message, so there always is one.
func (r Reply) into(info *waE2E.ContextInfo) {
	info.StanzaID = proto.String(r.ID)
	info.Participant = proto.String(r.Sender.ToNonAD().String())
	if !r.Chat.IsEmpty() {
		info.RemoteJID = proto.String(r.Chat.String())
	}
	info.QuotedMessage = &waE2E.Message{Conversation: proto.String(r.Excerpt)}
	if r.Quoted == nil || r.Quoted.ViewOnce {
		return
	}
	if quoted := r.Quoted.body(nil); quoted != nil {
		info.QuotedMessage = quoted
	}
}

// body is a message of its own with the given context, or nil for kinds that
// are none, and for content of which only the kind is kept.
func (c Content) body(info *waE2E.ContextInfo) *waE2E.Message {
	switch {
	case c.Kind == KindText:
		return c.text(info)
	case c.Kind.HasMedia():
		return c.withFile(info)
	case c.Kind == KindLocation && c.Location != nil:
		return c.place(info)
	case c.Kind == KindContact && len(c.Contacts) > 0:
		return c.cards(info)
	case c.Kind == KindPoll && c.Poll != nil:
		return c.poll(info)
	case c.Kind == KindGroupInvite && c.Invite != nil:
		return c.invitation(info)
	}
	return nil
}

func (c Content) text(info *waE2E.ContextInfo) *waE2E.Message {
	if info == nil && c.Link == nil {
		return &waE2E.Message{Conversation: proto.String(c.Text)}
	}
	message := &waE2E.ExtendedTextMessage{Text: proto.String(c.Text), ContextInfo: info}
	if c.Link != nil {
		message.MatchedText, message.Title, message.Description = given(c.Link.URL), given(c.Link.Title), given(c.Link.Description)
	}
	return &waE2E.Message{ExtendedTextMessage: message}
}

func (c Content) place(info *waE2E.ContextInfo) *waE2E.Message {
	place := c.Location
	if place.Live {
		return &waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{
			DegreesLatitude: proto.Float64(place.Latitude), DegreesLongitude: proto.Float64(place.Longitude),
			AccuracyInMeters: proto.Uint32(uint32(place.Accuracy)), SpeedInMps: proto.Float32(float32(place.Speed)),
			DegreesClockwiseFromMagneticNorth: proto.Uint32(uint32(place.Heading)), SequenceNumber: proto.Int64(place.Sequence),
			Caption: given(c.Text), JPEGThumbnail: place.Thumbnail, ContextInfo: info,
		}}
	}
	return &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
		DegreesLatitude: proto.Float64(place.Latitude), DegreesLongitude: proto.Float64(place.Longitude),
		Name: given(place.Name), Address: given(place.Address), URL: given(place.URL), Comment: given(c.Text),
		JPEGThumbnail: place.Thumbnail, ContextInfo: info,
	}}
}

// cards is one card, or several under a name that says how many.
func (c Content) cards(info *waE2E.ContextInfo) *waE2E.Message {
	var messages []*waE2E.ContactMessage
	for _, contact := range c.Contacts {
		card := contact.VCard
		if card == "" {
			card = contact.card()
		}
		messages = append(messages, &waE2E.ContactMessage{DisplayName: proto.String(contact.Name), Vcard: proto.String(card)})
	}
	if len(messages) == 1 {
		messages[0].ContextInfo = info
		return &waE2E.Message{ContactMessage: messages[0]}
	}
	return &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{
		DisplayName: proto.String(several(len(messages))), Contacts: messages, ContextInfo: info,
	}}
}

// poll uses the first version of the message, as whatsmeow does: it marks only
// that one as a poll in the stanza, and all clients read it.
func (c Content) poll(info *waE2E.ContextInfo) *waE2E.Message {
	options := make([]*waE2E.PollCreationMessage_Option, len(c.Poll.Options))
	for i, option := range c.Poll.Options {
		options[i] = &waE2E.PollCreationMessage_Option{OptionName: proto.String(option)}
	}
	return &waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{
		Name: proto.String(c.Poll.Name), Options: options,
		SelectableOptionsCount: proto.Uint32(uint32(c.Poll.SelectableCount)), ContextInfo: info,
	}}
}

func (c Content) invitation(info *waE2E.ContextInfo) *waE2E.Message {
	kind := waE2E.GroupInviteMessage_DEFAULT
	if c.Invite.Community {
		kind = waE2E.GroupInviteMessage_PARENT
	}
	return &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{
		GroupJID: proto.String(c.Invite.Group.String()), InviteCode: proto.String(c.Invite.Code),
		InviteExpiration: proto.Int64(c.Invite.Expiration), GroupName: given(c.Invite.Name),
		Caption: given(c.Text), JPEGThumbnail: c.Invite.Thumbnail, GroupType: kind.Enum(), ContextInfo: info,
	}}
}

// change is a message about another one.
func (c Content) change(now time.Time) *waE2E.Message {
	switch at := proto.Int64(now.UnixMilli()); c.Kind {
	case KindReaction:
		if c.Sealed != nil {
			return &waE2E.Message{EncReactionMessage: &waE2E.EncReactionMessage{
				TargetMessageKey: c.Target.key(), EncPayload: c.Sealed.Payload, EncIV: c.Sealed.IV,
			}}
		}
		return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
			Key: c.Target.key(), Text: proto.String(c.Emoji), SenderTimestampMS: at,
		}}
	case KindPollVote:
		return &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
			PollCreationMessageKey: c.Target.key(), SenderTimestampMS: at,
			Vote: &waE2E.PollEncValue{EncPayload: c.Sealed.Payload, EncIV: c.Sealed.IV},
		}}
	case KindEdit:
		return c.edit(at)
	case KindRevoke:
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: c.Target.key(),
		}}
	case KindPin:
		return c.pin(at)
	default:
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(uint32(c.ExpirationSeconds)),
			EphemeralSettingTimestamp: proto.Int64(now.Unix()),
		}}
	}
}

func (c Content) edit(at *int64) *waE2E.Message {
	if c.Sealed != nil {
		return &waE2E.Message{SecretEncryptedMessage: &waE2E.SecretEncryptedMessage{
			TargetMessageKey: c.Target.key(), EncPayload: c.Sealed.Payload, EncIV: c.Sealed.IV,
			SecretEncType: waE2E.SecretEncryptedMessage_MESSAGE_EDIT.Enum(),
		}}
	}
	edited := c.edited()
	return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
		ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: c.Target.key(),
			EditedMessage: edited.body(edited.context()), TimestampMS: at,
		},
	}}}
}

// edited is the whole new content of the message.
func (c Content) edited() Content {
	edited := Content{Kind: KindText}
	if c.Edited != nil {
		edited = *c.Edited
		edited.Link = nil // of the old text
	}
	edited.Text, edited.Mentions, edited.MentionAll = c.Text, c.Mentions, c.MentionAll
	return edited
}

// pin carries its time in the message's context, as additions to messages do.
func (c Content) pin(at *int64) *waE2E.Message {
	kind, seconds := waE2E.PinInChatMessage_PIN_FOR_ALL, c.Pin.Seconds
	if c.Pin.Unpin {
		kind, seconds = waE2E.PinInChatMessage_UNPIN_FOR_ALL, 0
	} else if seconds == 0 {
		seconds = PinSeconds()[1]
	}
	return &waE2E.Message{
		PinInChatMessage:   &waE2E.PinInChatMessage{Key: c.Target.key(), Type: kind.Enum(), SenderTimestampMS: at},
		MessageContextInfo: &waE2E.MessageContextInfo{MessageAddOnDurationInSecs: proto.Uint32(uint32(seconds))},
	}
}

// key is the target as whatsmeow's BuildMessageKey makes it: the author is
// named in groups, and when it is somebody else.
func (t Target) key() *waCommon.MessageKey {
	key := &waCommon.MessageKey{RemoteJID: proto.String(t.Chat.String()), FromMe: proto.Bool(t.FromMe), ID: proto.String(t.ID)}
	if !t.FromMe && !t.Sender.IsEmpty() && !isPerson(t.Chat) {
		key.Participant = proto.String(t.Sender.ToNonAD().String())
	}
	return key
}

// manyTimes is the score that clients show as "forwarded many times".
const manyTimes = 127

// Forward is the content as it is sent on to another chat: without reply,
// mentions and disappearing, and counted once more. What is not a message of
// its own, and view-once messages, are refused naming message_id.
func (c Content) Forward() (Content, error) {
	const field = "message_id"
	switch {
	case c.ViewOnce:
		return Content{}, fault.Field(field, "is a view-once message, which cannot be forwarded")
	case c.body(nil) == nil, c.Kind.HasMedia() && c.Media == nil:
		return Content{}, fault.Field(field, "is not a message that can be forwarded")
	case c.Location != nil && c.Location.Live:
		return Content{}, fault.Field(field, "is a live location, which cannot be forwarded")
	}
	c.ReplyTo, c.Mentions, c.MentionAll, c.Secret = nil, nil, false, nil
	c.ExpirationSeconds, c.ExpirationSetAt = 0, 0
	if c.Kind == KindPoll {
		c.Secret = NewSecret()
	}
	c.Forwarded = min(c.Forwarded+1, manyTimes)
	return c, nil
}

// NewSecret is a random secret for a poll.
func NewSecret() []byte {
	secret := make([]byte, SecretSize)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	return secret
}

// OptionHash is how votes name an option: the SHA-256 of its text.
func OptionHash(option string) [sha256.Size]byte { return sha256.Sum256([]byte(option)) }

// Chosen are the options that a vote's hashes name, in the poll's order. Hashes
// of no option are passed over.
func (p Poll) Chosen(hashes [][]byte) []string {
	var chosen []string
	for _, option := range p.Options {
		hash := OptionHash(option)
		if slices.ContainsFunc(hashes, func(h []byte) bool { return string(h) == string(hash[:]) }) {
			chosen = append(chosen, option)
		}
	}
	return chosen
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
