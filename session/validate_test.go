package session

import (
	"strings"
	"testing"

	"muster/internal/fault"
)

func field(err error) string {
	if err == nil {
		return ""
	}
	return fault.From(err).Field
}

func TestCreateRequest(t *testing.T) {
	for _, id := range []string{"", "a", "A-1_b", strings.Repeat("x", 64)} {
		if err := (CreateRequest{ID: id}).Validate(); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"a b", "ä", "a/b", strings.Repeat("x", 65), "a\n"} {
		if err := (CreateRequest{ID: id}).Validate(); field(err) != "id" {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := (CreateRequest{Name: strings.Repeat("x", maxName+1)}).Validate(); field(err) != "name" {
		t.Errorf("long name: %v", err)
	}
}

func TestPairRequest(t *testing.T) {
	for _, number := range []string{"4917000", "+491700000001", "123456789012345"} {
		if err := (PairRequest{PhoneNumber: number}).Validate(); err != nil {
			t.Errorf("%q: %v", number, err)
		}
	}
	for _, number := range []string{"", "+", "017000000", "+0170000000", "123456", "1234567890123456", "49 170 000", "49170a0000", "++4917000000", "491700000001\n"} {
		if err := (PairRequest{PhoneNumber: number}).Validate(); field(err) != "phone_number" {
			t.Errorf("%q: %v", number, err)
		}
	}
}

func TestProxyIsCheckedAndNeverRepeated(t *testing.T) {
	sandbox, err := Sandbox("ws://127.0.0.1:1/ws/chat", [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{"", "http://127.0.0.1:3128", "https://me:secret@localhost", "socks5://[::1]:1080/"} {
		if _, err := sandbox.parseProxy(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"127.0.0.1:3128", "ftp://me:secret@127.0.0.1", "http://", "http://me:sec%ret@h", "socks5://127.0.0.1/secret", "http://127.0.0.1?secret", "http://me:secret@example.org"} {
		_, err := sandbox.parseProxy(bad)
		if field(err) != "proxy" || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%ret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := Real().parseProxy("http://proxy.example.org"); err != nil {
		t.Errorf("a remote proxy for the real network: %v", err)
	}
	if got := redact("http://me:secret@proxy.example.org:1"); strings.Contains(got, "secret") || !strings.Contains(got, "me") {
		t.Errorf("redacted %q", got)
	}
}

func TestReasonsKeepTheirSentence(t *testing.T) {
	for _, row := range [][2]string{{"qr_expired", ""}, {"unreachable", "dial tcp: refused: really"}, {"", ""}} {
		reason, detail := splitReason(joinReason(row[0], row[1]))
		if reason != row[0] || detail != row[1] {
			t.Errorf("%q became %q, %q", row, reason, detail)
		}
	}
}

func TestAccountWithoutDevice(t *testing.T) {
	for full, bare := range map[string]string{"49170:7@s.whatsapp.net": "49170@s.whatsapp.net", "49170@s.whatsapp.net": "49170@s.whatsapp.net", "": ""} {
		if got := (Session{JID: full}).AccountJID(); got != bare {
			t.Errorf("%q became %q", full, got)
		}
	}
}
