package address

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
)

func TestPerson(t *testing.T) {
	tests := map[string]string{
		"628123456789@s.whatsapp.net":      "628123456789@s.whatsapp.net",
		"628123456789":                     "628123456789@s.whatsapp.net",
		"+628123456789":                    "628123456789@s.whatsapp.net",
		" +628123456789\n":                 "628123456789@s.whatsapp.net",
		"628123456789@c.us":                "628123456789@s.whatsapp.net",
		"+628123456789@c.us":               "628123456789@s.whatsapp.net",
		"628123456789:12@s.whatsapp.net":   "628123456789@s.whatsapp.net",
		"628123456789.0:12@s.whatsapp.net": "628123456789@s.whatsapp.net",
		"628123456789.0@s.whatsapp.net":    "628123456789@s.whatsapp.net",
		"628123456789@S.WhatsApp.Net":      "628123456789@s.whatsapp.net",
		"2901234":                          "2901234@s.whatsapp.net",
		"123456789012345":                  "123456789012345@s.whatsapp.net",
		"98765432109876@lid":               "98765432109876@lid",
		"98765432109876:3@lid":             "98765432109876@lid",
		"98765432109876.1:3@lid":           "98765432109876@lid",
	}
	for text, want := range tests {
		jid, err := Person("to", text)
		if err != nil || jid.String() != want {
			t.Errorf("Person(%q) = %q, %v; want %q", text, jid, err, want)
		}
	}
}

func TestPersonRefuses(t *testing.T) {
	for _, text := range []string{
		"", "   ", "@", "@s.whatsapp.net", "@lid", "x", "+", "628 123 456 789", "62-8123456789", "++628123456789",
		"0812345678", "123456", "1234567890123456", "628123456789@", "628123456789@example.com",
		"628123456789@g.us", "120363012345678901@g.us", "123456789-1234567890@g.us", "abc@lid", "12@lid",
		"status@broadcast", "628123456789@s.whatsapp.net@lid", "628123456789:x@s.whatsapp.net",
		"628123456789:@s.whatsapp.net", "628123456789.x:1@lid", "٦٢٨١٢٣٤٥٦٧٨٩", strings.Repeat("1", 200),
	} {
		jid, err := Person("participants[2]", text)
		if err == nil {
			t.Errorf("Person(%q) = %q, want a refusal", text, jid)
			continue
		}
		if f := fault.From(err); f.Code != fault.Invalid || f.Field != "participants[2]" {
			t.Errorf("Person(%q): code %q, field %q", text, f.Code, f.Field)
		}
	}
}

func TestGroup(t *testing.T) {
	tests := map[string]string{
		"120363012345678901@g.us":        "120363012345678901@g.us",
		"120363012345678901":             "120363012345678901@g.us",
		"120363012345678901@G.US":        "120363012345678901@g.us",
		" 120363012345678901@g.us ":      "120363012345678901@g.us",
		"123456789-1234567890@g.us":      "123456789-1234567890@g.us",
		"123456789-1234567890":           "123456789-1234567890@g.us",
		"628123456789012-1234567890":     "628123456789012-1234567890@g.us",
		"628123456789":                   "628123456789@g.us",
		"628123456789@s.whatsapp.net":    "",
		"98765432109876@lid":             "",
		"":                               "",
		"abc@g.us":                       "",
		"-@g.us":                         "",
		"123456789-@g.us":                "",
		"1-2-3@g.us":                     "",
		"12345-12345-12345@g.us":         "",
		"123456789-1234567890:2@g.us":    "",
		"120363012345678901@g.us/info":   "",
		"123456789012345678901234@g.us":  "",
		"120363012345678901@g.us@s.what": "",
	}
	for text, want := range tests {
		jid, err := Group("group_jid", text)
		if want == "" {
			if f := fault.From(err); err == nil || f.Code != fault.Invalid || f.Field != "group_jid" {
				t.Errorf("Group(%q) = %q, %v; want a refusal that names the field", text, jid, err)
			}
		} else if err != nil || jid.String() != want {
			t.Errorf("Group(%q) = %q, %v; want %q", text, jid, err, want)
		}
	}
}

func TestChat(t *testing.T) {
	tests := map[string]string{
		"628123456789":                  "628123456789@s.whatsapp.net",
		"123456789012345":               "123456789012345@s.whatsapp.net",
		"120363012345678901":            "120363012345678901@g.us",
		"123456789-1234567890":          "123456789-1234567890@g.us",
		"123456789-1234567890@g.us":     "123456789-1234567890@g.us",
		"98765432109876@lid":            "98765432109876@lid",
		"628123456789:7@s.whatsapp.net": "628123456789@s.whatsapp.net",
		"0812345678":                    "",
		"hello":                         "",
		"status@broadcast":              "",
		"120363@newsletter":             "",
	}
	for text, want := range tests {
		jid, err := Chat("to", text)
		if want == "" {
			if f := fault.From(err); err == nil || f.Field != "to" {
				t.Errorf("Chat(%q) = %q, %v; want a refusal that names the field", text, jid, err)
			}
		} else if err != nil || jid.String() != want {
			t.Errorf("Chat(%q) = %q, %v; want %q", text, jid, err, want)
		}
	}
}

func TestPeopleCollapsesAndNamesTheEntry(t *testing.T) {
	people, err := People("participants", []string{"+628123456789", "98765432109876@lid", "628123456789:4@s.whatsapp.net", "628123456789@c.us"})
	if err != nil {
		t.Fatal(err)
	}
	if len(people) != 2 || people[0].Input != "+628123456789" || people[0].JID.User != "628123456789" || people[1].JID.Server != types.HiddenUserServer {
		t.Errorf("got %+v", people)
	}
	_, err = People("participants", []string{"628123456789", "628987654321", "nobody"})
	if f := fault.From(err); err == nil || f.Field != "participants[2]" {
		t.Errorf("got %v, want the third entry named", err)
	}
}

// FuzzChat checks that whatever is accepted is bare, of a known server, and
// reads back as itself.
func FuzzChat(f *testing.F) {
	for _, seed := range []string{
		"628123456789@s.whatsapp.net", "+628123456789", "628123456789:12@c.us", "1.2:3@lid", "98765432109876@lid",
		"123456789-1234567890@g.us", "120363012345678901", "@", "@@", ".:@lid", "-@g.us", "0@s.whatsapp.net", "\x00", "１２３４５６７８",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		jid, err := Chat("to", text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) || fault.From(err).Field != "to" {
				t.Fatalf("Chat(%q): %v", text, err)
			}
			return
		}
		switch jid.Server {
		case types.DefaultUserServer, types.HiddenUserServer, types.GroupServer:
		default:
			t.Fatalf("Chat(%q) has server %q", text, jid.Server)
		}
		if jid != jid.ToNonAD() || jid.User == "" {
			t.Fatalf("Chat(%q) = %#v is not bare", text, jid)
		}
		if again, err := Chat("to", jid.String()); err != nil || again != jid {
			t.Fatalf("Chat(%q) = %q reads back as %q, %v", text, jid, again, err)
		}
	})
}
