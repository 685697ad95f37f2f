package zoko

import (
	"fmt"
	"strings"

	"muster/internal/fault"
	"muster/messages/content"
)

// ContactsBody has contact cards.
type ContactsBody struct {
	Cards []ContactBody `json:"whatsappContacts" nullable:"false"`
}

// ContactBody is a contact card.
type ContactBody struct {
	_         struct{}         `additionalProperties:"true"`
	Name      ContactName      `json:"name"`
	Org       ContactOrg       `json:"org,omitzero" required:"false"`
	Addresses []ContactAddress `json:"addresses,omitempty"`
	Emails    []ContactEmail   `json:"emails,omitempty"`
	Phones    []ContactPhone   `json:"phones" nullable:"false"`
}

// ContactName is a name in its parts.
type ContactName struct {
	Prefix    string `json:"prefix,omitempty"`
	First     string `json:"firstName,omitempty"`
	Middle    string `json:"middleName,omitempty"`
	Last      string `json:"lastName,omitempty"`
	Suffix    string `json:"suffix,omitempty"`
	Formatted string `json:"formattedName,omitempty" doc:"The whole name; by default the parts in their order."`
}

// ContactOrg is where somebody works.
type ContactOrg struct {
	Company    string `json:"company,omitempty"`
	Department string `json:"department,omitempty"`
	Title      string `json:"title,omitempty"`
}

// ContactAddress is where somebody lives.
type ContactAddress struct {
	URL         string `json:"url,omitempty"`
	Street      string `json:"street,omitempty"`
	City        string `json:"city,omitempty"`
	State       string `json:"state,omitempty"`
	Zip         string `json:"zip,omitempty"`
	CountryCode string `json:"countryCode,omitempty"`
	Country     string `json:"country,omitempty"`
}

// ContactEmail is an e-mail address.
type ContactEmail struct {
	Email string `json:"email"`
	Type  string `json:"type,omitempty"`
}

// ContactPhone is a phone number.
type ContactPhone struct {
	Phone number `json:"phone" doc:"In digits; text or a number."`
	Type  string `json:"type,omitempty"`
}

// cards are the contacts as vCards.
func (b ContactsBody) cards() ([]content.Contact, error) {
	if len(b.Cards) == 0 {
		return nil, fault.Field("contacts.whatsappContacts", "must have at least one contact")
	}
	var cards []content.Contact
	for i, c := range b.Cards {
		name := c.fullName()
		if name == "" {
			return nil, fault.Field(fmt.Sprintf("contacts.whatsappContacts[%d].name", i), "must be given")
		}
		if len(c.Phones) == 0 {
			return nil, fault.Field(fmt.Sprintf("contacts.whatsappContacts[%d].phones", i), "must have at least one phone")
		}
		for j, p := range c.Phones {
			if digitsOf(string(p.Phone)) == "" {
				return nil, fault.Field(fmt.Sprintf("contacts.whatsappContacts[%d].phones[%d]", i, j), "must have a phone number")
			}
		}
		cards = append(cards, content.Contact{Name: name, VCard: c.card(name)})
	}
	return cards, nil
}

func (c ContactBody) fullName() string {
	if name := strings.TrimSpace(c.Name.Formatted); name != "" {
		return name
	}
	return strings.Join(strings.Fields(strings.Join([]string{c.Name.Prefix, c.Name.First, c.Name.Middle, c.Name.Last, c.Name.Suffix}, " ")), " ")
}

// card is the contact as a vCard 3.0 (RFC 2426). The parameter waid ties a
// number to a WhatsApp account, so that the receiver can write to it.
func (c ContactBody) card(name string) string {
	var out strings.Builder
	line := func(property string, values ...string) {
		if strings.Join(values, "") == "" {
			return
		}
		for i := range values {
			values[i] = escape(values[i])
		}
		out.WriteString(property + ":" + strings.Join(values, ";") + "\n")
	}
	out.WriteString("BEGIN:VCARD\nVERSION:3.0\n")
	family, given := c.Name.Last, c.Name.First
	if family+given == "" {
		given = name
	}
	line("N", family, given, c.Name.Middle, c.Name.Prefix, c.Name.Suffix)
	line("FN", name)
	line("ORG", c.Org.Company, c.Org.Department)
	line("TITLE", c.Org.Title)
	for _, p := range c.Phones {
		digits := digitsOf(string(p.Phone))
		line("TEL"+kind(p.Type)+";waid="+digits, "+"+digits)
	}
	for _, e := range c.Emails {
		line("EMAIL"+kind(e.Type), e.Email)
	}
	for _, a := range c.Addresses {
		country := a.Country
		if country == "" {
			country = a.CountryCode
		}
		line("ADR", "", "", a.Street, a.City, a.State, a.Zip, country)
		line("URL", a.URL)
	}
	out.WriteString("END:VCARD")
	return out.String()
}

// kind is the type of a phone or an address as a parameter.
func kind(word string) string {
	if word = escapeParameter(word); word == "" {
		return ""
	}
	return ";type=" + strings.ToUpper(word)
}

// escapeParameter leaves of a parameter what cannot end it.
func escapeParameter(word string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' {
			return r
		}
		return -1
	}, word)
}

func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// escape writes a value so that it cannot begin another property.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`, ";", `\;`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(value)
}
