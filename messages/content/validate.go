package content

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"muster/internal/fault"
)

// Validate tells whether Build would succeed, apart from the upload of a file
// and the target's chat. Its errors are coded faults that name the field.
func (c Content) Validate() error {
	for _, check := range []func(Content) error{
		Content.checkKind, Content.checkContext, Content.checkTarget,
	} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

func (c Content) checkKind() error {
	switch c.Kind {
	case KindText:
		return checkText("text", c.Text, true)
	case KindImage, KindVideo, KindAudio, KindDocument, KindSticker:
		return c.checkFile()
	case KindLocation:
		return c.checkPlace()
	case KindContact:
		return c.checkContacts()
	case KindPoll:
		return c.checkPoll()
	case KindGroupInvite:
		return c.checkInvite()
	case KindReaction, KindPollVote, KindEdit, KindRevoke, KindPin:
		return nil // see checkTarget
	case KindTimer:
		if c.ExpirationSeconds < 0 || c.ExpirationSeconds > math.MaxUint32 {
			return fault.Field("expiration", "is not a number of seconds")
		}
		return nil
	}
	return fault.Field("kind", "a message of the kind %q cannot be sent", c.Kind)
}

// checkText refuses what clients would not show as it was written.
func checkText(field, text string, needed bool) error {
	switch {
	case needed && strings.TrimSpace(text) == "":
		return fault.Field(field, "must not be empty")
	case len(text) > MaxText:
		return fault.Field(field, "has %d bytes; %d is the most", len(text), MaxText)
	}
	return checkClean(field, text)
}

func checkClean(field, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fault.Field(field, "must be UTF-8 without NUL characters")
	}
	return nil
}

// checkShort is for names and titles.
func checkShort(field, text string, needed bool, limit int) error {
	switch {
	case needed && strings.TrimSpace(text) == "":
		return fault.Field(field, "must not be empty")
	case utf8.RuneCountInString(text) > limit:
		return fault.Field(field, "has %d characters; %d is the most", utf8.RuneCountInString(text), limit)
	}
	return checkClean(field, text)
}

func (c Content) checkFile() error {
	if c.Media == nil {
		return fault.Field(string(c.Kind), "must be given")
	}
	if c.Text != "" && (c.Kind == KindAudio || c.Kind == KindSticker) {
		return fault.Field("caption", "a message of the kind %s has no caption", c.Kind)
	}
	if c.ViewOnce && !slices.Contains([]Kind{KindImage, KindVideo, KindAudio}, c.Kind) {
		return fault.Field("view_once", "only an image, a video or a voice note can be viewed once")
	}
	if err := CheckFilename("filename", c.Media.Filename); err != nil {
		return err
	}
	return checkText("caption", c.Text, false)
}

// CheckFilename refuses a document's name that is a path, or that would be
// shown as something else than it is. An empty name is fine.
func CheckFilename(field, name string) error {
	switch {
	case name == "":
		return nil
	case len(name) > MaxFilename:
		return fault.Field(field, "has %d bytes; %d is the most", len(name), MaxFilename)
	case strings.ContainsAny(name, `/\`) || strings.Trim(name, ". ") == "":
		return fault.Field(field, "must be the name of a file, not a path")
	case BareName(name) != name:
		return fault.Field(field, "must not contain control characters or begin or end with a space")
	}
	return nil
}

func (c Content) checkPlace() error {
	switch {
	case c.Location == nil:
		return fault.Field("latitude", "must be given")
	case !(math.Abs(c.Location.Latitude) <= 90): // true for NaN, too
		return fault.Field("latitude", "must be from -90 to 90")
	case !(math.Abs(c.Location.Longitude) <= 180):
		return fault.Field("longitude", "must be from -180 to 180")
	}
	if err := checkShort("name", c.Location.Name, false, maxShort); err != nil {
		return err
	}
	if err := checkShort("address", c.Location.Address, false, maxShort); err != nil {
		return err
	}
	return checkText("text", c.Text, false)
}

func (c Content) checkContacts() error {
	switch {
	case len(c.Contacts) == 0:
		return fault.Field("contact", "must be given")
	case len(c.Contacts) > MaxContacts:
		return fault.Field("contacts", "has %d entries; %d is the most", len(c.Contacts), MaxContacts)
	}
	for i, contact := range c.Contacts {
		field := "contact"
		if len(c.Contacts) > 1 {
			field = fmt.Sprintf("contacts[%d]", i)
		}
		if err := contact.check(field); err != nil {
			return err
		}
	}
	return nil
}

func (c Contact) check(field string) error {
	if err := checkShort(field+".name", c.Name, true, maxShort); err != nil {
		return err
	}
	if c.VCard != "" {
		if len(c.VCard) > MaxVCard {
			return fault.Field(field+".vcard", "has %d bytes; %d is the most", len(c.VCard), MaxVCard)
		}
		if card := strings.TrimSpace(strings.ToUpper(c.VCard)); !strings.HasPrefix(card, "BEGIN:VCARD") || !strings.HasSuffix(card, "END:VCARD") {
			return fault.Field(field+".vcard", "must be a vCard, from BEGIN:VCARD to END:VCARD")
		}
		return checkClean(field+".vcard", c.VCard)
	}
	if len(c.Phones) == 0 {
		return fault.Field(field+".phone", "must be given, or a vcard")
	}
	if len(c.Phones) > maxPhones {
		return fault.Field(field+".phones", "has %d entries; %d is the most", len(c.Phones), maxPhones)
	}
	for _, phone := range c.Phones {
		if err := checkShort(field+".phone", phone.Number, true, maxID); err != nil {
			return err
		}
		if phone.WhatsApp != "" && !isDigits(phone.WhatsApp) {
			return fault.Field(field+".phone", "the account %q must be digits", phone.WhatsApp)
		}
	}
	return checkShort(field+".organization", c.Organization, false, maxShort)
}

func (c Content) checkPoll() error {
	if c.Poll == nil {
		return fault.Field("name", "must be given")
	}
	if err := checkShort("name", c.Poll.Name, true, MaxPollName); err != nil {
		return err
	}
	if n := len(c.Poll.Options); n < 2 || n > MaxOptions {
		return fault.Field("options", "has %d entries; from 2 to %d are needed", n, MaxOptions)
	}
	for i, option := range c.Poll.Options {
		field := fmt.Sprintf("options[%d]", i)
		if err := checkShort(field, option, true, MaxOption); err != nil {
			return err
		}
		if slices.Contains(c.Poll.Options[:i], option) { // votes could not tell them apart
			return fault.Field(field, "is there twice")
		}
	}
	if c.Poll.SelectableCount < 0 || c.Poll.SelectableCount > len(c.Poll.Options) {
		return fault.Field("selectable_count", "must be from 0 (any number) to %d, the number of options", len(c.Poll.Options))
	}
	if len(c.Secret) != SecretSize {
		return fmt.Errorf("the poll's secret has %d bytes instead of %d", len(c.Secret), SecretSize)
	}
	return nil
}

func (c Content) checkInvite() error {
	switch {
	case c.Invite == nil || !isGroup(c.Invite.Group):
		return fault.Field("group", "must be a group")
	case c.Invite.Code == "":
		return fault.Field("code", "must not be empty")
	}
	return checkText("caption", c.Text, false)
}

// checkContext looks at what every message may have.
func (c Content) checkContext() error {
	if len(c.Mentions) > MaxMentions {
		return fault.Field("mentions", "has %d entries; %d is the most", len(c.Mentions), MaxMentions)
	}
	for i, person := range c.Mentions {
		if !isPerson(person) {
			return fault.Field(fmt.Sprintf("mentions[%d]", i), "%q is not a person", person)
		}
	}
	switch {
	case c.ReplyTo != nil && !isMessageID(c.ReplyTo.ID):
		return fault.Field("reply_to", "is not a message's id")
	case c.ReplyTo != nil && !isPerson(c.ReplyTo.Sender):
		return fault.Field("reply_to", "the sender of the message is not known")
	case c.ExpirationSeconds < 0 || c.ExpirationSeconds > math.MaxUint32:
		return fault.Field("expiration", "is not a number of seconds")
	case len(c.Secret) != 0 && len(c.Secret) != SecretSize:
		return fmt.Errorf("the message's secret has %d bytes instead of %d", len(c.Secret), SecretSize)
	case c.ViewOnce && !c.Kind.HasMedia():
		return fault.Field("view_once", "only an image, a video or a voice note can be viewed once")
	}
	return nil
}

// checkTarget looks at the kinds that change another message.
func (c Content) checkTarget() error {
	if !c.Kind.ChangesTarget() {
		return nil
	}
	if c.Target == nil || !isMessageID(c.Target.ID) {
		return fault.Field("message_id", "must be a message's id")
	}
	if isGroup(c.Target.Chat) && !c.Target.FromMe && !isPerson(c.Target.Sender) {
		return fault.Field("message_id", "the sender of the message is not known")
	}
	switch c.Kind {
	case KindReaction:
		if c.Sealed == nil {
			return checkEmoji("emoji", c.Emoji)
		}
	case KindPollVote:
		if c.Sealed == nil {
			return fault.Field("options", "must be given")
		}
	case KindEdit:
		return c.checkEdit()
	case KindPin:
		if c.Pin == nil || !c.Pin.Unpin && c.Pin.Seconds != 0 && !slices.Contains(PinSeconds(), c.Pin.Seconds) {
			return fault.Field("duration", "must be one of %v seconds", PinSeconds())
		}
	}
	return nil
}

func (c Content) checkEdit() error {
	switch {
	case c.Sealed != nil:
		return nil
	case !c.Target.FromMe:
		return fault.Field("message_id", "is somebody else's message: only one's own can be edited")
	case c.Edited == nil || c.Edited.Kind == KindText:
		return checkText("text", c.Text, true)
	case !slices.Contains([]Kind{KindImage, KindVideo, KindDocument}, c.Edited.Kind):
		return fault.Field("message_id", "is a message of the kind %s, which cannot be edited", c.Edited.Kind)
	case c.Edited.ViewOnce || c.Edited.Media == nil:
		return fault.Field("message_id", "is not kept here in full, so that it cannot be edited")
	}
	return checkText("text", c.Text, false) // a caption may go
}

// checkEmoji takes what may be an emoji: symbols, joined and varied as they
// come, and neither letters nor spaces. Empty takes a reaction back.
func checkEmoji(field, emoji string) error {
	if emoji == "" {
		return nil
	}
	symbols := 0
	for _, r := range emoji {
		switch {
		case unicode.IsLetter(r) && r != 'ℹ', unicode.IsSpace(r), unicode.IsControl(r), r == utf8.RuneError:
			return fault.Field(field, "must be one emoji")
		case r > unicode.MaxASCII && (unicode.IsSymbol(r) || unicode.IsPunct(r)), r == '\u20e3', r == 'ℹ':
			symbols++
		}
	}
	if symbols == 0 || len(emoji) > maxEmoji {
		return fault.Field(field, "must be one emoji")
	}
	return nil
}
