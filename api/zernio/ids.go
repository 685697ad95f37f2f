package zernio

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strings"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/session"
)

// Zernio hands on Meta's ids of groups, which are opaque to clients and made of
// what they name: the base64 of "capi_group:<account's digits>:<group's digits>"
// with four characters escaped. So they are made and read here without anything
// being stored.

const (
	groupWord = "capi_group"
	mediaWord = "muster_media" // muster_media:<chat>:<message id>

	groupServer = "@g.us"
	phoneServer = "@s.whatsapp.net"
)

// escape makes base64 fit for a path: Z stands before what is replaced.
var escape = strings.NewReplacer("Z", "ZA", "+", "ZB", "/", "ZC", "=", "ZD")

func encode(text string) string {
	return escape.Replace(base64.StdEncoding.EncodeToString([]byte(text)))
}

// decode is the way back; ok is false for what encode never makes.
func decode(id string) (text string, ok bool) {
	var plain strings.Builder
	for i := 0; i < len(id); i++ {
		if id[i] != 'Z' {
			plain.WriteByte(id[i])
			continue
		}
		if i++; i == len(id) {
			return "", false
		}
		at := strings.IndexByte("ABCD", id[i])
		if at < 0 {
			return "", false
		}
		plain.WriteByte("Z+/="[at])
	}
	raw, err := base64.StdEncoding.DecodeString(plain.String())
	return string(raw), err == nil && encode(string(raw)) == id
}

// groupID is a group's id for the clients of an account.
func groupID(s session.Session, jid string) string {
	return encode(groupWord + ":" + cmp.Or(s.PhoneNumber, "0") + ":" + userOf(jid))
}

// groupOf is the group that an id means to an account: one of those above, or
// the group's JID or its digits, which are handed on for the operation to check.
func groupOf(s session.Session, id string) (jid string, err error) {
	text, ok := decode(id)
	if !ok {
		return id, nil
	}
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || parts[0] != groupWord {
		return id, nil
	}
	if parts[1] != s.PhoneNumber {
		return "", fault.New(fault.GroupNotFound, "this account is in no such group: the id is one of another account's")
	}
	return parts[2] + groupServer, nil
}

// conversationID is a chat's id: a group's own, a person's digits, or a LID
// whose phone is not known.
func conversationID(s session.Session, chat string) string {
	if strings.HasSuffix(chat, groupServer) {
		return groupID(s, chat)
	}
	return strings.TrimSuffix(chat, phoneServer)
}

// chatOf is the chat that an id means. A conversation that nothing was said in
// yet is named like any other: by its group's id from the beginning.
func chatOf(s session.Session, id string) (string, error) { return groupOf(s, id) }

// mediaID is the id of the file of a message.
func mediaID(chat, message string) string {
	return encode(mediaWord + ":" + chat + ":" + message)
}

func parseMediaID(id string) (chat, message string, err error) {
	text, _ := decode(id)
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || parts[0] != mediaWord {
		return "", "", fault.New(fault.NotFound, "there is no media with this id")
	}
	return parts[1], parts[2], nil
}

// userOf is what stands before the @ of a JID.
func userOf(jid string) string {
	user, _, _ := strings.Cut(jid, "@")
	return user
}

// listCursor is a place in the list of groups, which is in the order of their
// JIDs: base64 of digits, as Meta's are.
func listCursor(jid string) string {
	return base64.StdEncoding.EncodeToString([]byte(userOf(jid)))
}

func parseListCursor(cursor string) (jid string, err error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.StdEncoding.DecodeString(cursor)
	user := string(raw)
	if err != nil || user == "" || strings.Trim(user, "0123456789-") != "" {
		return "", invalid("after", "is not one of the cursors that a list answered with")
	}
	return user + groupServer, nil
}

// plus is a phone number as E.164 has it.
func plus(digits string) string {
	if digits == "" {
		return ""
	}
	return "+" + digits
}

// personID is what Zernio identifies a person by: the digits of the phone, and
// where that is not known something that cannot be taken for them.
func personID(p event.Person) string { return cmp.Or(p.PhoneNumber, p.LID, userOf(p.JID)) }

// entry names an entry of a list.
func entry(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
