package messages

import (
	"strings"
	"testing"
	"time"

	"muster/internal/fault"
	"muster/messages/content"
)

func TestEnvelopeValidates(t *testing.T) {
	group, person := "120363012345678901@g.us", "628123456789"
	tests := []struct {
		name     string
		envelope Envelope
		field    string
	}{
		{"mentions", Envelope{To: group, Mentions: []string{"+628123456789", "98765432109876@lid"}, MentionAll: true}, ""},
		{"answer", Envelope{To: person, ReplyTo: "3EB0AA", ReplySender: person}, ""},
		{"mention that is none", Envelope{To: group, Mentions: []string{person, "x"}}, "mentions[1]"},
		{"mention of a person to a person", Envelope{To: person, Mentions: []string{person}}, "mentions"},
		{"mention of all to a person", Envelope{To: person, MentionAll: true}, "mention_all"},
		{"too many mentions", Envelope{To: group, Mentions: make([]string, content.MaxMentions+1)}, "mentions"},
		{"answer to what is no id", Envelope{To: person, ReplyTo: "a b"}, "reply_to"},
		{"answer to a very long id", Envelope{To: person, ReplyTo: strings.Repeat("A", longestID+1)}, "reply_to"},
		{"sender of no answer", Envelope{To: person, ReplySender: person}, "reply_to"},
		{"answer to nobody", Envelope{To: person, ReplyTo: "3EB0AA", ReplySender: group}, "reply_sender"},
	}
	for _, test := range tests {
		_, err := test.envelope.parse()
		if test.field == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.field != "" && (!fault.Is(err, fault.Invalid) || fault.From(err).Field != test.field) {
			t.Errorf("%s: %v, want %s refused", test.name, err, test.field)
		}
	}
}

func TestWhen(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for name, test := range map[string]struct {
		at, want time.Time
		refused  bool
	}{
		"none":      {},
		"later":     {at: now.Add(time.Hour), want: now.Add(time.Hour)},
		"now":       {at: now},
		"just past": {at: now.Add(-time.Minute)},
		"past":      {at: now.Add(-time.Hour), refused: true},
		"far":       {at: now.Add(MaxAhead + time.Second), refused: true},
	} {
		got, err := Envelope{SendAt: test.at}.when(now)
		if !got.Equal(test.want) || test.refused != fault.Is(err, fault.Invalid) || test.refused && fault.From(err).Field != "send_at" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
