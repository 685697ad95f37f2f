package meta

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"muster/internal/event"
	"muster/internal/fault"
)

type messageValue struct {
	about
	Contacts []contact `json:"contacts,omitempty"`
	Messages []message `json:"messages,omitempty"`
	Statuses []status  `json:"statuses,omitempty"`
}

type contact struct {
	Profile profile `json:"profile"`
	member
}

type profile struct {
	Name string `json:"name,omitempty"`
}

// message is one that has come in.
type message struct {
	From string `json:"from,omitempty"`
	// FromUser stands for a sender whose phone is not known.
	FromUser  string `json:"from_user_id,omitempty"`
	GroupID   string `json:"group_id,omitempty"`
	ID        string `json:"id"`
	Timestamp string `json:"timestamp"`
	Type      string `json:"type"`

	Context *replyContext `json:"context,omitempty"`

	Text     *seenText     `json:"text,omitempty"`
	Image    *seenMedia    `json:"image,omitempty"`
	Video    *seenMedia    `json:"video,omitempty"`
	Audio    *seenMedia    `json:"audio,omitempty"`
	Document *seenMedia    `json:"document,omitempty"`
	Sticker  *seenMedia    `json:"sticker,omitempty"`
	Location *seenLocation `json:"location,omitempty"`
	Contacts []seenContact `json:"contacts,omitempty"`
	Reaction *seenReaction `json:"reaction,omitempty"`
	Errors   []errorItem   `json:"errors,omitempty"`
}

type replyContext struct {
	From string `json:"from,omitempty"`
	ID   string `json:"id,omitempty"`
	// Of a message that was passed on.
	Forwarded  bool `json:"forwarded,omitempty"`
	Frequently bool `json:"frequently_forwarded,omitempty"`
}

type seenText struct {
	Body string `json:"body"`
}

type seenMedia struct {
	ID       string `json:"id"`
	Mimetype string `json:"mime_type,omitempty"`
	SHA256   string `json:"sha256,omitempty"` // base64, as Meta's
	Caption  string `json:"caption,omitempty"`
	Filename string `json:"filename,omitempty"`
	Voice    *bool  `json:"voice,omitempty"`
	Animated *bool  `json:"animated,omitempty"`
}

type seenLocation struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
	URL       string  `json:"url,omitempty"`
}

type seenContact struct {
	Name   seenName    `json:"name"`
	Phones []seenPhone `json:"phones,omitempty"`
}

type seenName struct {
	Formatted string `json:"formatted_name"`
}

type seenPhone struct {
	Phone string `json:"phone"`
	WaID  string `json:"wa_id,omitempty"`
}

type seenReaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji,omitempty"`
}

type status struct {
	ID            string `json:"id"`
	Status        string `json:"status"`
	Timestamp     string `json:"timestamp"`
	RecipientID   string `json:"recipient_id"`
	RecipientType string `json:"recipient_type,omitempty"`
	Participant   string `json:"recipient_participant_id,omitempty"`

	Errors []errorItem `json:"errors,omitempty"`
}

// manyTimes is what WhatsApp calls frequently forwarded.
const manyTimes = 5

// messages are what there is to say of messages: those that have come, and what
// has become of the account's own.
func (s sender) messages(e event.Event) ([]any, error) {
	switch e.Type {
	case event.MessageReceipt:
		return s.receipt(e)
	case event.MessageFailed:
		return s.failed(e)
	case event.MessageReaction:
		return s.reaction(e)
	}
	var data event.Message
	if err := e.Decode(&data); err != nil {
		return nil, err
	}
	if data.FromMe {
		return s.sent(e, data), nil
	}
	m := s.message(data.MessageKey, data.Sender, data.Timestamp)
	m.ID = messageID(data.Chat, data.MessageID, false)
	m.fill(data, s.number)
	return s.incoming(m, data.Sender), nil
}

// reaction tells of a reaction, which at Meta's is a message of its own; its id
// is not known here.
func (s sender) reaction(e event.Event) ([]any, error) {
	var data event.Reaction
	if err := e.Decode(&data); err != nil || data.Actor.PhoneNumber == s.number {
		return nil, err
	}
	m := s.message(data.MessageKey, data.Actor, data.Timestamp)
	m.ID = messageID(data.Chat, data.MessageID+"-"+userOf(data.Actor.JID), false)
	m.Type, m.Reaction = "reaction", &seenReaction{MessageID: messageID(data.Chat, data.MessageID, data.FromMe), Emoji: data.Emoji}
	return s.incoming(m, data.Actor), nil
}

// failed tells of a message that was given up.
func (s sender) failed(e event.Event) ([]any, error) {
	var data event.Failed
	if err := e.Decode(&data); err != nil {
		return nil, err
	}
	one := s.status(data.Chat, data.MessageID, "failed", unix(data.Timestamp))
	one.Errors = []errorItem{problemOf(fault.New(fault.Code(data.ErrorCode), "%s", data.Error)).item()}
	return []any{messageValue{about: s.about(), Statuses: []status{one}}}, nil
}

func (s sender) message(key event.MessageKey, from event.Person, at int64) message {
	m := message{From: from.PhoneNumber, Timestamp: seconds(unix(at))}
	if m.From == "" {
		m.FromUser = userOf(from.LID)
	}
	if isGroupJID(key.Chat) {
		m.GroupID = GroupID(s.number, key.Chat)
	}
	return m
}

func isGroupJID(jid string) bool { return strings.HasSuffix(jid, groupServer) }

func (s sender) incoming(m message, from event.Person) []any {
	return []any{messageValue{
		about:    s.about(),
		Contacts: []contact{{Profile: profile{from.Name}, member: personOf(from.PhoneNumber, from.LID)}},
		Messages: []message{m},
	}}
}

// sent tells of a message that was sent through this server. Those of the
// account's other devices are not the business's API's.
func (s sender) sent(e event.Event, data event.Message) []any {
	if e.Type != event.MessageSent || data.Source != "api" {
		return nil
	}
	one := s.status(data.Chat, data.MessageID, "sent", unix(data.Timestamp))
	return []any{messageValue{about: s.about(), Statuses: []status{one}}}
}

func (s sender) status(chat, id, what string, at time.Time) status {
	one := status{ID: messageID(chat, id, true), Status: what, Timestamp: seconds(at), RecipientID: userOf(chat), RecipientType: "individual"}
	if isGroupJID(chat) {
		one.RecipientID, one.RecipientType = GroupID(s.number, chat), "group"
	}
	return one
}

// receipt tells of all messages that a receipt is about at once.
func (s sender) receipt(e event.Event) ([]any, error) {
	var data event.Receipt
	if err := e.Decode(&data); err != nil {
		return nil, err
	}
	what := data.Status
	if what == "played" {
		what = "read" // Meta has no other word
	}
	value := messageValue{about: s.about()}
	for _, id := range data.MessageIDs {
		one := s.status(data.Chat, id, what, unix(data.Timestamp))
		if isGroupJID(data.Chat) {
			one.Participant = data.Person.PhoneNumber
		}
		value.Statuses = append(value.Statuses, one)
	}
	return []any{value}, nil
}

func unix(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(at, 0)
}

// fill gives a message its content.
func (m *message) fill(data event.Message, account string) {
	m.Type = data.Kind
	if data.ReplyTo != nil && data.ReplyTo.Chat == "" {
		m.Context = &replyContext{}
		mine := false
		if from := data.ReplyTo.Sender; from != nil {
			m.Context.From, mine = from.PhoneNumber, from.PhoneNumber == account
		}
		m.Context.ID = messageID(data.Chat, data.ReplyTo.MessageID, mine)
	} else if data.Forwarded > 0 {
		m.Context = &replyContext{Forwarded: true, Frequently: data.Forwarded >= manyTimes}
	}
	switch {
	case data.Kind == "undecryptable":
		m.unsupported(codeUnreadable, "the message could not be decrypted; its sender is asked to send it again")
	case data.ViewOnce:
		m.unsupported(codeUnsupportedSeen, "messages that are to be seen once are not passed on")
	case data.Kind == "text":
		m.Text = &seenText{Body: data.Text}
	case data.Media != nil:
		m.fillMedia(data, account)
	case data.Location != nil:
		m.Location = &seenLocation{
			Latitude: data.Location.Latitude, Longitude: data.Location.Longitude,
			Name: data.Location.Name, Address: data.Location.Address, URL: data.Location.URL,
		}
	case data.Kind == "contact":
		m.Type = "contacts"
		for _, card := range data.Contacts {
			one := seenContact{Name: seenName{card.Name}}
			for _, phone := range card.Phones {
				one.Phones = append(one.Phones, seenPhone{Phone: phone.Number, WaID: phone.WhatsApp})
			}
			m.Contacts = append(m.Contacts, one)
		}
	default:
		m.unsupported(codeUnsupportedSeen, "messages of the kind "+data.Kind+" have no place in this API")
	}
}

func (m *message) unsupported(code int, why string) {
	m.Type, m.Errors = "unsupported", []errorItem{problem(code, why).item()}
}

func (m *message) fillMedia(data event.Message, account string) {
	file := &seenMedia{
		ID:       opaque{mediaWord, account, data.Chat + ":" + data.MessageID}.String(),
		Mimetype: data.Media.Mimetype, Caption: data.Text, Filename: data.Media.Filename,
	}
	if sum, err := hex.DecodeString(data.Media.SHA256); err == nil {
		file.SHA256 = base64.StdEncoding.EncodeToString(sum)
	}
	switch data.Kind {
	case "image":
		m.Image = file
	case "video":
		m.Video = file
	case "audio":
		file.Voice, m.Audio = &data.Media.PTT, file
	case "sticker":
		file.Animated, m.Sticker = &data.Media.Animated, file
	case "document":
		m.Document = file
	default:
		m.unsupported(codeUnsupportedSeen, "messages of the kind "+data.Kind+" have no place in this API")
	}
}
