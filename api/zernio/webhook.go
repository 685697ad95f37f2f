package zernio

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"muster/internal/event"
	"muster/messages"
	"muster/session"
	"muster/webhooks"
)

// The headers of Zernio's webhooks.
const (
	signatureHeader = "X-Zernio-Signature"
	eventHeader     = "X-Zernio-Event"
	eventIDHeader   = "X-Zernio-Event-Id"
)

// The events of Zernio's that happen here.
const (
	messageReceived     = "message.received"
	messageSent         = "message.sent"
	messageDelivered    = "message.delivered"
	messageRead         = "message.read"
	messageFailed       = "message.failed"
	messageEdited       = "message.edited"
	messageDeleted      = "message.deleted"
	reactionReceived    = "reaction.received"
	conversationStarted = "conversation.started"
)

type webhookSender struct {
	ID          string `json:"id"`
	Name        string `json:"name,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
}

// webhookMessage is a message. Of one of which only its id is known, as in a
// receipt, the text is null and the time of sending absent.
type webhookMessage struct {
	ID                string        `json:"id"`
	ConversationID    string        `json:"conversationId"`
	Platform          string        `json:"platform"`
	PlatformMessageID string        `json:"platformMessageId"`
	Direction         string        `json:"direction"`
	Text              *string       `json:"text"`
	Attachments       []attachment  `json:"attachments"`
	Sender            webhookSender `json:"sender"`
	SentAt            string        `json:"sentAt,omitempty"`
	IsRead            bool          `json:"isRead"`
	SentVia           *string       `json:"sentVia"`
}

type webhookConversation struct {
	ID                     string `json:"id"`
	Platform               string `json:"platform,omitempty"`
	PlatformConversationID string `json:"platformConversationId"`
	ParticipantID          string `json:"participantId"`
	ParticipantName        string `json:"participantName,omitempty"`
	Status                 string `json:"status"`
}

type webhookAccount struct {
	ID          string `json:"id"`
	AccountID   string `json:"accountId"`
	ProfileID   string `json:"profileId"` // each account is a profile of its own
	Platform    string `json:"platform"`
	Username    string `json:"username"`
	DisplayName string `json:"displayName,omitempty"`
}

type webhookError struct {
	Title   string `json:"title"`
	Message string `json:"message"`
}

type webhookReaction struct {
	Emoji             string        `json:"emoji"`
	Action            string        `json:"action"`
	MessageID         string        `json:"messageId"`
	PlatformMessageID string        `json:"platformMessageId"`
	Sender            webhookSender `json:"sender"`
	ReactedAt         string        `json:"reactedAt"`
}

// payload is a webhook.
type payload struct {
	ID           string              `json:"id"`
	Event        string              `json:"event"`
	Message      *webhookMessage     `json:"message,omitempty"`
	Reaction     *webhookReaction    `json:"reaction,omitempty"`
	Recipient    *webhookSender      `json:"recipient,omitempty"` // whose receipt it is; Zernio has no groups to need it
	StatusAt     string              `json:"statusAt,omitempty"`
	StartedAt    string              `json:"startedAt,omitempty"`
	EditedAt     string              `json:"editedAt,omitempty"`
	EditCount    int                 `json:"editCount,omitempty"`
	EditHistory  []edition           `json:"editHistory,omitempty"`
	DeletedAt    string              `json:"deletedAt,omitempty"`
	Error        *webhookError       `json:"error,omitempty"`
	Conversation webhookConversation `json:"conversation"`
	Account      webhookAccount      `json:"account"`
	Metadata     *metadata           `json:"metadata,omitempty"`
	Timestamp    string              `json:"timestamp"`
}

type edition struct {
	Text     string `json:"text"`
	EditedAt string `json:"editedAt"`
}

// Sign puts Zernio's proof on a request: the HMAC-SHA256 of the body, keyed with
// the newest secret. The header has room for one.
func (*Dialect) Sign(header http.Header, body string, secrets []string) {
	mac := hmac.New(sha256.New, []byte(secrets[0]))
	_, _ = mac.Write([]byte(body)) // never fails, see hash.Hash
	header.Set(signatureHeader, hex.EncodeToString(mac.Sum(nil)))
}

// Encode writes an event as Zernio does; it has nothing for most of those about
// groups.
func (d *Dialect) Encode(e event.Event, to webhooks.Endpoint) ([]webhooks.Request, error) {
	w := writer{endpoint: to, event: e}
	var known bool
	if w.session, known = d.services.Accounts.Of(context.Background(), e.SessionID); !known {
		w.session.ID = e.SessionID
	}
	list, err := w.payloads()
	if err != nil {
		return nil, err
	}
	wanted := subscription(to)
	list = slices.DeleteFunc(list, func(p payload) bool { return !wanted(p.Event) })
	requests := make([]webhooks.Request, 0, len(list))
	for i, p := range list {
		p.ID, p.Timestamp, p.Account = e.ID, iso(e.At), w.account()
		if i > 0 { // of one event that is several webhooks
			p.ID += "_" + strconv.Itoa(i+1)
		}
		body, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		requests = append(requests, webhooks.Request{Body: string(body), Header: map[string]string{eventHeader: p.Event, eventIDHeader: p.ID}})
	}
	return requests, nil
}

// writer writes one event for one endpoint.
type writer struct {
	session  session.Session
	endpoint webhooks.Endpoint
	event    event.Event
}

func (w writer) payloads() ([]payload, error) {
	switch w.event.Type {
	case event.MessageReceived, event.MessageSent:
		return decoded(w.event, w.said)
	case event.MessageReceipt:
		return decoded(w.event, w.receipt)
	case event.MessageFailed:
		return decoded(w.event, w.failed)
	case event.MessageEdited:
		return decoded(w.event, w.edited)
	case event.MessageRevoked:
		return decoded(w.event, w.revoked)
	case event.MessageReaction:
		return decoded(w.event, w.reacted)
	case event.GroupCreated, event.GroupJoined:
		return decoded(w.event, w.started)
	}
	return nil, nil
}

// decoded reads an event's data and writes what comes of it.
func decoded[T any](e event.Event, write func(T) []payload) ([]payload, error) {
	var data T
	if err := e.Decode(&data); err != nil {
		return nil, err
	}
	return write(data), nil
}

func (w writer) account() webhookAccount {
	s := w.session
	return webhookAccount{
		ID: s.ID, AccountID: s.ID, ProfileID: s.ID, Platform: platform,
		Username: cmp.Or(plus(s.PhoneNumber), s.ID), DisplayName: cmp.Or(s.PushName, s.Name),
	}
}

// conversation is the one that a chat is; name is empty where it is not known.
func (w writer) conversation(chat, name string) webhookConversation {
	id := conversationID(w.session, chat)
	return webhookConversation{ID: id, PlatformConversationID: id, ParticipantID: id, ParticipantName: name, Status: statusActive}
}

func sender(p event.Person) webhookSender {
	return webhookSender{ID: personID(p), Name: p.Name, PhoneNumber: plus(p.PhoneNumber)}
}

// message is a message of which there is nothing but its key.
func (w writer) message(key event.MessageKey) *webhookMessage {
	m := &webhookMessage{
		ID: key.MessageID, ConversationID: conversationID(w.session, key.Chat), Platform: platform, PlatformMessageID: key.MessageID,
		Direction: "incoming", Attachments: []attachment{}, Sender: sender(key.Sender),
	}
	if key.FromMe {
		a := w.account()
		m.Direction, m.Sender = "outgoing", webhookSender{ID: a.ID, Name: a.DisplayName, PhoneNumber: plus(w.session.PhoneNumber)}
	}
	return m
}

// said is a message that has come in or gone out. What cannot be read yet is
// told when it can.
func (w writer) said(data event.Message) []payload {
	if data.Kind == string(messages.KindUndecryptable) {
		return nil
	}
	p := payload{Event: messageReceived, Message: w.message(data.MessageKey), Metadata: metadataOf(data.MessageContent)}
	if text := textOf(data.MessageContent); text != "" {
		p.Message.Text = &text
	}
	base := w.endpoint.Headers[baseHeader]
	p.Message.Attachments = attachments(base, w.session.ID, data.Chat, data.MessageID, data.MessageContent)
	p.Message.SentAt = iso(time.Unix(data.Timestamp, 0))
	p.Conversation = w.conversation(data.Chat, cmp.Or(data.ChatName, nameOfChat(data)))
	if data.FromMe {
		p.Event = messageSent
		if data.Source == "api" {
			via := data.Source
			p.Message.SentVia = &via
		}
	}
	return []payload{p}
}

// nameOfChat is the name of somebody who writes in a chat of two.
func nameOfChat(data event.Message) string {
	if data.FromMe || strings.HasSuffix(data.Chat, groupServer) {
		return ""
	}
	return data.Sender.Name
}

// receipt is a webhook for each message. That a voice note was played, Zernio
// does not tell.
func (w writer) receipt(data event.Receipt) (list []payload) {
	name := map[string]string{"delivered": messageDelivered, "read": messageRead}[data.Status]
	if name == "" {
		return nil
	}
	for _, id := range data.MessageIDs {
		who := sender(data.Person)
		p := payload{
			Event: name, Message: w.message(event.MessageKey{MessageID: id, Chat: data.Chat, FromMe: true}), Recipient: &who,
			StatusAt: iso(time.Unix(data.Timestamp, 0)), Conversation: w.conversation(data.Chat, ""),
		}
		p.Message.IsRead = name == messageRead
		list = append(list, p)
	}
	return list
}

func (w writer) failed(data event.Failed) []payload {
	return []payload{{
		Event: messageFailed, Message: w.message(data.MessageKey), StatusAt: iso(w.event.At),
		Error: &webhookError{data.ErrorCode, data.Error}, Conversation: w.conversation(data.Chat, ""),
	}}
}

func (w writer) edited(data event.Edited) []payload {
	p := payload{
		Event: messageEdited, Message: w.message(data.MessageKey), EditedAt: iso(time.Unix(data.Timestamp, 0)), EditCount: 1,
		Conversation: w.conversation(data.Chat, ""),
	}
	p.Message.Text = &data.Text
	if data.PreviousText != "" {
		p.EditHistory = []edition{{data.PreviousText, p.EditedAt}}
	}
	return []payload{p}
}

func (w writer) revoked(data event.Revoked) []payload {
	return []payload{{
		Event: messageDeleted, Message: w.message(data.MessageKey), DeletedAt: iso(time.Unix(data.Timestamp, 0)),
		Conversation: w.conversation(data.Chat, ""),
	}}
}

func (w writer) reacted(data event.Reaction) []payload {
	r := webhookReaction{
		Emoji: data.Emoji, Action: "added", MessageID: data.MessageID, PlatformMessageID: data.MessageID,
		Sender: sender(data.Actor), ReactedAt: iso(time.Unix(data.Timestamp, 0)),
	}
	if data.Emoji == "" {
		r.Action = "removed"
	}
	return []payload{{Event: reactionReceived, Reaction: &r, Conversation: w.conversation(data.Chat, "")}}
}

// started: a group is a conversation from the moment that the account is in it.
func (w writer) started(data event.About) []payload {
	c := w.conversation(data.GroupJID, data.Subject)
	c.Platform = platform
	return []payload{{Event: conversationStarted, StartedAt: iso(w.event.At), Conversation: c}}
}
