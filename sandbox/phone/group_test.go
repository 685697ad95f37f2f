package phone

import (
	"errors"
	"testing"

	"go.mau.fi/libsignal/groups"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// sendGroup has whatsmeow's store make what Client.SendMessage puts on the
// wire for a group: the message's distribution, and the shared <enc>.
func (c *companion) sendGroup(t testing.TB, text string) (distribution *waE2E.Message, skmsg stanza.Node) {
	t.Helper()
	name := protocol.NewSenderKeyName(testGroup.String(), c.lid.SignalAddress())
	builder := groups.NewGroupSessionBuilder(c.Store, store.SignalProtobufSerializer)
	key, err := builder.Create(t.Context(), name)
	must(t, err)
	plaintext, err := proto.Marshal(textMessage(text))
	must(t, err)
	encrypted, err := groups.NewGroupCipher(builder, name, c.Store).Encrypt(t.Context(), append(plaintext, 1))
	must(t, err)
	return &waE2E.Message{SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{
			GroupID:                             proto.String(testGroup.String()),
			AxolotlSenderKeyDistributionMessage: key.Serialize(),
		}}, stanza.Node{
			Tag: "enc", Attrs: stanza.Attrs{"v": "2", "type": "skmsg"}, Content: encrypted.SignedSerialize(),
		}
}

func TestGroupFromPhone(t *testing.T) {
	p := newPhone(t)
	early, late := linked(t, newPeer(t), 1), linked(t, newPeer(t), 2)
	receive := func(c *companion, distribution *waE2E.Message, bundle *Bundle) {
		t.Helper()
		enc, _, err := p.Encrypt(c.lid, bundle, distribution)
		must(t, err)
		key := c.decrypt(t, enc, testLID).GetSenderKeyDistributionMessage()
		if key.GetGroupID() != testGroup.String() {
			t.Fatalf("the sender key is for %q", key.GetGroupID())
		}
		c.DangerousInternals().HandleSenderKeyDistributionMessage(t.Context(), testGroup, testLID,
			key.GetAxolotlSenderKeyDistributionMessage())
	}
	first, distribution, err := p.EncryptGroup(testGroup, textMessage("one"))
	must(t, err)
	if first.Attrs["type"] != "skmsg" || first.Attrs["v"] != "2" {
		t.Errorf("<enc> has %v", first.Attrs)
	}
	receive(early, distribution, early.bundle(t, true))
	got, err := early.decryptGroup(t, first, testLID)
	must(t, err)
	if got.GetConversation() != "one" {
		t.Errorf("whatsmeow read %q", got.GetConversation())
	}

	second, distribution, err := p.EncryptGroup(testGroup, textMessage("two"))
	must(t, err)
	receive(late, distribution, late.bundle(t, true))
	for _, c := range []*companion{early, late} {
		got, err = c.decryptGroup(t, second, testLID)
		must(t, err)
		if got.GetConversation() != "two" {
			t.Errorf("whatsmeow read %q", got.GetConversation())
		}
	}
	if _, err = late.decryptGroup(t, first, testLID); err == nil {
		t.Error("who came late can read what was before")
	}

	p.RotateSenderKey(testGroup)
	third, _, err := p.EncryptGroup(testGroup, textMessage("three"))
	must(t, err)
	if _, err = early.decryptGroup(t, third, testLID); err == nil {
		t.Error("the old sender key reads what came after the rotation")
	}
}

func TestGroupFromWhatsmeow(t *testing.T) {
	p := newPhone(t)
	c := linked(t, newPeer(t), 1)
	distribution, shared := c.sendGroup(t, "one")
	b := p.Bundle()
	r := p.wantText(t, c.lid, testGroup, message("A", c.encrypt(t, testLID, &b, distribution), shared), "one")
	if r.Kind != KindText || r.Chat != testGroup || r.From != c.lid {
		t.Errorf("received %+v", r)
	}
	// Later messages may come without the key, and in another order.
	_, second := c.sendGroup(t, "two")
	_, third := c.sendGroup(t, "three")
	p.wantText(t, c.lid, testGroup, message("C", third), "three")
	p.wantText(t, c.lid, testGroup, message("B", second), "two")
	if _, err := p.Decrypt(c.lid, testGroup, message("B", second)); !errors.Is(err, ErrDuplicate) {
		t.Errorf("second delivery: error %v", err)
	}
	// Or the shared part stands before the direct one.
	distribution, fourth := c.sendGroup(t, "four")
	p.wantText(t, c.lid, testGroup, message("D", fourth, c.encrypt(t, testLID, nil, distribution)), "four")
}

func TestSenderKeyAlone(t *testing.T) {
	p, peer := newPhone(t), newPeer(t)
	b := p.Bundle()
	shared, distribution, err := peer.EncryptGroup(testGroup, textMessage("one"))
	must(t, err)
	enc, _, err := peer.Encrypt(testLID, &b, distribution)
	must(t, err)
	r, err := p.Decrypt(peerLID, testGroup, message("A", enc))
	must(t, err)
	if r.Kind != KindSenderKey || r.Text != "" {
		t.Errorf("received %+v", r)
	}
	p.wantText(t, peerLID, testGroup, message("B", shared), "one")
}

// A sender key that comes through another chat is not one for the group it
// names.
func TestSenderKeyThroughOtherChat(t *testing.T) {
	p, peer := newPhone(t), newPeer(t)
	b := p.Bundle()
	shared, distribution, err := peer.EncryptGroup(testGroup, textMessage("one"))
	must(t, err)
	enc, _, err := peer.Encrypt(testLID, &b, distribution)
	must(t, err)
	_, err = p.Decrypt(peerLID, peerLID, message("A", enc))
	must(t, err)
	if _, err = p.Decrypt(peerLID, testGroup, message("B", shared)); !errors.Is(err, ErrNoSenderKey) {
		t.Errorf("error %v, want ErrNoSenderKey", err)
	}
}

func TestMalformedSenderKey(t *testing.T) {
	p, peer := newPhone(t), newPeer(t)
	b := p.Bundle()
	enc, _, err := peer.Encrypt(testLID, &b, &waE2E.Message{
		SenderKeyDistributionMessage: &waE2E.SenderKeyDistributionMessage{AxolotlSenderKeyDistributionMessage: []byte("3")},
	})
	must(t, err)
	if _, err = p.Decrypt(peerLID, testGroup, message("A", enc)); !errors.Is(err, ErrUndecryptable) {
		t.Errorf("error %v, want ErrUndecryptable", err)
	}
}

func TestGroupNeedsGroup(t *testing.T) {
	p := newPhone(t)
	if _, _, err := p.EncryptGroup(peerLID, textMessage("x")); err == nil {
		t.Error("a person was taken for a group")
	}
	if _, _, err := p.EncryptGroup(testGroup, nil); err == nil {
		t.Error("no message was encrypted")
	}
}
