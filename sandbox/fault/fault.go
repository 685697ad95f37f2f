// Package fault is the sandbox's scripted trouble: rules that match stanzas and
// say what goes wrong with them.
package fault

import (
	"encoding/binary"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Match says which stanzas a fault meets. An empty field meets anything.
type Match struct {
	// Tag is the stanza's name: iq, message, receipt, notification, presence;
	// login meets a sign-in. Empty means iq, unless the effect is one of login
	// or of notifications.
	Tag     string `json:"tag,omitempty" enum:"iq,message,receipt,ack,notification,presence,chatstate,login" doc:"Stanza name; empty: what the effect applies to"`
	XMLNS   string `json:"xmlns,omitempty" doc:"Namespace of an iq, such as w:g2"`
	Type    string `json:"type,omitempty" doc:"Type attribute: get, set, w:gp2 and so on"`
	Child   string `json:"child,omitempty" doc:"Tag of the first child, such as create or participating"`
	Group   string `json:"group,omitempty" doc:"Group JID the stanza is addressed to or comes from"`
	Account string `json:"account,omitempty" doc:"Phone number, or phone JID, of the account whose device sends or receives the stanza"`
}

// Script is what happens to a stanza that was met. Exactly one effect is set,
// except that DelayMS may accompany Error. Which effects a kind of stanza takes
// is in the table of kinds.
type Script struct {
	Error               int  `json:"error,omitempty" minimum:"300" maximum:"599" doc:"Refuse with this code, without applying"`
	DelayMS             int  `json:"delay_ms,omitempty" minimum:"1" maximum:"600000" doc:"Handle the request, or deliver the notification, this much later"`
	DropReply           bool `json:"drop_reply,omitempty" doc:"Apply but never answer; a notification is never delivered"`
	ApplyThenDisconnect bool `json:"apply_then_disconnect,omitempty" doc:"Apply, then cut the connection instead of answering"`
	StreamError         int  `json:"stream_error,omitempty" minimum:"400" maximum:"599" doc:"End the stream with this code, without applying"`
	LoginFailure        int  `json:"login_failure,omitempty" minimum:"400" maximum:"599" doc:"Refuse the sign-in with this reason: 401, 402, 403, 405, 406, 409, 500, 503 and so on"`
	Close               bool `json:"close,omitempty" doc:"Cut the connection, without applying"`
	Stall               bool `json:"stall,omitempty" doc:"Stop reading and writing on the connection; it stays open"`
	Duplicate           bool `json:"duplicate,omitempty" doc:"Deliver the notification twice"`
	Reorder             bool `json:"reorder,omitempty" doc:"Hold the notification back until after the device's next one"`
}

// Fault is one rule.
type Fault struct {
	ID     string `json:"id,omitempty" required:"false" readOnly:"true"`
	Match  Match  `json:"match,omitempty"`
	Effect Script `json:"effect"`
	// Count is how many stanzas it meets in all; 0 means no limit. A notification
	// counts once for every device it is delivered to. A fault that has met that
	// many stays listed and does nothing more.
	Count int `json:"count,omitempty" minimum:"0" doc:"How many stanzas to meet in all, a notification once for each device; absent or 0: without limit"`
	// Probability is the chance to meet a matching stanza; 0 means always.
	Probability float64 `json:"probability,omitempty" minimum:"0" maximum:"1" doc:"Chance to meet a matching stanza; absent: always"`
	// Met counts the stanzas met so far.
	Met int `json:"met" required:"false" readOnly:"true"`
}

// Stanza is what a fault is matched against.
type Stanza struct {
	Tag, XMLNS, Type, Child, Group, Account string
	// Outgoing is true for what the service sends.
	Outgoing bool
}

// Effect is what befalls one stanza; the zero value is nothing.
type Effect struct {
	Error               int
	Delay               time.Duration
	DropReply           bool
	ApplyThenDisconnect bool
	StreamError         int
	LoginFailure        int
	Close               bool
	Stall               bool
	Duplicate           bool
	Reorder             bool
}

// Set holds the rules in force, in the order they were added. It is safe for
// concurrent use.
type Set struct {
	mu     sync.Mutex
	random io.Reader
	next   int
	rules  []*Fault
}

// NewSet makes an empty set; random decides probabilities.
func NewSet(random io.Reader) *Set { return &Set{random: random} }

// Add puts a rule in force and returns it as it stands: with its id, and with
// group and account in the form that stanzas are compared in. The error is that
// of Validate.
func (s *Set) Add(f Fault) (Fault, error) {
	f, err := f.checked()
	if err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	f.ID = strconv.Itoa(s.next)
	f.Met = 0
	s.rules = append(s.rules, &f)
	return f, nil
}

// List returns the rules, spent ones included, in order.
func (s *Set) List() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Fault, 0, len(s.rules))
	for _, f := range s.rules {
		list = append(list, *f)
	}
	return list
}

// Remove ends one rule; it tells whether there was one.
func (s *Set) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.rules)
	s.rules = slices.DeleteFunc(s.rules, func(f *Fault) bool { return f.ID == id })
	return len(s.rules) < before
}

// Clear ends every rule.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = nil
}

// Match returns what befalls a stanza: the first rule that meets it decides.
func (s *Set) Match(st Stanza) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.rules {
		if f.Count > 0 && f.Met >= f.Count || !f.meets(st) || !s.chance(f.Probability) {
			continue
		}
		f.Met++
		return f.Effect.effect()
	}
	return Effect{}
}

func (f *Fault) meets(st Stanza) bool {
	tag := f.tag()
	// A rule for notifications never meets what a client sends, and the other
	// way round, or {"type": "set"} with "duplicate" would meet requests.
	if st.Outgoing != (tag == "notification") {
		return false
	}
	// A client's answer to the service is an iq too, and nobody waits for it: a
	// rule would be used up without having done a thing.
	if st.Tag == "iq" && (st.Type == "result" || st.Type == "error") {
		return false
	}
	return tag == st.Tag && same(f.Match.XMLNS, st.XMLNS) && same(f.Match.Type, st.Type) &&
		same(f.Match.Child, st.Child) && same(f.Match.Group, st.Group) && same(f.Match.Account, st.Account)
}

func same(want, have string) bool { return want == "" || want == have }

// tag is the kind of stanza a rule is about, named or not.
func (f Fault) tag() string {
	switch {
	case f.Match.Tag != "":
		return f.Match.Tag
	case f.Effect.LoginFailure != 0:
		return "login"
	case f.Effect.Duplicate || f.Effect.Reorder:
		return "notification"
	default:
		return "iq"
	}
}

func (e Script) effect() Effect {
	return Effect{
		Error: e.Error, Delay: time.Duration(e.DelayMS) * time.Millisecond, DropReply: e.DropReply,
		ApplyThenDisconnect: e.ApplyThenDisconnect, StreamError: e.StreamError, LoginFailure: e.LoginFailure,
		Close: e.Close, Stall: e.Stall, Duplicate: e.Duplicate, Reorder: e.Reorder,
	}
}

// chance draws once; a probability of 0 means always.
func (s *Set) chance(probability float64) bool {
	if probability == 0 {
		return true
	}
	var raw [8]byte
	if _, err := io.ReadFull(s.random, raw[:]); err != nil {
		return false
	}
	return float64(binary.LittleEndian.Uint64(raw[:])>>11)/(1<<53) < probability
}
