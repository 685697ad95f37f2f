package service

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

// ciphertext has the form of a Signal message, of a session that nobody has:
// version, ratchet key, counters, content and authentication code.
func ciphertext() []byte {
	return slices.Concat([]byte{0x33, 0x0a, 33, 5}, make([]byte, 32), []byte{0x10, 0, 0x18, 0, 0x22, 16}, make([]byte, 16+8))
}

// sealed is a message with one ciphertext, which nobody can read, for one device.
func sealed(to, device types.JID) *stanza.Node {
	return &stanza.Node{Tag: "message", Attrs: stanza.Attrs{"to": to, "id": "3EB0", "type": "text"}, Content: []stanza.Node{
		{Tag: "participants", Content: []stanza.Node{{Tag: "to", Attrs: stanza.Attrs{"jid": device}, Content: []stanza.Node{
			{Tag: "enc", Attrs: stanza.Attrs{"v": "2", "type": "msg"}, Content: ciphertext()},
		}}}},
	}}
}

// tags are the tags of what a device was sent, in order.
func tags(b *bench, d *Device) string {
	var list []string
	for _, node := range b.sent(d) {
		list = append(list, node.Tag)
	}
	return strings.Join(list, " ")
}

func TestPhonesAnswerAfterTheAck(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d := b.companion(alice)
	// Bob's phone cannot read it, and asks for it again.
	b.receiveMessage(d.conn, sealed(bob.LID, bob.LID), fault.Effect{})
	same(t, "what alice's companion was sent", tags(b, d), "ack receipt")
}

func TestMessageWithoutCiphertextIsRefused(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d := b.companion(alice)
	group := b.group(alice, bob)
	for name, change := range map[string]func(m *stanza.Node){
		"no content":     func(m *stanza.Node) { m.Content = nil },
		"no ciphertext":  func(m *stanza.Node) { m.Content = []stanza.Node{{Tag: "meta"}} },
		"nobody":         func(m *stanza.Node) { m.Content = []stanza.Node{{Tag: "participants"}} },
		"empty to":       func(m *stanza.Node) { stanza.Children(stanza.First(m))[0].Content = nil },
		"empty contents": func(m *stanza.Node) { m.Content = []stanza.Node{{Tag: "enc", Attrs: stanza.Attrs{"type": "skmsg"}}} },
		"no type":        func(m *stanza.Node) { delete(m.Attrs, "type") },
	} {
		for _, to := range []types.JID{bob.LID, group.JID} {
			message := sealed(to, bob.LID)
			change(message)
			b.receiveMessage(d.conn, message, fault.Effect{})
			list := b.sent(d)
			if len(list) != 1 || stanza.Text(&list[0], "error") != "479" {
				t.Errorf("%s to %s: %v", name, to, list)
			}
		}
	}
}

func TestDelayedMessage(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d := b.companion(alice)
	b.receiveMessage(d.conn, sealed(bob.LID, bob.LID), fault.Effect{Delay: time.Hour, Error: 463})
	same(t, "what was sent at once", tags(b, d), "")

	b.receiveMessage(d.conn, sealed(bob.LID, bob.LID), fault.Effect{Delay: time.Millisecond, Error: 475})
	eventual := func() []stanza.Node {
		t.Helper()
		for {
			changed := b.Changed()
			b.mu.Lock()
			list := b.sent(d)
			b.mu.Unlock()
			if len(list) > 0 {
				return list
			}
			<-changed
		}
	}
	list := eventual()
	if len(list) != 1 || stanza.Text(&list[0], "error") != "475" {
		t.Errorf("after the delay: %v", list)
	}

	b.mu.Lock()
	b.receiveMessage(d.conn, sealed(bob.LID, bob.LID), fault.Effect{Delay: time.Millisecond})
	b.connect(d) // the client was faster
	b.mu.Unlock()
	list = eventual()
	if len(list) != 2 || list[0].Tag != "ack" || stanza.Text(&list[0], "error") != "" {
		t.Errorf("on the next connection: %v", list)
	}
}

func TestRefusedPhoneUsesUpNoKeys(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d := b.companion(alice)
	d.Keys.OneTime = []PreKey{{ID: 1}, {ID: 2}}
	group := b.group(alice, bob)
	on := true
	if err := b.SetSettings(alice.PN.User, group.JID, Settings{Announce: &on}); err != nil {
		t.Fatal(err)
	}
	var refusal *stanza.Error
	if _, err := b.SendText(bob.PN.User, group.JID.String(), "no"); !errors.As(err, &refusal) || refusal.Code != 403 {
		t.Errorf("bob's phone: %v, want 403", err)
	}
	same(t, "the number of keys left", len(d.Keys.OneTime), 2)
}

func TestNumberWithoutAccountActs(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	b.phone(PhoneOptions{Number: "4915100000003", NotOnWhatsApp: true})
	const ghost = "4915100000003"
	g := b.group(alice, bob)
	on := true
	for name, act := range map[string]func() error{
		"create":  func() error { _, _, _, err := b.CreateGroup(ghost, GroupOptions{Name: "Ghost"}); return err },
		"join":    func() error { _, _, err := b.Join(ghost, g.InviteCode); return err },
		"add":     func() error { _, err := b.ChangePeople(ghost, g.JID, ActAdd, nil); return err },
		"link":    func() error { _, err := b.InviteLink(ghost, g.JID, false); return err },
		"leave":   func() error { return b.LeaveGroup(ghost, g.JID) },
		"subject": func() error { return b.SetSubject(ghost, g.JID, "Ghost") },
		"suspend": func() error { return b.SetSettings(ghost, g.JID, Settings{Suspended: &on}) },
		"send":    func() error { _, err := b.SendText(ghost, alice.PN.User, "boo"); return err },
	} {
		if err := act(); !errors.Is(err, ErrNotOnWhatsApp) {
			t.Errorf("%s: %v, want ErrNotOnWhatsApp", name, err)
		}
	}
}

func TestPictureOfASuspendedGroup(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, member := b.companion(alice), b.companion(bob)
	g := b.group(alice, bob)
	on := true
	b.grant(member, pictureRequest("set", g.JID, newPicture(picture(t))))
	if err := b.SetSettings(alice.PN.User, g.JID, Settings{Locked: &on}); err != nil {
		t.Fatal(err)
	}
	b.refuse(member, pictureRequest("set", g.JID, newPicture(picture(t))), 403)
	if err := b.SetSettings(alice.PN.User, g.JID, Settings{Suspended: &on}); err != nil {
		t.Fatal(err)
	}
	b.refuse(d, pictureRequest("set", g.JID, newPicture(picture(t))), 423)
	b.refuse(d, pictureRequest("set", g.JID), 423)
}

// kept has the bench write its state, and tells how many devices the last
// writing has.
func kept(b *bench) func() int {
	var last []byte
	b.opts.Persist = func(s Snapshot) error {
		last = s.State
		return nil
	}
	return func() (devices int) {
		b.t.Helper()
		var saved state
		if err := json.Unmarshal(last, &saved); err != nil {
			b.t.Fatal(err)
		}
		for _, a := range saved.Accounts {
			devices += len(a.Devices) + len(a.Unconfirmed)
		}
		return devices
	}
}

func TestWhoMayLogOutWhom(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, sibling, other := b.companion(alice), b.companion(alice), b.companion(bob)
	remove := func(jid types.JID) stanza.Node {
		return request("set", "md", stanza.Node{
			Tag: "remove-companion-device", Attrs: stanza.Attrs{"jid": jid, "reason": "user_initiated"},
		})
	}
	gone := sibling.PNJID()
	gone.Device = 77
	b.refuse(d, remove(sibling.PNJID()), 403)
	b.refuse(d, remove(sibling.LIDJID()), 403)
	b.refuse(d, remove(other.PNJID()), 403)
	b.refuse(d, remove(alice.PN), 405)
	b.refuse(d, remove(gone), 404)
	if !sibling.linked() || !sibling.online() {
		t.Error("a companion logged another one out")
	}
	devices := kept(b)
	c := d.conn
	leave := remove(d.PNJID())
	leave.Attrs["id"] = "1"
	b.answer(c, travel(t, leave), "", fault.Effect{})
	if len(c.outbox) != 1 || c.outbox[0].Attrs["type"] != "result" {
		t.Errorf("a companion that logs itself out is told %v", c.outbox)
	}
	if d.linked() || d.conn != nil {
		t.Error("a companion cannot log itself out")
	}
	same(t, "the number of devices on disk", devices(), 2)
	b.answer(c, travel(t, leave), "", fault.Effect{})
	same(t, "the number of answers", len(c.outbox), 1)
}

func TestUnlinkIsKept(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	b.companion(alice)
	lost := b.companion(alice)
	delete(alice.Devices, lost.ID)
	alice.Unconfirmed[lost.ID] = lost
	devices := kept(b)
	if err := b.Unlink(alice.PN.User, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "the number of devices on disk", devices(), 0)
	if b.credential(alice.PN.User, lost.ID, lost.Noise) != nil {
		t.Error("a client that never confirmed can still sign in")
	}
}

func TestUnconfirmedDevicesHaveAPlace(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	for range companionLimit {
		b.companion(alice)
	}
	d := alice.companions()[0]
	delete(alice.Devices, d.ID)
	alice.Unconfirmed[d.ID] = d
	if err := b.roomFor(alice); !errors.Is(err, ErrTooManyDevices) {
		t.Errorf("room for another device: %v", err)
	}
	if err := b.adopt(d); err != nil {
		t.Errorf("confirming the last one: %v", err)
	}
	extra := b.companion(alice)
	delete(alice.Devices, extra.ID)
	if err := b.adopt(extra); !errors.Is(err, ErrTooManyDevices) || extra.linked() {
		t.Errorf("one more: %v", err)
	}
}
