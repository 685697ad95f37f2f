package service

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// pictureRequest is an iq about a picture; an empty target is oneself.
func pictureRequest(kind string, target types.JID, content ...stanza.Node) stanza.Node {
	iq := request(kind, "w:profile:picture", content...)
	if !target.IsEmpty() {
		iq.Attrs["target"] = target
	}
	return iq
}

func newPicture(content []byte) stanza.Node {
	return stanza.Node{Tag: "picture", Attrs: stanza.Attrs{"type": "image"}, Content: content}
}

func askPicture(attrs stanza.Attrs) stanza.Node {
	attrs["query"] = "url"
	return stanza.Node{Tag: "picture", Attrs: attrs}
}

func TestOwnPicture(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, sibling, friend := b.companion(alice), b.companion(alice), b.companion(bob)
	b.group(alice, bob)
	get := func(target types.JID, attrs stanza.Attrs) stanza.Node {
		return pictureRequest("get", target, askPicture(attrs))
	}
	b.refuse(friend, get(alice.PN, stanza.Attrs{"type": "image"}), 404)
	b.refuse(d, pictureRequest("set", types.EmptyJID, newPicture([]byte("no picture"))), 406)

	id := stanza.Text(at(t, b.grant(d, pictureRequest("set", types.EmptyJID, newPicture(picture(t)))), "picture"), "id")
	for _, to := range []*Device{sibling, friend} {
		set := at(t, b.notified(to, "picture"), "set")
		same(t, "the id", stanza.Text(set, "id"), id)
		same(t, "whose it is", set.Attrs["jid"].(types.JID), alice.PN)
	}
	for _, kind := range []string{"image", "preview"} {
		got := at(t, b.grant(friend, get(alice.LID, stanza.Attrs{"type": kind})), "picture")
		same(t, "the id", stanza.Text(got, "id"), id)
		same(t, "the kind", stanza.Text(got, "type"), kind)
		path := stanza.Text(got, "direct_path")
		same(t, "the URL", stanza.Text(got, "url"), "http://media.test:80"+path)
		if _, ok := b.media.Get(path); !ok {
			t.Errorf("%s is not there", path)
		}
	}
	same(t, "the answer to who has it", len(stanza.Children(b.grant(friend, get(alice.LID, stanza.Attrs{"id": id})))), 0)
	at(t, b.grant(d, get(types.EmptyJID, stanza.Attrs{})), "picture")

	alice.Privacy["profile"] = "none"
	b.refuse(friend, get(alice.PN, stanza.Attrs{}), 401)
	b.grant(d, pictureRequest("set", alice.PN))
	at(t, b.notified(sibling, "picture"), "delete")
	if list := b.sent(friend); len(list) != 0 {
		t.Errorf("who may not see it was told %v", list)
	}
	b.refuse(d, pictureRequest("set", bob.PN, newPicture(picture(t))), 403)
	b.refuse(d, get(types.NewJID("1", types.DefaultUserServer), stanza.Attrs{}), 404)
	b.refuse(d, pictureRequest("get", bob.PN), 501)
}

func TestGroupPicture(t *testing.T) {
	b := newBench(t)
	alice, bob, eve := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"}),
		b.phone(PhoneOptions{Number: "4915100000003"})
	admin, member, outsider := b.companion(alice), b.companion(bob), b.companion(eve)
	g := b.group(alice, bob)
	set := pictureRequest("set", g.JID, newPicture(picture(t)))
	b.refuse(outsider, set, 403)
	at(t, b.grant(member, set), "picture")
	for _, to := range []*Device{admin, member} {
		note := b.notified(to, "picture")
		same(t, "the sender", note.Attrs["from"].(types.JID), g.JID)
		same(t, "the author", at(t, note, "set").Attrs["author"].(types.JID), bob.LID)
	}
	get := func(attrs stanza.Attrs) stanza.Node { return pictureRequest("get", g.JID, askPicture(attrs)) }
	at(t, b.grant(admin, get(stanza.Attrs{})), "picture")
	b.refuse(outsider, get(stanza.Attrs{}), 401)
	b.refuse(outsider, get(stanza.Attrs{"invite": "wrong"}), 401)
	if g.InviteCode != "" {
		at(t, b.grant(outsider, get(stanza.Attrs{"invite": g.InviteCode})), "picture")
	}

	if _, refusal := b.groups.SetLocked(alice.person(), g.JID, true); refusal != nil {
		t.Fatal(refusal)
	}
	b.refuse(member, set, 403)
	b.grant(admin, pictureRequest("set", g.JID))
	at(t, b.notified(member, "picture"), "delete")
	b.refuse(admin, get(stanza.Attrs{}), 404)
	gone := types.NewJID("1", types.GroupServer)
	b.refuse(admin, pictureRequest("set", gone, newPicture(picture(t))), 404)
	b.refuse(admin, pictureRequest("get", gone, askPicture(stanza.Attrs{})), 404)
}

func TestCommunityPicture(t *testing.T) {
	b := newBench(t)
	alice, eve := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000003"})
	d, outsider := b.companion(alice), b.companion(eve)
	g := b.group(alice)
	ask := func(attrs stanza.Attrs) stanza.Node {
		attrs["parent_group_jid"] = g.JID
		iq := request("get", "w:g2", stanza.Node{Tag: "pictures", Content: []stanza.Node{askPicture(attrs)}})
		iq.Attrs["to"] = g.JID
		return iq
	}
	same(t, "the status without one", stanza.Text(at(t, b.grant(d, ask(stanza.Attrs{})), "pictures", "picture"), "status"), "204")
	stored, err := b.media.SetPicture(g.JID.String(), picture(t))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the id", stanza.Text(at(t, b.grant(d, ask(stanza.Attrs{})), "pictures", "picture"), "id"), stored.ID)
	same(t, "the status of the same",
		stanza.Text(at(t, b.grant(d, ask(stanza.Attrs{"id": stored.ID})), "pictures", "picture"), "status"), "304")
	b.refuse(outsider, ask(stanza.Attrs{}), 401)
	b.refuse(d, request("get", "w:g2", stanza.Node{Tag: "pictures"}), 400)
}
