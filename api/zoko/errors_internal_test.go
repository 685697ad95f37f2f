package zoko

import (
	"testing"

	"muster/groups"
	"muster/internal/fault"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	t.Parallel()
	for _, code := range fault.Codes() {
		if status := statusOf(code); status < 400 || status > 599 {
			t.Errorf("%s has the status %d", code, status)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"3EB0A1B2C3D4E5F6071829", "3A1B2C3D4E5F60718293", "00", "AC0102030405060708090A0B0C0D"} {
		encoded := messageID(id)
		if back, err := whatsAppID(encoded); err != nil || back != id {
			t.Errorf("%s is %s and comes back as %s, %v", id, encoded, back, err)
		}
	}
	// These do not fit: the ids are stable, and say so when they are looked up.
	for _, id := range []string{"AC0102030405060708090A0B0C0D0E0F", "3eb0a1b2", "ABC", "x", ""} {
		encoded := messageID(id)
		if _, err := whatsAppID(encoded); !fault.Is(err, fault.NotFound) || encoded != messageID(id) {
			t.Errorf("%s is %s, %v", id, encoded, err)
		}
	}
	if id, err := whatsAppID("3EB0A1B2"); id != "3EB0A1B2" || err != nil {
		t.Errorf("WhatsApp's own id is read as %s, %v", id, err)
	}
}

func TestJoinRequestIDs(t *testing.T) {
	t.Parallel()
	const jid = "120363404694233820@g.us"
	for who, want := range map[string]groups.Identity{
		"16467043595": groups.NewIdentity("16467043595", "1234567@lid"), "1234567@lid": groups.NewIdentity("", "1234567@lid"),
	} {
		id := joinRequestID(want, jid)
		if got, ok := requester(id, jid); !ok || got != who {
			t.Errorf("%s is read as %q, %t", id, got, ok)
		}
		if _, ok := requester(id, "120363404694233821@g.us"); ok {
			t.Errorf("%s is taken for another group's", id)
		}
	}
	for _, id := range []string{"", "req_123", "MTY0", "eDoxMjAzNjM0MDQ2OTQyMzM4MjA=", "MTIzNDU2N0BnLnVzOjEyMDM2MzQwNDY5NDIzMzgyMA=="} {
		if who, ok := requester(id, jid); ok {
			t.Errorf("%q is read as %s", id, who)
		}
	}
}

func FuzzIDs(f *testing.F) {
	f.Add("3EB0A1B2C3D4E5F6071829")
	f.Add("0b3eb0a1-b2c3-8b40-80d5-e6f700000000")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := whatsAppID(messageID(text)); err == nil && id != text {
			t.Errorf("%q comes back as %q", text, id)
		}
		_, _ = whatsAppID(text)
		_, _ = requester(text, "120363404694233820@g.us")
	})
}
