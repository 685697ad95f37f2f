package service

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"

	"muster/sandbox/stanza"
)

// syncRequest is an app-state iq about one collection.
func syncRequest(attrs stanza.Attrs, patch []byte) stanza.Node {
	collection := stanza.Node{Tag: "collection", Attrs: attrs}
	if patch != nil {
		collection.Content = []stanza.Node{{Tag: "patch", Content: patch}}
	}
	return request("set", "w:sync:app:state", stanza.Node{Tag: "sync", Content: []stanza.Node{collection}})
}

// mute is a patch as a companion would encode it: with the phone's key, on
// what the phone has seen.
func mute(t testing.TB, a *Account) []byte {
	t.Helper()
	info := appstate.BuildMute(a.PN, true, time.Hour)
	patch, err := a.Phone.EncodePatch(info.Type, testNow, info.Mutations)
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// read is an answer as whatsmeow reads it.
func read(t testing.TB, reply *stanza.Node) *appstate.PatchList {
	t.Helper()
	list, err := appstate.ParsePatchList(t.Context(), at(t, reply, "sync", "collection"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAppState(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	d, sibling := b.companion(alice), b.companion(alice)
	const name = string(appstate.WAPatchRegularHigh)

	reply := b.grant(d, syncRequest(stanza.Attrs{"name": name, "version": 0, "return_snapshot": false}, mute(t, alice)))
	collection := at(t, reply, "sync", "collection")
	same(t, "the version", stanza.Text(collection, "version"), "1")
	told := at(t, b.notified(sibling, "server_sync"), "collection")
	same(t, "what changed", stanza.Text(told, "name"), name)
	same(t, "the version told", stanza.Text(told, "version"), "1")
	same(t, "the phone's version", alice.Phone.AppStateVersion(appstate.WAPatchRegularHigh), 1)

	// A client that does not know of the first patch is told of it.
	refused := at(t, b.grant(d, syncRequest(stanza.Attrs{"name": name, "version": 0}, mute(t, alice))), "sync", "collection")
	same(t, "the type", stanza.Text(refused, "type"), "error")
	same(t, "the code", stanza.Text(at(t, refused, "error"), "code"), "409")
	same(t, "the missing patches", len(stanza.Children(at(t, refused, "patches"))), 1)

	for range patchPage {
		version := alice.collection(name).version()
		b.grant(d, syncRequest(stanza.Attrs{"name": name, "version": version}, mute(t, alice)))
	}
	list := read(t, b.grant(sibling, syncRequest(stanza.Attrs{"name": name, "return_snapshot": true}, nil)))
	same(t, "the first page", len(list.Patches), patchPage)
	same(t, "whether there is more", list.HasMorePatches, true)
	for i, patch := range list.Patches {
		same(t, "a patch's version", patch.GetVersion().GetVersion(), uint64(i+1))
	}
	list = read(t, b.grant(sibling, syncRequest(stanza.Attrs{"name": name, "version": patchPage, "return_snapshot": false}, nil)))
	same(t, "the second page", len(list.Patches), 1)
	same(t, "whether there is more", list.HasMorePatches, false)
}

func TestAppStateRefusals(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	for name, test := range map[string]struct {
		attrs stanza.Attrs
		patch []byte
		want  string
	}{
		"unknown collection": {stanza.Attrs{"name": "else"}, nil, "404"},
		"patch ahead":        {stanza.Attrs{"name": "regular", "version": 1}, []byte{}, "409"},
		"version negative":   {stanza.Attrs{"name": "regular", "version": -1}, nil, "400"},
		"version of letters": {stanza.Attrs{"name": "regular", "version": "x"}, nil, "400"},
		"no protobuf":        {stanza.Attrs{"name": "regular", "version": 0}, []byte("\xff"), "400"},
		"no MACs":            {stanza.Attrs{"name": "regular", "version": 0}, []byte{}, "400"},
		"too large":          {stanza.Attrs{"name": "regular", "version": 0}, make([]byte, maxPatchSize+1), "419"},
	} {
		t.Run(name, func(t *testing.T) {
			collection := at(t, b.grant(d, syncRequest(test.attrs, test.patch)), "sync", "collection")
			same(t, "the type", stanza.Text(collection, "type"), "error")
			same(t, "the code", stanza.Text(at(t, collection, "error"), "code"), test.want)
		})
	}
	b.refuse(d, request("set", "w:sync:app:state"), 501)
	b.refuse(d, request("set", "w:sync:app:state", stanza.Node{Tag: "sync"}), 400)
}

// A client that knows more than the service, which was set back, is shown all
// there is, so that it can see that it has to begin anew.
func TestAppStateBehindTheClient(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	d := b.companion(alice)
	const name = string(appstate.WAPatchRegularHigh)
	b.grant(d, syncRequest(stanza.Attrs{"name": name, "version": 0}, mute(t, alice)))
	reply := b.grant(d, syncRequest(stanza.Attrs{"name": name, "version": 9}, nil))
	same(t, "the type", stanza.Text(at(t, reply, "sync", "collection"), "type"), "")
	list := read(t, reply)
	same(t, "the patches", len(list.Patches), 1)
	same(t, "the first patch", list.Patches[0].GetVersion().GetVersion(), 1)
	reply = b.grant(d, syncRequest(stanza.Attrs{"name": name, "version": 9}, mute(t, alice)))
	same(t, "the code", stanza.Text(at(t, reply, "sync", "collection", "error"), "code"), "409")
	same(t, "the patches", len(read(t, reply).Patches), 1)
	same(t, "the version", alice.collection(name).version(), 1)
}

func TestAppStateIsSeededWithThePushName(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001", Name: "Alice"})
	d := b.companion(alice)
	b.seedAppState(alice)
	b.seedAppState(alice)
	b.notified(d, "server_sync")
	list := read(t, b.grant(d, syncRequest(stanza.Attrs{"name": "critical_block", "return_snapshot": true}, nil)))
	same(t, "the number of patches", len(list.Patches), 1)

	alice.Phone.SetName("Alice B.")
	if err := b.writePushName(alice); err != nil {
		t.Fatal(err)
	}
	same(t, "the version", alice.collection("critical_block").version(), 2)
	same(t, "the name", alice.Name, "Alice B.")
}
