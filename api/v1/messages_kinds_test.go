package v1_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/phone"
)

// post sends a message of a kind.
func (r *rig) post(kind string, body any) answer {
	r.t.Helper()
	return r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/messages/"+kind, body)
}

// reads waits until the phone has the message that was sent, and gives it.
func (r *rig) reads(number string, sent answer) phone.Received {
	r.t.Helper()
	id := sent.text("message_id")
	var found phone.Received
	r.eventually(sent.what+" at "+number, func() bool {
		inbox, err := r.wa.Inbox(number)
		at := slices.IndexFunc(inbox, func(m phone.Received) bool { return m.ID == id && m.Kind != phone.KindSenderKey })
		if err != nil || at < 0 {
			return false
		}
		found = inbox[at]
		return true
	})
	return found
}

// picture is a small PNG.
func testPicture(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for x := range 40 {
		img.Set(x, x*30/40, color.RGBA{R: 200, G: uint8(x), A: 255})
	}
	var buffer bytes.Buffer
	if err := png.Encode(&buffer, img); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// smallWebP is a picture of one pixel.
const smallWebP = "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA"

// Everything that is nothing but its fields arrives as it was sent.
func TestSendPlainKinds(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	group := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	annInfo, _ := r.wa.Phone(ann)

	first := r.post("text", object{"to": group, "text": "Who comes, @" + ann + "?", "mentions": []string{"+" + ann}}).status(http.StatusOK)
	read := r.reads(bob, first)
	lid := strings.TrimSuffix(annInfo.LID, "@lid")
	if read.Text != "Who comes, @"+lid+"?" || !slices.Equal(read.Content.Mentions, []string{annInfo.LID}) {
		t.Errorf("the mention arrived as %q of %v", read.Text, read.Content.Mentions)
	}

	reply := r.post("text", object{"to": group, "text": "I do", "reply_to": first.text("message_id"), "mention_all": true}).status(http.StatusOK)
	read = r.reads(ann, reply)
	if read.Content.Quoted == nil || read.Content.Quoted.ID != first.text("message_id") || !strings.HasPrefix(read.Content.Quoted.Text, "Who comes") || !read.Content.MentionAll {
		t.Errorf("the answer arrived as %+v", read.Content)
	}

	place := r.post("location", object{"to": group, "latitude": -6.1754, "longitude": 106.8272, "name": "Monas", "address": "Jakarta"}).status(http.StatusOK)
	if got := r.reads(bob, place).Content.Location; got == nil || got.Latitude != -6.1754 || got.Longitude != 106.8272 || got.Name != "Monas" || got.Address != "Jakarta" {
		t.Errorf("the place arrived as %+v", got)
	}

	card := r.post("contact", object{"to": bob, "contact": object{"display_name": "Ann", "phones": []object{{"number": "+62 811 1000 001"}}}}).status(http.StatusOK)
	got := r.reads(bob, card).Content.Contacts
	if len(got) != 1 || got[0].Name != "Ann" || !strings.Contains(got[0].VCard, "waid=628111000001") {
		t.Errorf("the card arrived as %+v", got)
	}

	poll := r.post("poll", object{"to": group, "name": "Lunch?", "options": []string{"Soto", "Rendang"}, "selectable_count": 1}).status(http.StatusOK)
	read = r.reads(ann, poll)
	if p := read.Content.Poll; p == nil || read.Text != "Lunch?" || !slices.Equal(p.Options, []string{"Soto", "Rendang"}) || p.Selectable != 1 {
		t.Errorf("the poll arrived as %+v", read.Content)
	}
}

// What is about another message names it as its receivers know it.
func TestSendAboutMessages(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	group := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	mine := r.post("text", object{"to": group, "text": "Lnch"}).status(http.StatusOK)
	id := mine.text("message_id")

	reaction := r.post("react", object{"message_id": id, "emoji": "👍"}).status(http.StatusOK)
	read := r.reads(ann, reaction)
	if read.Kind != phone.KindReaction || read.Text != "👍" || read.Content.Target == nil || read.Content.Target.ID != id || !read.Content.Target.FromMe {
		t.Errorf("the reaction arrived as %+v %+v", read.Content, read.Content.Target)
	}
	edit := r.post("edit", object{"to": group, "message_id": id, "text": "Lunch"}).status(http.StatusOK)
	read = r.reads(ann, edit)
	if read.Kind != phone.KindEdit || read.Text != "Lunch" || read.Content.Target == nil || read.Content.Target.ID != id {
		t.Errorf("the edit arrived as %+v", read.Content)
	}
	pin := r.post("pin", object{"message_id": id, "duration_seconds": 604800}).status(http.StatusOK)
	read = r.reads(bob, pin)
	if read.Kind != phone.KindPin || read.Content.Pin == nil || read.Content.Pin.Seconds != 604800 {
		t.Errorf("the pin arrived as %+v", read.Content)
	}
	unpin := r.post("pin", object{"message_id": id, "duration_seconds": 0}).status(http.StatusOK)
	if read = r.reads(bob, unpin); read.Content.Pin == nil || !read.Content.Pin.Unpin {
		t.Errorf("taking the pin away arrived as %+v", read.Content)
	}
	forward := r.post("forward", object{"to": bob, "message_id": id}).status(http.StatusOK)
	if read = r.reads(bob, forward); read.Text != "Lunch" || read.Content.ForwardingScore != 1 {
		t.Errorf("the forwarded message arrived as %+v", read.Content)
	}
	revoke := r.post("revoke", object{"message_id": id}).status(http.StatusOK)
	read = r.reads(ann, revoke)
	if read.Kind != phone.KindRevoke || read.Content.Target == nil || read.Content.Target.ID != id {
		t.Errorf("the revocation arrived as %+v", read.Content)
	}
	r.post("edit", object{"message_id": id, "text": "Too late"}).refused(http.StatusUnprocessableEntity, "invalid", "message_id")
	r.post("react", object{"message_id": "NOSUCH", "emoji": "x"}).refused(http.StatusNotFound, "not_found", "")
	// Of a message that the inbox does not have, the caller says whose it is.
	known := r.post("react", object{"message_id": "UNKNOWN1", "to": group, "sender": ann, "emoji": "❓"}).status(http.StatusOK)
	read = r.reads(bob, known)
	annInfo, _ := r.wa.Phone(ann)
	if target := read.Content.Target; target == nil || target.ID != "UNKNOWN1" || target.FromMe || target.Sender != annInfo.LID {
		t.Errorf("the reaction to an unknown message arrived as %+v", target)
	}
}

// Files arrive with everything that their kind has, from an address, in base64
// or in a form, and can be had again here.
func TestSendFiles(t *testing.T) {
	r := newRig(t, func(c *config.Config) { c.Media.AllowPrivate = true })
	r.people(ann, bob)
	group := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	picture := testPicture(t)
	encoded := base64.StdEncoding.EncodeToString(picture)

	sent := r.post("image", object{"to": group, "image": object{"data": encoded, "mimetype": "image/png"}, "caption": "See"}).status(http.StatusOK)
	read := r.reads(ann, sent)
	if m := read.Content.Media; m == nil || read.Text != "See" || m.Width != 40 || m.Height != 30 || m.Mimetype == "" || len(m.Thumbnail) == 0 {
		t.Errorf("the picture arrived as %+v", read.Content)
	}
	r.file(sent.text("message_id"), picture)

	document := r.form("document", map[string]string{"to": ann, "caption": "Read this"}, "document", "../../report 1.txt", []byte("What there is to say")).status(http.StatusOK)
	read = r.reads(ann, document)
	if m := read.Content.Media; m == nil || m.FileName != "report 1.txt" || read.Text != "Read this" || m.Size != 20 {
		t.Errorf("the document arrived as %+v", read.Content)
	}
	sticker := r.post("sticker", object{"to": ann, "sticker": object{"data": smallWebP}}).status(http.StatusOK)
	if read = r.reads(ann, sticker); read.Kind != phone.KindSticker {
		t.Errorf("the sticker arrived as %+v", read.Content)
	}
	once := r.post("image", object{"to": ann, "image": object{"data": encoded}, "view_once": true}).status(http.StatusOK)
	if read = r.reads(ann, once); !read.Content.ViewOnce {
		t.Errorf("the picture to see once arrived as %+v", read.Content)
	}
	r.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/messages/"+once.text("message_id")+"/media", nil).refused(http.StatusNotFound, "not_found", "")

	r.post("image", object{"to": ann, "image": object{}}).refused(http.StatusUnprocessableEntity, "invalid", "image")
	r.post("image", object{"to": ann, "image": object{"data": "!"}}).refused(http.StatusUnprocessableEntity, "invalid", "image.data")
	r.post("image", object{"to": ann, "image": object{"data": "aGVsbG8="}}).refused(http.StatusUnsupportedMediaType, "unsupported_media", "image")
	r.post("image", object{"to": ann, "image": object{"data": encoded}, "filename": "x"}).refused(http.StatusUnprocessableEntity, "invalid", "filename")
	r.form("image", map[string]string{"to": ann, "colour": "red"}, "image", "x.png", picture).refused(http.StatusUnprocessableEntity, "invalid", "colour")
	r.form("image", map[string]string{"to": ann}, "document", "x.png", picture).refused(http.StatusUnprocessableEntity, "invalid", "document")
}

// form sends a file as a browser does.
func (r *rig) form(kind string, fields map[string]string, field, name string, data []byte) answer {
	r.t.Helper()
	return r.do(r.formRequest(kind, fields, field, name, data))
}

func (r *rig) formRequest(kind string, fields map[string]string, field, name string, data []byte) *http.Request {
	r.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for field, text := range fields {
		if err := form.WriteField(field, text); err != nil {
			r.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile(field, name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	request := r.request(r.t.Context(), http.MethodPost, "/api/v1/sessions/"+mySession+"/messages/"+kind, body.String())
	request.Header.Set("Content-Type", form.FormDataContentType())
	return request
}

// file compares a message's file, whole and in parts, with what was sent.
func (r *rig) file(id string, want []byte) {
	r.t.Helper()
	get := func(header ...string) (*http.Response, []byte) {
		request := r.request(r.t.Context(), http.MethodGet, "/api/v1/sessions/"+mySession+"/messages/"+id+"/media", nil)
		for i := 0; i < len(header); i += 2 {
			request.Header.Set(header[i], header[i+1])
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			r.t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		return response, body
	}
	response, body := get()
	if response.StatusCode != http.StatusOK || !bytes.Equal(body, want) || response.Header.Get("X-Content-Type-Options") != "nosniff" ||
		!strings.Contains(response.Header.Get("Content-Disposition"), "filename=") {
		r.t.Errorf("the file is %d %d bytes, %v", response.StatusCode, len(body), response.Header)
	}
	tag := response.Header.Get("ETag")
	if response, _ = get("If-None-Match", tag); response.StatusCode != http.StatusNotModified {
		r.t.Errorf("with its own tag: %d", response.StatusCode)
	}
	response, body = get("Range", "bytes=2-5")
	if response.StatusCode != http.StatusPartialContent || !bytes.Equal(body, want[2:6]) ||
		response.Header.Get("Content-Range") != fmt.Sprintf("bytes 2-5/%d", len(want)) {
		r.t.Errorf("a part: %d %q %v", response.StatusCode, body, response.Header)
	}
	if response, body = get("Range", "bytes=-3"); !bytes.Equal(body, want[len(want)-3:]) {
		r.t.Errorf("the end: %d %q", response.StatusCode, body)
	}
	if response, _ = get("Range", fmt.Sprintf("bytes=%d-", len(want))); response.StatusCode != http.StatusRequestedRangeNotSatisfiable {
		r.t.Errorf("beyond the end: %d", response.StatusCode)
	}
	if response, body = get("Range", "bytes=2-5", "If-Range", `"another"`); response.StatusCode != http.StatusOK || len(body) != len(want) {
		r.t.Errorf("a part of another file: %d", response.StatusCode)
	}
}

// The inbox has what was sent, with what others did to it.
func TestInboxOverTheAPI(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	group := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	sent := r.post("text", object{"to": group, "text": "Selamat pagi"}).status(http.StatusOK)
	id := sent.text("message_id")
	r.reads(ann, sent)
	path := "/api/v1/sessions/" + mySession
	one := r.call(http.MethodGet, path+"/messages/"+id, nil).status(http.StatusOK)
	if one.text("text") != "Selamat pagi" || one.text("chat") != group || one.body["from_me"] != true || one.text("kind") != "text" {
		t.Errorf("the message is %s", one.raw)
	}
	for what, address := range map[string]string{
		"the chat": "/chats/" + group + "/messages", "the search": "/messages?q=selamat", "the search in the chat": "/messages?q=pag&chat=" + group,
	} {
		list := r.call(http.MethodGet, path+address, nil).status(http.StatusOK)
		var page struct {
			Messages []struct {
				MessageID string `json:"message_id"`
			}
		}
		if err := json.Unmarshal(list.raw, &page); err != nil || len(page.Messages) != 1 || page.Messages[0].MessageID != id {
			t.Errorf("%s: %s", what, list.raw)
		}
	}
	chats := r.call(http.MethodGet, path+"/chats", nil).status(http.StatusOK)
	if !bytes.Contains(chats.raw, []byte(group)) || !bytes.Contains(chats.raw, []byte("Selamat pagi")) {
		t.Errorf("the chats are %s", chats.raw)
	}
	r.call(http.MethodGet, path+"/messages/NOSUCH", nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodGet, path+"/messages?q=", nil).refused(http.StatusUnprocessableEntity, "invalid", "q")
}

// Typing, recording and presence reach those who look.
func TestPresence(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	path := "/api/v1/sessions/" + mySession
	for _, state := range []string{"composing", "recording", "paused"} {
		r.call(http.MethodPost, path+"/chatstate/send", object{"to": ann, "state": state}).status(http.StatusOK)
	}
	r.call(http.MethodPost, path+"/chatstate/typing", object{"to": ann}).status(http.StatusOK)
	r.call(http.MethodPost, path+"/chatstate/send", object{"to": ann, "state": "singing"}).refused(http.StatusUnprocessableEntity, "invalid", "state")
	r.call(http.MethodPost, path+"/presence/set", object{"status": "available"}).status(http.StatusOK)
	r.call(http.MethodPost, path+"/presence/set", object{"status": "unavailable"}).status(http.StatusOK)
}
