package zernio

import (
	"cmp"
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"

	"muster/internal/event"
	"muster/messages"
	"muster/messages/content"
	"muster/session"
)

const defaultMessages, maxMessages = 100, 100 // in one page

type attachment struct {
	ID       string             `json:"id,omitempty"`
	Type     string             `json:"type"`
	URL      string             `json:"url"`
	Filename string             `json:"filename,omitempty"`
	Payload  *attachmentPayload `json:"payload,omitempty"`
}

type attachmentPayload struct {
	ID        string `json:"id"`
	MimeType  string `json:"mimeType,omitempty"`
	Size      int64  `json:"size,omitempty"`
	SHA256    string `json:"sha256,omitempty"`
	Filename  string `json:"filename,omitempty"`
	VoiceNote bool   `json:"voiceNote,omitempty"`
}

// attachmentTypes are what Zernio calls the kinds of files.
var attachmentTypes = map[string]string{
	string(content.KindImage): "image", string(content.KindVideo): "video", string(content.KindAudio): "audio",
	string(content.KindDocument): "file", string(content.KindSticker): "sticker",
}

// attachments are the files of a message: one or none. base is where the API
// is, as its client sees it.
func attachments(base, account, chat, id string, said event.MessageContent) []attachment {
	kind, ok := attachmentTypes[said.Kind]
	if !ok || said.Media == nil {
		return []attachment{}
	}
	file := mediaID(chat, id)
	return []attachment{{
		ID: file, Type: kind, URL: base + mediaPath + file + "?accountId=" + account, Filename: said.Media.Filename,
		Payload: &attachmentPayload{
			ID: file, MimeType: said.Media.Mimetype, Size: said.Media.Size, SHA256: said.Media.SHA256,
			Filename: said.Media.Filename, VoiceNote: said.Media.PTT,
		},
	}}
}

// textOf is what a message says in words. Of what has none, it is what Zernio
// shows for it; the rest is in the metadata.
func textOf(said event.MessageContent) string {
	switch {
	case said.Location != nil:
		return preview("📍", said.Location.Name)
	case len(said.Contacts) > 0:
		return preview("👤", said.Contacts[0].Name)
	case said.Poll != nil:
		return preview("📊", said.Poll.Name)
	}
	return said.Text
}

// metadata is what else there is to a message.
type metadata struct {
	QuotedMessageID string                 `json:"quotedMessageId,omitempty"`
	QuotedMessage   *quotedMessage         `json:"quotedMessage,omitempty"`
	Location        *event.MessageLocation `json:"location,omitempty"`
	Contacts        []card                 `json:"contacts,omitempty"`
	Poll            *event.MessagePoll     `json:"poll,omitempty"`
	Mentions        []string               `json:"mentions,omitempty"`
	Kind            string                 `json:"messageType,omitempty"` // of what Zernio has no words for
}

type quotedMessage struct {
	MessageID         string `json:"messageId"`
	PlatformMessageID string `json:"platformMessageId"`
}

func metadataOf(said event.MessageContent) *metadata {
	m := metadata{Location: said.Location, Poll: said.Poll}
	if said.ReplyTo != nil {
		id := said.ReplyTo.MessageID
		m.QuotedMessageID, m.QuotedMessage = id, &quotedMessage{id, id}
	}
	for _, contact := range said.Contacts {
		var one card
		one.Name.Formatted = contact.Name
		for _, phone := range contact.Phones {
			one.Phones = append(one.Phones, cardPhone{phone.Number, phone.WhatsApp})
		}
		m.Contacts = append(m.Contacts, one)
	}
	for _, person := range said.Mentions {
		m.Mentions = append(m.Mentions, personID(person))
	}
	_, file := attachmentTypes[said.Kind]
	if said.Kind != string(content.KindText) && (!file || said.ViewOnce) {
		m.Kind = said.Kind
	}
	if m.QuotedMessageID == "" && m.Location == nil && m.Contacts == nil && m.Poll == nil && m.Mentions == nil && m.Kind == "" {
		return nil
	}
	return &m
}

// summary is a message in a line of a list.
func summary(m messages.Message) string {
	c := m.Content
	switch {
	case !m.RevokedAt.IsZero() || m.ViewOnce:
		return ""
	case c.Location != nil:
		return preview("📍", c.Location.Name)
	case len(c.Contacts) > 0:
		return preview("👤", c.Contacts[0].Name)
	case c.Poll != nil:
		return preview("📊", c.Poll.Name)
	case c.Text == "" && c.Media != nil:
		return "[" + cmp.Or(attachmentTypes[string(c.Kind)], string(c.Kind)) + "]"
	}
	return c.Text
}

type reaction struct {
	Emoji     string `json:"emoji"`
	FromMe    bool   `json:"fromMe"`
	ReactedAt string `json:"reactedAt"`
}

type deliveryError struct {
	Title   string `json:"title"`
	Message string `json:"message"`
}

type message struct {
	ID             string         `json:"id"`
	ConversationID string         `json:"conversationId"`
	AccountID      string         `json:"accountId"`
	Platform       string         `json:"platform"`
	Message        string         `json:"message"`
	SenderID       string         `json:"senderId"`
	SenderName     *string        `json:"senderName"`
	SenderPhone    string         `json:"senderPhoneNumber,omitempty"`
	Direction      string         `json:"direction"`
	CreatedAt      string         `json:"createdAt"`
	Attachments    []attachment   `json:"attachments"`
	IsEdited       bool           `json:"isEdited"`
	EditedAt       *string        `json:"editedAt"`
	IsDeleted      bool           `json:"isDeleted"`
	DeletedAt      *string        `json:"deletedAt"`
	DeliveryStatus *string        `json:"deliveryStatus"` // null of incoming ones
	DeliveryError  *deliveryError `json:"deliveryError,omitempty"`
	SentAt         *string        `json:"sentAt"`
	Reactions      []reaction     `json:"reactions"`
	Metadata       *metadata      `json:"metadata,omitempty"`
	SentVia        *string        `json:"sentVia"`
}

type messageList struct {
	Status           string     `json:"status"`
	Messages         []message  `json:"messages"`
	Pagination       pagination `json:"pagination"`
	SortOrderApplied string     `json:"sortOrderApplied"`
	LastUpdated      string     `json:"lastUpdated"`
}

// listMessages lists the messages of a conversation, the oldest first unless
// the request says otherwise, over all pages.
func (d *Dialect) listMessages(c *fiber.Ctx) error {
	s, err := d.account(c, c.Query("accountId"))
	if err != nil {
		return err
	}
	req := messages.ChatMessagesRequest{SessionID: s.ID}
	if req.Chat, err = chatOf(s, c.Params("conversationId")); err != nil {
		return err
	}
	if req.Limit, err = limitOf(c, defaultMessages, maxMessages); err != nil {
		return err
	}
	order := cmp.Or(c.Query("sortOrder"), orderAsc)
	switch order {
	case orderAsc:
		req.After = cmp.Or(c.Query("cursor"), messages.Beginning())
	case orderDesc:
		req.Before = c.Query("cursor")
	default:
		return invalid("sortOrder", "must be asc or desc")
	}
	page, err := d.services.Inbox.ChatMessages(c.UserContext(), req)
	if err != nil {
		return err
	}
	next := page.Older
	if order == orderAsc {
		slices.Reverse(page.Messages)
		if next, err = d.newer(c.UserContext(), req, page); err != nil {
			return err
		}
	}
	view := messageList{Status: "success", Messages: []message{}, Pagination: pages(next), SortOrderApplied: order, LastUpdated: iso(d.now())}
	for _, m := range page.Messages {
		one, err := d.viewMessage(c.UserContext(), c.BaseURL()+prefix, s, m)
		if err != nil {
			return err
		}
		view.Messages = append(view.Messages, one)
	}
	return c.JSON(view)
}

// newer is the cursor of the messages after a page, or empty if there are none
// yet: the inbox's own is there also then.
func (d *Dialect) newer(ctx context.Context, req messages.ChatMessagesRequest, page messages.MessageList) (string, error) {
	if len(page.Messages) < req.Limit {
		return "", nil
	}
	req.After, req.Limit = page.Newer, 1
	more, err := d.services.Inbox.ChatMessages(ctx, req)
	if err != nil || len(more.Messages) == 0 {
		return "", err
	}
	return page.Newer, nil
}

func (d *Dialect) viewMessage(ctx context.Context, base string, s session.Session, m messages.Message) (message, error) {
	said, err := d.services.Inbox.Describe(ctx, s.ID, m.Content)
	if err != nil {
		return message{}, err
	}
	view := message{
		ID: m.ID, ConversationID: conversationID(s, m.Chat), AccountID: s.ID, Platform: platform, Message: textOf(said),
		SenderID: s.ID, Direction: "outgoing", CreatedAt: iso(m.Timestamp), Attachments: attachments(base, s.ID, m.Chat, m.ID, said),
		IsEdited: !m.EditedAt.IsZero(), EditedAt: when(m.EditedAt), IsDeleted: !m.RevokedAt.IsZero(), DeletedAt: when(m.RevokedAt),
		Reactions: []reaction{}, Metadata: metadataOf(said),
	}
	for _, r := range m.Reactions {
		view.Reactions = append(view.Reactions, reaction{r.Emoji, own(s, r.Person), iso(r.At)})
	}
	if m.FromMe {
		status := deliveryStatus(m)
		view.DeliveryStatus, view.SentAt = &status, when(m.Timestamp)
		if m.RequestID != "" {
			via := "api"
			view.SentVia = &via
		}
		if m.State == messages.StateFailed {
			view.DeliveryError = &deliveryError{m.ErrorCode, m.Error}
		}
		return view, nil
	}
	view.Direction, view.SenderID, view.SenderPhone = "incoming", personID(m.Sender.Payload()), plus(m.Sender.PhoneNumber)
	if m.Sender.Name != "" {
		name := m.Sender.Name
		view.SenderName = &name
	}
	return view, nil
}

// own tells whether somebody is the account itself.
func own(s session.Session, who messages.Person) bool {
	return who.JID != "" && who.JID == s.AccountJID() || who.LID != "" && who.LID == s.AccountLID()
}

// deliveryStatus is how far a message of ours has come, with anybody.
func deliveryStatus(m messages.Message) string {
	switch {
	case !m.RevokedAt.IsZero():
		return "deleted"
	case m.State == messages.StateFailed:
		return "failed"
	case m.Reach.Read > 0:
		return "read"
	case m.Reach.Delivered > 0:
		return "delivered"
	}
	return "sent"
}
