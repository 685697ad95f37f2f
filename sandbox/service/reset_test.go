package service

import (
	"testing"
	"time"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

func TestResetDropsWhatWasUnderWay(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	d := b.companion(alice)
	c := d.conn
	b.conns[c] = struct{}{}
	create := request("set", "w:g2", stanza.Node{Tag: "create", Attrs: stanza.Attrs{"subject": "Ghost"}})
	create.Attrs["id"] = "1"
	b.receiveIQ(c, travel(t, create), "", fault.Effect{Delay: time.Millisecond})
	b.Reset()
	b.background.Wait() // for the delayed request
	b.receive(c, travel(t, create))
	same(t, "the number of groups", len(b.Groups()), 0)
	same(t, "the number of stanzas", len(b.Stats().Stanzas), 0)
	if d.conn != nil || b.Stats().Connected != 0 {
		t.Error("the device of the old world is on line")
	}
	b.forget(c)
	same(t, "the number of connections", len(b.conns), 0)
}
