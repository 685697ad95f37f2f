// Package address reads how people and groups are named in requests: JIDs,
// LIDs, phone numbers and bare group ids, in every spelling that clients use.
// What it returns is always bare (no device) and in WhatsApp's current form.
package address

import (
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

// How many digits each kind of id may have. E.164 allows 15; the shortest
// international numbers in use have 7. LIDs and group ids are WhatsApp's own:
// the bounds are wide enough for every one seen and keep nonsense out.
const (
	minPhone, maxPhone = 7, 15
	minLID, maxLID     = 5, 20
	minGroup, maxGroup = 5, 20
)

// maxText bounds what is looked at (and repeated in a message): the longest
// valid spelling is far shorter.
const maxText = 128

// Person reads one person's address: a phone number with or without "+", a
// phone JID ("…@s.whatsapp.net" or the older "…@c.us") or a LID ("…@lid"). A
// device or agent part is dropped. The error is a fault that names the field.
func Person(field, text string) (types.JID, error) {
	user, server, err := split(field, text)
	if err != nil {
		return types.EmptyJID, err
	}
	switch server {
	case "":
		return phone(field, text, strings.TrimPrefix(user, "+"))
	case types.DefaultUserServer, types.LegacyUserServer:
		return phone(field, text, strings.TrimPrefix(withoutDevice(user), "+"))
	case types.HiddenUserServer:
		user = withoutDevice(user)
		if !digits(user, minLID, maxLID) {
			return types.EmptyJID, fault.Field(field, "%q is not a LID: it has digits before @lid", text)
		}
		return types.NewJID(user, types.HiddenUserServer), nil
	case types.GroupServer:
		return types.EmptyJID, fault.Field(field, "%q is a group, and a person is needed", text)
	}
	return types.EmptyJID, fault.Field(field, "%q is not a phone number, a phone JID or a LID", text)
}

// Group reads a group's address: "digits@g.us", the older
// "digits-digits@g.us", or either without its server. The error is a fault that
// names the field.
func Group(field, text string) (types.JID, error) {
	user, server, err := split(field, text)
	if err != nil {
		return types.EmptyJID, err
	}
	if server != "" && server != types.GroupServer {
		return types.EmptyJID, fault.Field(field, "%q is not a group: a group's JID ends in @g.us", text)
	}
	if !groupID(user) {
		return types.EmptyJID, fault.Field(field, "%q is not a group JID such as 120363012345678901@g.us", text)
	}
	return types.NewJID(user, types.GroupServer), nil
}

// Chat reads the address of a person or of a group. A bare number is a phone
// number unless it cannot be one: longer than E.164 allows, or with the hyphen
// of the older group ids.
func Chat(field, text string) (types.JID, error) {
	user, server, err := split(field, text)
	if err != nil {
		return types.EmptyJID, err
	}
	if server == types.GroupServer || server == "" && groupID(user) && !digits(user, 0, maxPhone) {
		return Group(field, text)
	}
	return Person(field, text)
}

// Entry is one address of a list: as the client spelled it, and as read.
type Entry struct {
	Input string
	JID   types.JID
}

// People reads a list of persons and collapses repeated ones, the first
// spelling winning. The error names the entry, as in "participants[2]".
func People(field string, texts []string) ([]Entry, error) {
	entries := make([]Entry, 0, len(texts))
	seen := make(map[types.JID]bool, len(texts))
	for i, text := range texts {
		jid, err := Person(fmt.Sprintf("%s[%d]", field, i), text)
		if err != nil {
			return nil, err
		}
		if !seen[jid] {
			seen[jid] = true
			entries = append(entries, Entry{Input: text, JID: jid})
		}
	}
	return entries, nil
}

// split cuts at the "@". The server is lower-cased, and empty when there is none.
func split(field, text string) (user, server string, err error) {
	if len(text) > maxText {
		return "", "", fault.Field(field, "longer than %d characters", maxText)
	}
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return "", "", fault.Field(field, "must not be empty")
	}
	user, server, found := strings.Cut(trimmed, "@")
	if found && server == "" {
		return "", "", fault.Field(field, "%q ends after the @", text)
	}
	return user, strings.ToLower(server), nil
}

// withoutDevice drops the agent and device of a JID's user: "628…:12" and
// "628….0:12" name a device of 628….
func withoutDevice(user string) string {
	bare, device, found := strings.Cut(user, ":")
	if found && !digits(device, 1, 5) {
		return user
	}
	if number, agent, found := strings.Cut(bare, "."); found && digits(agent, 1, 3) {
		return number
	}
	return bare
}

func phone(field, text, number string) (types.JID, error) {
	if !digits(number, minPhone, maxPhone) {
		return types.EmptyJID, fault.Field(field,
			"%q is not a phone number: %d to %d digits with the country code are needed", text, minPhone, maxPhone)
	}
	if number[0] == '0' {
		return types.EmptyJID, fault.Field(field, "%q is not an international number: it must not begin with 0", text)
	}
	return types.NewJID(number, types.DefaultUserServer), nil
}

// groupID tells whether text is the user part of a group's JID. The older form
// is the creator's number and the time of creation.
func groupID(text string) bool {
	first, second, old := strings.Cut(text, "-")
	return digits(first, minGroup, maxGroup) && (!old || digits(second, minGroup, maxGroup))
}

// digits tells whether text has between least and most characters, all of
// them ASCII digits.
func digits(text string, least, most int) bool {
	if len(text) < least || len(text) > most {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
