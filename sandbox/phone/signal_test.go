package phone

import (
	"errors"
	"fmt"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// wantText decrypts at the phone and compares the text.
func (p *Phone) wantText(t testing.TB, from, chat types.JID, m *stanza.Node, want string) Received {
	t.Helper()
	r, err := p.Decrypt(from, chat, m)
	must(t, err)
	if r.Text != want {
		t.Fatalf("read %q, want %q", r.Text, want)
	}
	return r
}

func TestPhoneStartsSession(t *testing.T) {
	for name, oneTime := range map[string]bool{"one-time key": true, "stock exhausted": false} {
		t.Run(name, func(t *testing.T) {
			p, c := newPhone(t), linked(t, newPeer(t), 4)
			if p.HasSession(c.lid) {
				t.Fatal("there is a session before there was a message")
			}
			enc, preKey, err := p.Encrypt(c.lid, c.bundle(t, oneTime), textMessage("one"))
			must(t, err)
			if !preKey || enc.Tag != "enc" || enc.Attrs["v"] != "2" || enc.Attrs["type"] != "pkmsg" {
				t.Fatalf("first message is %v", enc.Attrs)
			}
			if got := c.decrypt(t, enc, testLID).GetConversation(); got != "one" {
				t.Fatalf("whatsmeow read %q", got)
			}
			// Without an answer it stays a pre-key message.
			enc, preKey, err = p.Encrypt(c.lid, nil, textMessage("two"))
			must(t, err)
			if got := c.decrypt(t, enc, testLID).GetConversation(); got != "two" || !preKey {
				t.Fatalf("whatsmeow read %q, pre-key %v", got, preKey)
			}
			p.wantText(t, c.lid, testLID, message("A", c.encrypt(t, testLID, nil, textMessage("three"))), "three")
			enc, preKey, err = p.Encrypt(c.lid, nil, textMessage("four"))
			must(t, err)
			if got := c.decrypt(t, enc, testLID).GetConversation(); got != "four" || preKey {
				t.Fatalf("whatsmeow read %q, pre-key %v", got, preKey)
			}
		})
	}
}

func TestWhatsmeowStartsSession(t *testing.T) {
	p := newPhone(t)
	c := linked(t, newPeer(t), 2)
	b := p.Bundle()
	if b.PreKey == nil || b.PreKeyID == 0 {
		t.Fatal("the bundle has no one-time key")
	}
	r := p.wantText(t, c.lid, peerLID, message("A", c.encrypt(t, testLID, &b, textMessage("one"))), "one")
	if r.ID != "A" || !r.At.Equal(testTime) || r.From != c.lid || r.Chat != peerLID || r.FromMe || r.Kind != KindText {
		t.Errorf("received %+v", r)
	}
	if len(p.vault.PreKeys) != 0 {
		t.Error("the one-time key is still there after its use")
	}
	enc, preKey, err := p.Encrypt(c.lid, nil, textMessage("two"))
	must(t, err)
	if got := c.decrypt(t, enc, testLID).GetConversation(); got != "two" || preKey {
		t.Errorf("whatsmeow read %q, pre-key %v", got, preKey)
	}
}

// A server that is out of one-time keys serves the bundle without one.
func TestBundleWithoutOneTimeKey(t *testing.T) {
	p := newPhone(t)
	c := linked(t, newPeer(t), 2)
	b := p.Bundle()
	b.PreKey, b.PreKeyID = nil, 0
	p.wantText(t, c.lid, peerLID, message("A", c.encrypt(t, testLID, &b, textMessage("one"))), "one")
}

func TestBundleSurvivesTheWire(t *testing.T) {
	p := newPhone(t)
	b := p.Bundle()
	got, err := ParseBundle(&stanza.Node{Tag: "user", Content: b.Nodes()})
	must(t, err)
	if got.PreKey == nil || *got.PreKey != *b.PreKey {
		t.Fatal("the one-time key got lost")
	}
	got.PreKey, b.PreKey = nil, nil
	if got != b {
		t.Errorf("read %+v, want %+v", got, b)
	}
}

func TestBundleKeysAreKeptUntilUsed(t *testing.T) {
	p := newPhone(t)
	early := p.Bundle()
	ids := map[uint32]bool{early.PreKeyID: true}
	for range 1000 {
		b := p.Bundle()
		if ids[b.PreKeyID] {
			t.Fatalf("pre-key %d was handed out twice", b.PreKeyID)
		}
		ids[b.PreKeyID] = true
	}
	peer := newPeer(t)
	enc, _, err := peer.Encrypt(testLID, &early, textMessage("late"))
	must(t, err)
	p.wantText(t, peerLID, peerLID, message("A", enc), "late")

	p.vault.NextPreKey = maxKeyID
	if last, wrapped := p.Bundle().PreKeyID, p.Bundle().PreKeyID; last != maxKeyID || wrapped == 0 || ids[wrapped] && wrapped != early.PreKeyID {
		t.Errorf("after the last id %d comes %d", last, wrapped)
	}
}

func TestDecryptOutOfOrderAndTwice(t *testing.T) {
	p, peer := newPhone(t), newPeer(t)
	b := p.Bundle()
	var sent []*stanza.Node
	for i := range 4 {
		enc, _, err := peer.Encrypt(testLID, &b, textMessage(fmt.Sprint(i)))
		must(t, err)
		sent = append(sent, message(fmt.Sprint(i), enc))
	}
	for _, i := range []int{2, 0, 3, 1} {
		p.wantText(t, peerLID, peerLID, sent[i], fmt.Sprint(i))
	}
	_, err := p.Decrypt(peerLID, peerLID, sent[2])
	if !errors.Is(err, ErrDuplicate) || NeedsRetry(err) {
		t.Errorf("second delivery: error %v", err)
	}
}

func TestDecryptErrors(t *testing.T) {
	p, peer := newPhone(t), newPeer(t)
	bundle := p.Bundle()
	enc, _, err := peer.Encrypt(testLID, &bundle, textMessage("one"))
	must(t, err)

	unknownKey := bundle
	unknownKey.PreKeyID = 9999
	stranger, err := New(types.NewJID("1555", types.DefaultUserServer), types.NewJID("7", types.HiddenUserServer), "", seeded(3))
	must(t, err)
	stale, _, err := stranger.Encrypt(testLID, &unknownKey, textMessage("x"))
	must(t, err)
	group, _, err := peer.EncryptGroup(testGroup, textMessage("x"))
	must(t, err)

	_, talking := established(t)
	plain, preKey, err := talking.Encrypt(testLID, nil, textMessage("x"))
	must(t, err)
	if preKey {
		t.Fatal("still a pre-key message after an answer")
	}
	normal := stanza.Node{Tag: "enc", Attrs: stanza.Attrs{"v": "2", "type": "msg"}, Content: enc.Content}
	cases := map[string]struct {
		from, chat types.JID
		m          *stanza.Node
		want       error
	}{
		"no session":      {peerLID, peerLID, message("A", plain), ErrNoSession},
		"no sender key":   {peerLID, testGroup, message("A", group), ErrNoSenderKey},
		"unknown pre-key": {peerLID, peerLID, message("A", stale), ErrUnknownPreKey},
		"wrong type":      {peerLID, peerLID, message("A", normal), ErrUndecryptable},
		"unknown type": {peerLID, peerLID, message("A", stanza.Node{Tag: "enc",
			Attrs: stanza.Attrs{"v": "2", "type": "msmsg"}}), ErrUndecryptable},
		"unknown version": {peerLID, peerLID, message("A", stanza.Node{Tag: "enc",
			Attrs: stanza.Attrs{"v": "3", "type": "msg"}, Content: enc.Content}), ErrUndecryptable},
		"empty": {peerLID, peerLID, message("A", stanza.Node{Tag: "enc",
			Attrs: stanza.Attrs{"v": "2", "type": "pkmsg"}}), ErrUndecryptable},
		"no enc": {peerLID, peerLID, message("A"), ErrNoCiphertext},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := p.Decrypt(tc.from, tc.chat, tc.m)
			if !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if NeedsRetry(err) == errors.Is(tc.want, ErrNoCiphertext) {
				t.Error("the wrong advice about a retry")
			}
			if r.ID != "A" || r.Message != nil {
				t.Errorf("received %+v", r)
			}
		})
	}
	// None of this hurt the session.
	p.wantText(t, peerLID, peerLID, message("B", enc), "one")
}

// established makes two phones that have written to each other.
func established(t testing.TB) (p, peer *Phone) {
	t.Helper()
	p, peer = newPhone(t), newPeer(t)
	bundle := p.Bundle()
	enc, _, err := peer.Encrypt(testLID, &bundle, textMessage("hello"))
	must(t, err)
	p.wantText(t, peerLID, peerLID, message("1", enc), "hello")
	enc, _, err = p.Encrypt(peerLID, nil, textMessage("hello"))
	must(t, err)
	peer.wantText(t, testLID, testLID, message("2", enc), "hello")
	return p, peer
}

func TestEncryptNeedsSessionOrBundle(t *testing.T) {
	p := newPhone(t)
	if _, _, err := p.Encrypt(peerLID, nil, textMessage("x")); !errors.Is(err, ErrNoSession) {
		t.Errorf("error %v, want ErrNoSession", err)
	}
	forged := newPeer(t).Bundle()
	forged.SignedSignature[0] ^= 1
	if _, _, err := p.Encrypt(peerLID, &forged, textMessage("x")); err == nil || p.HasSession(peerLID) {
		t.Errorf("a bundle with a wrong signature was used (error %v)", err)
	}
	bundle := newPeer(t).Bundle()
	if _, _, err := p.Encrypt(peerLID, &bundle, nil); err == nil {
		t.Error("no message was encrypted")
	}
}

// A peer that has reinstalled has a new identity; the phone goes on with it.
func TestIdentityChangeIsTrusted(t *testing.T) {
	p, before := newPhone(t), newPeer(t)
	b := p.Bundle()
	enc, _, err := before.Encrypt(testLID, &b, textMessage("before"))
	must(t, err)
	p.wantText(t, peerLID, peerLID, message("A", enc), "before")

	after, err := New(peerPN, peerLID, "Bob", seeded(9))
	must(t, err)
	b = p.Bundle()
	enc, _, err = after.Encrypt(testLID, &b, textMessage("after"))
	must(t, err)
	p.wantText(t, peerLID, peerLID, message("B", enc), "after")
	enc, _, err = p.Encrypt(peerLID, nil, textMessage("reply"))
	must(t, err)
	after.wantText(t, testLID, testLID, message("C", enc), "reply")
	// What the old installation had under way can still be read.
	enc, _, err = before.Encrypt(testLID, nil, textMessage("late"))
	must(t, err)
	p.wantText(t, peerLID, peerLID, message("D", enc), "late")
}

func TestAddressesOfOnePersonAreApart(t *testing.T) {
	p := newPhone(t)
	bundle := newPeer(t).Bundle()
	must(t, p.Establish(peerLID, bundle))
	companion := peerLID
	companion.Device = 1
	if p.HasSession(peerPN) || p.HasSession(companion) || !p.HasSession(peerLID) {
		t.Error("a session is found under another address than its own")
	}
	p.Forget(peerLID)
	if p.HasSession(peerLID) {
		t.Error("the session is still there")
	}
}

func TestDeviceSent(t *testing.T) {
	p := newPhone(t)
	own, stranger := linked(t, p, 1), newPeer(t)
	sent := DeviceSent(peerLID, textMessage("to Bob"))

	enc, _, err := p.Encrypt(own.lid, own.bundle(t, true), sent)
	must(t, err)
	got := own.decrypt(t, enc, testLID).GetDeviceSentMessage()
	if got.GetDestinationJID() != peerLID.String() || got.GetMessage().GetConversation() != "to Bob" {
		t.Errorf("whatsmeow read %v", got)
	}
	r := p.wantText(t, own.lid, testLID, message("A", own.encrypt(t, testLID, nil, sent)), "to Bob")
	if !r.FromMe || r.Chat != peerLID {
		t.Errorf("received %+v", r)
	}

	b := p.Bundle()
	enc, _, err = stranger.Encrypt(testLID, &b, DeviceSent(types.NewJID("1", types.HiddenUserServer), textMessage("forged")))
	must(t, err)
	r = p.wantText(t, peerLID, peerLID, message("B", enc), "")
	if r.FromMe || r.Chat != peerLID {
		t.Errorf("a stranger speaks as the owner: %+v", r)
	}
}

func TestPaddingIsWhatsmeows(t *testing.T) {
	p := newPhone(t)
	seen := make(map[int]bool)
	for range 200 {
		padded, err := p.plaintext(&waE2E.Message{})
		must(t, err)
		seen[len(padded)] = true
		body, err := unpad(padded)
		must(t, err)
		if len(padded) < 1 || len(padded) > 15 || len(body) != 0 {
			t.Fatalf("%d bytes of padding around nothing, %d left", len(padded), len(body))
		}
	}
	if len(seen) < 10 {
		t.Errorf("the padding has only %d lengths", len(seen))
	}
	for _, bad := range [][]byte{nil, {2}, {1, 3, 3}} {
		if _, err := unpad(bad); err == nil {
			t.Errorf("%v was taken for padded", bad)
		}
	}
}
