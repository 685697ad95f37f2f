package v1

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	edge "muster/api"
	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
)

const (
	messagesPath = "/sessions/{session_id}/messages"
	messagesTag  = "Messages"
)

// SendOptions is what every message has around its content.
type SendOptions struct {
	To          string   `json:"to" minLength:"1" maxLength:"128" example:"123456789-1234567890@g.us" doc:"A group's JID, or a person: phone JID, LID, or phone number with or without +."`
	ReplyTo     string   `json:"reply_to,omitempty" maxLength:"128" doc:"The id of the message in this chat that this one answers."`
	ReplySender string   `json:"reply_sender,omitempty" maxLength:"128" doc:"Who has sent that; needed only where the inbox does not have it."`
	Mentions    []string `json:"mentions,omitempty" nullable:"true" maxItems:"1100" doc:"Members of the group who are called: phone JIDs, LIDs or phone numbers. In the text, @ and the number stands for the name." example:"[\"628123456789\"]"`
	MentionAll  bool     `json:"mention_all,omitempty" doc:"Calls everybody in the group."`
	SendAt      Moment   `json:"send_at,omitempty" doc:"Send it then, and not now: UNIX seconds, or a time such as 2030-01-31T08:00:00Z."`
}

func (o SendOptions) envelope(sessionID string) (messages.Envelope, error) {
	at, err := o.SendAt.time()
	return messages.Envelope{
		SessionID: sessionID, To: o.To, SendAt: at, ReplyTo: o.ReplyTo, ReplySender: o.ReplySender,
		Mentions: o.Mentions, MentionAll: o.MentionAll,
	}, err
}

// Moment is a time as requests have it: UNIX seconds, or text as RFC 3339 has
// it. Absent and null are no time.
type Moment struct{ raw json.RawMessage }

// UnmarshalJSON keeps the value until it is known which field it is in.
func (m *Moment) UnmarshalJSON(text []byte) error {
	m.raw = append(m.raw[:0], text...)
	return nil
}

// MarshalJSON writes what was read.
func (m Moment) MarshalJSON() ([]byte, error) {
	if m.raw == nil {
		return []byte("null"), nil
	}
	return m.raw, nil
}

// Schema lets any value pass: what is wrong with it, time says better.
func (Moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Examples: []any{1893456000, "2030-01-01T00:00:00Z"}}
}

// momentOf is the moment that a form's field has.
func momentOf(text string) Moment {
	if json.Valid([]byte(text)) {
		return Moment{raw: json.RawMessage(text)}
	}
	encoded, err := json.Marshal(text)
	if err != nil {
		return Moment{raw: json.RawMessage("false")} // refused by time
	}
	return Moment{raw: encoded}
}

func (m Moment) time() (time.Time, error) {
	if len(m.raw) == 0 || string(m.raw) == "null" {
		return time.Time{}, nil
	}
	var seconds int64
	if json.Unmarshal(m.raw, &seconds) == nil && seconds > 0 && seconds < 1<<36 {
		return time.Unix(seconds, 0), nil
	}
	var text string
	if json.Unmarshal(m.raw, &text) == nil {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fault.Field("send_at", "must be UNIX seconds, or a time such as 2030-01-31T08:00:00Z")
}

// sent is a message that was sent, or that is kept for later.
type sent struct {
	MessageID string `json:"message_id" example:"3EB0C431C26A1916E07A"`
	Timestamp int64  `json:"timestamp" example:"1640000000" doc:"When WhatsApp took the message, in UNIX seconds; of one for later, when it is to be sent."`
	To        string `json:"to" example:"123456789-1234567890@g.us" doc:"The chat that it went to."`
	Status    string `json:"status,omitempty" enum:"scheduled" doc:"scheduled for a message that is kept for later; absent for one that was sent."`
	SendAt    int64  `json:"send_at,omitempty" doc:"When a message that is kept for later is to be sent, in UNIX seconds."`
}

func sentView(m messages.Sent) sent {
	view := sent{MessageID: m.ID, Timestamp: seconds(m.Timestamp), To: m.To}
	if !m.SendAt.IsZero() {
		view.Timestamp, view.SendAt, view.Status = m.SendAt.Unix(), m.SendAt.Unix(), string(messages.OutboxScheduled)
	}
	return view
}

const sendDescription = "To a person or a group. Success means that WhatsApp has taken the message, not that anybody has it. " +
	"Messages to one chat go out in the order in which they were asked for. " +
	"After 504 outcome_unknown the server goes on sending this message, always under the same id, until WhatsApp confirms it. "

// MessageServices are the two sides of messages.
type MessageServices struct {
	Send  *messages.Service
	Inbox *messages.Inbox
	// UploadLimit bounds requests that bring a file, in bytes.
	UploadLimit int
}

// RegisterMessages adds the sending of messages, the inbox and presence.
func RegisterMessages(server *edge.Server, services MessageServices) {
	api := server.Huma()
	registerPlain(api, services.Send)
	registerMediaSends(server, services)
	registerTargets(api, services.Send)
	registerScheduled(api, services.Send)
	registerPresence(api, services.Send)
	registerChats(api, services.Inbox)
	registerInbox(api, services.Inbox)
	registerDownload(server, services.Send)
}

// sends registers the sending of one kind of message, from a body of JSON.
func sends[Body any](api huma.API, name, summary, description string, op func(ctx context.Context, sessionID string, body Body) (messages.Sent, error)) {
	type input struct {
		SessionID string `path:"session_id" doc:"The session's id." example:"my-session"`
		Body      Body
	}
	handle(api, route{
		Method: http.MethodPost, Path: messagesPath + "/" + name, ID: "send-" + name, Tag: messagesTag, Summary: summary, Description: description,
	}, func(ctx context.Context, in *input) (sent, error) {
		message, err := op(ctx, in.SessionID, in.Body)
		return sentView(message), err
	})
}

// TextBody is a text.
type TextBody struct {
	SendOptions
	Text string `json:"text" minLength:"1" maxLength:"65536" example:"Hello group!" doc:"At most 65,536 bytes of UTF-8."`
}

// LocationBody is a place.
type LocationBody struct {
	SendOptions
	Latitude  float64 `json:"latitude" minimum:"-90" maximum:"90" example:"-6.1754" doc:"In degrees."`
	Longitude float64 `json:"longitude" minimum:"-180" maximum:"180" example:"106.8272" doc:"In degrees."`
	Name      string  `json:"name,omitempty" maxLength:"1024" example:"Monas" doc:"What the place is called."`
	Address   string  `json:"address,omitempty" maxLength:"1024" example:"Gambir, Jakarta"`
}

// ContactBody is one card or several.
type ContactBody struct {
	SendOptions
	Contact  *ContactCard  `json:"contact,omitempty" nullable:"false" doc:"The card; or contacts, for several."`
	Contacts []ContactCard `json:"contacts,omitempty" nullable:"true" maxItems:"257" doc:"Several cards."`
}

// ContactCard is somebody's card: fields to make one of, or a finished vCard.
type ContactCard struct {
	DisplayName  string         `json:"display_name,omitempty" maxLength:"1024" example:"Ann Example"`
	Phones       []ContactPhone `json:"phones,omitempty" nullable:"true" maxItems:"20"`
	Organization string         `json:"organization,omitempty" maxLength:"1024"`
	VCard        string         `json:"vcard,omitempty" maxLength:"65536" doc:"A whole vCard, in place of the other fields but display_name."`
}

// ContactPhone is a number on a card.
type ContactPhone struct {
	Number    string `json:"number" minLength:"1" maxLength:"40" example:"+62 812 3456 789"`
	PhoneType string `json:"phone_type,omitempty" maxLength:"20" doc:"For compatibility: WhatsApp shows all as mobile numbers."`
	WhatsApp  string `json:"whatsapp,omitempty" maxLength:"20" doc:"The account that the number belongs to, digits only; those of number when absent."`
}

// PollBody is a question.
type PollBody struct {
	SendOptions
	Name            string   `json:"name" minLength:"1" maxLength:"255" example:"Lunch?" doc:"The question."`
	Options         []string `json:"options" nullable:"false" minItems:"2" maxItems:"12" example:"[\"Soto\",\"Rendang\"]"`
	SelectableCount int      `json:"selectable_count,omitempty" minimum:"0" maximum:"12" doc:"How many options one may choose; 0 is any number."`
}

// registerPlain adds what is sent as JSON and nothing else.
func registerPlain(api huma.API, service *messages.Service) {
	sends(api, "text", "Send a text", sendDescription, func(ctx context.Context, id string, b TextBody) (messages.Sent, error) {
		envelope, err := b.envelope(id)
		if err != nil {
			return messages.Sent{}, err
		}
		return service.SendText(ctx, messages.TextRequest{Envelope: envelope, Text: b.Text})
	})
	sends(api, "location", "Send a place", sendDescription, func(ctx context.Context, id string, b LocationBody) (messages.Sent, error) {
		envelope, err := b.envelope(id)
		if err != nil {
			return messages.Sent{}, err
		}
		return service.SendLocation(ctx, messages.LocationRequest{
			Envelope: envelope, Latitude: b.Latitude, Longitude: b.Longitude, Name: b.Name, Address: b.Address,
		})
	})
	sends(api, "contact", "Send contact cards", sendDescription, func(ctx context.Context, id string, b ContactBody) (messages.Sent, error) {
		envelope, err := b.envelope(id)
		if err != nil {
			return messages.Sent{}, err
		}
		cards, err := b.cards()
		if err != nil {
			return messages.Sent{}, err
		}
		return service.SendContact(ctx, messages.ContactRequest{Envelope: envelope, Contacts: cards})
	})
	sends(api, "poll", "Send a poll", sendDescription+"The votes are decrypted and counted: they are in the inbox, with the message.",
		func(ctx context.Context, id string, b PollBody) (messages.Sent, error) {
			envelope, err := b.envelope(id)
			if err != nil {
				return messages.Sent{}, err
			}
			poll := content.Poll{Name: b.Name, Options: b.Options, SelectableCount: b.SelectableCount}
			return service.SendPoll(ctx, messages.PollRequest{Envelope: envelope, Poll: poll})
		})
}

func (b ContactBody) cards() ([]content.Contact, error) {
	cards := b.Contacts
	if b.Contact != nil {
		if len(cards) > 0 {
			return nil, fault.Field("contacts", "must not be given beside contact")
		}
		cards = []ContactCard{*b.Contact}
	}
	if len(cards) == 0 {
		return nil, fault.Field("contact", "is required")
	}
	list := make([]content.Contact, len(cards))
	for i, card := range cards {
		list[i] = content.Contact{Name: card.DisplayName, VCard: card.VCard, Organization: card.Organization}
		for _, phone := range card.Phones {
			list[i].Phones = append(list[i].Phones, content.Phone{Number: phone.Number, WhatsApp: phone.account()})
		}
	}
	return list, nil
}

// account is the number's account: that of the number itself unless it is given.
func (p ContactPhone) account() string {
	if p.WhatsApp != "" {
		return p.WhatsApp
	}
	var digits []byte
	for i := range len(p.Number) {
		if p.Number[i] >= '0' && p.Number[i] <= '9' {
			digits = append(digits, p.Number[i])
		}
	}
	return string(digits)
}
