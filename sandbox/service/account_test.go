package service

import (
	"bytes"
	"image"
	"image/jpeg"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// picture is a JPEG image.
func picture(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// group makes a group of accounts, the first its creator.
func (b *bench) group(people ...*Account) *group.Group {
	b.t.Helper()
	req := group.CreateRequest{Subject: "Group"}
	for _, a := range people[1:] {
		req.Participants = append(req.Participants, a.LID)
	}
	g, _, _, refusal := b.groups.Create(people[0].person(), req)
	if refusal != nil {
		b.t.Fatal(refusal)
	}
	return g
}

func TestPrivacySettings(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	d, sibling := b.companion(alice), b.companion(alice)
	set := func(name, value string) stanza.Node {
		return request("set", "privacy", stanza.Node{Tag: "privacy", Content: []stanza.Node{privacyCategory(name, value)}})
	}
	get := request("get", "privacy", stanza.Node{Tag: "privacy"})
	same(t, "the number of categories", len(stanza.Children(at(t, b.grant(d, get), "privacy"), "category")), len(privacyValues))
	for _, category := range privacyValues {
		for _, value := range category.values {
			b.grant(d, set(category.name, value))
			same(t, category.name, alice.Privacy[category.name], value)
			change := at(t, b.notified(sibling, "account_sync"), "privacy", "category")
			same(t, "the change", stanza.Text(change, "value"), value)
		}
		b.refuse(d, set(category.name, "nonsense"), 400)
	}
	if list := b.sent(d); len(list) != 0 {
		t.Errorf("the device that changed it was told: %v", list)
	}
	b.refuse(d, set("nonsense", "all"), 400)
	b.refuse(d, set(timerSetting, "all"), 400)
	b.refuse(d, request("set", "privacy", stanza.Node{Tag: "privacy"}), 400)
	b.refuse(d, request("set", "privacy"), 501)
	b.refuse(d, request("get", "privacy"), 501)
}

func TestPrivacyTokens(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, to := b.companion(alice), b.companion(bob)
	issue := func(attrs stanza.Attrs) stanza.Node {
		return request("set", "privacy", stanza.Node{Tag: "tokens", Content: []stanza.Node{{Tag: "token", Attrs: attrs}}})
	}
	b.grant(d, issue(stanza.Attrs{"jid": bob.LID, "t": "1700000000", "type": "trusted_contact"}))
	note := b.notified(to, "privacy_token")
	same(t, "the issuer", note.Attrs["from"].(types.JID), alice.PN)
	same(t, "the issuer's LID", note.Attrs["sender_lid"].(types.JID), alice.LID)
	token := at(t, note, "tokens", "token")
	same(t, "the time", stanza.Text(token, "t"), "1700000000")
	same(t, "the token's length", len(token.Content.([]byte)), privacyTokenSize)

	bob.Blocked[alice.LID.User] = testNow
	b.grant(d, issue(stanza.Attrs{"jid": bob.LID, "t": "1700000000", "type": "trusted_contact"}))
	if list := b.sent(to); len(list) != 0 {
		t.Errorf("a blocked issuer's token arrived: %v", list)
	}
	b.refuse(d, issue(stanza.Attrs{"jid": bob.LID, "type": "trusted_contact"}), 400)
	b.refuse(d, issue(stanza.Attrs{"jid": bob.LID, "t": "1", "type": "else"}), 400)
	b.refuse(d, request("set", "privacy", stanza.Node{Tag: "tokens"}), 400)
}

func TestBlocklist(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, sibling := b.companion(alice), b.companion(alice)
	set := func(jid types.JID, action string) stanza.Node {
		return request("set", "blocklist", stanza.Node{Tag: "item", Attrs: stanza.Attrs{"jid": jid, "action": action}})
	}
	empty := at(t, b.grant(d, request("get", "blocklist")), "list")
	list := at(t, b.grant(d, set(bob.LID, "block")), "list")
	same(t, "who is blocked", at(t, list, "item").Attrs["jid"].(types.JID), bob.LID)
	change := at(t, b.notified(sibling, "account_sync"), "blocklist")
	same(t, "the hash before", stanza.Text(change, "prev_dhash"), stanza.Text(empty, "dhash"))
	same(t, "the hash after", stanza.Text(change, "dhash"), stanza.Text(list, "dhash"))
	same(t, "the action", stanza.Text(at(t, change, "item"), "action"), "block")
	b.grant(d, set(bob.PN, "block"))
	if told := b.sent(sibling); len(told) != 0 {
		t.Errorf("nothing changed, yet the sibling was told %v", told)
	}
	after := at(t, b.grant(d, set(bob.PN, "unblock")), "list")
	same(t, "the hash", stanza.Text(after, "dhash"), stanza.Text(empty, "dhash"))
	same(t, "the number of items", len(stanza.Children(after)), 0)
	b.refuse(d, set(alice.LID, "block"), 406)
	b.refuse(d, set(types.NewJID("1", types.HiddenUserServer), "block"), 404)
	b.refuse(d, set(bob.LID, "kick"), 400)
	b.refuse(d, request("set", "blocklist"), 501)
}

func TestDefaultTimer(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	d, sibling := b.companion(alice), b.companion(alice)
	set := func(seconds string) stanza.Node {
		return request("set", "disappearing_mode", stanza.Node{Tag: "disappearing_mode", Attrs: stanza.Attrs{"duration": seconds}})
	}
	b.grant(d, set("86400"))
	mode := at(t, b.notified(sibling, "account_sync"), "disappearing_mode")
	same(t, "the timer", stanza.Text(mode, "duration"), "86400")
	same(t, "when it was set", stanza.Text(mode, "t"), "1800000000")
	same(t, "the account's", alice.defaultTimer(), timer{86400, testNow.Unix()})
	b.refuse(d, set("17"), 400)
	b.refuse(d, set(""), 400)
	b.refuse(d, request("set", "disappearing_mode"), 501)
}

func TestAbout(t *testing.T) {
	b := newBench(t)
	alice, bob := b.phone(PhoneOptions{Number: "4915100000001"}), b.phone(PhoneOptions{Number: "4915100000002"})
	d, sibling, friend := b.companion(alice), b.companion(alice), b.companion(bob)
	b.group(alice, bob)
	b.grant(d, request("set", "status", stanza.Node{Tag: "status", Content: []byte("Busy")}))
	for _, to := range []*Device{sibling, friend} {
		note := b.notified(to, "status")
		same(t, "the text", string(at(t, note, "set").Content.([]byte)), "Busy")
	}
	alice.Privacy["status"] = "none"
	mex := func(id, body string) stanza.Node {
		return request("get", "w:mex", stanza.Node{Tag: "query", Attrs: stanza.Attrs{"query_id": id}, Content: []byte(body)})
	}
	b.grant(d, mex("9152604461510864", `{"variables":{"input":{"text":"Away","ephemeral_duration_sec":0}}}`))
	same(t, "the text", alice.About, "Away")
	if list := b.sent(friend); len(list) != 0 {
		t.Errorf("a hidden text was announced: %v", list)
	}
	b.refuse(d, request("set", "status", stanza.Node{Tag: "status", Content: []byte(strings.Repeat("x", maxAbout+1))}), 406)
	b.refuse(d, request("set", "status"), 501)
	refusal := string(stanza.Bytes(at(t, b.grant(d, mex("9152604461510864", `{}`)), "result")))
	if !strings.Contains(refusal, `"error_code":400`) {
		t.Errorf("without a text: %s", refusal)
	}
	list := at(t, b.grant(d, request("get", "status", stanza.Node{Tag: "privacy"})), "privacy", "list")
	same(t, "the audience", stanza.Text(list, "type"), "contacts")
	b.refuse(d, request("get", "status"), 501)
}

func TestMex(t *testing.T) {
	b := newBench(t)
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	ask := func(id, body string) stanza.Node {
		return request("get", "w:mex", stanza.Node{Tag: "query", Attrs: stanza.Attrs{"query_id": id}, Content: []byte(body)})
	}
	for id, want := range map[string]string{
		"6388546374527196":  `{"data":{"xwa2_newsletter_subscribed":[]}}`,
		"23983697327930364": `"is_active":false`,
		"24503548349331633": `"capping_status":"NONE"`,
		"6563316087068696":  `"error_code":404`,
	} {
		reply := b.grant(d, ask(id, `{"variables":{}}`))
		if got := string(at(t, reply, "result").Content.([]byte)); !strings.Contains(got, want) {
			t.Errorf("%s is answered %s, want %s in it", id, got, want)
		}
	}
	b.refuse(d, ask("1", `{"variables":{}}`), 501)
	b.refuse(d, ask("6388546374527196", `{`), 400)
	b.refuse(d, request("get", "w:mex"), 400)
	same(t, "what was recorded", strings.Join(b.Stats().Unknown, " "), "iq:w:mex:get:query")
}

func TestSmallAnswers(t *testing.T) {
	b := newBench(t)
	shop := b.phone(PhoneOptions{Number: "4915100000002", Business: true})
	d := b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	for _, iq := range []stanza.Node{
		request("get", "w:p"), request("get", "w:p", stanza.Node{Tag: "ping"}),
		request("set", "passive", stanza.Node{Tag: "active"}), request("set", "passive", stanza.Node{Tag: "passive"}),
		request("set", "urn:xmpp:whatsapp:dirty", stanza.Node{Tag: "clean"}), request("set", "urn:xmpp:whatsapp:push"),
		request("", "w:stats", stanza.Node{Tag: "add"}),
	} {
		if reply := b.grant(d, iq); len(stanza.Children(reply)) != 0 {
			t.Errorf("%s is answered %s", iq.String(), reply.String())
		}
	}
	conn := at(t, b.grant(d, request("set", "w:m", stanza.Node{Tag: "media_conn"})), "media_conn")
	for _, name := range []string{"auth", "ttl", "auth_ttl", "max_buckets"} {
		if stanza.Text(conn, name) == "" {
			t.Errorf("media_conn has no %s", name)
		}
	}
	same(t, "the host", stanza.Text(at(t, conn, "host"), "hostname"), "media.test:80")

	props := at(t, b.grant(d, request("get", "abt", stanza.Node{Tag: "props"})), "props")
	hash := stanza.Text(props, "hash")
	same(t, "a setting", stanza.Text(at(t, props, "prop"), "config_code"), "10518")
	known := at(t, b.grant(d, request("get", "abt", stanza.Node{Tag: "props", Attrs: stanza.Attrs{"hash": hash}})), "props")
	same(t, "the settings for who has them", len(stanza.Children(known)), 0)
	old := at(t, b.grant(d, request("get", "w", stanza.Node{Tag: "props"})), "props")
	same(t, "a setting", stanza.Text(at(t, old, "prop"), "name"), "10518")

	profile := func(jid types.JID) stanza.Node {
		return request("get", "w:biz", stanza.Node{Tag: "business_profile", Content: []stanza.Node{{Tag: "profile", Attrs: stanza.Attrs{"jid": jid}}}})
	}
	at(t, b.grant(d, profile(shop.PN)), "business_profile", "profile", "description")
	plain := at(t, b.grant(d, profile(d.Account.PN)), "business_profile", "profile")
	same(t, "the profile of no business", len(stanza.Children(plain)), 0)
	for _, xmlns := range []string{"w:m", "abt", "w:biz"} {
		b.refuse(d, request("get", xmlns, stanza.Node{Tag: "else"}), 501)
	}
	b.refuse(d, request("get", "w:biz", stanza.Node{Tag: "business_profile"}), 400)
	b.refuse(d, request("set", "passive"), 501)
}
