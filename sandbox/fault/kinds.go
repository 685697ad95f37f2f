package fault

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

// kind is what can be said about one kind of stanza: the fields it can be met
// by, and what can be done to it. What is not here is refused, since a rule
// that does nothing would be counted as met all the same.
type kind struct {
	tag     string
	match   []string
	effects []deed
}

// deed is one effect and what becomes of the stanza.
type deed struct{ name, outcome string }

// Effects that mean the same to all that clients send.
//
//nolint:gochecknoglobals // values that are never changed
var (
	cutAfter  = deed{"apply_then_disconnect", "applied; the connection is cut instead of an answer"}
	endStream = deed{"stream_error", "not applied; the stream ends with the code"}
	cutNow    = deed{"close", "not applied; the connection is cut"}
	fallDumb  = deed{"stall", "put off until the fault is ended; the connection stays open and silent till then"}
)

// kinds is the table of what a rule may ask for.
//
//nolint:gochecknoglobals // values that are never changed
var kinds = []kind{
	{"iq", []string{"xmlns", "type", "child", "group", "account"}, []deed{
		{"error", "answered with the code, not applied; after delay_ms if that is set too"},
		{"delay_ms", "applied and answered later"},
		{"drop_reply", "applied, never answered"},
		cutAfter, endStream, cutNow, fallDumb,
	}},
	{"message", []string{"type", "child", "group", "account"}, []deed{
		{"error", "acknowledged with the code, not delivered; after delay_ms if that is set too"},
		{"delay_ms", "delivered and acknowledged later"},
		{"drop_reply", "delivered, never acknowledged"},
		cutAfter, endStream, cutNow, fallDumb,
	}},
	{"receipt", []string{"type", "child", "group", "account"}, []deed{cutAfter, endStream, cutNow, fallDumb}},
	{"ack", []string{"type", "group", "account"}, []deed{cutAfter, endStream, cutNow, fallDumb}},
	{"presence", []string{"type", "account"}, []deed{cutAfter, endStream, cutNow, fallDumb}},
	{"chatstate", []string{"child", "group", "account"}, []deed{cutAfter, endStream, cutNow, fallDumb}},
	{"notification", []string{"type", "child", "group", "account"}, []deed{
		{"delay_ms", "delivered later"},
		{"drop_reply", "never delivered"},
		{"duplicate", "delivered twice"},
		{"reorder", "swaps places with the device's next one"},
	}},
	{"login", []string{"account"}, []deed{
		{"login_failure", "refused with the reason"},
		{"error", "the same as login_failure; after delay_ms if that is set too"},
		{"delay_ms", "decided later"},
		{"drop_reply", "let in, but the client never hears of it, nor of anything else"},
		{"apply_then_disconnect", "let in; the connection is cut at once"},
		endStream, cutNow, fallDumb,
	}},
}

// field is one of a rule's settings by its name in JSON.
type field struct {
	name string
	set  bool
}

func (m Match) fields() []field {
	return []field{
		{"xmlns", m.XMLNS != ""}, {"type", m.Type != ""}, {"child", m.Child != ""},
		{"group", m.Group != ""}, {"account", m.Account != ""},
	}
}

func (e Script) fields() []field {
	return []field{
		{"error", e.Error != 0}, {"delay_ms", e.DelayMS != 0}, {"drop_reply", e.DropReply},
		{"apply_then_disconnect", e.ApplyThenDisconnect}, {"stream_error", e.StreamError != 0},
		{"login_failure", e.LoginFailure != 0}, {"close", e.Close}, {"stall", e.Stall},
		{"duplicate", e.Duplicate}, {"reorder", e.Reorder},
	}
}

// Validate says what is wrong with a rule, naming the field: a value out of
// range, a stanza that does not exist, or an effect or field that the kind of
// stanza does not have.
func (f Fault) Validate() error {
	_, err := f.checked()
	return err
}

// checked returns the rule with group and account in the form that stanzas are
// compared in, or what is wrong with it.
func (f Fault) checked() (Fault, error) {
	if err := errors.Join(f.checkRanges(), f.checkTable()); err != nil {
		return Fault{}, err
	}
	var err error
	if f.Match.Account, err = number(f.Match.Account); err != nil {
		return Fault{}, err
	}
	f.Match.Group, err = groupOf(f.Match.Group)
	return f, err
}

// The longest delay, in milliseconds, and the codes a rule may carry.
const (
	maxDelay  = 600000
	firstCode = 300 // of an answer; streams and logins begin at 400
	firstEnd  = 400
	lastCode  = 599
)

func (f Fault) checkRanges() error {
	e := f.Effect
	switch {
	case e.Error != 0 && (e.Error < firstCode || e.Error > lastCode):
		return fmt.Errorf("effect.error: must be between %d and %d, not %d", firstCode, lastCode, e.Error)
	case e.StreamError != 0 && (e.StreamError < firstEnd || e.StreamError > lastCode):
		return fmt.Errorf("effect.stream_error: must be between %d and %d, not %d", firstEnd, lastCode, e.StreamError)
	case e.LoginFailure != 0 && (e.LoginFailure < firstEnd || e.LoginFailure > lastCode):
		return fmt.Errorf("effect.login_failure: must be between %d and %d, not %d", firstEnd, lastCode, e.LoginFailure)
	case e.DelayMS < 0 || e.DelayMS > maxDelay:
		return fmt.Errorf("effect.delay_ms: must be between 1 and %d, not %d", maxDelay, e.DelayMS)
	case f.Count < 0:
		return errors.New("count: must not be negative")
	case f.Probability < 0 || f.Probability > 1 || math.IsNaN(f.Probability):
		return errors.New("probability: must be between 0 and 1")
	}
	return nil
}

// checkTable looks the rule up in the table of kinds.
func (f Fault) checkTable() error {
	at := slices.IndexFunc(kinds, func(k kind) bool { return k.tag == f.tag() })
	if at < 0 {
		return fmt.Errorf("match.tag: %q is none of %s", f.Match.Tag, tags())
	}
	k := kinds[at]
	for _, by := range f.Match.fields() {
		if by.set && !slices.Contains(k.match, by.name) {
			return fmt.Errorf("match.%s: a rule for %s has no such field, it has %s", by.name, k.tag, strings.Join(k.match, ", "))
		}
	}
	if k.tag == "iq" && (f.Match.Type == "result" || f.Match.Type == "error") {
		return fmt.Errorf("match.type: only requests are met, get and set, and not %q", f.Match.Type)
	}
	var set []string
	for _, effect := range f.Effect.fields() {
		if !effect.set {
			continue
		}
		if !k.takes(effect.name) {
			return fmt.Errorf("effect.%s: cannot be done to %s, which takes %s", effect.name, k.tag, k.names())
		}
		set = append(set, effect.name)
	}
	switch {
	case len(set) == 0:
		return errors.New("effect: name one, such as {\"error\": 429}")
	case len(set) == 1:
		return nil
	case slices.Equal(set, []string{"error", "delay_ms"}):
		return nil
	}
	return fmt.Errorf("effect: only one at a time, not %s (delay_ms may go with error)", strings.Join(set, " and "))
}

func (k kind) takes(effect string) bool {
	return slices.ContainsFunc(k.effects, func(d deed) bool { return d.name == effect })
}

func (k kind) names() string {
	var list []string
	for _, d := range k.effects {
		list = append(list, d.name)
	}
	return strings.Join(list, ", ")
}

func tags() string {
	var list []string
	for _, k := range kinds {
		list = append(list, k.tag)
	}
	return strings.Join(list, ", ")
}

var numberForm = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)

// number reads a phone number with or without +, or a phone JID of any device,
// as the digits that stanzas are compared by.
func number(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	digits := strings.TrimPrefix(text, "+")
	if jid, err := types.ParseJID(text); err == nil && (jid.Server == types.DefaultUserServer || jid.Server == types.LegacyUserServer) {
		digits = jid.User
	}
	if !numberForm.MatchString(digits) {
		return "", fmt.Errorf("match.account: %q is neither a phone number nor a phone JID", text)
	}
	return digits, nil
}

// groupOf reads a group's JID.
func groupOf(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	jid, err := types.ParseJID(text)
	if err != nil || jid.Server != types.GroupServer || jid.User == "" {
		return "", fmt.Errorf("match.group: %q is not a group JID", text)
	}
	return jid.ToNonAD().String(), nil
}
