package service

import (
	"maps"
	"slices"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

// FuzzStanzas lets a linked device say anything at all: as it stands, and as
// the content of every iq there is. Whatever it says, the service must neither
// panic nor make a stanza that cannot be sent.
func FuzzStanzas(f *testing.F) {
	for _, node := range fuzzSeeds() {
		raw, err := waBinary.Marshal(node)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[1:])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		node, err := unmarshalNode(raw)
		if err != nil {
			return // not a stanza: the transport ends the connection over it
		}
		b := newBench(t)
		alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002", Business: true})
		d, other := b.companion(alice), b.companion(bob)
		b.companion(alice)
		b.group(alice, bob)
		b.seedAppState(alice)
		b.route(d.conn, &node, stanzaKey(&node), fault.Effect{})
		for _, name := range slices.Sorted(maps.Keys(b.handlers)) {
			if d.conn == nil { // it logged itself out
				break
			}
			iq := node
			iq.Tag, iq.Attrs = "iq", maps.Clone(node.Attrs)
			if iq.Attrs == nil {
				iq.Attrs = stanza.Attrs{}
			}
			iq.Attrs["type"], iq.Attrs["xmlns"], _ = strings.Cut(name, " ")
			b.answer(d.conn, &iq, name, fault.Effect{})
		}
		for _, to := range []*Device{d, other} {
			if to.conn == nil {
				continue
			}
			for _, sent := range to.conn.outbox {
				if _, err := waBinary.Marshal(sent); err != nil {
					t.Errorf("%s cannot be sent: %v", sent.Tag, err)
				}
			}
		}
	})
}

// fuzzSeeds are one well-formed stanza of each kind.
func fuzzSeeds() []stanza.Node {
	peer := types.NewJID("4915100000002", types.DefaultUserServer)
	attrs := stanza.Attrs{"jid": peer, "type": "image", "t": "1", "name": "regular", "value": "all", "version": "0", "action": "block"}
	child := func(tag string, content any) stanza.Node {
		return stanza.Node{Tag: tag, Attrs: attrs, Content: content}
	}
	seeds := []stanza.Node{
		{Tag: "presence", Attrs: stanza.Attrs{"type": "subscribe", "to": peer, "name": "A"}},
		{Tag: "chatstate", Attrs: stanza.Attrs{"to": peer}, Content: []stanza.Node{{Tag: "composing"}}},
		{Tag: "call", Attrs: stanza.Attrs{"to": peer, "id": "1"}, Content: []stanza.Node{child("offer", nil)}},
		{Tag: "ib", Content: []stanza.Node{{Tag: "unified_session"}}},
		{Tag: "ack", Attrs: stanza.Attrs{"class": "message", "id": "1"}},
		{Tag: "receipt", Attrs: stanza.Attrs{"to": peer, "id": "1", "type": "read"}},
		{Tag: "message", Attrs: stanza.Attrs{"to": peer, "id": "1", "type": "text"}, Content: []stanza.Node{
			child("participants", []stanza.Node{child("to", []stanza.Node{{Tag: "enc", Attrs: stanza.Attrs{"v": "2", "type": "pkmsg"}, Content: []byte{1}}})}),
		}},
		uploadRequest([32]byte{1}, keyNodes(1, 1)),
		usyncRequest(userNodes(peer), stanza.Node{Tag: "devices"}, stanza.Node{Tag: "lid"}, stanza.Node{Tag: "contact"}, stanza.Node{Tag: "status"}),
		syncRequest(stanza.Attrs{"name": "regular", "version": 0}, []byte{0}),
	}
	for _, content := range []stanza.Node{
		child("key", []stanza.Node{child("user", nil)}), child("digest", nil), child("count", nil),
		child("rotate", []stanza.Node{child("skey", []stanza.Node{child("id", []byte{1, 2, 3})})}),
		child("privacy", []stanza.Node{child("category", nil)}), child("tokens", []stanza.Node{child("token", nil)}),
		child("item", nil), child("disappearing_mode", nil), child("status", []byte("text")), child("media_conn", nil),
		child("picture", []byte{0xff, 0xd8}), child("pictures", []stanza.Node{child("picture", nil)}),
		child("business_profile", []stanza.Node{child("profile", nil)}), child("props", nil),
		child("query", []byte(`{"variables":{"input":{"text":"x"}}}`)), child("remove-companion-device", nil),
		child("participating", nil), child("create", []stanza.Node{child("participant", nil)}),
	} {
		seeds = append(seeds, request("get", "x", content))
	}
	return seeds
}
