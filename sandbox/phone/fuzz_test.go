package phone

import (
	"testing"

	"go.mau.fi/libsignal/session"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// conversation is a snapshot of a phone in contact with a peer, with the
// peer's sender key, and messages of all three kinds that it has yet to read.
func conversation(t testing.TB) (snapshot []byte, pkmsg, msg, skmsg stanza.Node) {
	t.Helper()
	p, peer := established(t)
	_, distribution, err := peer.EncryptGroup(testGroup, textMessage("x"))
	must(t, err)
	enc, _, err := peer.Encrypt(testLID, nil, distribution)
	must(t, err)
	_, err = p.Decrypt(peerLID, testGroup, message("1", enc))
	must(t, err)
	msg, _, err = peer.Encrypt(testLID, nil, textMessage("x"))
	must(t, err)
	skmsg, _, err = peer.EncryptGroup(testGroup, textMessage("x"))
	must(t, err)
	bundle := p.Bundle()
	must(t, peer.Establish(testLID, bundle))
	pkmsg, _, err = peer.Encrypt(testLID, nil, textMessage("x"))
	must(t, err)
	snapshot, err = p.Snapshot()
	must(t, err)
	return snapshot, pkmsg, msg, skmsg
}

// FuzzDecrypt feeds ciphertexts to a phone that has session and sender key.
// What fails must leave the phone as it was for the next message.
func FuzzDecrypt(f *testing.F) {
	snapshot, pkmsg, msg, skmsg := conversation(f)
	for i, enc := range []stanza.Node{pkmsg, msg, skmsg} {
		f.Add(byte(i), stanza.Bytes(&enc))
	}
	f.Add(byte(0), []byte("3"))
	f.Add(byte(1), []byte{})
	kinds := []string{"pkmsg", "msg", "skmsg"}
	f.Fuzz(func(t *testing.T, kind byte, ciphertext []byte) {
		p, err := Restore(snapshot, seeded(1))
		must(t, err)
		enc := stanza.Node{
			Tag:     "enc",
			Attrs:   stanza.Attrs{"v": "2", "type": kinds[int(kind)%len(kinds)]},
			Content: ciphertext,
		}
		if _, err = p.Decrypt(peerLID, testGroup, message("A", enc)); err == nil {
			return
		}
		p.wantText(t, peerLID, testGroup, message("B", pkmsg), "x")
		p.wantText(t, peerLID, testGroup, message("C", msg), "x")
		p.wantText(t, peerLID, testGroup, message("D", skmsg), "x")
	})
}

// FuzzDecryptPlaintext has a peer encrypt anything at all, properly.
func FuzzDecryptPlaintext(f *testing.F) {
	p, peer := established(f)
	padded := func(m *waE2E.Message) []byte {
		raw, err := proto.Marshal(m)
		must(f, err)
		return append(raw, 1)
	}
	_, distribution, err := peer.EncryptGroup(testGroup, textMessage("x"))
	must(f, err)
	f.Add(padded(textMessage("x")))
	f.Add(padded(distribution))
	f.Add(padded(DeviceSent(peerLID, distribution)))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		cipher := session.NewCipher(peer.builder(testLID), address(testLID))
		sealed, err := cipher.Encrypt(t.Context(), plaintext)
		must(t, err)
		enc := stanza.Node{Tag: "enc", Attrs: stanza.Attrs{"v": "2", "type": "msg"}, Content: sealed.Serialize()}
		r, err := p.Decrypt(peerLID, testGroup, message("A", enc))
		if err == nil && (r.Message == nil || r.Kind == "") {
			t.Errorf("received %+v", r)
		}
	})
}

// FuzzApplyPatch feeds patches to a phone that has applied one.
func FuzzApplyPatch(f *testing.F) {
	p := newPhone(f)
	server := &collectionServer{name: appstate.WAPatchCriticalBlock}
	for range 2 {
		raw, err := p.PushNamePatch(testTime)
		must(f, err)
		stamped := server.accept(f, raw)
		f.Add(stamped)
		if len(server.patches) == 1 {
			_, err = p.ApplyPatch(server.name, stamped)
			must(f, err)
		}
	}
	snapshot, err := p.Snapshot()
	must(f, err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Restore(snapshot, seeded(1))
		must(t, err)
		before := p.AppStateVersion(server.name)
		_, err = p.ApplyPatch(server.name, raw)
		if after := p.AppStateVersion(server.name); (err == nil) != (after == before+1) {
			t.Errorf("error %v, version %d after %d", err, after, before)
		}
	})
}

// FuzzRestore reads snapshots that were changed on disk.
func FuzzRestore(f *testing.F) {
	snapshot, pkmsg, msg, skmsg := conversation(f)
	f.Add(snapshot)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Restore(data, seeded(1))
		if err != nil {
			return
		}
		p.Bundle()
		for _, enc := range []stanza.Node{pkmsg, msg, skmsg} {
			// Any outcome will do but a panic.
			_, _ = p.Decrypt(peerLID, testGroup, message("A", enc))
		}
		_, _, _ = p.Encrypt(peerLID, nil, textMessage("x"))
		_, _, _ = p.EncryptGroup(testGroup, textMessage("x"))
		_, _ = p.Welcome(peerLID, testTime)
		_, _ = p.PushNamePatch(testTime)
	})
}
