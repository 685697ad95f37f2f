package service

import (
	"fmt"
	"slices"
	"testing"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

func TestQueueIsBounded(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	d.conn = nil
	for i := range queueLimit + queueLimit/2 {
		tag := "notification"
		if i%100 == 0 {
			tag = "message"
		}
		b.push(d, stanza.Node{Tag: tag, Attrs: stanza.Attrs{"id": fmt.Sprint(i)}})
	}
	if n := len(d.Queue); n > queueLimit || n < queueLimit-queueLimit/10 {
		t.Errorf("%d stanzas wait", n)
	}
	messages := slices.DeleteFunc(slices.Clone(d.Queue), func(q Queued) bool { return q.Class != "message" })
	if want := (queueLimit + queueLimit/2) / 100; len(messages) != want || messages[0].ID != "0" {
		t.Errorf("%d messages wait, the oldest is %s; want all %d", len(messages), messages[0].ID, want)
	}
	if last := d.Queue[len(d.Queue)-1].ID; last != fmt.Sprint(queueLimit+queueLimit/2-1) {
		t.Errorf("the newest stanza is %s", last)
	}
	for i := range queueLimit + 1 {
		b.push(d, stanza.Node{Tag: "message", Attrs: stanza.Attrs{"id": fmt.Sprint("m", i)}})
	}
	if n := len(d.Queue); n > queueLimit {
		t.Errorf("%d messages wait", n)
	}
}

func TestLongBacklogIsSent(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	d.conn = nil
	for i := range queueLimit {
		b.push(d, stanza.Node{Tag: "notification", Attrs: stanza.Attrs{"id": fmt.Sprint(i)}})
	}
	c := b.connect(d)
	b.sendBacklog(d)
	c.send(stanza.Node{Tag: "presence"})
	if c.isEnded() {
		t.Fatal("the connection was given up")
	}
	if n := len(c.outbox); n != queueLimit+3 {
		t.Errorf("%d stanzas are to be sent", n)
	}
	for range outboxLimit {
		c.send(stanza.Node{Tag: "presence"})
	}
	if !c.isEnded() {
		t.Error("a client that does not read is never given up")
	}
}

func TestQueueIsSettledInAnyOrder(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	for i := range 5 {
		b.push(d, stanza.Node{Tag: "notification", Attrs: stanza.Attrs{"id": fmt.Sprint(i)}})
	}
	left := func() (ids string) {
		for _, q := range d.Queue {
			ids += q.ID
		}
		return ids
	}
	for _, step := range []struct{ id, left string }{{"2", "0134"}, {"0", "134"}, {"4", "13"}, {"7", "13"}, {"1", "3"}, {"3", ""}} {
		d.settle("notification", step.id, "")
		same(t, "what is left after "+step.id, left(), step.left)
	}
}

// order is the ids of the notifications a device was sent, by their child.
func order(b *bench, d *Device) (tags string) {
	for _, node := range b.sent(d) {
		tags += childTag(&node)
	}
	return tags
}

func TestReorderWithoutEndSwapsPairs(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	rule, err := b.Faults().Add(fault.Fault{Effect: fault.Script{Reorder: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		b.notify(d, stanza.Node{Tag: "notification", Attrs: stanza.Attrs{}, Content: []stanza.Node{{Tag: name}}})
	}
	same(t, "the order", order(b, d), "badc")
	if !b.Faults().Remove(rule.ID) {
		t.Error("the fault is gone")
	}
	same(t, "what is sent when the fault ends", order(b, d), "e")
	if b.Faults().Remove(rule.ID) {
		t.Error("the fault was removed twice")
	}
}

func TestEndOfAFaultConcernsItsAccount(t *testing.T) {
	b := newBench(t)
	held := map[string]*Device{}
	rules := map[string]string{}
	for _, number := range []string{"4915100000001", "4915100000002"} {
		held[number] = b.companion(b.phone(PhoneOptions{Number: number}))
		rule, err := b.Faults().Add(fault.Fault{Match: fault.Match{Account: number}, Effect: fault.Script{Reorder: true}})
		if err != nil {
			t.Fatal(err)
		}
		rules[number] = rule.ID
	}
	for _, d := range held {
		b.notify(d, stanza.Node{Tag: "notification", Attrs: stanza.Attrs{}, Content: []stanza.Node{{Tag: "a"}}})
	}
	b.Faults().Remove(rules["4915100000001"])
	same(t, "what the one is sent", order(b, held["4915100000001"]), "a")
	same(t, "what the other is sent", order(b, held["4915100000002"]), "")
	b.Faults().Clear()
	same(t, "what the other is sent at the end", order(b, held["4915100000002"]), "a")
}
