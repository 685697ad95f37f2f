package content

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// maxPhones bounds the numbers that are read off one card.
const maxPhones = 32

func parseContacts(messages ...*waE2E.ContactMessage) []Contact {
	var contacts []Contact
	for i, message := range messages {
		if i == MaxContacts {
			break
		}
		contact := Contact{Name: clean(message.GetDisplayName(), maxShort)}
		card := message.GetVcard()
		if len(card) > MaxVCard { // a portrait, most likely: the rest is still a card
			card = withoutPortrait(card)
		}
		contact.Phones = phonesOf(cut(card, MaxVCard))
		if len(card) <= MaxVCard {
			contact.VCard = clean(card, MaxVCard)
		}
		contacts = append(contacts, contact)
	}
	return contacts
}

// lines are a card's lines, folded ones (RFC 6350, 3.2) joined.
func lines(card string) []string {
	card = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "\n\t", "", "\r\n", "\n").Replace(card)
	return strings.Split(card, "\n")
}

// property splits "item1.TEL;type=CELL;waid=62811:+62 811" into TEL, its
// parameters, and its value.
func property(line string) (name string, parameters []string, value string) {
	head, value, found := strings.Cut(line, ":")
	if !found {
		return "", nil, ""
	}
	parts := strings.Split(head, ";")
	name = parts[0]
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	return strings.ToUpper(name), parts[1:], value
}

func phonesOf(card string) []Phone {
	var phones []Phone
	for _, line := range lines(card) {
		name, parameters, value := property(line)
		if name != "TEL" || len(phones) == maxPhones {
			continue
		}
		phone := Phone{Number: clean(strings.TrimSpace(strings.TrimPrefix(value, "tel:")), maxID)}
		for _, parameter := range parameters {
			if key, account, ok := strings.Cut(parameter, "="); ok && strings.EqualFold(key, "waid") && isDigits(account) {
				phone.WhatsApp = account
			}
		}
		if phone.Number != "" {
			phones = append(phones, phone)
		}
	}
	return phones
}

func withoutPortrait(card string) string {
	var kept []string
	for _, line := range lines(card) {
		switch name, _, _ := property(line); name {
		case "PHOTO", "LOGO", "SOUND", "KEY":
		default:
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\r\n")
}

func isDigits(text string) bool {
	return text != "" && len(text) <= 20 && strings.Trim(text, "0123456789") == ""
}

// card makes a vCard 3.0 as WhatsApp's clients make it: the "waid" parameter
// ties a number to an account, so that the receiver can start a chat.
func (c Contact) card() string {
	var out strings.Builder
	out.WriteString("BEGIN:VCARD\nVERSION:3.0\n")
	out.WriteString("N:;" + escape(c.Name) + ";;;\nFN:" + escape(c.Name) + "\n")
	if c.Organization != "" {
		out.WriteString("ORG:" + escape(c.Organization) + ";\n")
	}
	for _, phone := range c.Phones {
		out.WriteString("TEL;type=CELL;type=VOICE")
		if phone.WhatsApp != "" {
			out.WriteString(";waid=" + phone.WhatsApp)
		}
		out.WriteString(":" + escape(phone.Number) + "\n")
	}
	out.WriteString("END:VCARD")
	return out.String()
}

// escape writes a value as RFC 6350, 3.4 wants it: a line break or a
// semicolon in a name must not begin another property.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(value)
}
