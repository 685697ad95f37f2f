package meta

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"strings"

	"muster/groups"
)

// Meta's ids are opaque to its clients, but they are made of what they name, and
// so they can be made and read here without anything being stored: every sample
// in Meta's documentation decodes like this.

// The words with which the ids of things begin, inside.
const (
	groupWord = "capi_group" // capi_group:<account's digits>:<group's digits>
	mediaWord = "capi_media" // capi_media:<account's digits>:<chat>:<message id>
	fileWord  = "capi_file"  // capi_file:<account's digits>:<SHA-256 of the content>
)

// escape makes base64 fit for a path: Z stands before what is replaced.
var escape = strings.NewReplacer("Z", "ZA", "+", "ZB", "/", "ZC", "=", "ZD")

// encode makes an opaque id of a text.
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

// opaque is an id that names its kind and its account.
type opaque struct {
	word    string
	account string // digits
	rest    string
}

func (o opaque) String() string { return encode(o.word + ":" + o.account + ":" + o.rest) }

// parseOpaque reads an id of ours or Meta's.
func parseOpaque(id string) (o opaque, ok bool) {
	text, ok := decode(id)
	if !ok {
		return o, false
	}
	parts := strings.SplitN(text, ":", 3)
	if len(parts) != 3 || !isDigits(parts[1]) || parts[2] == "" {
		return o, false
	}
	o = opaque{parts[0], parts[1], parts[2]}
	return o, o.word == groupWord && isGroup(o.rest) || o.word == mediaWord || o.word == fileWord
}

// GroupID is a group's id for the clients of an account.
func GroupID(account, jid string) string {
	return opaque{groupWord, account, userOf(jid)}.String()
}

// userOf is what stands before the @ of a JID.
func userOf(jid string) string {
	user, _, _ := strings.Cut(jid, "@")
	return user
}

// isGroup tells whether text is what stands before the @ of a group's JID.
func isGroup(text string) bool {
	first, second, old := strings.Cut(text, "-")
	return isDigits(first) && (!old || isDigits(second))
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

const lidServer = "@lid"

// requestID is the id of somebody's request to join a group. It has the phone
// where that is known, as Meta's has, else the LID.
func requestID(who groups.Identity, groupJID string) string {
	name := who.PhoneNumber
	if name == "" {
		name = who.LID
	}
	return base64.StdEncoding.EncodeToString([]byte(name + ":" + userOf(groupJID)))
}

// requester reads such an id: who has asked, in a form that requests accept. ok
// is false for what is no id of a request to join this group.
func requester(id, groupJID string) (who string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(id)
	if err != nil {
		return "", false
	}
	who, group, found := strings.Cut(string(raw), ":")
	digits := strings.TrimSuffix(who, lidServer)
	return who, found && group == userOf(groupJID) && isDigits(digits)
}

// listCursor is a place in the list of groups, which is in the order of their
// JIDs: base64 of digits, as Meta's are.
func listCursor(jid string) string {
	return base64.StdEncoding.EncodeToString([]byte(userOf(jid)))
}

// parseListCursor returns the JID that the place is at.
func parseListCursor(cursor string) (jid string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(cursor)
	return string(raw) + groupServer, err == nil && isGroup(string(raw))
}

const groupServer = "@g.us"

// requestCursor is a place in the list of requests to join. Version names the
// request at the place: those before it may have been decided about meanwhile,
// and the offset is then another one.
type requestCursor struct {
	Offset  int    `json:"offset"`
	Version string `json:"versionId"`
}

func (c requestCursor) String() string {
	raw, err := json.Marshal(c)
	if err != nil {
		return "" // a number and a text can be written
	}
	return encode(string(raw))
}

func parseRequestCursor(text string) (c requestCursor, ok bool) {
	raw, ok := decode(text)
	if !ok || json.Unmarshal([]byte(raw), &c) != nil {
		return c, false
	}
	return c, isDigits(c.Version) && c.Offset >= 0
}

// requestOrder orders requests to join: by time, and by person within a second.
// It reads like a time in nanoseconds, as Meta's versions do.
func requestOrder(r groups.JoinRequest) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(r.JID)) // never fails, see hash.Hash
	return r.RequestedAt.Unix()*1e9 + int64(hash.Sum64()%1e9)
}

// The ids of messages are Meta's in form: "wamid." and a record of the chat's
// number and WhatsApp's own id in Thrift's compact encoding.
const (
	wamidPrefix = "wamid."
	wamidSent   = 0x11
	wamidCame   = 0x12
)

// messageID is the id of a message in a chat.
func messageID(chat, id string, sent bool) string {
	direction := byte(wamidCame)
	if sent {
		direction = wamidSent
	}
	user := userOf(chat)
	raw := append([]byte{0x1c, 0x18}, lengthOf(user)...)
	raw = append(raw, user...)
	raw = append(raw, 0x15, 0x02, 0x00, direction, 0x18)
	raw = append(raw, lengthOf(id)...)
	raw = append(append(raw, id...), 0x00)
	return wamidPrefix + base64.StdEncoding.EncodeToString(raw)
}

func lengthOf(text string) []byte { return binary.AppendUvarint(nil, uint64(len(text))) }

// rawMessageID is WhatsApp's id of a message: taken out of one of ours, or the
// text itself where it is none.
func rawMessageID(text string) string {
	encoded, ours := strings.CutPrefix(text, wamidPrefix)
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ours || err != nil {
		return text
	}
	_, rest, ok := cutText(raw, 2)
	if !ok {
		return text
	}
	id, _, ok := cutText(rest, 5)
	if !ok || id == "" {
		return text
	}
	return id
}

// cutText reads a text behind its length, which is behind skip bytes.
func cutText(raw []byte, skip int) (text string, rest []byte, ok bool) {
	if len(raw) <= skip {
		return "", nil, false
	}
	length, size := binary.Uvarint(raw[skip:])
	if begin := skip + size; size > 0 && length <= uint64(len(raw)-begin) {
		end := begin + int(length)
		return string(raw[begin:end]), raw[end:], true
	}
	return "", nil, false
}
