package zoko

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"muster/groups"
	"muster/groups/invitations"
	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
	"muster/messages/media"
	"muster/session"
)

const (
	channelWhatsApp  = "whatsapp"
	templateLanguage = "en"
)

// The types of messages that can be sent.
const (
	typeText           = "text"
	typeImage          = "image"
	typeDocument       = "document"
	typeAudio          = "audio"
	typeVideo          = "video"
	typeSticker        = "sticker"
	typeLocation       = "location"
	typeContacts       = "contacts"
	typeTemplate       = "template"
	typeRichTemplate   = "richTemplate"
	typeButtonTemplate = "buttonTemplate"
)

// SendBody is a message.
type SendBody struct {
	_                struct{}        `additionalProperties:"true"`
	Channel          string          `json:"channel" enum:"whatsapp"`
	Recipient        number          `json:"recipient" doc:"A phone number in digits; to write to a group, its group_id, its _id or its JID." example:"919998880000"`
	Type             string          `json:"type" enum:"text,image,document,audio,video,location,sticker,contacts,template,richTemplate,buttonTemplate"`
	Message          string          `json:"message,omitempty" doc:"The text; of a file its URL; of a location latitude:longitude."`
	Caption          string          `json:"caption,omitempty" doc:"Of an image, a video or a document."`
	TemplateID       string          `json:"templateId,omitempty" doc:"One of this server's templates."`
	TemplateArgs     templateArgs    `json:"templateArgs,omitempty" doc:"Values for the template's variables, in their order."`
	TemplateLanguage string          `json:"templateLanguage,omitempty" doc:"The templates here have one language, so that it is not used."`
	Contacts         ContactsBody    `json:"contacts,omitzero" required:"false" doc:"Of a message of the type contacts."`
	Assign           json.RawMessage `json:"assign,omitempty" doc:"Whom the conversation is assigned to. There are no agents here: it is not used."`
}

// templateArgs is a list of values; a single one may stand alone.
type templateArgs []string

// UnmarshalJSON takes a list or one value.
func (a *templateArgs) UnmarshalJSON(raw []byte) error {
	var list []string
	if err := json.Unmarshal(raw, &list); err == nil {
		*a = list
		return nil
	}
	var one string
	if err := json.Unmarshal(raw, &one); err != nil {
		return fault.Field("templateArgs", "must be an array of texts")
	}
	*a = templateArgs{one}
	return nil
}

// Accepted is the acknowledgement of a message.
type Accepted struct {
	MessageID  string `json:"messageId" example:"8b3eb0a1-b2c3-8d40-80d5-e6f700000000"`
	Status     string `json:"status" example:"202"`
	StatusText string `json:"statusText" example:"Accepted"`
}

func (d *Dialect) send(c *fiber.Ctx) error {
	s, err := d.session(c)
	if err != nil {
		return err
	}
	var body SendBody
	if err = read(c, &body); err != nil {
		return err
	}
	if body.Channel != channelWhatsApp {
		return fault.Field("channel", "must be %q", channelWhatsApp)
	}
	if body.Recipient == "" {
		return fault.Field("recipient", "is required")
	}
	ctx := c.UserContext()
	envelope := messages.Envelope{SessionID: s.ID, To: string(body.Recipient)}
	if uuid.Validate(envelope.To) == nil {
		target, err := d.group(ctx, s.ID, envelope.To)
		if err != nil {
			return fault.Field("recipient", "there is no group %s", envelope.To).Because(err)
		}
		envelope.To = target.GroupJID
	}
	sent, err := d.dispatch(ctx, s, envelope, body)
	if err != nil {
		return renamed(err, body.fields())
	}
	return c.Status(http.StatusAccepted).JSON(Accepted{
		MessageID: messageID(sent.ID), Status: strconv.Itoa(http.StatusAccepted), StatusText: http.StatusText(http.StatusAccepted),
	})
}

// fields are the names of our fields in the body.
func (b SendBody) fields() map[string]string {
	return map[string]string{
		"to": "recipient", "text": "message", "group_jid": "recipient",
		typeImage: "message", typeDocument: "message", typeAudio: "message", typeVideo: "message", typeSticker: "message",
		"contact": "contacts", "template_args": "templateArgs",
	}
}

// dispatch sends a message of any type.
func (d *Dialect) dispatch(ctx context.Context, s session.Session, envelope messages.Envelope, body SendBody) (messages.Sent, error) {
	send := d.services.Messages
	if body.Caption != "" && body.Type != typeImage && body.Type != typeVideo && body.Type != typeDocument {
		return messages.Sent{}, fault.Field("caption", "is for images, videos and documents only")
	}
	switch body.Type {
	case typeText:
		return send.SendText(ctx, messages.TextRequest{Envelope: envelope, Text: body.Message})
	case typeImage, typeDocument, typeAudio, typeVideo, typeSticker:
		if body.Message == "" {
			return messages.Sent{}, fault.Field("message", "must be the URL of the file")
		}
		return send.SendMedia(ctx, messages.MediaRequest{
			Envelope: envelope, Kind: content.Kind(body.Type), File: media.Source{URL: body.Message}, Caption: body.Caption,
		})
	case typeLocation:
		latitude, longitude, err := place(body.Message)
		if err != nil {
			return messages.Sent{}, err
		}
		return send.SendLocation(ctx, messages.LocationRequest{Envelope: envelope, Latitude: latitude, Longitude: longitude})
	case typeContacts:
		cards, err := body.Contacts.cards()
		if err != nil {
			return messages.Sent{}, err
		}
		return send.SendContact(ctx, messages.ContactRequest{Envelope: envelope, Contacts: cards})
	case typeTemplate:
		text, err := d.rendered(ctx, s, envelope.To, body)
		if err != nil {
			return messages.Sent{}, err
		}
		return send.SendText(ctx, messages.TextRequest{Envelope: envelope, Text: text})
	case typeRichTemplate, typeButtonTemplate:
		if _, err := d.services.Invitations.Library().Find("templateId", body.TemplateID); err != nil {
			return messages.Sent{}, err
		}
		return messages.Sent{}, fault.Field("type", "the template %s has neither media nor buttons: send it with the type %q", body.TemplateID, typeTemplate)
	}
	return messages.Sent{}, fault.Field("type", "must be text, image, document, audio, video, location, sticker, contacts, template, richTemplate or buttonTemplate")
}

// place reads "latitude:longitude".
func place(text string) (latitude, longitude float64, err error) {
	north, east, found := strings.Cut(text, ":")
	latitude, err1 := strconv.ParseFloat(strings.TrimSpace(north), 64)
	longitude, err2 := strconv.ParseFloat(strings.TrimSpace(east), 64)
	if !found || err1 != nil || err2 != nil {
		return 0, 0, fault.Field("message", "must be latitude:longitude in degrees, as in 12.9716:77.5946")
	}
	if !(math.Abs(latitude) <= 90 && math.Abs(longitude) <= 180) { // true for NaN, too
		return 0, 0, fault.Field("message", "the latitude must be from -90 to 90 and the longitude from -180 to 180")
	}
	return latitude, longitude, nil
}

// rendered is the text of a template. Its variables get the arguments in their
// order; those without one that are about the business or the group get what
// they are.
func (d *Dialect) rendered(ctx context.Context, s session.Session, to string, body SendBody) (string, error) {
	if body.TemplateID == "" {
		return "", fault.Field("templateId", "is required")
	}
	t, err := d.services.Invitations.Library().Find("templateId", body.TemplateID)
	if err != nil {
		return "", err
	}
	variables := t.Variables()
	if len(body.TemplateArgs) > len(variables) {
		return "", fault.Field("templateArgs", "has %d values; the template %s has %d variables", len(body.TemplateArgs), t.ID, len(variables))
	}
	values := map[string]string{invitations.VarBusiness: business(s)}
	for i, value := range body.TemplateArgs {
		values[variables[i]] = value
	}
	if !isGroup(to) {
		return t.Render(values)
	}
	target, err := d.group(ctx, s.ID, to)
	if err != nil {
		return "", fault.Field("recipient", "there is no group %.100q", to).Because(err)
	}
	for _, name := range variables {
		if _, given := values[name]; given {
			continue
		}
		switch name {
		case invitations.VarLink:
			values[name], err = d.services.Invitations.Link(ctx, target, false)
		case invitations.VarSubject:
			var g groups.Listed
			g, err = d.services.Groups.Get(ctx, groups.GetRequest{Target: target})
			values[name] = g.Subject
		}
		if err != nil {
			return "", err
		}
	}
	return t.Render(values)
}

// maxPhone is the most digits that a phone number has; groups have more.
const maxPhone = 15

// isGroup tells whether an address means a group and not a person.
func isGroup(to string) bool {
	digits, server, whole := strings.Cut(to, "@")
	if whole {
		return "@"+strings.ToLower(server) == groupServer
	}
	return len(digits) > maxPhone || strings.Contains(digits, "-")
}

// Message is a message that was sent or received.
type Message struct {
	ID                string   `json:"id"`
	Customer          Customer `json:"customer"`
	Direction         string   `json:"direction" enum:"FROM_CUSTOMER,FROM_STORE"`
	DeliveryStatus    string   `json:"deliveryStatus" enum:"received,pending,sent,delivered,read,failed" doc:"received: it came in. pending: WhatsApp has not confirmed it yet. delivered and read: to one person at least."`
	Platform          string   `json:"platform" enum:"whatsapp"`
	PlatformSenderID  string   `json:"platformSenderId" doc:"The other side in digits: a phone number, or a group's id."`
	PlatformTimestamp string   `json:"platformTimestamp"`
	Type              string   `json:"type"`
	Text              string   `json:"text"`
	FileURL           string   `json:"fileUrl,omitempty" doc:"Where the file can be had, with the key."`
	FileCaption       string   `json:"fileCaption,omitempty"`
	SenderName        string   `json:"senderName,omitempty" doc:"Who has written it."`
}

// Customer is the other side of a conversation.
type Customer struct {
	ID   string `json:"id"`
	Name string `json:"name" doc:"Empty where it is not known."`
}

// stored is the message that the path names, and the session's id.
func (d *Dialect) stored(c *fiber.Ctx) (messages.Detail, string, error) {
	s, err := d.session(c)
	if err != nil {
		return messages.Detail{}, "", err
	}
	id, err := whatsAppID(c.Params("id"))
	if err != nil {
		return messages.Detail{}, "", err
	}
	m, err := d.services.Inbox.Message(c.UserContext(), messages.MessageRequest{SessionID: s.ID, ID: id})
	return m, s.ID, err
}

func (d *Dialect) message(c *fiber.Ctx) error {
	m, sessionID, err := d.stored(c)
	if err != nil {
		return err
	}
	answer := Message{
		ID: messageID(m.ID), Customer: Customer{ID: recordID(sessionID, m.Chat)}, Direction: fromCustomer, DeliveryStatus: statusReceived,
		Platform: channelWhatsApp, PlatformTimestamp: timeOf(m.Timestamp), Type: zokoType(string(m.Kind)),
		PlatformSenderID: strings.TrimPrefix(socialID(m.Chat), "+"), SenderName: m.Sender.Name,
	}
	if m.FromMe {
		answer.Direction, answer.DeliveryStatus = fromStore, deliveryStatus(m.Message)
	}
	if strings.HasSuffix(m.Chat, groupServer) {
		g, err := d.services.Groups.Get(c.UserContext(), groups.GetRequest{Target: groups.Target{SessionID: sessionID, GroupJID: m.Chat}})
		if err == nil {
			answer.Customer.Name = g.Subject
		} else if !fault.Is(err, fault.GroupNotFound) && !fault.Is(err, fault.NotInGroup) {
			return err
		}
	} else if !m.FromMe {
		answer.Customer.Name = m.Sender.Name
	}
	described, err := d.services.Inbox.Describe(c.UserContext(), sessionID, m.Content)
	if err != nil {
		return err
	}
	answer.Text, answer.FileCaption = words(described)
	if described.Media != nil {
		answer.FileURL = c.BaseURL() + d.filePath(m.ID)
	}
	return c.JSON(answer)
}

// deliveryStatus is how far a message of ours has come.
func deliveryStatus(m messages.Message) string {
	switch {
	case m.State == messages.StateFailed:
		return statusFailed
	case m.State == messages.StatePending:
		return statusPending
	case m.Reach.Read > 0 || m.Reach.Played > 0:
		return statusRead
	case m.Reach.Delivered > 0:
		return statusDelivered
	}
	return statusSent
}

// MessageHistory is what has become of a message.
type MessageHistory struct {
	MessageID string         `json:"messageId"`
	History   []MessageState `json:"history" nullable:"false"`
}

// MessageState is one step of a message.
type MessageState struct {
	DeliveryChannel string       `json:"deliveryChannel" enum:"whatsapp"`
	HappenedAt      string       `json:"happendAt" doc:"Spelled as Zoko spells it."`
	State           string       `json:"state" enum:"received,pending,sent,delivered,read,failed"`
	Details         StateDetails `json:"details"`
}

// StateDetails say more of a step.
type StateDetails struct {
	Message string `json:"message,omitempty" doc:"Whom it is about, in a group; or why it failed."`
}

func (d *Dialect) history(c *fiber.Ctx) error {
	m, _, err := d.stored(c)
	if err != nil {
		return err
	}
	answer := MessageHistory{MessageID: messageID(m.ID), History: []MessageState{}}
	add := func(state, at, text string) {
		answer.History = append(answer.History, MessageState{channelWhatsApp, at, state, StateDetails{text}})
	}
	switch {
	case !m.FromMe:
		add(statusReceived, timeOf(m.Timestamp), "")
	case m.State == messages.StateFailed:
		add(statusFailed, timeOf(m.Timestamp), m.Error)
	case m.State == messages.StatePending:
		add(statusPending, timeOf(m.Timestamp), "")
	default:
		add(statusSent, timeOf(m.Timestamp), "")
	}
	for _, r := range m.Receipts {
		who := r.Person.PhoneNumber
		if who == "" {
			who = r.Person.LID
		}
		if !r.DeliveredAt.IsZero() {
			add(statusDelivered, timeOf(r.DeliveredAt), who)
		}
		if !r.ReadAt.IsZero() {
			add(statusRead, timeOf(r.ReadAt), who)
		}
	}
	slices.SortStableFunc(answer.History, func(a, b MessageState) int { return strings.Compare(a.HappenedAt, b.HappenedAt) })
	return c.JSON(answer)
}

// file answers with the file of a message.
func (d *Dialect) file(c *fiber.Ctx) error {
	s, err := d.session(c)
	if err != nil {
		return err
	}
	id, err := whatsAppID(c.Params("id"))
	if err != nil {
		return err
	}
	file, err := d.services.Messages.OpenFile(c.UserContext(), messages.MessageRequest{SessionID: s.ID, ID: id})
	if err != nil {
		return err
	}
	kind, _, _ := strings.Cut(file.Mimetype, ";")
	if family, _, _ := strings.Cut(kind, "/"); family != "image" && family != "audio" && family != "video" || kind == "image/svg+xml" {
		kind = fiber.MIMEOctetStream // a stranger's file, that a browser is not to open
	}
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderContentDisposition, "attachment")
	return c.SendStream(file, int(file.Size))
}

// filePath is where the file of a message can be had.
func (d *Dialect) filePath(id string) string { return d.Prefix() + "/v2/message/" + id + "/file" }
