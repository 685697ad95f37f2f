package meta

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"muster/internal/fault"
	"muster/internal/notes"
	"muster/messages"
	"muster/messages/content"
)

// The limits of Meta's texts, in characters.
const (
	maxBody    = 4096
	maxCaption = 1024
)

// textBody is a text. Previews of links, which Meta makes when preview_url asks
// for them, are not made here.
type textBody struct {
	Body string `json:"body"`
}

func (a *API) sendText(o outgoing) (messages.Sent, error) {
	text := o.said.Text
	if text == nil {
		return messages.Sent{}, missing("text")
	}
	if n := utf8.RuneCountInString(text.Body); strings.TrimSpace(text.Body) == "" || n > maxBody {
		return messages.Sent{}, fault.Field("text.body", "must have 1 to %d characters", maxBody)
	}
	return a.services.Messages.SendText(o.UserContext(), messages.TextRequest{Envelope: o.envelope(), Text: text.Body})
}

type mediaBody struct {
	ID       string `json:"id"`
	Link     string `json:"link"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
	Voice    bool   `json:"voice"`
}

func (a *API) sendMedia(o outgoing, kind content.Kind, file *mediaBody) (sent messages.Sent, err error) {
	field := string(kind)
	if file == nil {
		return sent, missing(field)
	}
	if utf8.RuneCountInString(file.Caption) > maxCaption {
		return sent, fault.Field(field+".caption", "has more than %d characters", maxCaption)
	}
	source, done, err := a.source(o.Call, field, file.Link, file.ID)
	if err != nil {
		return sent, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return a.services.Messages.SendMedia(o.UserContext(), messages.MediaRequest{
		Envelope: o.envelope(), Kind: kind, File: source, Caption: file.Caption, Filename: file.Filename, PTT: file.Voice,
	})
}

type locationBody struct {
	Latitude  *number `json:"latitude"`
	Longitude *number `json:"longitude"`
	Name      string  `json:"name"`
	Address   string  `json:"address"`
}

// number is a number that clients also write as a text.
type number float64

// UnmarshalJSON reads a number or a text with one.
func (n *number) UnmarshalJSON(raw []byte) error {
	value, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return fault.New(fault.Invalid, "%.40s is not a number", raw).Because(err)
	}
	*n = number(value)
	return nil
}

func (a *API) sendLocation(o outgoing) (messages.Sent, error) {
	place := o.said.Location
	if place == nil || place.Latitude == nil || place.Longitude == nil {
		return messages.Sent{}, fault.Field("location", "needs a latitude and a longitude")
	}
	return a.services.Messages.SendLocation(o.UserContext(), messages.LocationRequest{
		Envelope: o.envelope(), Latitude: float64(*place.Latitude), Longitude: float64(*place.Longitude), Name: place.Name, Address: place.Address,
	})
}

type contactBody struct {
	Name struct {
		Formatted string `json:"formatted_name"`
		First     string `json:"first_name"`
		Last      string `json:"last_name"`
	} `json:"name"`
	Phones []struct {
		Phone word `json:"phone"`
		WaID  word `json:"wa_id"`
	} `json:"phones"`
}

func (a *API) sendContacts(o outgoing) (messages.Sent, error) {
	if len(o.said.Contacts) == 0 {
		return messages.Sent{}, missing("contacts")
	}
	cards := make([]content.Contact, len(o.said.Contacts))
	for i, said := range o.said.Contacts {
		cards[i].Name = cmp.Or(said.Name.Formatted, strings.TrimSpace(said.Name.First+" "+said.Name.Last))
		for _, phone := range said.Phones {
			cards[i].Phones = append(cards[i].Phones, content.Phone{
				Number: cmp.Or(string(phone.Phone), string(phone.WaID)), WhatsApp: strings.TrimPrefix(string(phone.WaID), "+"),
			})
		}
	}
	return a.services.Messages.SendContact(o.UserContext(), messages.ContactRequest{Envelope: o.envelope(), Contacts: cards})
}

type reactionBody struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"`
}

func (a *API) sendReaction(o outgoing) (messages.Sent, error) {
	if o.said.Reaction == nil {
		return messages.Sent{}, missing("reaction")
	}
	ref, err := o.ref("reaction.message_id", o.said.Reaction.MessageID)
	if err != nil {
		return messages.Sent{}, err
	}
	return a.services.Messages.React(o.UserContext(), messages.ReactRequest{Ref: ref, Emoji: o.said.Reaction.Emoji})
}

type pinBody struct {
	Type      string  `json:"type"`
	MessageID string  `json:"message_id"`
	Days      *number `json:"expiration_days"`
}

const (
	longestPin = 30 // days
	mostPins   = 3
	day        = 24 * time.Hour
)

// sendPin pins a message of a group, or takes its pin away. WhatsApp knows pins
// of three lengths: the next longer one is taken.
func (a *API) sendPin(o outgoing) (messages.Sent, error) {
	pin := o.said.Pin
	if pin == nil {
		return messages.Sent{}, missing("pin")
	}
	ref, err := o.ref("pin.message_id", pin.MessageID)
	if err != nil {
		return messages.Sent{}, err
	}
	switch pin.Type {
	case "unpin":
		return a.unpin(o, ref)
	case "pin":
	default:
		return messages.Sent{}, fault.Field("pin.type", "must be pin or unpin")
	}
	if pin.Days == nil || *pin.Days < 1 || *pin.Days > longestPin || *pin.Days != number(int(*pin.Days)) {
		return messages.Sent{}, fault.Field("pin.expiration_days", "must be a number from 1 to %d", longestPin)
	}
	length := time.Duration(*pin.Days) * day
	for _, seconds := range content.PinSeconds() {
		if offered := time.Duration(seconds) * time.Second; offered >= length {
			length = offered
			break
		}
	}
	sent, err := a.services.Messages.Pin(o.UserContext(), messages.PinRequest{Ref: ref, Duration: length})
	if err != nil {
		return messages.Sent{}, err
	}
	at := a.options.Now()
	note := pinned{MessageID: ref.MessageID, At: at.UnixMicro(), Until: at.Add(length).Unix()}
	if err = a.services.Notes.Put(o.UserContext(), pins(o.Session.ID), pinNote(o.chat, ref.MessageID), note); err == nil {
		err = a.makeRoom(o, ref.MessageID)
	}
	if err != nil { // it is pinned all the same
		zerolog.Ctx(o.UserContext()).Warn().Err(err).Str("group", o.chat).Msg("the oldest pinned message may still be pinned")
	}
	return sent, nil
}

// pinned is a message that was pinned here. WhatsApp's clients show three pins
// of a chat; which of more they are, each decides by itself. So a fourth is not
// left to them: the oldest of ours makes room.
type pinned struct {
	MessageID string `json:"message_id"`
	At        int64  `json:"at"`    // UNIX microseconds
	Until     int64  `json:"until"` // UNIX seconds
}

func pins(sessionID string) notes.Shelf {
	return notes.Shelf{SessionID: sessionID, Dialect: Name, Kind: "pin"}
}

func pinNote(chat, id string) string { return chat + " " + id }

// makeRoom takes the oldest pin away where there are three others already.
func (a *API) makeRoom(o outgoing, next string) error {
	list, err := a.services.Notes.List(o.UserContext(), pins(o.Session.ID), o.chat+" ", "", 2*mostPins)
	if err != nil {
		return err
	}
	var others []pinned
	for _, note := range list {
		var p pinned
		if err = note.Decode(&p); err != nil {
			return err
		}
		switch {
		case p.Until <= a.options.Now().Unix():
			if _, err = a.services.Notes.Delete(o.UserContext(), pins(o.Session.ID), note.ID); err != nil {
				return err
			}
		case p.MessageID != next:
			others = append(others, p)
		}
	}
	slices.SortFunc(others, func(x, y pinned) int { return cmp.Compare(x.At, y.At) })
	for len(others) >= mostPins {
		oldest := messages.Ref{SessionID: o.Session.ID, MessageID: others[0].MessageID, To: o.chat}
		if _, err = a.unpin(o, oldest); err != nil && !gone(err) {
			return err
		}
		others = others[1:]
	}
	return nil
}

// gone tells whether an error says that a message cannot be unpinned because it
// is not there any more.
func gone(err error) bool { return fault.Is(err, fault.NotFound) || fault.Is(err, fault.Invalid) }

// unpin takes a pin away, and forgets it also where WhatsApp has no use for that.
func (a *API) unpin(o outgoing, ref messages.Ref) (messages.Sent, error) {
	sent, err := a.services.Messages.Pin(o.UserContext(), messages.PinRequest{Ref: ref})
	if err != nil && !gone(err) {
		return sent, err
	}
	_, storeErr := a.services.Notes.Delete(o.UserContext(), pins(o.Session.ID), pinNote(o.chat, ref.MessageID))
	return sent, errors.Join(err, storeErr)
}
