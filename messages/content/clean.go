package content

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/types"
)

// Limits of what is read; what WhatsApp's own clients let people write is far
// below them.
const (
	maxRead        = 4 * MaxText // bytes: clients count 65536 characters
	maxReadOptions = 64
	maxEmoji       = 128
	maxSealed      = 64 << 10
	maxWaveform    = 256
	maxID          = 128

	ivSize, keySize, hashSize = 12, 32, 32
)

// clean makes a stranger's text fit to be stored and shown: valid UTF-8,
// without NUL (which PostgreSQL does not take), and of at most limit bytes.
func clean(text string, limit int) string {
	text = cut(text, limit)
	if !utf8.ValidString(text) {
		text = cut(strings.ToValidUTF8(text, "\uFFFD"), limit)
	}
	if strings.ContainsRune(text, 0) {
		text = strings.ReplaceAll(text, "\x00", "")
	}
	return text
}

// cut cuts before the character that crosses the limit.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > limit-utf8.UTFMax && end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// BareName makes a file's name of whatever a stranger calls a file: the part
// after the last slash of either kind, without characters that steer terminals
// or turn the direction of writing (which shows "gpj.exe" as "exe.jpg"), and
// never one of the names that mean directories.
func BareName(name string) string {
	name = strings.ToValidUTF8(name, "")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' { // joiners belong to words
			return -1
		}
		return r
	}, name)
	name = strings.TrimSpace(cutName(strings.TrimSpace(name)))
	if strings.Trim(name, ".") == "" {
		return ""
	}
	return name
}

// cutName shortens a name and spares its ending.
func cutName(name string) string {
	if len(name) <= MaxFilename {
		return name
	}
	ending := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 && len(name)-i <= 16 {
		ending = name[i:]
	}
	return cut(name, MaxFilename-len(ending)) + ending
}

// count makes a number of a stranger's fit an int on every machine.
func count(n uint32) int { return int(min(n, math.MaxInt32)) }

// isMessageID tells whether an id can be one: clients use letters and digits.
func isMessageID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// parseJID reads a JID, without its device. Only servers that exist and the
// characters that ids are made of are taken, so that what is written can be
// read again.
func parseJID(text string) (types.JID, bool) {
	if text == "" || len(text) > maxID {
		return types.EmptyJID, false
	}
	jid, err := types.ParseJID(text)
	if err != nil || jid.User == "" {
		return types.EmptyJID, false
	}
	for _, c := range []byte(jid.User) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return types.EmptyJID, false
		}
	}
	switch jid.Server {
	case types.LegacyUserServer:
		return types.NewJID(jid.User, types.DefaultUserServer), true
	case types.DefaultUserServer, types.HiddenUserServer, types.HostedServer, types.HostedLIDServer, types.BotServer,
		types.GroupServer, types.BroadcastServer, types.NewsletterServer:
		return types.NewJID(jid.User, jid.Server), true
	}
	return types.EmptyJID, false
}

func isGroup(jid types.JID) bool { return jid.Server == types.GroupServer }

func isPerson(jid types.JID) bool {
	switch jid.Server {
	case types.DefaultUserServer, types.HiddenUserServer, types.HostedServer, types.HostedLIDServer, types.BotServer:
		return true
	}
	return false
}
