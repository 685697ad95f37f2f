package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// sampleNodes are nodes of every shape, without content that reads back as
// another type.
func sampleNodes() []waBinary.Node {
	person := types.JID{User: "4915112345678", Server: types.DefaultUserServer}
	device := types.JID{User: "4915112345678", Device: 7, Server: types.DefaultUserServer}
	lid := types.JID{User: "100000012345678", Device: 3, Server: types.HiddenUserServer}
	many := make([]waBinary.Node, 300)
	for i := range many {
		many[i] = waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": person}}
	}
	return []waBinary.Node{
		{Tag: "ping"},
		{Tag: "iq", Attrs: waBinary.Attrs{"to": types.ServerJID, "id": "1A2B", "t": "1700000000"}},
		{Tag: "message", Attrs: waBinary.Attrs{"to": device, "participant": lid, "from": types.GroupServerJID}},
		{Tag: "text in no dictionary", Attrs: waBinary.Attrs{"Grüße": "世界"}},
		{Tag: "enc", Attrs: waBinary.Attrs{"v": "2"}, Content: []byte{0, 1, 2, 255}},
		{Tag: "value", Content: bytes.Repeat([]byte{9}, 1<<8)},
		{Tag: "value", Content: bytes.Repeat([]byte{9}, 1<<20)},
		{Tag: "list", Content: many},
		{Tag: "a", Content: []waBinary.Node{{Tag: "b", Content: []waBinary.Node{{Tag: "c"}}}, {Tag: "d"}}},
	}
}

func TestSpelledOutNodes(t *testing.T) {
	for _, node := range sampleNodes() {
		raw, err := encodeNode(node, dictionaryOld)
		if err != nil {
			t.Fatal(err)
		}
		// No token in it, so it reads the same with any dictionary or none.
		for name, dict := range map[string]*dictionary{"2": &dictionary2, "3": &dictionary3, "none": {}} {
			got, err := decodeBody(raw, dict)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != node.String() {
				t.Errorf("dictionary %s: wrote %s\nread %s", name, node, got)
			}
		}
	}
}

func TestSpelledOutValues(t *testing.T) {
	node := waBinary.Node{Tag: "n", Attrs: waBinary.Attrs{
		"int": -5, "int32": int32(1), "int64": int64(1) << 40, "uint": uint(2), "uint32": uint32(3),
		"uint64": uint64(1) << 63, "bool": true, "nil": nil, "empty": "",
		"hosted": types.JID{User: "49151", Device: 99, Server: types.HostedServer},
		"far":    types.JID{User: "49151", Device: 300, Server: types.DefaultUserServer},
	}, Content: "text"}
	raw, err := encodeNode(node, dictionaryOld)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeBody(raw, &dictionary2)
	if err != nil {
		t.Fatal(err)
	}
	want := `<n bool="true" far="49151:300@s.whatsapp.net" hosted="49151:99@hosted" int32="1" ` +
		`int64="1099511627776" int="-5" uint32="3" uint64="9223372036854775808" uint="2">text</n>`
	if got.String() != want {
		t.Errorf("got %s", got)
	}
}

// The nodes in the file were encoded by Baileys 6.17.16 itself
// (encodeBinaryNode); beside each stands how whatsmeow prints it.
func TestNodesOfBaileys6(t *testing.T) {
	var cases []struct{ Name, Hex, Node string }
	readJSON(t, "testdata/baileys6.json", &cases)
	for _, c := range cases {
		raw, err := hex.DecodeString(c.Hex)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBody(raw, &dictionary2)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		// whatsmeow prints content that is no bytes as nothing at all.
		if text, ok := got.Content.(string); ok {
			got.Content = []byte(text)
		}
		if got.String() != c.Node {
			t.Errorf("%s: got %s\nwant %s", c.Name, got, c.Node)
		}
	}
}

func TestOtherKindsOfJID(t *testing.T) {
	for _, jid := range []types.JID{
		{User: "100", Device: 300, Server: types.MessengerServer},
		{User: "100", Device: 300, Integrator: 2, Server: types.InteropServer},
		{User: "100", Device: 9, Server: types.HostedServer},
		{User: "100", Device: 9, Server: types.HostedLIDServer},
		{User: "", Server: types.GroupServer},
	} {
		raw, err := encodeNode(waBinary.Node{Tag: "n", Attrs: waBinary.Attrs{"jid": jid}}, dictionaryCurrent)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBody(raw, &dictionary3)
		if err != nil {
			t.Fatal(err)
		}
		if got.Attrs["jid"] != jid {
			t.Errorf("wrote %#v, read %#v", jid, got.Attrs["jid"])
		}
	}
}

// No characters, of which the last is padding: whatsmeow's decoder panics here.
func TestPackedTextOfNothing(t *testing.T) {
	got, err := decodeNode([]byte{248, 3, 19, 4, 255, 0x80}, &dictionary3)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := got.Attrs["type"]; !ok || text != "" {
		t.Errorf("got %v", got.Attrs)
	}
}

// What could not be written is not read either: it would be passed on to others.
func TestUnwritableIsNotRead(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want error
	}{
		"JID without a server":         {[]byte{248, 3, 19, 4, 250, 0, 252, 0}, errEmptyJID},
		"content of a JID without one": {[]byte{248, 2, 19, 250, 0, 252, 0}, errEmptyJID},
		"attribute without a name":     {[]byte{248, 3, 19, 252, 0, 4}, errNoName},
		"attribute named by nothing":   {[]byte{248, 3, 19, 255, 0x80, 4}, errNoName},
		"too many attributes":          {append([]byte{249, 0x40, 1, 19}, bytes.Repeat([]byte{4}, 1<<14)...), errManyAttr},
	} {
		if got, err := decodeNode(test.data, &dictionary3); !errors.Is(err, test.want) {
			t.Errorf("%s: read %v, %v", name, got, err)
		}
	}
}

func TestDictionary2IsWhole(t *testing.T) {
	if len(dictionary2.single) != 236 {
		t.Errorf("%d single-byte tokens", len(dictionary2.single))
	}
	for i, list := range dictionary2.double {
		if len(list) != 256 {
			t.Errorf("list %d has %d tokens", i, len(list))
		}
	}
}

func TestElementsAreBounded(t *testing.T) {
	// A list of nodes of 255 attributes each, all of them spelled with one byte.
	node := append([]byte{248, 255, 19}, bytes.Repeat([]byte{4}, 254)...)
	list := append([]byte{248, 2, 19, 249, 0xff, 0xff}, bytes.Repeat(node, 1<<16-1)...)
	if _, err := decodeNode(list, &dictionary3); err == nil || !strings.Contains(err.Error(), "nodes and attributes") {
		t.Errorf("got %v", err)
	}
}
