package zernio

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
	"muster/messages/media"
)

// Limits of buttons at Zernio.
const (
	maxButtons      = 3
	maxQuickReplies = 13
	maxTitle        = 20 // characters
)

// sendBody is a message. The fields that ask for what only other platforms, or
// Meta's own servers, can do are read to be refused.
type sendBody struct {
	AccountID      string    `json:"accountId"`
	Message        string    `json:"message"`
	AttachmentURL  string    `json:"attachmentUrl"`
	AttachmentType string    `json:"attachmentType"`
	AttachmentName string    `json:"attachmentName"`
	VoiceNote      bool      `json:"voiceNote"`
	LinkPreview    *bool     `json:"linkPreview"`
	ReplyTo        string    `json:"replyTo"`
	Buttons        []button  `json:"buttons"`
	QuickReplies   []button  `json:"quickReplies"`
	Location       *location `json:"location"`
	Contacts       []card    `json:"contacts"`

	Template    any    `json:"template"`
	Interactive any    `json:"interactive"`
	Category    string `json:"category"`
	Subject     string `json:"subject"`
	Effect      string `json:"effect"`
	ContactCard bool   `json:"contactCard"`
	Channel     string `json:"channel"`
}

// button is a button or a quick reply.
type button struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	URL     string `json:"url"`
	Phone   string `json:"phone"`
	Payload string `json:"payload"`
}

type location struct {
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
	Name      string   `json:"name,omitempty"`
	Address   string   `json:"address,omitempty"`
}

// card is a contact card as Meta's API has them.
type card struct {
	Name struct {
		Formatted string `json:"formatted_name"`
	} `json:"name"`
	Phones []cardPhone `json:"phones,omitempty"`
}

type cardPhone struct {
	Phone string `json:"phone"`
	WAID  string `json:"wa_id,omitempty"`
}

// check refuses what cannot be sent, before anything is done.
func (b sendBody) check() error {
	kinds := 0
	for _, given := range []bool{b.Message != "" || b.AttachmentURL != "", b.Location != nil, len(b.Contacts) > 0} {
		if given {
			kinds++
		}
	}
	switch {
	case b.Template != nil:
		return impossible("template", "there are no templates of Meta's here: send the text as message")
	case b.Interactive != nil:
		return impossible("interactive", "a linked device cannot send it; buttons and quickReplies are written below the message")
	case b.Category != "":
		return impossible("category", "is for Meta's own servers")
	case b.Subject != "", b.Effect != "", b.ContactCard, b.Channel != "":
		return invalid(b.foreign(), "is for iMessage only")
	case kinds == 0:
		return invalid("message", "give one of message, attachmentUrl, location and contacts")
	case kinds > 1:
		return invalid("message", "message or attachmentUrl, location and contacts are messages of their own: give one of them")
	case b.AttachmentURL == "" && b.AttachmentType != "":
		return invalid("attachmentUrl", "is needed where attachmentType is given")
	}
	if _, ok := attachmentKinds[b.AttachmentType]; !ok && b.AttachmentType != "" {
		return invalid("attachmentType", "must be image, video, audio or file")
	}
	if b.Location != nil && (b.Location.Latitude == nil || b.Location.Longitude == nil) {
		return invalid("location", "must have a latitude and a longitude")
	}
	return b.checkButtons()
}

// foreign names the field that is iMessage's.
func (b sendBody) foreign() string {
	switch {
	case b.Subject != "":
		return "subject"
	case b.Effect != "":
		return "effect"
	case b.ContactCard:
		return "contactCard"
	}
	return "channel"
}

func (b sendBody) checkButtons() error {
	list, buttons, most := "buttons", b.Buttons, maxButtons
	if len(b.QuickReplies) > 0 {
		if len(buttons) > 0 {
			return invalid("quickReplies", "cannot be combined with buttons")
		}
		list, buttons, most = "quickReplies", b.QuickReplies, maxQuickReplies
	}
	switch {
	case len(buttons) == 0:
		return nil
	case len(buttons) > most:
		return invalid(list, "has %d entries; %d is the most", len(buttons), most)
	case b.Location != nil || len(b.Contacts) > 0 || b.AttachmentType == "audio":
		return invalid(list, "is for texts, images, videos and files")
	}
	for i, one := range buttons {
		switch n := utf8.RuneCountInString(one.Title); {
		case strings.TrimSpace(one.Title) == "":
			return invalid(entry(list, i)+".title", "must not be empty")
		case n > maxTitle:
			return invalid(entry(list, i)+".title", "has %d characters; %d is the most", n, maxTitle)
		}
	}
	return nil
}

// text is the message with what a linked device has no other way to say below
// it: it cannot send buttons that WhatsApp shows.
func (b sendBody) text() (text string, warnings []warning) {
	var lines []string
	note := func(param, message string) {
		warnings = append(warnings, warning{"rendered_as_text", param, message})
	}
	for _, one := range b.Buttons {
		line := "▸ " + one.Title
		switch {
		case one.Type == "url" && one.URL != "":
			line += ": " + one.URL
		case one.Type == "phone" && one.Phone != "":
			line += ": " + one.Phone
		}
		lines = append(lines, line)
	}
	for _, one := range b.QuickReplies {
		lines = append(lines, "▸ "+one.Title)
	}
	const why = "a linked device cannot send buttons: they are written below the message, and an answer comes as a text"
	switch {
	case len(b.Buttons) > 0:
		note("buttons", why)
	case len(b.QuickReplies) > 0:
		note("quickReplies", why)
	}
	if b.LinkPreview != nil && *b.LinkPreview {
		warnings = append(warnings, warning{"ignored_field", "linkPreview", "links are sent without a preview"})
	}
	text = b.Message
	if len(lines) > 0 {
		text = strings.TrimLeft(text+"\n\n", "\n") + strings.Join(lines, "\n")
	}
	return text, warnings
}

// attachmentKinds are what the types of attachments are here. The default is a
// file.
var attachmentKinds = map[string]content.Kind{
	"image": content.KindImage, "video": content.KindVideo, "audio": content.KindAudio, "file": content.KindDocument, "": content.KindDocument,
}

// media is the request for a message with a file.
func (b sendBody) media(e messages.Envelope, text string) messages.MediaRequest {
	kind := attachmentKinds[b.AttachmentType]
	req := messages.MediaRequest{Envelope: e, Kind: kind, File: media.Source{URL: strings.TrimSpace(b.AttachmentURL)}, Caption: text}
	if kind == content.KindDocument {
		req.Filename = b.AttachmentName // of others it is ignored
	}
	req.PTT = b.VoiceNote && kind == content.KindAudio
	return req
}

type sentAttachment struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type sentAnswer struct {
	Success bool `json:"success"`
	Data    struct {
		MessageID      string           `json:"messageId"`
		ConversationID string           `json:"conversationId"`
		Attachments    []sentAttachment `json:"attachments"`
	} `json:"data"`
	Warnings []warning `json:"warnings,omitempty"`
}

func (d *Dialect) sendMessage(c *fiber.Ctx) error {
	var b sendBody
	if err := read(c, &b); err != nil {
		return err
	}
	s, err := d.account(c, b.AccountID)
	if err != nil {
		return err
	}
	chat, err := chatOf(s, c.Params("conversationId"))
	if err != nil {
		return err
	}
	if err = b.check(); err != nil {
		return err
	}
	text, warnings := b.text()
	envelope := messages.Envelope{SessionID: s.ID, To: chat, ReplyTo: b.ReplyTo}
	sent, err := d.send(c, b, envelope, text)
	if failure := fault.From(err); err != nil && failure.Field == "reply_to" && strings.Contains(failure.Message, "reply_sender") {
		return invalid("replyTo", "there is no such message in this conversation") // the way out has no field here
	}
	if err != nil {
		return err
	}
	answer := sentAnswer{Success: true, Warnings: warnings}
	answer.Data.MessageID, answer.Data.ConversationID = sent.ID, conversationID(s, sent.To)
	answer.Data.Attachments = []sentAttachment{}
	if b.AttachmentURL != "" {
		kind := b.AttachmentType
		if kind == "" {
			kind = "file"
		}
		answer.Data.Attachments = append(answer.Data.Attachments, sentAttachment{kind, b.AttachmentURL})
	}
	return c.JSON(answer)
}

func (d *Dialect) send(c *fiber.Ctx, b sendBody, e messages.Envelope, text string) (messages.Sent, error) {
	ctx, service := c.UserContext(), d.services.Messages
	switch {
	case b.Location != nil:
		sent, err := service.SendLocation(ctx, messages.LocationRequest{
			Envelope: e, Latitude: *b.Location.Latitude, Longitude: *b.Location.Longitude, Name: b.Location.Name, Address: b.Location.Address,
		})
		return sent, about(err, "location.", map[string]string{"to": "conversationId", "reply_to": "replyTo"})
	case len(b.Contacts) > 0:
		return service.SendContact(ctx, messages.ContactRequest{Envelope: e, Contacts: cardsOf(b.Contacts)})
	case b.AttachmentURL != "":
		return service.SendMedia(ctx, b.media(e, text))
	default:
		return service.SendText(ctx, messages.TextRequest{Envelope: e, Text: text})
	}
}

func cardsOf(cards []card) []content.Contact {
	list := make([]content.Contact, len(cards))
	for i, one := range cards {
		list[i].Name = one.Name.Formatted
		for _, phone := range one.Phones {
			list[i].Phones = append(list[i].Phones, content.Phone{Number: phone.Phone, WhatsApp: strings.TrimPrefix(phone.WAID, "+")})
		}
	}
	return list
}

// preview is what a message without a text of its own is shown as in lists.
func preview(icon, text string) string { return strings.TrimSpace(fmt.Sprintf("%s %s", icon, text)) }
