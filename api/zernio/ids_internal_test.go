package zernio

import (
	"testing"

	"muster/internal/fault"
	"muster/session"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	// The sample of the documentation of the ids that Zernio hands on.
	const sample = "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD"
	s := session.Session{ID: "line", PhoneNumber: "17055550139"}
	if got := groupID(s, "120363404694233820@g.us"); got != sample {
		t.Errorf("the id is %s, want %s", got, sample)
	}
	for id, want := range map[string]string{
		sample: "120363404694233820@g.us", "120363404694233820": "120363404694233820", "1234567-89012@g.us": "1234567-89012@g.us",
		"GROUP_ID": "GROUP_ID", encode("capi_media:1:2"): encode("capi_media:1:2"), encode("capi_group"): encode("capi_group"),
	} {
		if got, err := groupOf(s, id); err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", id, got, err, want)
		}
	}
	if got, err := groupOf(session.Session{PhoneNumber: "628111000000"}, sample); !fault.Is(err, fault.GroupNotFound) {
		t.Errorf("another account's id is %q, %v", got, err)
	}
	for chat, want := range map[string]string{
		"628111000001@s.whatsapp.net": "628111000001", "98765432109876@lid": "98765432109876@lid", "120363404694233820@g.us": sample,
	} {
		if got := conversationID(s, chat); got != want {
			t.Errorf("the conversation of %s is %s, want %s", chat, got, want)
		}
	}
	for _, wrong := range []string{"", "Z", "ZE", "Y2FwaV9", "äöü"} {
		if got, ok := decode(wrong); ok && wrong != "" {
			t.Errorf("decode(%q) = %q", wrong, got)
		}
	}
	if _, _, err := parseMediaID(sample); !fault.Is(err, fault.NotFound) {
		t.Errorf("a group's id as one of media: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"", "Y2FwaV9ncm91cDoxZD", "ZAZBZCZD", "Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if back, ok := decode(encode(text)); !ok || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, ok)
		}
		if plain, ok := decode(text); ok && encode(plain) != text {
			t.Errorf("%q is read as %q, which is %q", text, plain, encode(plain))
		}
	})
}
