package phone

import (
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Target is another message: what a phone remembers of it.
type Target struct {
	ID      string
	Sender  types.JID // bare, in the addressing of the chat
	FromMe  bool      // of the phone's own account
	Message *waE2E.Message
}

// Scene is what writing a message takes beside its content.
type Scene struct {
	Chat types.JID // the group, or the other party
	Self types.JID // the phone's own bare address, in the addressing of the chat
	Now  time.Time
	// Expires is the chat's timer in seconds, 0 for none.
	Expires uint32
	// Target and Quoted are what the content refers to, where it does.
	Target, Quoted *Target
	// Upload puts a file to the media host and returns its direct path.
	Upload func(kind string, sealed []byte) (directPath string, err error)
}

// secretSize is how long the secret of a message is, in bytes.
const secretSize = 32

// Compose writes a message the way phones do: files are encrypted and uploaded,
// votes encrypted with the poll's secret, and what others may refer to has a
// secret of its own. The content must have passed Check. The error names the
// field that is wrong.
func (p *Phone) Compose(c Content, s Scene) (*waE2E.Message, error) {
	m, err := p.body(c, s)
	if err != nil {
		return nil, err
	}
	switch c.Kind {
	case KindReaction, KindEdit, KindRevoke, KindVote:
		return m, nil // about another message, and never referred to
	case KindPin:
		return m, nil
	}
	secret, err := randomBytes(p.random, secretSize)
	if err != nil {
		return nil, fmt.Errorf("draw the message's secret: %w", err)
	}
	m.MessageContextInfo = &waE2E.MessageContextInfo{MessageSecret: secret}
	if c.ViewOnce {
		m = viewOnce(m)
	}
	return m, nil
}

// body writes what the message is about.
func (p *Phone) body(c Content, s Scene) (*waE2E.Message, error) {
	context := contextInfo(c, s)
	switch c.Kind {
	case KindText:
		if context == nil {
			return &waE2E.Message{Conversation: proto.String(c.Text)}, nil
		}
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String(c.Text), ContextInfo: context}}, nil
	case KindImage, KindVideo, KindAudio, KindDocument, KindSticker:
		return p.attachment(c, s, context)
	case KindLocation:
		return location(c, context), nil
	case KindContact:
		return contacts(c.Contacts, context), nil
	case KindPoll:
		return poll(c, context), nil
	case KindInvite:
		return &waE2E.Message{GroupInviteMessage: &waE2E.GroupInviteMessage{
			GroupJID: &c.Invite.Group, InviteCode: &c.Invite.Code, InviteExpiration: &c.Invite.Expires,
			GroupName: &c.Invite.Name, Caption: optionalText(c.Text), ContextInfo: context,
		}}, nil
	}
	return p.aboutAnother(c, s)
}

// aboutAnother writes what refers to another message.
func (p *Phone) aboutAnother(c Content, s Scene) (*waE2E.Message, error) {
	key, stamp := s.Target.key(s.Chat), proto.Int64(s.Now.UnixMilli())
	switch c.Kind {
	case KindReaction:
		return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
			Key: key, Text: proto.String(c.Text), SenderTimestampMS: stamp}}, nil
	case KindRevoke:
		return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type: waE2E.ProtocolMessage_REVOKE.Enum(), Key: key}}, nil
	case KindEdit:
		if !s.Target.FromMe {
			return nil, fmt.Errorf("target: %s is not the phone's own message", s.Target.ID)
		}
		return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
			ProtocolMessage: &waE2E.ProtocolMessage{
				Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), Key: key, TimestampMS: stamp,
				EditedMessage: edited(s.Target.Message, c.Text),
			},
		}}}, nil
	case KindPin:
		return pin(c.Pin, key, stamp), nil
	case KindVote:
		vote, err := p.sealVote(*s.Target, s.Self, c.Votes)
		if err != nil {
			return nil, err
		}
		return &waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{
			PollCreationMessageKey: key, Vote: vote, SenderTimestampMS: stamp}}, nil
	}
	return nil, fmt.Errorf("type: a phone cannot send %q", c.Kind)
}

// key names a message to others: whose it is counts from the sender's side.
func (t *Target) key(chat types.JID) *waCommon.MessageKey {
	key := &waCommon.MessageKey{
		RemoteJID: proto.String(chat.String()), FromMe: proto.Bool(t.FromMe), ID: proto.String(t.ID),
	}
	if !t.FromMe && chat.Server == types.GroupServer {
		key.Participant = proto.String(t.Sender.ToNonAD().String())
	}
	return key
}

// contextInfo is what surrounds the content, or nil when nothing does.
func contextInfo(c Content, s Scene) *waE2E.ContextInfo {
	context := new(waE2E.ContextInfo)
	context.MentionedJID = c.Mentions
	if c.MentionAll {
		context.NonJIDMentions = proto.Uint32(mentionEverybody)
	}
	if q := s.Quoted; q != nil {
		context.StanzaID, context.Participant = proto.String(q.ID), proto.String(q.Sender.ToNonAD().String())
		if context.QuotedMessage = quotable(q.Message); context.QuotedMessage == nil {
			context.QuotedMessage = &waE2E.Message{Conversation: proto.String("")}
		}
	}
	if c.ForwardingScore > 0 {
		context.IsForwarded, context.ForwardingScore = proto.Bool(true), proto.Uint32(c.ForwardingScore)
	}
	expires := s.Expires
	if c.Expires != nil {
		expires = *c.Expires
	}
	if expires > 0 {
		context.Expiration = proto.Uint32(expires)
	}
	if proto.Size(context) == 0 {
		return nil
	}
	return context
}

// mentionEverybody is the bit of nonJIDMentions that means all members.
const mentionEverybody = 1

// quotable is a message as it is quoted: without what it quotes itself and
// without its secret.
func quotable(m *waE2E.Message) *waE2E.Message {
	m = unwrap(m)
	if m == nil {
		return nil
	}
	m = proto.CloneOf(m)
	m.MessageContextInfo, m.SenderKeyDistributionMessage = nil, nil
	if context := contextOf(m); context != nil {
		context.QuotedMessage, context.StanzaID, context.Participant = nil, nil, nil
	}
	return m
}

// edited is what an edit puts in the place of a message: a text, or the same
// file with another caption.
func edited(old *waE2E.Message, text string) *waE2E.Message {
	m := quotable(old)
	switch {
	case m.GetImageMessage() != nil:
		m.ImageMessage.Caption = &text
	case m.GetVideoMessage() != nil:
		m.VideoMessage.Caption = &text
	case m.GetDocumentMessage() != nil:
		m.DocumentMessage.Caption = &text
	default:
		return &waE2E.Message{Conversation: &text}
	}
	return m
}

func location(c Content, context *waE2E.ContextInfo) *waE2E.Message {
	l := c.Location
	if l.Live {
		return &waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{
			DegreesLatitude: &l.Latitude, DegreesLongitude: &l.Longitude, Caption: optionalText(c.Text),
			SequenceNumber: proto.Int64(1), ContextInfo: context,
		}}
	}
	return &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
		DegreesLatitude: &l.Latitude, DegreesLongitude: &l.Longitude, Name: optionalText(l.Name),
		Address: optionalText(l.Address), Comment: optionalText(c.Text), ContextInfo: context,
	}}
}

func contacts(list []Contact, context *waE2E.ContextInfo) *waE2E.Message {
	cards := make([]*waE2E.ContactMessage, 0, len(list))
	for _, contact := range list {
		cards = append(cards, &waE2E.ContactMessage{DisplayName: &contact.Name, Vcard: &contact.VCard})
	}
	if len(cards) == 1 {
		cards[0].ContextInfo = context
		return &waE2E.Message{ContactMessage: cards[0]}
	}
	return &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{
		DisplayName: proto.String(fmt.Sprintf("%d contacts", len(cards))), Contacts: cards, ContextInfo: context,
	}}
}

// poll writes a poll. The version tells whether one option may be chosen or
// several, as Baileys has it: pollCreationMessageV3 and pollCreationMessage.
func poll(c Content, context *waE2E.ContextInfo) *waE2E.Message {
	creation := &waE2E.PollCreationMessage{
		Name: proto.String(c.Text), SelectableOptionsCount: proto.Uint32(c.Poll.Selectable), ContextInfo: context,
	}
	for _, option := range c.Poll.Options {
		creation.Options = append(creation.Options, &waE2E.PollCreationMessage_Option{OptionName: proto.String(option)})
	}
	if c.Poll.Selectable == 1 {
		return &waE2E.Message{PollCreationMessageV3: creation}
	}
	return &waE2E.Message{PollCreationMessage: creation}
}

// pin writes a pin. For how long stands beside it.
func pin(p *Pin, key *waCommon.MessageKey, stamp *int64) *waE2E.Message {
	if p == nil {
		p = new(Pin)
	}
	m := &waE2E.PinInChatMessage{Key: key, Type: waE2E.PinInChatMessage_PIN_FOR_ALL.Enum(), SenderTimestampMS: stamp}
	if p.Unpin {
		m.Type = waE2E.PinInChatMessage_UNPIN_FOR_ALL.Enum()
		return &waE2E.Message{PinInChatMessage: m}
	}
	seconds := p.Seconds
	if seconds == 0 {
		seconds = defaultPin
	}
	return &waE2E.Message{PinInChatMessage: m, MessageContextInfo: &waE2E.MessageContextInfo{
		MessageAddOnDurationInSecs: proto.Uint32(seconds)}}
}

// viewOnce puts a message into the envelope for what may be seen once. Voice
// notes have one of their own.
func viewOnce(m *waE2E.Message) *waE2E.Message {
	envelope := &waE2E.FutureProofMessage{Message: m}
	switch {
	case m.ImageMessage != nil:
		m.ImageMessage.ViewOnce = proto.Bool(true)
	case m.VideoMessage != nil:
		m.VideoMessage.ViewOnce = proto.Bool(true)
	case m.AudioMessage != nil:
		m.AudioMessage.ViewOnce = proto.Bool(true)
		return &waE2E.Message{ViewOnceMessageV2Extension: envelope, MessageContextInfo: m.MessageContextInfo}
	}
	return &waE2E.Message{ViewOnceMessageV2: envelope, MessageContextInfo: m.MessageContextInfo}
}

// optionalText is text that is left out when there is none.
func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// optionalNumber is a number that is left out when it is 0.
func optionalNumber(n uint32) *uint32 {
	if n == 0 {
		return nil
	}
	return &n
}
