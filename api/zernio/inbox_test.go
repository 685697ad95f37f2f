package zernio_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// TestInbox has a test for each row of Zernio's messaging.
func TestInbox(t *testing.T) {
	t.Parallel()
	shared := newRig(t)
	for _, row := range []struct {
		name string
		test func(r *rig) apptest.Exchange
	}{
		{"sendInboxMessage text", sendText}, {"sendInboxMessage reply", sendReply}, {"sendInboxMessage attachment", sendAttachment},
		{"sendInboxMessage buttons", sendButtons}, {"sendInboxMessage location", sendLocation}, {"sendInboxMessage contacts", sendContacts},
		{"getInboxConversationMessages", listMessages}, {"getInboxConversation", getConversation},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := shared.with(t)
			r.check(golden(r), "inbox/"+strings.ReplaceAll(row.name, " ", "-"), row.test(r))
		})
	}
}

func (r *rig) send(id string, message object) apptest.Exchange {
	r.t.Helper()
	message["accountId"] = r.Session
	return r.call(http.MethodPost, chats+"/"+id+"/messages", message).Want(r.t, http.StatusOK)
}

// sendText: a new group can be written to by its own id.
func sendText(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Text", ann)
	x := r.send(id, object{"message": "Hello team!", "linkPreview": false})
	heard := r.hears(ann, "the text", func(m sandbox.Received) bool { return m.Text == "Hello team!" })
	if heard.ID != text(r.t, x, "data", "messageId") || heard.Chat != jid || text(r.t, x, "data", "conversationId") != id {
		r.t.Errorf("heard %+v, answered %s", heard, x.Answer)
	}
	// And so can a person, by the number.
	r.send("+"+bob, object{"message": "Hello Bob!"})
	r.hears(bob, "the text", func(m sandbox.Received) bool { return m.Text == "Hello Bob!" })
	return x
}

func sendReply(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Reply", ann)
	question, err := r.WA.SendText(ann, jid.String(), "When?")
	if err != nil {
		r.t.Fatal(err)
	}
	r.said(id, 1)
	x := r.send(id, object{"message": "Now", "replyTo": question})
	heard := r.hears(ann, "the answer", func(m sandbox.Received) bool { return m.Text == "Now" })
	if heard.Content.Quoted == nil || heard.Content.Quoted.ID != question {
		r.t.Errorf("the answer is to %+v", heard.Content.Quoted)
	}
	return x
}

func sendAttachment(r *rig) apptest.Exchange {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		r.t.Fatal(err)
	}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if strings.HasSuffix(request.URL.Path, ".png") {
			_, _ = w.Write(picture.Bytes())
			return
		}
		_, _ = w.Write([]byte("%PDF-1.7\n"))
	}))
	r.t.Cleanup(files.Close)
	id, _ := r.makeWith("Attachment", ann)
	r.send(id, object{"attachmentUrl": files.URL + "/report", "attachmentName": "Report.pdf", "message": "See this"})
	document := r.hears(ann, "the file", func(m sandbox.Received) bool { return m.Kind == "document" })
	if document.Content.Media.FileName != "Report.pdf" || document.Content.Text != "See this" {
		r.t.Errorf("the file is %+v", document.Content)
	}
	x := r.send(id, object{"attachmentUrl": files.URL + "/picture.png", "attachmentType": "image", "message": "A picture", "voiceNote": true})
	r.hears(ann, "the picture", func(m sandbox.Received) bool { return m.Kind == "image" && m.Content.Text == "A picture" })

	// What the inbox has of it can be fetched where it says.
	list := field(r.t, r.said(id, 2), "messages").([]any)
	sent := list[1].(object)["attachments"].([]any)[0].(object)
	address, _ := sent["url"].(string)
	file := r.Send(r.t, apptest.Exchange{Method: http.MethodGet, Path: strings.TrimPrefix(address, r.URL), Header: r.header()}).Want(r.t, http.StatusOK)
	if sent["type"] != "image" || !bytes.Equal(file.Answer, picture.Bytes()) || file.Answered.Get("Content-Type") != "image/png" {
		r.t.Errorf("%v is %d bytes of %v", sent, len(file.Answer), file.Answered)
	}
	return x
}

func sendButtons(r *rig) apptest.Exchange {
	id, _ := r.makeWith("Buttons", ann)
	x := r.send(id, object{"message": "Coming?", "linkPreview": true, "buttons": []object{
		{"type": "postback", "title": "Yes", "payload": "y"}, {"type": "url", "title": "The plan", "url": "https://example.com/plan"},
		{"type": "phone", "title": "Call", "phone": "+628111000001"},
	}})
	r.hears(ann, "the choice", func(m sandbox.Received) bool {
		return m.Text == "Coming?\n\n▸ Yes\n▸ The plan: https://example.com/plan\n▸ Call: +628111000001"
	})
	r.send(id, object{"quickReplies": []object{{"title": "Left", "payload": "l"}, {"title": "Right", "payload": "r"}}, "message": "Where?"})
	r.hears(ann, "the replies", func(m sandbox.Received) bool { return m.Text == "Where?\n\n▸ Left\n▸ Right" })
	return x
}

func sendLocation(r *rig) apptest.Exchange {
	id, _ := r.makeWith("Location", ann)
	x := r.send(id, object{"location": object{"latitude": -6.2, "longitude": 106.8, "name": "Office", "address": "Street 1"}})
	r.hears(ann, "the place", func(m sandbox.Received) bool {
		return m.Kind == "location" && m.Content.Location.Latitude == -6.2 && m.Content.Location.Name == "Office"
	})
	return x
}

func sendContacts(r *rig) apptest.Exchange {
	id, _ := r.makeWith("Contacts", ann)
	x := r.send(id, object{"contacts": []object{{
		"name": object{"formatted_name": "Bob Builder", "first_name": "Bob"}, "phones": []object{{"phone": "+" + bob, "type": "CELL"}},
	}}})
	r.hears(ann, "the card", func(m sandbox.Received) bool {
		return m.Kind == "contact" && m.Content.Contacts[0].Name == "Bob Builder"
	})
	return x
}

func listMessages(r *rig) apptest.Exchange {
	id, jid := r.makeWith("Messages", ann)
	first, err := r.WA.SendText(ann, jid.String(), "First")
	if err != nil {
		r.t.Fatal(err)
	}
	r.said(id, 1)
	r.send(id, object{"message": "Second", "replyTo": first})
	latitude := sandbox.Outgoing{Content: sandbox.Content{Kind: "location", Location: &sandbox.Location{Latitude: 1, Longitude: 2, Name: "Here"}}}
	if _, err = r.WA.Send(ann, jid.String(), latitude); err != nil {
		r.t.Fatal(err)
	}
	x := r.said(id, 3)

	// Both orders hold over the pages.
	for order, want := range map[string]string{"asc": "First Second 📍 Here", "desc": "📍 Here Second First"} {
		var got []string
		for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
			page := r.call(http.MethodGet, chats+"/"+id+"/messages"+query("accountId", r.Session, "sortOrder", order, "limit", "1", "cursor", cursor), nil)
			list := field(r.t, page.Want(r.t, http.StatusOK), "messages").([]any)
			if len(list) != 1 || pages == 3 || text(r.t, page, "sortOrderApplied") != order {
				r.t.Fatalf("%s: page %d is %s", order, pages, page.Answer)
			}
			got = append(got, list[0].(object)["message"].(string))
			cursor = text(r.t, page, "pagination", "nextCursor")
		}
		if strings.Join(got, " ") != want {
			r.t.Errorf("%s gives %q, want %q", order, got, want)
		}
	}
	return x
}

func getConversation(r *rig) apptest.Exchange {
	id, _ := r.makeWith("Conversation", ann)
	empty := r.call(http.MethodGet, chats+"/"+id+"?accountId="+r.Session, nil).Want(r.t, http.StatusOK)
	if text(r.t, empty, "data", "id") != id || text(r.t, empty, "data", "lastMessage") != "" {
		r.t.Errorf("before anything was said: %s", empty.Answer)
	}
	r.send(cid, object{"message": "Only you"})
	person := r.call(http.MethodGet, chats+"/"+cid+"?accountId="+r.Session, nil).Want(r.t, http.StatusOK)
	if text(r.t, person, "data", "id") != cid || text(r.t, person, "data", "lastMessage") != "Only you" {
		r.t.Errorf("a person: %s", person.Answer)
	}
	r.send(id, object{"message": "All of you"})
	return r.call(http.MethodGet, chats+"/"+id+"?accountId="+r.Session, nil).Want(r.t, http.StatusOK)
}

// TestListInboxConversations lists conversations in both orders, of one account
// and of several.
func TestListInboxConversations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, jid := r.makeWith("Listed", ann)
	if _, err := r.WA.SendText(ann, jid.String(), "Hello"); err != nil {
		t.Fatal(err)
	}
	r.said(id, 1)
	r.send(bob, object{"message": "To Bob"})
	r.send(cid, object{"message": "To Cid"})
	whole := r.call(http.MethodGet, chats+query("accountId", r.Session, "platform", "whatsapp", "status", "active"), nil).Want(t, http.StatusOK)
	r.check(golden(r), "inbox/listInboxConversations", whole)

	ids := func(values ...string) (list []string) {
		for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
			page := r.call(http.MethodGet, chats+query(append(values, "limit", "2", "cursor", cursor)...), nil).Want(t, http.StatusOK)
			for _, one := range field(t, page, "data").([]any) {
				list = append(list, one.(object)["id"].(string))
			}
			if cursor = text(t, page, "pagination", "nextCursor"); pages > 3 {
				t.Fatalf("the list does not end: %s", page.Answer)
			}
		}
		return list
	}
	newest := ids("accountId", r.Session)
	if slices.Sort(newest); len(newest) != 3 || !slices.Contains(newest, id) || !slices.Contains(newest, bob) {
		t.Errorf("the conversations are %v", newest)
	}
	desc := ids("sortOrder", "desc")
	oldest := ids("accountId", r.Session, "sortOrder", "asc")
	if oldest = slices.Clone(oldest); len(oldest) != 3 {
		t.Errorf("the other way round they are %v", oldest)
	}
	if slices.Sort(oldest); !slices.Equal(newest, oldest) {
		t.Errorf("they are %v, and the other way round %v", newest, oldest)
	}
	if profile := ids("profileId", r.Session); len(profile) != 3 || len(desc) != 3 {
		t.Errorf("those of the profile are %v, and of all accounts %v", profile, desc)
	}
	if others := ids("platform", "instagram"); others != nil {
		t.Errorf("another platform has %v", others)
	}
	if archived := ids("accountId", r.Session, "status", "archived"); archived != nil {
		t.Errorf("archived are %v", archived)
	}

	// An account more: the list is of both.
	const second = "628111000009"
	r.Phone(t, second, sandbox.PhoneOptions{Name: "Second"})
	r.Link(t, r.WA, "second", second)
	one := *r.Line
	one.Key = r.NewKey(t, r.Session, "second")
	both := &rig{Line: &one, t: t}
	if status := r.Call(t, http.MethodPost, "/api/v1/sessions/second/messages/text", object{"to": ann, "text": "From the second"}, nil); status >= 300 {
		t.Fatalf("send: %d", status)
	}
	x := both.call(http.MethodGet, chats+"?limit=100", nil).Want(t, http.StatusOK)
	if field(t, x, "meta", "accountsQueried") != 2.0 || len(field(t, x, "data").([]any)) != 4 {
		t.Errorf("of both accounts: %s", x.Answer)
	}
}
