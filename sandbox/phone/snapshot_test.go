package phone

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// reborn is the phone after a restart.
func reborn(t testing.TB, p *Phone) *Phone {
	t.Helper()
	data, err := p.Snapshot()
	must(t, err)
	q, err := Restore(data, seeded(7))
	must(t, err)
	return q
}

func TestRestoreContinuesEverything(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	c.welcome(t, p)
	handedOut := p.Bundle()
	peer := newPeer(t)

	_, shared := c.sendGroup(t, "lost")
	if _, err := p.Decrypt(c.lid, testGroup, message("A", shared)); !errors.Is(err, ErrNoSenderKey) {
		t.Fatal(err)
	}
	distribution, shared := c.sendGroup(t, "one")
	p.wantText(t, c.lid, testGroup, message("B", c.encrypt(t, testLID, nil, distribution), shared), "one")
	before, key, err := p.EncryptGroup(testGroup, textMessage("before"))
	must(t, err)
	server := &collectionServer{name: appstate.WAPatchCriticalBlock}
	patch, err := p.PushNamePatch(testTime)
	must(t, err)
	_, err = p.ApplyPatch(server.name, server.accept(t, patch))
	must(t, err)
	must(t, p.Remember("own", testGroup, textMessage("before")))
	late := c.encrypt(t, testLID, nil, textMessage("under way"))

	p = reborn(t, reborn(t, p))

	t.Run("session", func(t *testing.T) {
		p.wantText(t, c.lid, testLID, message("C", c.encrypt(t, testLID, nil, textMessage("two"))), "two")
		p.wantText(t, c.lid, testLID, message("D", late), "under way")
		if _, _, err := p.Encrypt(c.lid, nil, textMessage("unread")); !errors.Is(err, ErrNoSession) {
			t.Errorf("sending in an old session: %v", err)
		}
		bundle := c.bundle(t, true)
		enc, preKey, err := p.Encrypt(c.lid, bundle, textMessage("three"))
		must(t, err)
		if got := c.decrypt(t, enc, testLID).GetConversation(); got != "three" || !preKey {
			t.Errorf("whatsmeow read %q, pre-key %v", got, preKey)
		}
		p.wantText(t, c.lid, testLID, message("C2", c.encrypt(t, testLID, nil, textMessage("four"))), "four")
		if enc, preKey, err = p.Encrypt(c.lid, nil, textMessage("five")); err != nil || preKey {
			t.Errorf("the new session: pre-key %v, %v", preKey, err)
		}
		if got := c.decrypt(t, enc, testLID).GetConversation(); got != "five" {
			t.Errorf("whatsmeow read %q", got)
		}
	})
	t.Run("pre-key", func(t *testing.T) {
		enc, _, err := peer.Encrypt(testLID, &handedOut, textMessage("hello"))
		must(t, err)
		p.wantText(t, peerLID, peerLID, message("E", enc), "hello")
		if p.Bundle().PreKeyID == handedOut.PreKeyID {
			t.Error("a pre-key id was handed out again")
		}
	})
	t.Run("sender keys", func(t *testing.T) {
		_, shared := c.sendGroup(t, "four")
		p.wantText(t, c.lid, testGroup, message("F", shared), "four")
		after, renewed, err := p.EncryptGroup(testGroup, textMessage("after"))
		must(t, err)
		for _, each := range []*waE2E.Message{key, renewed} {
			c.DangerousInternals().HandleSenderKeyDistributionMessage(t.Context(), testGroup, testLID,
				each.GetSenderKeyDistributionMessage().GetAxolotlSenderKeyDistributionMessage())
		}
		_, err = c.decryptGroup(t, before, testLID)
		must(t, err)
		got, err := c.decryptGroup(t, after, testLID)
		must(t, err)
		if got.GetConversation() != "after" {
			t.Errorf("whatsmeow read %q", got.GetConversation())
		}
	})
	t.Run("app state", func(t *testing.T) {
		p.SetName("Ada II")
		patch, err := p.PushNamePatch(testTime)
		must(t, err)
		_, err = p.ApplyPatch(server.name, server.accept(t, patch))
		must(t, err)
		if mutations, _ := server.fetch(t, c); len(mutations) != 2 {
			t.Errorf("whatsmeow read %v", mutations)
		}
	})
	t.Run("own messages", func(t *testing.T) {
		if to, msg, ok := p.Recall("own"); !ok || to != testGroup || msg.GetConversation() != "before" {
			t.Errorf("recalled %v for %v", msg, to)
		}
	})
	t.Run("key index", func(t *testing.T) {
		if p.lastKeyIndex != 1 {
			t.Errorf("last key index is %d", p.lastKeyIndex)
		}
	})
}

// A phone that is set back must not send under keys that it has used already:
// the receiver would drop what comes as what it has read.
func TestSetBackPhoneIsRead(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	c.welcome(t, p)
	p.wantText(t, c.lid, testLID, message("A", c.encrypt(t, testLID, nil, textMessage("hello"))), "hello")
	distribute := func(p *Phone) {
		key, err := p.Distribution(testGroup)
		must(t, err)
		c.DangerousInternals().HandleSenderKeyDistributionMessage(t.Context(), testGroup, testLID,
			key.GetSenderKeyDistributionMessage().GetAxolotlSenderKeyDistributionMessage())
	}
	distribute(p)
	old, err := p.Snapshot()
	must(t, err)
	enc, _, err := p.Encrypt(c.lid, nil, textMessage("after the snapshot"))
	must(t, err)
	c.decrypt(t, enc, testLID)
	shared, _, err := p.EncryptGroup(testGroup, textMessage("after the snapshot"))
	must(t, err)
	_, err = c.decryptGroup(t, shared, testLID)
	must(t, err)

	p, err = Restore(old, seeded(9))
	must(t, err)
	if p.HasSession(c.lid) {
		t.Error("the phone would send in the old session")
	}
	bundle := c.bundle(t, true)
	enc, _, err = p.Encrypt(c.lid, bundle, textMessage("one"))
	must(t, err)
	if got := c.decrypt(t, enc, testLID).GetConversation(); got != "one" {
		t.Errorf("whatsmeow read %q", got)
	}
	distribute(p)
	shared, _, err = p.EncryptGroup(testGroup, textMessage("two"))
	must(t, err)
	got, err := c.decryptGroup(t, shared, testLID)
	must(t, err)
	if got.GetConversation() != "two" {
		t.Errorf("whatsmeow read %q", got.GetConversation())
	}
}

func TestSnapshotIsWhole(t *testing.T) {
	p, _ := established(t)
	first, err := p.Snapshot()
	must(t, err)
	second, err := reborn(t, p).Snapshot()
	must(t, err)
	if !bytes.Equal(first, second) {
		t.Errorf("restored\n%s\nfrom\n%s", second, first)
	}
}

func TestSameSeedSamePhone(t *testing.T) {
	a, b := newPhone(t), newPhone(t)
	if a.Identity() != b.Identity() || a.RegistrationID() != b.RegistrationID() || a.rawID != b.rawID ||
		!bytes.Equal(a.vault.AppStateKey.Data, b.vault.AppStateKey.Data) || *a.Bundle().PreKey != *b.Bundle().PreKey {
		t.Error("the seed decides less than it should")
	}
	if a.Identity() == newPeer(t).Identity() {
		t.Error("another seed gives the same phone")
	}
	if id := a.RegistrationID(); id < 1 || id > 16380 {
		t.Errorf("registration id %d", id)
	}
}

func TestNewRefuses(t *testing.T) {
	device := testPN
	device.Device = 1
	for name, tc := range map[string]struct {
		pn, lid types.JID
		random  io.Reader
	}{
		"no number":  {types.EmptyJID, testLID, seeded(1)},
		"a device":   {device, testLID, seeded(1)},
		"swapped":    {testLID, testPN, seeded(1)},
		"no LID":     {testPN, testPN, seeded(1)},
		"no entropy": {testPN, testLID, io.LimitReader(seeded(1), 40)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(tc.pn, tc.lid, "x", tc.random); err == nil {
				t.Error("there is a phone")
			}
		})
	}
}

// A bundle can be had even if no key can be made.
func TestBundleWithoutRandomness(t *testing.T) {
	p := newPhone(t)
	data, err := p.Snapshot()
	must(t, err)
	p, err = Restore(data, bytes.NewReader(nil))
	must(t, err)
	if b := p.Bundle(); b.PreKey != nil || b.Identity != p.Identity() {
		t.Errorf("bundle %+v", b)
	}
	if _, _, err := p.EncryptGroup(testGroup, textMessage("x")); err == nil {
		t.Error("a message was padded with nothing")
	}
}

func TestRestoreRefuses(t *testing.T) {
	p, _ := established(t)
	data, err := p.Snapshot()
	must(t, err)
	if _, err := Restore(data[1:], seeded(1)); err == nil {
		t.Error("half a snapshot was restored")
	}
	for field, value := range map[string]any{
		"format": 2, "pn": "group@g.us", "lid": "", "identity": []byte{1}, "signed_key": nil,
		"signed_signature": []byte("short"), "vault": nil,
	} {
		t.Run(field, func(t *testing.T) {
			var fields map[string]any
			must(t, json.Unmarshal(data, &fields))
			fields[field] = value
			changed, err := json.Marshal(fields)
			must(t, err)
			if _, err = Restore(changed, seeded(1)); err == nil {
				t.Errorf("restored with %s = %v", field, value)
			}
		})
	}
	for field, value := range map[string]any{
		"next_pre_key": 0, "app_state_key": map[string]any{}, "collections": map[string]any{"x": nil},
	} {
		t.Run("vault "+field, func(t *testing.T) {
			var fields map[string]any
			must(t, json.Unmarshal(data, &fields))
			fields["vault"].(map[string]any)[field] = value
			changed, err := json.Marshal(fields)
			must(t, err)
			if _, err = Restore(changed, seeded(1)); err == nil {
				t.Errorf("restored with %s = %v", field, value)
			}
		})
	}
}
