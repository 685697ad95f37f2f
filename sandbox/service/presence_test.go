package service

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

// say has a device send a stanza that is no iq.
func (b *bench) say(d *Device, node stanza.Node) {
	b.t.Helper()
	read := travel(b.t, node)
	b.route(d.conn, read, stanzaKey(read), fault.Effect{})
}

func presenceNode(attrs stanza.Attrs) stanza.Node { return stanza.Node{Tag: "presence", Attrs: attrs} }

// onePresence takes the single presence a device was sent.
func (b *bench) onePresence(d *Device) *stanza.Node {
	b.t.Helper()
	list := b.sent(d)
	if len(list) != 1 || list[0].Tag != "presence" {
		b.t.Fatalf("sent %v, want one presence", list)
	}
	return &list[0]
}

func TestPresence(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, second, watcher := b.companion(alice), b.companion(alice), b.companion(bob)

	b.say(watcher, presenceNode(stanza.Attrs{"type": "subscribe", "to": alice.PN}))
	first := b.onePresence(watcher)
	same(t, "the first presence", stanza.Text(first, "type"), "unavailable")
	same(t, "last", stanza.Text(first, "last"), "deny") // never seen
	same(t, "who", first.Attrs["from"].(types.JID), alice.PN)

	b.say(d, presenceNode(stanza.Attrs{"type": "available", "name": "Alice A."}))
	same(t, "the presence", stanza.Text(b.onePresence(watcher), "type"), "available")
	same(t, "the name", alice.Name, "Alice A.")
	same(t, "the phone's name", alice.Phone.Name(), "Alice A.")
	b.say(second, presenceNode(stanza.Attrs{"type": "available"}))
	b.say(d, presenceNode(stanza.Attrs{"type": "unavailable"}))
	if list := b.sent(watcher); len(list) != 0 {
		t.Fatalf("one device is in use all the time, yet the watcher was told %v", list)
	}
	second.conn = nil
	b.wentOffline(second)
	last := b.onePresence(watcher)
	same(t, "the presence", stanza.Text(last, "type"), "unavailable")
	same(t, "last seen", stanza.Text(last, "last"), "1800000000")

	b.say(watcher, presenceNode(stanza.Attrs{"type": "unsubscribe", "to": alice.LID}))
	b.say(d, presenceNode(stanza.Attrs{"type": "available"}))
	b.say(watcher, presenceNode(stanza.Attrs{"name": "Bob"})) // Baileys' announcement of its name
	b.say(watcher, presenceNode(stanza.Attrs{}))
	if list := b.sent(watcher); len(list) != 0 {
		t.Fatalf("no longer subscribed, yet told %v", list)
	}
	same(t, "the name", bob.Name, "Bob")
	same(t, "what was recorded", len(b.Stats().Unknown), 0)
	b.say(watcher, presenceNode(stanza.Attrs{"type": "else"}))
	same(t, "what was recorded", b.Stats().Unknown[0], "presence:else")
}

func TestPresencePrivacy(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, watcher := b.companion(alice), b.companion(bob)
	d.LastSeen = testNow
	for _, test := range []struct {
		online, last    string
		blocked, in     bool
		kind, lastShown string
	}{
		{"all", "all", false, true, "available", ""},
		{"all", "none", false, true, "available", ""},
		{"match_last_seen", "none", false, true, "unavailable", "deny"},
		{"match_last_seen", "all", false, true, "available", ""},
		{"all", "all", true, true, "unavailable", "deny"},
		{"all", "none", false, false, "unavailable", "deny"},
		{"all", "all", false, false, "unavailable", "1800000000"},
	} {
		alice.Privacy["online"], alice.Privacy["last"] = test.online, test.last
		delete(alice.Blocked, bob.LID.User)
		if test.blocked {
			alice.Blocked[bob.LID.User] = testNow
		}
		d.conn.presence.available = test.in
		b.say(watcher, presenceNode(stanza.Attrs{"type": "subscribe", "to": alice.LID}))
		got := b.onePresence(watcher)
		if stanza.Text(got, "type") != test.kind || stanza.Text(got, "last") != test.lastShown {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func TestChatStates(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, sibling, to := b.companion(alice), b.companion(alice), b.companion(bob)
	g := b.group(alice, bob)
	state := func(chat types.JID, tag string) stanza.Node {
		return stanza.Node{Tag: "chatstate", Attrs: stanza.Attrs{"to": chat}, Content: []stanza.Node{
			{Tag: tag, Attrs: stanza.Attrs{"media": "audio"}},
		}}
	}
	for _, test := range []struct {
		chat, from, participant types.JID
	}{
		{bob.LID, d.LIDJID(), types.EmptyJID}, {bob.PN, d.PNJID(), types.EmptyJID}, {g.JID, g.JID, d.LIDJID()},
	} {
		b.say(d, state(test.chat, "composing"))
		list := b.sent(to)
		if len(list) != 1 {
			t.Fatalf("%s: sent %v", test.chat, list)
		}
		same(t, "the sender", list[0].Attrs["from"].(types.JID), test.from)
		if !test.participant.IsEmpty() {
			same(t, "the participant", list[0].Attrs["participant"].(types.JID), test.participant)
		}
		same(t, "the media", stanza.Text(at(t, &list[0], "composing"), "media"), "audio")
	}
	bob.Blocked[alice.LID.User] = testNow
	b.say(d, state(bob.LID, "paused"))
	b.say(d, state(types.NewJID("1", types.GroupServer), "paused"))
	b.say(d, stanza.Node{Tag: "chatstate", Attrs: stanza.Attrs{"to": bob.LID}})
	b.say(d, state(bob.LID, "dancing"))
	if list := append(b.sent(to), b.sent(sibling)...); len(list) != 0 {
		t.Errorf("sent %v", list)
	}
	same(t, "what was recorded", len(b.Stats().Unknown), 1)
}

func TestCalls(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, to := b.companion(alice), b.companion(bob)
	call := func(to types.JID, tag string) stanza.Node {
		return stanza.Node{Tag: "call", Attrs: stanza.Attrs{"id": "c1", "to": to}, Content: []stanza.Node{
			{Tag: tag, Attrs: stanza.Attrs{"call-id": "x", "call-creator": bob.LID}},
		}}
	}
	ack := func() *stanza.Node {
		list := b.sent(d)
		if len(list) != 1 || list[0].Tag != "ack" || stanza.Text(&list[0], "class") != "call" || stanza.Text(&list[0], "id") != "c1" {
			t.Fatalf("answered %v", list)
		}
		return &list[0]
	}
	b.say(d, call(bob.LID, "reject"))
	same(t, "the refusal", stanza.Text(ack(), "error"), "")
	list := b.sent(to)
	same(t, "the number of stanzas", len(list), 1)
	same(t, "the caller", list[0].Attrs["from"].(types.JID), d.LIDJID())
	same(t, "the call", stanza.Text(at(t, &list[0], "reject"), "call-id"), "x")
	same(t, "what waits for its acknowledgement", len(to.Queue), 1)
	b.say(to, stanza.Node{Tag: "ack", Attrs: stanza.Attrs{"class": "call", "id": stanza.Text(&list[0], "id")}})
	same(t, "what still waits", len(to.Queue), 0)

	b.say(d, call(types.NewJID("1", types.DefaultUserServer), "offer"))
	same(t, "the refusal", stanza.Text(ack(), "error"), "404")
	b.say(d, call(bob.LID, "link_create"))
	same(t, "the refusal", stanza.Text(ack(), "error"), "501")
	bob.Blocked[alice.LID.User] = testNow
	b.say(d, call(bob.LID, "offer"))
	ack()
	if list = b.sent(to); len(list) != 0 {
		t.Errorf("a blocked caller rang: %v", list)
	}
}

func TestIB(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	b.say(d, stanza.Node{Tag: "ib", Content: []stanza.Node{{Tag: "unified_session", Attrs: stanza.Attrs{"id": "1"}}}})
	b.say(d, stanza.Node{Tag: "ib", Content: []stanza.Node{{Tag: "offline_batch", Attrs: stanza.Attrs{"count": "9"}}}})
	same(t, "what was recorded", len(b.Stats().Unknown), 0)
	b.say(d, stanza.Node{Tag: "ib", Content: []stanza.Node{{Tag: "else"}}})
	b.say(d, stanza.Node{Tag: "ib"})
	same(t, "what was recorded", len(b.Stats().Unknown), 2)
}
