package meta

import (
	"strings"

	"muster/groups"
	"muster/internal/address"
	"muster/internal/fault"
	"muster/messages"
)

// The kinds of recipients.
const (
	toIndividual = "individual"
	toGroup      = "group"
)

type sendBody struct {
	messagingProduct
	RecipientType string `json:"recipient_type"`
	To            *word  `json:"to"`
	Type          string `json:"type"`
	Status        string `json:"status"`
	Context       struct {
		MessageID string `json:"message_id"`
	} `json:"context"`

	Text     *textBody     `json:"text"`
	Image    *mediaBody    `json:"image"`
	Video    *mediaBody    `json:"video"`
	Audio    *mediaBody    `json:"audio"`
	Document *mediaBody    `json:"document"`
	Sticker  *mediaBody    `json:"sticker"`
	Location *locationBody `json:"location"`
	Contacts []contactBody `json:"contacts"`
	Reaction *reactionBody `json:"reaction"`
	Template *templateBody `json:"template"`
	Pin      *pinBody      `json:"pin"`
}

type sentMessage struct {
	Product  string        `json:"messaging_product"`
	Contacts []sentContact `json:"contacts"`
	Messages []sentID      `json:"messages"`
}

type sentContact struct {
	Input string `json:"input"`
	WaID  string `json:"wa_id"`
}

type sentID struct {
	ID string `json:"id"`
}

// outgoing is a message that is about to be sent.
type outgoing struct {
	Call
	said sendBody
	// chat is a group's JID, or a person as the request names them.
	chat  string
	group bool
}

// envelope is what the message has around it.
func (o outgoing) envelope() messages.Envelope {
	e := messages.Envelope{SessionID: o.Session.ID, To: o.chat}
	if id := o.said.Context.MessageID; id != "" {
		e.ReplyTo = rawMessageID(id)
	}
	return e
}

// ref names a message in the chat.
func (o outgoing) ref(field, id string) (messages.Ref, error) {
	if id == "" {
		return messages.Ref{}, fault.Field(field, "is required")
	}
	return messages.Ref{SessionID: o.Session.ID, MessageID: rawMessageID(id), To: o.chat}, nil
}

// SendMessage sends a message to a group or to a person.
func (a *API) SendMessage(c Call) error {
	b, err := readBody(c.Ctx)
	if err != nil {
		return err
	}
	var said sendBody
	if err = b.into(&said); err != nil {
		return err
	}
	o, err := addressed(c, said)
	if err != nil {
		return err
	}
	if o.group {
		if err = a.writable(o); err != nil {
			return err
		}
	}
	sent, err := a.send(o)
	if err != nil {
		return inSending(err)
	}
	answer := sentMessage{
		Product:  product,
		Contacts: []sentContact{{Input: string(*said.To), WaID: userOf(sent.To)}},
		Messages: []sentID{{messageID(sent.To, sent.ID, true)}},
	}
	if o.group {
		answer.Contacts[0].WaID = GroupID(c.account(), sent.To)
	}
	return c.JSON(answer)
}

// addressed finds out whom a message is for, and refuses kinds of recipients that
// do not fit.
func addressed(c Call, said sendBody) (o outgoing, err error) {
	o = outgoing{Call: c, said: said}
	if err = said.check(); err != nil {
		return o, err
	}
	switch {
	case said.Status != "":
		return o, refuse(codeUnsupportedType, "status: messages cannot be marked as %s here", said.Status)
	case said.To == nil || *said.To == "":
		return o, fault.Field("to", "is required")
	}
	kind := said.RecipientType
	if kind == "" {
		kind = toIndividual
	}
	to := string(*said.To)
	o.chat, o.group, err = recipient(c, to)
	switch {
	case kind != toIndividual && kind != toGroup:
		return o, fault.Field("recipient_type", "must be %s or %s", toIndividual, toGroup)
	case err != nil && kind == toGroup:
		return o, unknownGroup()
	case err != nil:
		return o, err
	case o.group && kind != toGroup:
		return o, fault.Field("recipient_type", "must be %s: %s is one", toGroup, to)
	case !o.group && kind == toGroup:
		return o, fault.Field("recipient_type", "must be %s: %s is not a group", toIndividual, to)
	}
	return o, nil
}

func recipient(c Call, to string) (chat string, group bool, err error) {
	if o, ok := parseOpaque(to); ok && o.word == groupWord {
		chat, err = ParseGroup(c.Session, to)
		return chat, true, err
	}
	jid, err := address.Chat("to", to)
	if err != nil {
		return "", false, err
	}
	return jid.String(), strings.HasSuffix(jid.String(), groupServer), nil
}

// writable refuses groups that nobody could read a message in.
func (a *API) writable(o outgoing) error {
	o.Group = o.chat
	g, err := a.services.Groups.Get(o.UserContext(), groups.GetRequest{Target: o.target()})
	switch {
	case err != nil:
		return err
	case g.Suspended:
		return refuse(codeSuspended, "WhatsApp has suspended this group")
	case g.ParticipantCount == 1:
		return refuse(codeBadGroup, "nobody but the business itself is in this group")
	}
	return nil
}

// send sends a message of the type that was asked for.
func (a *API) send(o outgoing) (messages.Sent, error) {
	s := o.said
	switch s.Type {
	case "", "text":
		return a.sendText(o)
	case "image":
		return a.sendMedia(o, "image", s.Image)
	case "video":
		return a.sendMedia(o, "video", s.Video)
	case "audio":
		return a.sendMedia(o, "audio", s.Audio)
	case "document":
		return a.sendMedia(o, "document", s.Document)
	case "sticker":
		return a.sendMedia(o, "sticker", s.Sticker)
	case "location":
		return a.sendLocation(o)
	case "contacts":
		return a.sendContacts(o)
	case "reaction":
		return a.sendReaction(o)
	case "template":
		return a.sendTemplate(o)
	case "pin":
		return a.sendPin(o)
	}
	return messages.Sent{}, refuse(codeUnsupportedType, "type: messages of the type %q cannot be sent here", s.Type)
}

// inSending gives what is wrong with a file Meta's number for it.
func inSending(err error) error {
	failure := fault.From(err)
	switch failure.Code {
	case fault.TooLarge, fault.UnsupportedMedia:
		return &refusal{codeMediaUpload, failure}
	}
	return err
}

func missing(field string) error { return fault.Field(field, "is required for a message of this type") }
