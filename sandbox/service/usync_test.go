package service

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

// usyncRequest asks protocols about users.
func usyncRequest(users []stanza.Node, protocols ...stanza.Node) stanza.Node {
	return request("get", "usync", stanza.Node{
		Tag: "usync", Attrs: stanza.Attrs{"sid": "s", "mode": "query", "last": "true", "index": "0", "context": "message"},
		Content: []stanza.Node{{Tag: "query", Content: protocols}, {Tag: "list", Content: users}},
	})
}

func userNodes(jids ...types.JID) []stanza.Node {
	var list []stanza.Node
	for _, jid := range jids {
		list = append(list, stanza.Node{Tag: "user", Attrs: stanza.Attrs{"jid": jid}})
	}
	return list
}

func TestUsyncByJID(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	bob := b.phone(PhoneOptions{Number: "4915100000002", Business: true, Name: "Bob & Sons"})
	d, other := b.companion(alice), b.companion(bob)
	if _, err := b.media.SetPicture(bob.LID.String(), picture(t)); err != nil {
		t.Fatal(err)
	}
	reply := b.grant(d, usyncRequest(userNodes(bob.PN, bob.LID, types.NewJID("1", types.DefaultUserServer)),
		stanza.Node{Tag: "devices", Attrs: stanza.Attrs{"version": "2"}}, stanza.Node{Tag: "lid"},
		stanza.Node{Tag: "status"}, stanza.Node{Tag: "picture"}, stanza.Node{Tag: "business"},
		stanza.Node{Tag: "disappearing_mode"}, stanza.Node{Tag: "username"}, stanza.Node{Tag: "contact"}))
	usync := at(t, reply, "usync")
	same(t, "the sid", stanza.Text(usync, "sid"), "s")
	users := stanza.Children(at(t, usync, "list"), "user")
	same(t, "the number of users", len(users), 3)
	for i, as := range []types.JID{bob.PN, bob.LID} {
		user := &users[i]
		same(t, "the JID", user.Attrs["jid"].(types.JID), as)
		devices := stanza.Children(at(t, user, "devices", "device-list"))
		same(t, "the number of devices", len(devices), 2)
		same(t, "the phone", stanza.Text(&devices[0], "id"), "0")
		same(t, "the key index", stanza.Text(&devices[1], "key-index"), "1")
		companion := as
		companion.Device = other.ID
		same(t, "the hash", stanza.Text(at(t, user, "devices", "device-list"), "hash"), deviceHash([]types.JID{as, companion}))
		var signed waAdv.ADVSignedKeyIndexList
		if err := proto.Unmarshal(stanza.Bytes(at(t, user, "devices", "key-index-list")), &signed); err != nil {
			t.Errorf("key index list: %v", err)
		}
		same(t, "the LID", at(t, user, "lid").Attrs["val"].(types.JID), bob.LID)
		same(t, "the about text", string(stanza.Bytes(at(t, user, "status"))), bob.About)
		at(t, user, "picture")
		at(t, user, "business", "verified_name")
		same(t, "the timer", stanza.Text(at(t, user, "disappearing_mode"), "duration"), "0")
		same(t, "contact", stanza.Text(at(t, user, "contact"), "type"), "in")
	}
	same(t, "an unknown contact", stanza.Text(at(t, &users[2], "contact"), "type"), "out")
	same(t, "what is known of nobody", len(stanza.Children(&users[2])), 1)
}

func TestUsyncByNumber(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	b.phone(PhoneOptions{Number: "4915100000003", NotOnWhatsApp: true})
	d := b.companion(alice)
	byNumber := func(queries ...string) []stanza.Node {
		var list []stanza.Node
		for _, q := range queries {
			list = append(list, stanza.Node{Tag: "user", Content: []stanza.Node{{Tag: "contact", Content: []byte(q)}}})
		}
		return list
	}
	queries := []string{"+4915100000001@c.us", "+4915100000003", "+49 151 1", "hello"}
	for _, mode := range []string{"", "lid"} {
		reply := b.grant(d, usyncRequest(byNumber(queries...), stanza.Node{Tag: "contact", Attrs: stanza.Attrs{"addressing_mode": mode}}))
		users := stanza.Children(at(t, reply, "usync", "list"))
		for i, kind := range []string{"in", "out", "out", "invalid"} {
			contact := at(t, &users[i], "contact")
			same(t, queries[i], stanza.Text(contact, "type"), kind)
			same(t, "the echo", string(stanza.Bytes(contact)), queries[i])
		}
		want := alice.PN
		if mode == "lid" {
			want = alice.LID
			same(t, "pn_jid", users[0].Attrs["pn_jid"].(types.JID), alice.PN)
		}
		same(t, "the JID", users[0].Attrs["jid"].(types.JID), want)
		same(t, "an unknown JID", users[1].Attrs["jid"].(types.JID).User, "4915100000003")
		if users[3].Attrs["jid"] != nil {
			t.Errorf("nonsense has JID %v", users[3].Attrs["jid"])
		}
	}
}

func TestUsyncRespectsPrivacy(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d := b.companion(alice)
	if _, err := b.media.SetPicture(bob.LID.String(), picture(t)); err != nil {
		t.Fatal(err)
	}
	look := func() (status, pictures bool) {
		reply := b.grant(d, usyncRequest(userNodes(bob.LID), stanza.Node{Tag: "status"}, stanza.Node{Tag: "picture"}))
		user := at(t, reply, "usync", "list", "user")
		return stanza.Text(at(t, user, "status"), "code") == "", stanza.Child(user, "picture") != nil
	}
	for _, test := range []struct {
		value string
		knows bool
		want  bool
	}{{"all", false, true}, {"contacts", false, false}, {"contacts", true, true}, {"none", true, false}} {
		bob.Privacy["status"], bob.Privacy["profile"] = test.value, test.value
		bob.Contacts[alice.LID.User] = test.knows
		status, pictures := look()
		same(t, "status under "+test.value, status, test.want)
		same(t, "picture under "+test.value, pictures, test.want)
	}
	bob.Privacy["status"], bob.Privacy["profile"] = "all", "all"
	bob.Blocked[alice.LID.User] = testNow
	if status, pictures := look(); status || pictures {
		t.Error("the blocked see status or picture")
	}
}

func TestUsyncRefusals(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	b.refuse(d, request("get", "usync"), 501)
	b.refuse(d, request("get", "usync", stanza.Node{Tag: "usync"}), 400)
	b.refuse(d, usyncRequest(nil, stanza.Node{Tag: "bot"}), 501)
	same(t, "what was recorded", b.Stats().Unknown[0], "iq:usync:get")
}
