package v1_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"golang.org/x/sync/errgroup"

	"muster/sandbox"
	"muster/sandbox/phone"
	"muster/sandbox/sandboxtest"
)

// data is a file as JSON requests bring it.
func data(file []byte) object { return object{"data": base64.StdEncoding.EncodeToString(file)} }

// TestWordsReachOthers sends every kind without a file, and has them read by
// another member's client and by a phone.
func TestWordsReachOthers(t *testing.T) {
	k := newTalk(t)
	first := k.says(ann, phone.Content{Kind: phone.KindText, Text: "who is there?"})
	k.inbox(first, "ann's question", func(m message) bool { return m.Kind == "text" })
	annLID, bobLID := k.lidOf(ann), k.lidOf(bob)

	id := k.post("text", object{
		"text": "hello @" + bob + " and all", "reply_to": first, "mentions": []string{"+" + bob}, "mention_all": true,
	})
	k.reads(id, "a text", func(c phone.Content) bool {
		return c.Kind == phone.KindText && c.Text == "hello @"+strings.TrimSuffix(bobLID, "@lid")+" and all" && c.MentionAll &&
			len(c.Mentions) == 1 && c.Mentions[0] == bobLID && c.Quoted != nil && c.Quoted.ID == first && c.Quoted.Sender == annLID &&
			c.Quoted.Text == "who is there?"
	})
	id = k.post("location", object{"latitude": -6.1754, "longitude": 106.8272, "name": "Monas", "address": "Jakarta"})
	k.reads(id, "a place", func(c phone.Content) bool {
		return c.Kind == phone.KindLocation && *c.Location == phone.Location{Latitude: -6.1754, Longitude: 106.8272, Name: "Monas", Address: "Jakarta"}
	})
	id = k.post("contact", object{"contact": object{"display_name": "Dee", "phones": []object{{"number": "+62 811 1000 004"}}}})
	k.reads(id, "a card", func(c phone.Content) bool {
		return c.Kind == phone.KindContact && len(c.Contacts) == 1 && c.Contacts[0].Name == "Dee" &&
			strings.HasPrefix(c.Contacts[0].VCard, "BEGIN:VCARD") && strings.Contains(c.Contacts[0].VCard, "waid=628111000004:+62 811 1000 004")
	})
	card := "BEGIN:VCARD\nVERSION:3.0\nFN:Eve\nEND:VCARD"
	id = k.post("contact", object{"contacts": []object{{"display_name": "Eve", "vcard": card}, {"display_name": "Two", "vcard": card}}})
	k.reads(id, "two cards", func(c phone.Content) bool {
		return c.Kind == phone.KindContact && len(c.Contacts) == 2 && c.Contacts[0].VCard == card && c.Contacts[1].Name == "Two"
	})
	for _, selectable := range []int{0, 1, 2} {
		id = k.post("poll", object{"name": "Lunch?", "options": []string{"Soto", "Rendang", "Pecel"}, "selectable_count": selectable})
		k.reads(id, "a poll", func(c phone.Content) bool {
			return c.Kind == phone.KindPoll && c.Text == "Lunch?" && slices.Equal(c.Poll.Options, []string{"Soto", "Rendang", "Pecel"}) &&
				int(c.Poll.Selectable) == selectable
		})
	}
	for _, to := range []string{"+" + ann, pnOf(ann).String(), annLID} {
		id = k.post("text", object{"to": to, "text": "to you alone, at " + to})
		if got := k.atPhone(ann, id, "a message to one"); got.Text != "to you alone, at "+to || got.Chat.Server == types.GroupServer {
			t.Errorf("to %s the phone reads %+v", to, got)
		}
	}
}

// TestTargetsReachOthers sends what is about other messages.
func TestTargetsReachOthers(t *testing.T) {
	k := newTalk(t)
	theirs := k.says(ann, phone.Content{Kind: phone.KindText, Text: "from ann"})
	k.inbox(theirs, "ann's message", func(m message) bool { return m.Text == "from ann" })
	mine := k.post("text", object{"text": "draft"})
	about := func(kind, id string, body object) string {
		body["message_id"] = id
		answer := k.call(http.MethodPost, messagesPath+"/"+kind, body).status(http.StatusOK)
		return answer.text("message_id")
	}
	annLID := k.lidOf(ann)
	id := about("react", theirs, object{"emoji": "👍"})
	k.reads(id, "a reaction to another's", func(c phone.Content) bool {
		return c.Kind == phone.KindReaction && c.Text == "👍" && c.Target.ID == theirs && c.Target.Sender == annLID && !c.Target.FromMe
	})
	id = about("react", mine, object{"emoji": "🎉"})
	k.reads(id, "a reaction to one's own", func(c phone.Content) bool {
		return c.Kind == phone.KindReaction && c.Text == "🎉" && c.Target.ID == mine && c.Target.FromMe
	})
	id = about("react", mine, object{"emoji": ""})
	k.reads(id, "a reaction taken back", func(c phone.Content) bool { return c.Kind == phone.KindReaction && c.Text == "" && c.Target.ID == mine })
	id = about("edit", mine, object{"text": "final"})
	k.reads(id, "an edit", func(c phone.Content) bool {
		return c.Kind == phone.KindEdit && c.Text == "final" && c.Target.ID == mine
	})
	if got := k.atClient(id, "the edit"); got.Info.Edit != types.EditAttributeMessageEdit {
		t.Errorf("the edit came with the attribute %q", got.Info.Edit)
	}
	image := k.post("image", object{"image": data(jpegFile(t)), "caption": "old"})
	id = about("edit", image, object{"text": "new"})
	k.reads(id, "an edit of a caption", func(c phone.Content) bool { return c.Kind == phone.KindEdit && c.Text == "new" && c.Target.ID == image })
	id = about("pin", theirs, object{"duration_seconds": 604800})
	k.reads(id, "a pin", func(c phone.Content) bool {
		return c.Kind == phone.KindPin && !c.Pin.Unpin && c.Pin.Seconds == 604800 && c.Target.ID == theirs
	})
	id = about("pin", theirs, object{"duration_seconds": 0})
	k.reads(id, "a pin taken away", func(c phone.Content) bool { return c.Kind == phone.KindPin && c.Pin.Unpin && c.Target.ID == theirs })
	id = about("revoke", theirs, object{})
	k.reads(id, "an admin's revocation", func(c phone.Content) bool {
		return c.Kind == phone.KindRevoke && c.Target.ID == theirs && !c.Target.FromMe && c.Target.Sender == annLID
	})
	if got := k.atClient(id, "the revocation"); got.Info.Edit != types.EditAttributeAdminRevoke {
		t.Errorf("the revocation came with the attribute %q", got.Info.Edit)
	}
	id = about("revoke", mine, object{})
	k.reads(id, "a revocation", func(c phone.Content) bool {
		return c.Kind == phone.KindRevoke && c.Target.ID == mine && c.Target.FromMe
	})
	k.inbox(mine, "the revocation in the inbox", func(m message) bool { return m.RevokedAt > 0 && m.Text == "" })

	jid := pnOf(bob).String()
	forwarded := k.post("forward", object{"message_id": image, "to": jid})
	got := phone.Read(k.atClient(forwarded, "the forwarded picture").RawMessage)
	if got.Kind != phone.KindImage || got.ForwardingScore != 1 || got.Text != "new" {
		t.Errorf("the forwarded picture reads %s", shown(got))
	}
}

// TestFilesReachOthers sends every kind of file, in JSON and in forms.
func TestFilesReachOthers(t *testing.T) {
	k := newTalk(t)
	picture, voice, video, sticker := jpegFile(t), voiceFile(3), videoFile(), stickerFile()
	id := k.post("image", object{"image": data(picture), "caption": "look"})
	k.file(id, picture)
	k.reads(id, "a picture", func(c phone.Content) bool {
		m := c.Media
		return c.Kind == phone.KindImage && c.Text == "look" && m.Mimetype == "image/jpeg" && m.Width == 40 && m.Height == 30 &&
			bytes.HasPrefix(m.Thumbnail, []byte{0xff, 0xd8})
	})
	id = k.post("audio", object{"audio": data(voice), "ptt": true})
	k.file(id, voice)
	k.reads(id, "a voice note", func(c phone.Content) bool {
		m := c.Media
		return c.Kind == phone.KindAudio && m.Voice && m.Mimetype == "audio/ogg; codecs=opus" && m.Seconds == 3 && len(m.Waveform) == 64
	})
	id = k.post("audio", object{"audio": data(voice)})
	k.reads(id, "a recording", func(c phone.Content) bool { return c.Kind == phone.KindAudio && !c.Media.Voice })
	id = k.post("video", object{"video": data(video), "caption": "moving"})
	k.file(id, video)
	k.reads(id, "a video", func(c phone.Content) bool {
		m := c.Media
		return c.Kind == phone.KindVideo && c.Text == "moving" && m.Mimetype == "video/mp4" && m.Seconds == 2 && m.Width == 320 && m.Height == 240
	})
	id = k.post("document", object{"document": data([]byte("%PDF-1.4 nothing")), "filename": "report.pdf", "caption": "read this"})
	k.file(id, []byte("%PDF-1.4 nothing"))
	k.reads(id, "a document", func(c phone.Content) bool {
		return c.Kind == phone.KindDocument && c.Text == "read this" && c.Media.FileName == "report.pdf" && c.Media.Mimetype == "application/pdf"
	})
	id = k.post("sticker", object{"sticker": data(sticker)})
	k.file(id, sticker)
	k.reads(id, "a sticker", func(c phone.Content) bool {
		return c.Kind == phone.KindSticker && c.Media.Mimetype == "image/webp" && c.Media.Width == 512 && !c.Media.Animated
	})
	id = k.post("image", object{"image": data(picture), "view_once": true})
	k.reads(id, "a picture to be seen once", func(c phone.Content) bool { return c.Kind == phone.KindImage && c.ViewOnce })
	id = k.form("image", map[string]string{"to": k.group, "caption": "by form"}, "image", "holiday.jpg", picture)
	k.file(id, picture)
	k.reads(id, "a picture from a form", func(c phone.Content) bool { return c.Kind == phone.KindImage && c.Text == "by form" })
	id = k.form("document", map[string]string{"to": k.group}, "document", "../../etc/passwd", []byte("not really"))
	k.reads(id, "a document with a path for a name", func(c phone.Content) bool {
		return c.Kind == phone.KindDocument && !strings.ContainsAny(c.Media.FileName, `/\`)
	})
}

// form sends a file in a form and returns the message's id.
func (k *talk) form(kind string, fields map[string]string, field, name string, file []byte) string {
	k.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for key, value := range fields {
		if err := form.WriteField(key, value); err != nil {
			k.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile(field, name)
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		k.t.Fatal(err)
	}
	request := k.request(k.t.Context(), http.MethodPost, messagesPath+"/"+kind, nil)
	request.Body, request.ContentLength = io.NopCloser(&body), int64(body.Len())
	request.Header.Set("Content-Type", form.FormDataContentType())
	return k.do(request).status(http.StatusOK).text("message_id")
}

// TestReadReceiptsReachAuthors marks messages as read; their authors are told.
func TestReadReceiptsReachAuthors(t *testing.T) {
	k := newTalk(t)
	one, two := k.says(ann, phone.Content{Kind: phone.KindText, Text: "one"}), k.says(ann, phone.Content{Kind: phone.KindText, Text: "two"})
	k.inbox(two, "the second", func(m message) bool { return m.Kind == "text" })
	k.call(http.MethodPost, messagesPath+"/read", object{"message_ids": []string{one, two}}).status(http.StatusOK)
	me := strings.TrimSuffix(k.lidOf(myNumber), "@lid")
	k.eventually("the read receipts at ann's phone", func() bool {
		receipts, err := k.wa.Receipts(ann)
		seen := map[string]bool{}
		for _, r := range receipts {
			for _, id := range r.IDs {
				seen[id] = seen[id] || r.Kind == "read" && r.From.User == me
			}
		}
		return err == nil && seen[one] && seen[two]
	})
	var chats struct {
		Chats []struct {
			JID    string
			Unread int `json:"unread_count"`
		}
	}
	if !k.soon(func() bool {
		answer := k.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/chats", nil).status(http.StatusOK)
		chats.Chats = nil
		return json.Unmarshal(answer.raw, &chats) == nil && len(chats.Chats) == 1 && chats.Chats[0].JID == k.group && chats.Chats[0].Unread == 0
	}) {
		t.Errorf("the chats are %+v", chats)
	}
}

// TestPresenceReachesOthers shows typing and presence to a client.
func TestPresenceReachesOthers(t *testing.T) {
	k := newTalk(t)
	if err := k.client.SendPresence(t.Context(), types.PresenceAvailable); err != nil {
		t.Fatal(err)
	}
	k.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/presence/set", object{"status": "available"}).status(http.StatusOK)
	for state, want := range map[string]types.ChatPresenceMedia{"typing": types.ChatPresenceMediaText, "recording": types.ChatPresenceMediaAudio} {
		k.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/chatstate/"+state, object{"to": k.group}).status(http.StatusOK)
		sandboxtest.Wait(t, k.client, state, func(e *events.ChatPresence) bool {
			return e.Chat.String() == k.group && e.State == types.ChatPresenceComposing && e.Media == want
		})
	}
}

// TestTimerOfTheGroup: what is sent to a group with a timer disappears with it.
func TestTimerOfTheGroup(t *testing.T) {
	k := newTalk(t)
	day := uint32(86400)
	if err := k.wa.SetSettings(myNumber, k.jid(k.group), sandbox.Settings{Ephemeral: &day}); err != nil {
		t.Fatal(err)
	}
	k.follows(k.group)
	id := k.post("text", object{"text": "gone tomorrow"})
	k.reads(id, "a text that disappears", func(c phone.Content) bool { return c.Expires != nil && *c.Expires == day })
}

// TestOrderWithinAChat sends from several callers at once and expects all that
// they send to arrive exactly once, and each caller's in order.
func TestOrderWithinAChat(t *testing.T) {
	k := newTalk(t)
	const callers, each = 4, 10
	var sending errgroup.Group
	for caller := range callers {
		var requests []*http.Request
		for n := range each {
			requests = append(requests, k.request(t.Context(), http.MethodPost, messagesPath+"/text",
				object{"to": k.group, "text": fmt.Sprintf("%d-%02d", caller, n)}))
		}
		sending.Go(func() error {
			for _, request := range requests {
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					return err
				}
				if err = response.Body.Close(); err != nil || response.StatusCode != http.StatusOK {
					return fmt.Errorf("status %d, %w", response.StatusCode, err)
				}
			}
			return nil
		})
	}
	if err := sending.Wait(); err != nil {
		t.Fatal(err)
	}
	inbox, err := k.wa.Inbox(ann) // phones read before the sender has its acknowledgement
	if err != nil || len(inbox) != callers*each {
		t.Fatalf("ann's phone has %d messages, want %d: %v", len(inbox), callers*each, err)
	}
	last := map[byte]string{}
	for _, m := range inbox {
		if m.Text <= last[m.Text[0]] {
			t.Errorf("%q came after %q", m.Text, last[m.Text[0]])
		}
		last[m.Text[0]] = m.Text
	}
}
