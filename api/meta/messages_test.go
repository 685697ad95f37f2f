package meta_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
	"muster/sandbox/phone"
)

// send sends a message to a group and returns its id.
func (r *rig) send(t testing.TB, name, jid string, fields object) string {
	t.Helper()
	body := whatsapp(object{"recipient_type": "group", "to": id(jid)})
	for field, value := range fields {
		body[field] = value
	}
	x := r.call(http.MethodPost, business+"/messages", body)
	if name != "" {
		r.golden().Exchange(t, "messages/"+name, x)
	}
	return sentID(t, x)
}

func sentID(t testing.TB, x apptest.Exchange) string {
	t.Helper()
	var answer struct {
		Contacts []struct{ Input, WaID string }
		Messages []struct{ ID string }
	}
	x.Want(t, http.StatusOK).Decode(t, &answer)
	if len(answer.Messages) != 1 || len(answer.Contacts) != 1 {
		t.Fatalf("the answer is %s", x.Answer)
	}
	return answer.Messages[0].ID
}

// gets waits until a phone has got a message that fits.
func (r *rig) gets(t testing.TB, number, what string, fits func(sandbox.Received) bool) sandbox.Received {
	t.Helper()
	var found sandbox.Received
	apptest.Eventually(t, what, func() bool {
		inbox, err := r.line.WA.Inbox(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inbox {
			if fits(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// TestMessages sends each type that Meta's groups take, and each that they do
// not.
func TestMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann, bob)
	jid := r.group(sandbox.GroupOptions{Name: "Talk", Participants: []string{ann}})
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture(t, 300, 300)) }))
	t.Cleanup(files.Close)

	t.Run("text", func(t *testing.T) {
		r := r.with(t)
		first := r.send(t, "text", jid, object{"type": "text", "text": object{"body": "Hello", "preview_url": true}})
		r.gets(t, ann, "the text", func(m sandbox.Received) bool { return m.Text == "Hello" })
		r.send(t, "text-reply", jid, object{"type": "text", "text": object{"body": "Again"}, "context": object{"message_id": first}})
		r.gets(t, ann, "the reply", func(m sandbox.Received) bool {
			return m.Text == "Again" && m.Content.Quoted != nil && m.Content.Quoted.Text == "Hello"
		})
	})
	t.Run("media", func(t *testing.T) { testMedia(t, r.with(t), jid, files.URL) })
	t.Run("location, contacts, reaction", func(t *testing.T) {
		r := r.with(t)
		r.send(t, "location", jid, object{"type": "location", "location": object{"latitude": "52.5", "longitude": 13.4, "name": "Berlin"}})
		r.gets(t, ann, "the location", func(m sandbox.Received) bool { return m.Content.Location != nil && m.Content.Location.Name == "Berlin" })
		r.send(t, "contacts", jid, object{"type": "contacts", "contacts": []object{{
			"name": object{"formatted_name": "Bob B"}, "phones": []object{{"phone": "+" + bob, "wa_id": bob}},
		}}})
		r.gets(t, ann, "the contact", func(m sandbox.Received) bool {
			return len(m.Content.Contacts) == 1 && m.Content.Contacts[0].Name == "Bob B"
		})
		liked := r.send(t, "", jid, object{"text": object{"body": "like me"}})
		r.send(t, "reaction", jid, object{"type": "reaction", "reaction": object{"message_id": liked, "emoji": "👍"}})
		r.gets(t, ann, "the reaction", func(m sandbox.Received) bool { return m.Kind == phone.KindReaction && m.Content.Text == "👍" })
	})
	t.Run("templates", func(t *testing.T) { testTemplates(t, r.with(t), jid, files.URL) })
	t.Run("pin", func(t *testing.T) { testPins(t, r.with(t), jid) })
	t.Run("recipient_type has to fit", func(t *testing.T) {
		r := r.with(t)
		text := object{"type": "text", "text": object{"body": "x"}}
		for name, fields := range map[string]object{
			"group-as-individual": {"to": id(jid)},
			"person-as-group":     {"to": ann, "recipient_type": "group"},
			"unknown-kind":        {"to": ann, "recipient_type": "broadcast"},
		} {
			body := whatsapp(text)
			for field, value := range fields {
				body[field] = value
			}
			r.refused(t, "message-"+name, r.call(http.MethodPost, business+"/messages", body), 400, 100)
		}
	})
	t.Run("unsupported", func(t *testing.T) {
		r := r.with(t)
		for _, kind := range []string{"interactive", "order", "edit", "call"} {
			x := r.call(http.MethodPost, business+"/messages", whatsapp(object{"recipient_type": "group", "to": id(jid), "type": kind}))
			var answer struct{ Error struct{ Code int } }
			if x.Want(t, 400).Decode(t, &answer); answer.Error.Code != 131051 {
				t.Errorf("%s: %s", kind, x.Answer)
			}
		}
		r.refused(t, "mark-as-read", r.line.Send(t, apptest.JSON(http.MethodPost, version+business+"/messages", r.header(),
			whatsapp(object{"status": "read", "message_id": "wamid.x"}))), 400, 131051)
	})
	t.Run("person", func(t *testing.T) {
		r := r.with(t)
		x := r.call(http.MethodPost, business+"/messages", whatsapp(object{"to": "+" + bob, "type": "text", "text": object{"body": "Just you"}}))
		r.golden().Exchange(t, "messages/person", x.Want(t, http.StatusOK))
		r.gets(t, bob, "the text", func(m sandbox.Received) bool { return m.Text == "Just you" })
	})
}

func testMedia(t *testing.T, r *rig, jid, link string) {
	r.send(t, "", jid, object{"type": "image", "image": object{"link": link + "/a.jpg", "caption": "By link"}})
	r.gets(t, ann, "the image", func(m sandbox.Received) bool { return m.Kind == phone.KindImage && m.Content.Text == "By link" })

	up := r.form(business+"/media", map[string]string{"messaging_product": "whatsapp", "type": "image/jpeg"}, "file", "image/jpeg", picture(t, 250, 250))
	var file struct{ ID string }
	up.Want(t, http.StatusOK).Decode(t, &file)
	r.golden().Exchange(t, "messages/upload", up)
	r.send(t, "image-by-id", jid, object{"type": "image", "image": object{"id": file.ID, "caption": "By id"}})
	r.gets(t, ann, "the uploaded image", func(m sandbox.Received) bool { return m.Kind == phone.KindImage && m.Content.Text == "By id" })
	r.send(t, "document-by-id", jid, object{"type": "document", "document": object{"id": file.ID, "filename": "a.jpg"}})
	r.gets(t, ann, "the document", func(m sandbox.Received) bool {
		return m.Kind == phone.KindDocument && m.Content.Media.FileName == "a.jpg"
	})
	info := r.call(http.MethodGet, file.ID, nil).Want(t, http.StatusOK)
	r.golden().Exchange(t, "messages/media-info", info)
	if got := r.fetch(t, info); !bytes.Equal(got, picture(t, 250, 250)) {
		t.Errorf("the download has %d bytes", len(got))
	}
	r.call(http.MethodDelete, file.ID, nil).Want(t, http.StatusOK)
	r.refused(t, "media-gone", r.call(http.MethodGet, file.ID, nil), 404, 100)
	r.refused(t, "media-gone-to-send", r.call(http.MethodPost, business+"/messages",
		whatsapp(object{"recipient_type": "group", "to": id(jid), "type": "image", "image": object{"id": file.ID}})), 400, 100)
	r.refused(t, "media-is-no-image", r.form(business+"/media", map[string]string{"messaging_product": "whatsapp", "type": "image/jpeg"}, "file", "image/jpeg", []byte("text")), 400, 131053)
}

// fetch downloads the file that an answer tells of.
func (r *rig) fetch(t testing.TB, info apptest.Exchange) []byte {
	t.Helper()
	var answer struct{ URL string }
	info.Decode(t, &answer)
	x := r.line.Send(t, apptest.Exchange{Method: http.MethodGet, Path: r.below(answer.URL), Header: r.header()}).Want(t, http.StatusOK)
	if x.Answered.Get("Content-Disposition") != "attachment" || x.Answered.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a stranger's file is answered with %v", x.Answered)
	}
	return x.Answer
}

func testTemplates(t *testing.T, r *rig, jid, link string) {
	invite := object{"name": "group_invite_link", "language": object{"code": "en_US"}, "components": []object{
		{"type": "body", "parameters": []object{{"type": "group_id", "group_id": id(jid)}}},
	}}
	x := r.call(http.MethodPost, business+"/messages", whatsapp(object{"to": bob, "type": "template", "template": invite}))
	r.golden().Exchange(t, "messages/template-invite", x.Want(t, http.StatusOK))
	r.gets(t, bob, "the invitation", func(m sandbox.Received) bool { return strings.HasSuffix(m.Text, r.link(id(jid))) })

	create := r.call(http.MethodPost, business+"/message_templates", object{
		"name": "test_template", "category": "UTILITY", "language": "en_US", "library_template_name": "group_invite_link",
	})
	r.golden().Exchange(t, "messages/template-create", create.Want(t, http.StatusOK))
	rich := object{"name": "rich", "category": "MARKETING", "language": "en", "components": []object{
		{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Hi {{name}}, see {{what}}."}, {"type": "FOOTER", "text": "Bye"},
		{"type": "BUTTONS", "buttons": []object{{"type": "URL", "text": "Open", "url": "https://example.com/{{1}}"}}},
	}}
	r.call(http.MethodPost, business+"/message_templates", rich).Want(t, http.StatusOK)
	r.golden().Exchange(t, "messages/template-list", r.call(http.MethodGet, business+"/message_templates", nil).Want(t, http.StatusOK))
	r.send(t, "template-rich", jid, object{"type": "template", "template": object{
		"name": "rich", "language": object{"code": "en"}, "components": []object{
			{"type": "header", "parameters": []object{{"type": "image", "image": object{"link": link}}}},
			{"type": "body", "parameters": []object{
				{"type": "text", "parameter_name": "what", "text": "this"}, {"type": "text", "parameter_name": "name", "text": "Ann"},
			}},
			{"type": "button", "sub_type": "url", "index": "0", "parameters": []object{{"type": "text", "text": "x"}}},
		},
	}})
	r.gets(t, ann, "the rich template", func(m sandbox.Received) bool {
		return m.Kind == phone.KindImage && m.Content.Text == "Hi Ann, see this.\n\nBye\n\nOpen: https://example.com/x"
	})
	group := object{"recipient_type": "group", "to": id(jid), "type": "template"}
	for name, row := range map[string]struct {
		template     object
		status, code int
	}{
		"unknown":    {object{"name": "none", "language": object{"code": "en"}}, 404, 132001},
		"parameters": {object{"name": "rich", "language": object{"code": "en"}}, 400, 132000},
		"language":   {object{"name": "rich", "language": object{"code": "de"}}, 404, 132001},
	} {
		body := whatsapp(group)
		body["template"] = row.template
		r.refused(t, "template-"+name, r.call(http.MethodPost, business+"/messages", body), row.status, row.code)
	}
	for name, fields := range map[string]object{
		"twice":    rich,
		"name":     {"name": "With Spaces", "category": "UTILITY", "language": "en"},
		"category": {"name": "a", "category": "AUTHENTICATION", "language": "en"},
		"library":  {"name": "a", "category": "UTILITY", "language": "en", "library_template_name": "other"},
		"buttons": {"name": "a", "category": "UTILITY", "language": "en", "components": []object{
			{"type": "BODY", "text": "x"}, {"type": "BUTTONS", "buttons": []object{{"type": "QUICK_REPLY", "text": "Yes"}}},
		}},
	} {
		r.refused(t, "create-template-"+name, r.line.Send(t, apptest.JSON(http.MethodPost, version+business+"/message_templates", r.header(), fields)), 400, 100)
	}
	r.call(http.MethodDelete, business+"/message_templates?name=rich", nil).Want(t, http.StatusOK)
	r.refused(t, "template-deleted", r.call(http.MethodDelete, business+"/message_templates?name=rich", nil), 404, 100)
}

func testPins(t *testing.T, r *rig, jid string) {
	pin := func(message string, days any) apptest.Exchange {
		return r.call(http.MethodPost, business+"/messages", whatsapp(object{
			"recipient_type": "group", "to": id(jid), "type": "pin", "pin": object{"type": "pin", "message_id": message, "expiration_days": days},
		}))
	}
	var sent []string
	for _, text := range []string{"one", "two", "three", "four"} {
		sent = append(sent, r.send(t, "", jid, object{"text": object{"body": text}}))
	}
	raw := func(text string) string {
		return r.gets(t, ann, text, func(m sandbox.Received) bool { return m.Text == text }).ID
	}
	x := pin(sent[0], 5)
	r.golden().Exchange(t, "messages/pin", x.Want(t, http.StatusOK))
	r.gets(t, ann, "a pin of the next longer length", func(m sandbox.Received) bool {
		return m.Content.Pin != nil && m.Content.Pin.Seconds == 7*86400 && m.Content.Target.ID == raw("one")
	})
	for _, message := range sent[1:] {
		pin(message, 30).Want(t, http.StatusOK)
	}
	r.gets(t, ann, "the oldest of four pins going", func(m sandbox.Received) bool {
		return m.Content.Pin != nil && m.Content.Pin.Unpin && m.Content.Target.ID == raw("one")
	})
	r.send(t, "unpin", jid, object{"type": "pin", "pin": object{"type": "unpin", "message_id": sent[3]}})
	r.gets(t, ann, "the pin going", func(m sandbox.Received) bool {
		return m.Content.Pin != nil && m.Content.Pin.Unpin && m.Content.Target.ID == raw("four")
	})
	r.refused(t, "pin-without-days", pin(sent[0], nil), 400, 100)
	r.refused(t, "pin-too-long", r.line.Send(t, apptest.JSON(http.MethodPost, version+business+"/messages", r.header(), whatsapp(object{
		"recipient_type": "group", "to": id(jid), "type": "pin", "pin": object{"type": "pin", "message_id": sent[0], "expiration_days": 31},
	}))), 400, 100)
}

// TestMessageWebhooks has a webhook for messages that come in, and for what
// becomes of those that were sent.
func TestMessageWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann, bob)
	jid := r.group(sandbox.GroupOptions{Name: "Heard", Participants: []string{ann}})
	say := func(t *testing.T, c sandbox.Content) string {
		t.Helper()
		sent, err := r.line.WA.Send(ann, jid, sandbox.Outgoing{Content: c})
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	heard := func(t *testing.T, name string, contains ...string) apptest.Delivery {
		t.Helper()
		r := r.with(t)
		d := r.hook.Wait(t, name, func(d apptest.Delivery) bool {
			for _, text := range append(contains, `"field":"messages"`) {
				if !bytes.Contains(d.Body, []byte(text)) {
					return false
				}
			}
			return true
		})
		r.golden().JSON(t, "webhooks/message-"+name, d.Body)
		return d
	}
	t.Run("messages (inbound)", func(t *testing.T) {
		first := say(t, sandbox.Content{Text: "Good morning"})
		r.with(t).sameShape(t, "message_inbound_text", heard(t, "text", `"Good morning"`).Body)
		say(t, sandbox.Content{Text: "An answer", Quoted: &sandbox.Reference{ID: first}})
		heard(t, "reply", `"An answer"`)
		say(t, sandbox.Content{Kind: phone.KindReaction, Text: "🎉", Target: &sandbox.Reference{ID: first}})
		heard(t, "reaction", `"🎉"`)
		say(t, sandbox.Content{Kind: phone.KindLocation, Location: &sandbox.Location{Latitude: 1.5, Longitude: 2.5, Name: "There"}})
		heard(t, "location", `"There"`)
		say(t, sandbox.Content{Kind: phone.KindContact, Contacts: []sandbox.Contact{{Name: "Bob B", VCard: "BEGIN:VCARD\nVERSION:3.0\nFN:Bob B\nTEL;waid=" + bob + ":+" + bob + "\nEND:VCARD"}}})
		heard(t, "contacts", `"Bob B"`)
		say(t, sandbox.Content{Kind: phone.KindPoll, Text: "Which?", Poll: &sandbox.Poll{Options: []string{"a", "b"}}})
		heard(t, "unsupported", `"unsupported"`, `of the kind poll`)
		say(t, sandbox.Content{Kind: phone.KindImage, ViewOnce: true, Media: &sandbox.Media{Data: picture(t, 20, 20), Mimetype: "image/jpeg"}})
		heard(t, "view-once", `"unsupported"`, `seen once`)
	})
	t.Run("messages (inbound) with a file", func(t *testing.T) {
		say(t, sandbox.Content{Kind: phone.KindImage, Text: "Look", Media: &sandbox.Media{Data: picture(t, 30, 30), Mimetype: "image/jpeg"}})
		d := heard(t, "image", `"Look"`)
		var n struct {
			Entry []struct {
				Changes []struct {
					Value struct {
						Messages []struct{ Image struct{ ID string } }
					}
				}
			}
		}
		if err := json.Unmarshal(d.Body, &n); err != nil {
			t.Fatal(err)
		}
		r := r.with(t)
		media := n.Entry[0].Changes[0].Value.Messages[0].Image.ID
		var info apptest.Exchange
		apptest.Eventually(t, "the file", func() bool {
			info = r.call(http.MethodGet, media, nil)
			return info.Status == http.StatusOK
		})
		if got := r.fetch(t, info); !bytes.Equal(got, picture(t, 30, 30)) {
			t.Errorf("the download has %d bytes", len(got))
		}
	})
	t.Run("messages (status)", func(t *testing.T) {
		r := r.with(t)
		sent := r.send(t, "", jid, object{"text": object{"body": "Read me"}})
		heard(t, "sent", sent, `"sent"`)
		r.sameShape(t, "message_status_delivered", heard(t, "delivered", sent, `"delivered"`).Body)
		got := r.gets(t, ann, "the message", func(m sandbox.Received) bool { return m.Text == "Read me" })
		if err := r.line.WA.MarkRead(ann, []string{got.ID}, false); err != nil {
			t.Fatal(err)
		}
		heard(t, "read", sent, `"read"`)
	})
	t.Run("messages (inbound) from a person", func(t *testing.T) {
		if _, err := r.line.WA.SendText(bob, business, "Only you"); err != nil {
			t.Fatal(err)
		}
		heard(t, "person", `"Only you"`)
	})
}

// A file of another account cannot be had, however its id is made.
func TestFilesOfOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, id := range []string{"nonsense", "Y2FwaV9tZAWRpYToxOjE6MQZDZD"} {
		x := r.line.Send(t, apptest.JSON(http.MethodGet, version+"media/"+id, r.header(), nil))
		if x.Status < 400 || x.Status > 404 {
			t.Errorf("the file %s: %d %s", id, x.Status, x.Answer)
		}
	}
}
