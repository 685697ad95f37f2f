package zoko

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"muster/internal/event"
	"muster/webhooks"
)

// Zoko's events. There is none about groups.
const (
	eventUserIn   = "message:user:in"
	eventStoreOut = "message:store:out"
	eventDelivery = "message:delivery:update"
)

const (
	fromCustomer = "FROM_CUSTOMER"
	fromStore    = "FROM_STORE"

	statusReceived  = "received"
	statusSent      = "sent"
	statusDelivered = "delivered"
	statusRead      = "read"
	statusFailed    = "failed"

	platformWhatsApp = "WHATSAPP" // as webhooks have it
)

// typeFor is our type of event for one of Zoko's.
func typeFor(name string) (event.Type, bool) {
	switch name {
	case eventUserIn:
		return event.MessageReceived, true
	case eventStoreOut:
		return event.MessageSent, true
	case eventDelivery:
		return event.MessageReceipt, true
	}
	return "", false
}

// MessageEvent is a message that came in or was sent.
type MessageEvent struct {
	Event             string   `json:"event" enum:"message:user:in,message:store:out"`
	ID                string   `json:"id"`
	Customer          Customer `json:"customer" doc:"The other side: a person, or a group, which is a customer record of its own."`
	CustomerName      string   `json:"customerName"`
	ChatType          string   `json:"chatType" enum:"individual,group"`
	GroupID           string   `json:"groupId,omitempty" doc:"The group's id at WhatsApp."`
	Direction         string   `json:"direction" enum:"FROM_CUSTOMER,FROM_STORE"`
	DeliveryStatus    string   `json:"deliveryStatus" enum:"received,sent"`
	Platform          string   `json:"platform" enum:"WHATSAPP"`
	PlatformSenderID  string   `json:"platformSenderId" doc:"The other side: a phone number with +, or a group's id. An answer to it comes to the same conversation."`
	Phone             string   `json:"phone" doc:"The same as platformSenderId."`
	PlatformTimestamp string   `json:"platformTimestamp"`
	SenderName        string   `json:"senderName"`
	Sender            *Sender  `json:"sender,omitempty" doc:"Who has written it, in a group."`
	Type              string   `json:"type"`
	Text              string   `json:"text"`
	FileURL           string   `json:"fileUrl,omitempty" doc:"Where the file can be had, below this server's address, with the key."`
	FileCaption       string   `json:"fileCaption,omitempty"`
}

// Sender is somebody who has written in a group.
type Sender struct {
	ID               string `json:"id"`
	Name             string `json:"name"`
	PlatformSenderID string `json:"platformSenderId,omitempty" doc:"The phone number with +, where it is known."`
}

// DeliveryEvent is news of a message that was sent.
type DeliveryEvent struct {
	Event             string `json:"event" enum:"message:delivery:update"`
	ID                string `json:"id" doc:"The messageId of the message."`
	DeliveryStatus    string `json:"deliveryStatus" enum:"delivered,read"`
	PlatformTimestamp string `json:"platformTimestamp"`
	PlatformSenderID  string `json:"platformSenderId,omitempty" doc:"For whom: in a group each member tells for themself."`
}

// Encode writes the events that Zoko has.
func (d *Dialect) Encode(e event.Event, to webhooks.Endpoint) ([]webhooks.Request, error) {
	switch e.Type {
	case event.MessageReceived, event.MessageSent:
		var m event.Message
		if err := e.Decode(&m); err != nil {
			return nil, err
		}
		if m.Kind == "undecryptable" {
			return nil, nil // it is told again once it can be read
		}
		// What the account writes on its phone is told as received.
		if m.FromMe && !wants(to, event.MessageSent) {
			return nil, nil
		}
		return written(d.messageEvent(e, m))
	case event.MessageReceipt:
		var r event.Receipt
		if err := e.Decode(&r); err != nil {
			return nil, err
		}
		var news []any
		for _, id := range r.MessageIDs {
			news = append(news, DeliveryEvent{
				Event: eventDelivery, ID: messageID(id), DeliveryStatus: receiptStatus(r.Status), PlatformTimestamp: timeOf(e.At),
				PlatformSenderID: socialID(r.Person.JID),
			})
		}
		return written(news...)
	}
	return nil, nil
}

func wants(to webhooks.Endpoint, t event.Type) bool {
	return slices.ContainsFunc(to.Events, func(pattern string) bool { return event.Match(pattern, t) })
}

func written(news ...any) ([]webhooks.Request, error) {
	var requests []webhooks.Request
	for _, each := range news {
		body, err := json.Marshal(each)
		if err != nil {
			return nil, fmt.Errorf("write a webhook: %w", err)
		}
		requests = append(requests, webhooks.Request{Body: string(body)})
	}
	return requests, nil
}

// receiptStatus: what was played was read.
func receiptStatus(status string) string {
	if status == "played" {
		return statusRead
	}
	return status
}

func (d *Dialect) messageEvent(e event.Event, m event.Message) MessageEvent {
	news := MessageEvent{
		Event: eventUserIn, ID: messageID(m.MessageID), Customer: Customer{ID: recordID(e.SessionID, m.Chat), Name: m.ChatName},
		ChatType: chatTypeIndividual, Direction: fromCustomer, DeliveryStatus: statusReceived, Platform: platformWhatsApp,
		PlatformSenderID: socialID(m.Chat), Phone: socialID(m.Chat), PlatformTimestamp: timeOf(e.At), SenderName: m.Sender.Name, Type: zokoType(m.Kind),
	}
	if m.FromMe {
		news.Event, news.Direction, news.DeliveryStatus = eventStoreOut, fromStore, statusSent
	}
	switch {
	case strings.HasSuffix(m.Chat, groupServer):
		news.ChatType, news.GroupID = chatTypeGroup, groupID(m.Chat)
		if !m.FromMe {
			news.Sender = &Sender{ID: recordID(e.SessionID, m.Sender.JID), Name: m.Sender.Name, PlatformSenderID: socialID(m.Sender.JID)}
		}
	case !m.FromMe:
		news.Customer.Name = cmp.Or(m.ChatName, m.Sender.Name)
	}
	news.CustomerName = news.Customer.Name
	news.Text, news.FileCaption = words(m.MessageContent)
	if m.Media != nil && !m.ViewOnce {
		news.FileURL = d.filePath(m.MessageID)
	}
	return news
}

// socialID is a person's phone number with a plus, or a group's digits; empty
// for a person whose number is not known.
func socialID(jid string) string {
	user, server, _ := strings.Cut(jid, "@")
	switch "@" + server {
	case groupServer:
		return user
	case lidServer:
		return ""
	}
	return "+" + user
}

// zokoType is Zoko's word for a kind of message, or ours where it has none.
func zokoType(kind string) string {
	if kind == "contact" {
		return typeContacts
	}
	return kind
}

// words are what a message says, and the caption of its file. What Zoko has no
// field for is said in words.
func words(m event.MessageContent) (text, caption string) {
	switch {
	case m.Media != nil:
		return "", m.Text
	case m.Location != nil:
		return fmt.Sprintf("%g:%g", m.Location.Latitude, m.Location.Longitude), ""
	case len(m.Contacts) > 0:
		var cards []string
		for _, c := range m.Contacts {
			card := c.Name
			for _, p := range c.Phones {
				card += " " + p.Number
			}
			cards = append(cards, strings.TrimSpace(card))
		}
		return strings.Join(cards, "\n"), ""
	case m.Poll != nil:
		return strings.Join(append([]string{m.Poll.Name}, m.Poll.Options...), "\n"), ""
	}
	return m.Text, ""
}
