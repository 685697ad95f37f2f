package zernio_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// TestExamples runs the examples of Zernio's documentation, with nothing changed
// but the host, the key and what the placeholders stand for.
func TestExamples(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const customer = "1234567890" // the number in the examples; its other one is none
	r.Phone(t, customer, sandbox.PhoneOptions{Name: "Customer"})
	raw, err := os.ReadFile("testdata/examples.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := apptest.Curl(t, "https://zernio.com/api", string(raw))
	if len(list) != 8 {
		t.Fatalf("there are %d examples", len(list))
	}
	var id string
	run := func(x apptest.Exchange) apptest.Exchange {
		t.Helper()
		values := strings.NewReplacer("YOUR_WHATSAPP_ACCOUNT_ID", r.Session, "YOUR_ACCOUNT_ID", r.Session, "YOUR_API_KEY", r.Key, "GROUP_ID", id, "CONVERSATION_ID", id)
		x.Path = base + values.Replace(x.Path)
		x.Header.Set("Authorization", values.Replace(x.Header.Get("Authorization")))
		x.Body = []byte(values.Replace(string(x.Body)))
		return r.Send(t, x)
	}
	id = text(t, run(list[0]).Want(t, http.StatusCreated), "group", "groupId")
	if got := text(t, run(list[1]).Want(t, http.StatusOK), "paging", "cursors", "before"); got == "" {
		t.Error("the new group is not listed")
	}
	added := run(list[2]).Want(t, http.StatusOK)
	if got := text(t, added, "message"); got != "1 participant added, 1 failed" {
		t.Errorf("added: %s", added.Answer)
	}
	run(list[3]).Want(t, http.StatusOK)

	// Who was removed cannot come back by a link: the rest is about another group.
	id = text(t, run(list[0]).Want(t, http.StatusCreated), "group", "groupId")
	link := text(t, run(list[4]).Want(t, http.StatusOK), "inviteLink")
	if _, status, err := r.WA.Join(customer, link); err != nil || status != "requested" {
		t.Fatalf("ask to be let in: %s, %v", status, err)
	}
	if waiting := run(list[5]).Want(t, http.StatusOK); !strings.Contains(string(waiting.Answer), `"user":"+`+customer+`"`) {
		t.Errorf("waiting: %s", waiting.Answer)
	}
	run(list[6]).Want(t, http.StatusOK)
	run(list[7]).Want(t, http.StatusOK)
	r.hears(customer, "the message", func(m sandbox.Received) bool { return m.Text == "Hello team!" })
}
