package zoko_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/phone"
)

const sendPath = "/zoko/v2/message"

// receives waits until a phone has a message of the account that fits.
func (r *rig) receives(number, what string, fits func(phone.Received) bool) phone.Received {
	r.t.Helper()
	var found phone.Received
	apptest.Eventually(r.t, what+" at "+number, func() bool {
		inbox, err := r.WA.Inbox(number)
		if err != nil {
			r.t.Fatal(err)
		}
		at := slices.IndexFunc(inbox, fits)
		if at >= 0 {
			found = inbox[at]
		}
		return at >= 0
	})
	return found
}

// pictures serves a JPEG and a file with text.
func pictures(t *testing.T) string {
	t.Helper()
	var jpg bytes.Buffer
	if err := jpeg.Encode(&jpg, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /a.jpg", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jpg.Bytes()) })
	mux.HandleFunc("GET /a.txt", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("words")) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// TestMessages sends every type to a person or a group.
func TestMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	files := pictures(t)
	jid := r.own("Talk", ann)
	id := answer(t, r.call(http.MethodGet, path(jid), nil))["_id"]
	card := object{"whatsappContacts": []object{{
		"name": object{"firstName": "Jane", "lastName": "Doe"}, "org": object{"company": "Ex; Ltd"},
		"phones": []object{{"phone": 919876543210, "type": "office"}}, "emails": []object{{"email": "jane@example.com"}},
		"addresses": []object{{"street": "1 Road", "city": "Pune", "countryCode": "IN"}},
	}}}
	for _, row := range []struct {
		name string
		body object
		fits func(c phone.Content) bool
	}{
		{"text", object{"recipient": ann, "type": "text", "message": "Hi Ann"}, func(c phone.Content) bool { return c.Text == "Hi Ann" }},
		{"text to a number", object{"recipient": 628111000001, "type": "text", "message": "Hi 1"}, func(c phone.Content) bool { return c.Text == "Hi 1" }},
		{"text to a group_id", object{"recipient": jid.User, "type": "text", "message": "Hi all"}, func(c phone.Content) bool { return c.Text == "Hi all" }},
		{"text to an _id", object{"recipient": id, "type": "text", "message": "Hi, all"}, func(c phone.Content) bool { return c.Text == "Hi, all" }},
		{
			"image", object{"recipient": jid.User, "type": "image", "message": files + "/a.jpg", "caption": "Look"},
			func(c phone.Content) bool { return c.Kind == phone.KindImage && c.Text == "Look" },
		},
		{
			"document", object{"recipient": ann, "type": "document", "message": files + "/a.txt", "caption": "Read"},
			func(c phone.Content) bool { return c.Kind == phone.KindDocument && c.Text == "Read" },
		},
		{
			"location", object{"recipient": ann, "type": "location", "message": "12.9716:77.5946"},
			func(c phone.Content) bool {
				return c.Location != nil && c.Location.Latitude == 12.9716 && c.Location.Longitude == 77.5946
			},
		},
		{"contacts", object{"recipient": ann, "type": "contacts", "contacts": card}, func(c phone.Content) bool {
			return len(c.Contacts) == 1 && c.Contacts[0].Name == "Jane Doe" && strings.Contains(c.Contacts[0].VCard, `ORG:Ex\; Ltd`) &&
				strings.Contains(c.Contacts[0].VCard, "TEL;type=OFFICE;waid=919876543210:+919876543210")
		}},
		{
			"template", object{"recipient": ann, "type": "template", "templateId": "group_invite_01", "templateArgs": []string{"Zoe", "https://example.com"}},
			func(c phone.Content) bool {
				return c.Text == "Zoe has invited you to a WhatsApp group. Open this link to join: https://example.com"
			},
		},
		{
			"template to a group", object{"recipient": jid.User, "type": "template", "templateId": "group_invite_01"},
			func(c phone.Content) bool {
				return strings.HasPrefix(c.Text, "Business has invited you") && strings.Contains(c.Text, "https://chat.whatsapp.com/")
			},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := r.with(t)
			row.body["channel"] = "whatsapp"
			x := r.call(http.MethodPost, sendPath, row.body).Want(t, http.StatusAccepted)
			r.receives(ann, row.name, func(m phone.Received) bool { return row.fits(m.Content) })
			g := golden()
			g.Value("files", files)
			pin(t, g, "messages/"+row.name, x)
		})
	}
}

// TestMessageErrors: what is wrong with a message is said, with the field.
func TestMessageErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, row := range []struct {
		name, says string
		body       object
	}{
		{"no channel", "channel", object{"channel": ""}},
		{"no recipient", "recipient", object{"recipient": ""}},
		{"bad recipient", "recipient", object{"recipient": "nobody"}},
		{"absent recipient", "recipient", object{"recipient": nobod}},
		{"unknown group", "recipient", object{"recipient": "f1e2d3c4-b5a6-7890-abcd-ef1234567890"}},
		{"no type", "type", object{"type": ""}},
		{"no text", "message", object{"message": ""}},
		{"caption of a text", "caption", object{"caption": "x"}},
		{"no URL", "message", object{"type": "image", "message": ""}},
		{"bad URL", "message", object{"type": "image", "message": "ftp://example.com/a"}},
		{"bad place", "message", object{"type": "location", "message": "12"}},
		{"place on no globe", "message", object{"type": "location", "message": "100:0"}},
		{"no contacts", "contacts", object{"type": "contacts"}},
		{"nameless contact", "contacts", object{"type": "contacts", "contacts": object{"whatsappContacts": []object{{"phones": []object{{"phone": "1234567"}}}}}}},
		{"phoneless contact", "contacts", object{"type": "contacts", "contacts": object{"whatsappContacts": []object{{"name": object{"firstName": "A"}}}}}},
		{"unknown template", "templateId", object{"type": "template", "templateId": "greeting"}},
		{"no template", "templateId", object{"type": "template"}},
		{"missing arguments", "templateArgs", object{"type": "template", "templateId": "group_invite_01"}},
		{"too many arguments", "templateArgs", object{"type": "template", "templateId": "group_invite_01", "templateArgs": []string{"1", "2", "3"}}},
		{"rich template", "type", object{"type": "richTemplate", "templateId": "group_invite_01"}},
		{"button template", "type", object{"type": "buttonTemplate", "templateId": "group_invite_01"}},
		{"text as an object", "message", object{"message": object{}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := r.with(t)
			body := object{"channel": "whatsapp", "recipient": ann, "type": "text", "message": "Hi"}
			for field, value := range row.body {
				body[field] = value
			}
			x := r.call(http.MethodPost, sendPath, body).Want(t, http.StatusBadRequest)
			if text, _ := answer(t, x)["message"].(string); !strings.HasPrefix(text, row.says) {
				t.Errorf("%s, want it to begin with %s", x.Answer, row.says)
			}
			pin(t, golden(), "message errors/"+row.name, x)
		})
	}
}

// TestMessageStatus follows a message of ours and one of theirs.
func TestMessageStatus(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jid := r.own("Talk", ann)
	sent := answer(t, r.call(http.MethodPost, sendPath, object{"channel": "whatsapp", "recipient": jid.User, "type": "text", "message": "Hi all"}))
	id, _ := sent["messageId"].(string)
	got := r.receives(ann, "the text", func(m phone.Received) bool { return m.Text == "Hi all" })
	if err := r.WA.MarkRead(ann, []string{got.ID}, false); err != nil {
		t.Fatal(err)
	}
	var x apptest.Exchange
	apptest.Eventually(t, "the reading", func() bool {
		x = r.call(http.MethodGet, sendPath+"/"+id, nil).Want(t, http.StatusOK)
		return answer(t, x)["deliveryStatus"] == "read"
	})
	pin(t, golden(), "messages/get", x)
	var history struct {
		History []struct{ State string }
	}
	r.call(http.MethodGet, sendPath+"/"+id+"/history", nil).Want(t, http.StatusOK).Decode(t, &history)
	states := make([]string, 0, 3)
	for _, h := range history.History {
		states = append(states, h.State)
	}
	slices.Sort(states)
	if got := strings.Join(states, " "); got != "delivered read sent" {
		t.Errorf("the history is %s", got)
	}

	theirs, err := r.WA.Send(ann, jid.String(), sandbox.Outgoing{Content: phone.Content{
		Kind: phone.KindDocument, Text: "Mine", Media: &phone.Media{Data: []byte("a file"), Mimetype: "text/html", FileName: "a.html"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	apptest.Eventually(t, "the file", func() bool {
		x = r.call(http.MethodGet, sendPath+"/"+theirs+"/file", nil)
		return x.Status == http.StatusOK
	})
	if string(x.Answer) != "a file" || x.Answered.Get("Content-Type") != "application/octet-stream" || x.Answered.Get("Content-Disposition") != "attachment" {
		t.Errorf("the file is %q with %v", x.Answer, x.Answered)
	}
	x = r.call(http.MethodGet, sendPath+"/"+theirs, nil).Want(t, http.StatusOK)
	g := golden()
	g.Value("host", strings.TrimPrefix(r.URL, "http://"))
	g.Value("whatsapp-id", theirs)
	pin(t, g, "messages/get theirs", x)
	r.call(http.MethodGet, sendPath+"/f1e2d3c4-b5a6-5890-abcd-ef1234567890", nil).Want(t, http.StatusNotFound)
	r.call(http.MethodGet, sendPath+"/3EB0000000000000000000", nil).Want(t, http.StatusNotFound)
}

// TestOwnTemplates: the operator's files are templates, too.
func TestOwnTemplates(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) {
		writeFile(t, c.DataDir, "invitation-templates/welcome.txt", "Hello {{name}}, {{group.subject}} awaits: {{ group.invite_link }}\n")
	})
	jid := r.own("The club", ann)
	pin(t, golden(), "rows/Templates", r.call(http.MethodGet, "/zoko/v2/account/templates", nil).Want(t, http.StatusOK))
	put := func(args object) apptest.Exchange {
		return r.call(http.MethodPut, path(jid, "invitation-template"), object{"invitation_template_id": "welcome", "template_args": args})
	}
	for name, args := range map[string]object{"none": nil, "unknown": {"name": "x", "nam": "y"}, "no text": {"name": []int{1}}} {
		if x := put(args).Want(t, http.StatusBadRequest); !strings.Contains(string(x.Answer), "template_args") {
			t.Errorf("%s: %s", name, x.Answer)
		}
	}
	put(object{"name": "friend"}).Want(t, http.StatusOK)
	r.call(http.MethodPost, path(jid, "invitations"), object{"phone_numbers": []string{bob}}).Want(t, http.StatusOK)
	if got := r.gets(bob, 1)[0]; !strings.HasPrefix(got, "Hello friend, The club awaits: https://chat.whatsapp.com/") {
		t.Errorf("bob was sent %q", got)
	}
	r.call(http.MethodPut, path(jid, "invitation-template"), object{"invitation_template_id": "none"}).Want(t, http.StatusBadRequest)
}
