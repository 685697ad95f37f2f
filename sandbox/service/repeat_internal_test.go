package service

import (
	"testing"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

func TestAnswersAreKeptByStanza(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	status := func(id, text string) stanza.Node {
		iq := request("set", "status", stanza.Node{Tag: "status", Content: []byte(text)})
		iq.Attrs["id"] = id
		return iq
	}
	say := func(iq stanza.Node) {
		t.Helper()
		b.answer(d.conn, travel(t, iq), "", fault.Effect{})
		if list := b.sent(d); len(list) != 1 || stanza.Text(&list[0], "type") != "result" {
			t.Fatalf("%s was answered %v", iq.String(), list)
		}
	}
	say(status("1", "first"))
	say(status("2", "second"))
	say(status("1", "first"))
	same(t, "what is told after a repetition", d.Account.About, "second")
	say(status("1", "third"))
	same(t, "what is told under a used id", d.Account.About, "third")
	for range 2 * answerMemory {
		b.grant(d, request("set", "status", stanza.Node{Tag: "status", Content: []byte("more")}))
	}
	same(t, "the number of answers kept", len(d.answered), answerMemory)
	say(status("1", "first"))
	same(t, "what is told after a repetition that comes too late", d.Account.About, "first")
}
