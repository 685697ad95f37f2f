package service

import (
	"encoding/binary"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// keyNodes are one-time keys as clients upload them.
func keyNodes(from, count int) []stanza.Node {
	var list []stanza.Node
	for i := range count {
		pub := *keys.NewKeyPair().Pub
		list = append(list, stanza.Node{Tag: "key", Content: []stanza.Node{
			{Tag: "id", Content: binary.BigEndian.AppendUint32(nil, uint32(from+i))[1:]}, {Tag: "value", Content: pub[:]},
		}})
	}
	return list
}

// upload is the request with which a device uploads keys.
func uploadRequest(identity [32]byte, list []stanza.Node) stanza.Node {
	return request("set", "encrypt",
		stanza.Node{Tag: "registration", Content: []byte{0, 0, 1, 2}},
		stanza.Node{Tag: "type", Content: []byte{keyType}},
		stanza.Node{Tag: "identity", Content: identity[:]},
		stanza.Node{Tag: "list", Content: list},
		stanza.Node{Tag: "skey", Content: []stanza.Node{
			{Tag: "id", Content: []byte{0, 0, 9}}, {Tag: "value", Content: make([]byte, 32)},
			{Tag: "signature", Content: make([]byte, 64)},
		}},
	)
}

func count(b *bench, d *Device) string {
	b.t.Helper()
	return stanza.Text(at(b.t, b.grant(d, request("get", "encrypt", stanza.Node{Tag: "count"})), "count"), "value")
}

func TestKeyStock(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	from, to := b.companion(alice), b.companion(bob)
	same(t, "the stock", count(b, to), "0")
	b.grant(to, uploadRequest(to.Identity, keyNodes(1, 5)))
	b.grant(to, uploadRequest(to.Identity, keyNodes(6, 1)))
	same(t, "the stock", count(b, to), "6")

	ask := func(jids ...types.JID) []stanza.Node {
		var users []stanza.Node
		for _, jid := range jids {
			users = append(users, stanza.Node{Tag: "user", Attrs: stanza.Attrs{"jid": jid, "reason": "identity"}})
		}
		return stanza.Children(at(t, b.grant(from, request("get", "encrypt", stanza.Node{Tag: "key", Content: users})), "list"))
	}
	phoneLID := bob.LID
	unknown := bob.PN
	unknown.Device = 77
	answers := ask(to.LIDJID(), to.PNJID(), phoneLID, unknown, types.NewJID("1", types.DefaultUserServer))
	for i, want := range []types.JID{to.LIDJID(), to.PNJID(), phoneLID} {
		same(t, "the JID", answers[i].Attrs["jid"].(types.JID), want)
		bundle, err := phone.ParseBundle(&answers[i])
		if err != nil || bundle.PreKey == nil {
			t.Fatalf("bundle %d is %+v, %v", i, bundle, err)
		}
	}
	for _, answer := range answers[3:] {
		same(t, "the code", stanza.Text(at(t, &answer, "error"), "code"), "404")
	}
	same(t, "the stock", count(b, to), "4")
	same(t, "what is left", stanza.Text(at(t, b.notified(to, "encrypt"), "count"), "value"), "4")

	for range 4 {
		ask(to.LIDJID())
	}
	answer := ask(to.LIDJID())[0]
	if stanza.Child(&answer, "key") != nil {
		t.Error("a one-time key came from nowhere")
	}
	if list := b.sent(to); len(list) != 0 {
		t.Errorf("warned again before the first warning was acknowledged: %v", list)
	}
}

func TestKeyRequests(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	fresh := b.companion(d.Account)
	fresh.Keys = DeviceKeys{}
	short := uploadRequest([32]byte{1}, []stanza.Node{{Tag: "key"}})
	short.Content = short.Content.([]stanza.Node)[:4]
	noSignature := stanza.Node{Tag: "skey", Content: []stanza.Node{
		{Tag: "id", Content: []byte{0, 0, 3}}, {Tag: "value", Content: make([]byte, 32)},
	}}
	for name, test := range map[string]struct {
		iq   stanza.Node
		want int64
	}{
		"nothing":            {request("get", "encrypt"), 400},
		"something else":     {request("get", "encrypt", stanza.Node{Tag: "else"}), 501},
		"no users":           {request("get", "encrypt", stanza.Node{Tag: "key"}), 400},
		"no JID":             {request("get", "encrypt", stanza.Node{Tag: "key", Content: []stanza.Node{{Tag: "user"}}}), 400},
		"set something else": {request("set", "encrypt", stanza.Node{Tag: "else"}), 501},
		"no signed key":      {short, 400},
		"malformed key":      {uploadRequest([32]byte{1}, []stanza.Node{{Tag: "key"}}), 400},
		"rotate to nothing":  {request("set", "encrypt", stanza.Node{Tag: "rotate"}), 400},
		"rotate unsigned":    {request("set", "encrypt", stanza.Node{Tag: "rotate", Content: []stanza.Node{noSignature}}), 400},
		"too many":           {uploadRequest(d.Identity, keyNodes(1, maxKeys+1)), 419},
	} {
		t.Run(name, func(t *testing.T) { b.refuse(d, test.iq, test.want) })
	}
	digest := request("get", "encrypt", stanza.Node{Tag: "digest"})
	b.refuse(fresh, digest, 404)
	reply := at(t, b.grant(d, digest), "digest")
	same(t, "the hash's length", len(stanza.Bytes(at(t, reply, "hash"))), 20)
	b.grant(d, request("set", "encrypt", stanza.Node{Tag: "rotate", Content: []stanza.Node{{
		Tag: "skey", Content: []stanza.Node{
			{Tag: "id", Content: []byte{0, 1, 0}}, {Tag: "value", Content: make([]byte, 32)},
			{Tag: "signature", Content: make([]byte, 64)},
		},
	}}}))
	same(t, "the signed key's id", d.Keys.SignedID, 256)
}

func TestNewIdentityIsAnnounced(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	from, to := b.companion(alice), b.companion(bob)
	b.group(alice, bob)
	b.grant(from, uploadRequest(from.Identity, nil))
	if list := b.sent(to); len(list) != 0 {
		t.Fatalf("the same identity was announced: %v", list)
	}
	b.grant(from, uploadRequest([32]byte{1}, nil))
	note := b.notified(to, "encrypt")
	at(t, note, "identity")
	same(t, "the sender", note.Attrs["from"].(types.JID), alice.PN)
}
