package v1_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/phone"
	"muster/sandbox/sandboxtest"
)

// talk is a group in which three listen: the session's account, ann's phone,
// and an unmodified whatsmeow client of bob's.
type talk struct {
	*rig
	client *sandboxtest.Client
	group  string
}

func newTalk(t *testing.T, change ...func(*config.Config)) *talk {
	t.Helper()
	r := newRig(t, change...)
	r.people(ann, bob)
	client := sandboxtest.Link(t, r.wa, bob)
	group := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	r.knowsGroup(group)
	return &talk{rig: r, client: client, group: group}
}

// knowsGroup waits until the session has heard of the group: messages while it
// is still told of it would race with that.
func (r *rig) knowsGroup(jid string) {
	r.t.Helper()
	if !r.soon(func() bool { return r.group(http.MethodGet, jid, "", nil).code == http.StatusOK }) {
		r.t.Fatalf("the session never hears of %s", jid)
	}
}

const messagesPath = "/api/v1/sessions/" + mySession + "/messages"

// post sends a message of a kind, to the group unless the body says otherwise,
// and returns its id.
func (k *talk) post(kind string, body object) string {
	k.t.Helper()
	if _, said := body["to"]; !said {
		body["to"] = k.group
	}
	answer := k.call(http.MethodPost, messagesPath+"/"+kind, body).status(http.StatusOK)
	id := answer.text("message_id")
	if stamp, _ := answer.body["timestamp"].(float64); id == "" || stamp == 0 || answer.text("to") == "" {
		k.t.Fatalf("%s: %s", answer.what, answer.raw)
	}
	return id
}

// reads waits until ann's phone and bob's client have a message, and checks what
// each of them reads in it. Both come from the wire: the phone's reading is the
// simulator's, which shares no code with the server.
func (k *talk) reads(id, what string, fits func(phone.Content) bool) {
	k.t.Helper()
	if got := k.atPhone(ann, id, what); !fits(got.Content) {
		k.t.Errorf("%s: the phone reads %s", what, shown(got.Content))
	}
	if got := k.atClient(id, what); !fits(phone.Read(got.RawMessage)) {
		k.t.Errorf("%s: the client reads %s", what, shown(phone.Read(got.RawMessage)))
	}
}

func (k *talk) atPhone(number, id, what string) (found phone.Received) {
	k.t.Helper()
	k.eventually(what+" at "+number, func() bool {
		inbox, err := k.wa.Inbox(number)
		for _, m := range inbox {
			if m.ID == id {
				found = m
				return true
			}
		}
		return err != nil
	})
	return found
}

func (k *talk) atClient(id, what string) *events.Message {
	k.t.Helper()
	return sandboxtest.Wait(k.t, k.client, what, func(e *events.Message) bool {
		return e.Info.ID == id && phone.Read(e.RawMessage).Kind != phone.KindSenderKey
	})
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%+v", value)
	}
	return string(text)
}

// file checks that ann's phone and bob's client can open the file of a message.
func (k *talk) file(id string, want []byte) {
	k.t.Helper()
	got, err := k.wa.Download(ann, id)
	if err != nil || !bytes.Equal(got, want) {
		k.t.Errorf("the phone opens %d bytes, want %d: %v", len(got), len(want), err)
	}
	part := attachment(k.atClient(id, "the file").Message)
	if got, err = k.client.Download(k.t.Context(), part); err != nil || !bytes.Equal(got, want) {
		k.t.Errorf("the client opens %d bytes, want %d: %v", len(got), len(want), err)
	}
}

// attachment is the part of a message that its file belongs to.
func attachment(m *waE2E.Message) whatsmeow.DownloadableMessage {
	switch {
	case m.ImageMessage != nil:
		return m.ImageMessage
	case m.VideoMessage != nil:
		return m.VideoMessage
	case m.AudioMessage != nil:
		return m.AudioMessage
	case m.StickerMessage != nil:
		return m.StickerMessage
	}
	return m.GetDocumentMessage()
}

// says has a phone send something to the group, or to whom the last argument
// names, and returns the message's id.
func (k *talk) says(number string, content phone.Content, to ...string) string {
	k.t.Helper()
	chat := k.group
	if len(to) > 0 {
		chat = to[0]
	}
	id, err := k.wa.Send(number, chat, sandbox.Outgoing{Content: content})
	if err != nil {
		k.t.Fatalf("the phone %s cannot send %s: %v", number, shown(content), err)
	}
	return id
}

// inbox waits until a message of the inbox is as it should be, and returns it.
func (k *talk) inbox(id, what string, fits func(message) bool) message {
	k.t.Helper()
	var last answer
	var m message
	if !k.soon(func() bool {
		last = k.call(http.MethodGet, messagesPath+"/"+id, nil)
		m = message{}
		return last.code == http.StatusOK && json.Unmarshal(last.raw, &m) == nil && fits(m)
	}) {
		k.t.Fatalf("waited in vain for %s; it is %d %s", what, last.code, last.raw)
	}
	return m
}

// person is somebody in an answer.
type person struct {
	JID         string `json:"jid"`
	PhoneNumber string `json:"phone_number"`
	LID         string `json:"lid"`
	Name        string `json:"name"`
}

// message is a message of the inbox, as far as these tests look at it.
type message struct {
	ID         string   `json:"message_id"`
	Chat       string   `json:"chat"`
	FromMe     bool     `json:"from_me"`
	Sender     person   `json:"sender"`
	Timestamp  int64    `json:"timestamp"`
	Offline    bool     `json:"offline"`
	Kind       string   `json:"kind"`
	Text       string   `json:"text"`
	Mentions   []person `json:"mentions"`
	MentionAll bool     `json:"mention_all"`
	ViewOnce   bool     `json:"view_once"`
	Forwarded  int      `json:"forwarded"`
	Expiration int64    `json:"expiration_seconds"`
	ReplyTo    *struct {
		ID     string  `json:"message_id"`
		Sender *person `json:"sender"`
		Text   string  `json:"text"`
	} `json:"reply_to"`
	Media *struct {
		Mimetype string `json:"mimetype"`
		Size     int64  `json:"size"`
		Width    int    `json:"width"`
		Seconds  int    `json:"seconds"`
		Filename string `json:"filename"`
		PTT      bool   `json:"ptt"`
	} `json:"media"`
	Location *struct {
		Latitude, Longitude float64
		Name, Address       string
		Live                bool
	} `json:"location"`
	Contacts []struct{ Name, VCard string } `json:"contacts"`
	Poll     *struct {
		Name       string
		Options    []string
		Selectable int `json:"selectable_count"`
	} `json:"poll"`
	Invite      *struct{ Code string } `json:"group_invite"`
	EditedAt    int64                  `json:"edited_at"`
	RevokedAt   int64                  `json:"revoked_at"`
	PinnedUntil int64                  `json:"pinned_until"`
	Status      string                 `json:"status"`
	Reach       *struct{ Delivered, Read, Played int }
	Reactions   []struct {
		Person person
		Emoji  string
	} `json:"reactions"`
	PollResults []struct {
		Option string
		Count  int
		Voters []person
	} `json:"poll_results"`
	File     *struct{ State string } `json:"file"`
	Receipts []struct {
		Person      person
		DeliveredAt int64 `json:"delivered_at"`
		ReadAt      int64 `json:"read_at"`
		PlayedAt    int64 `json:"played_at"`
	} `json:"receipts"`
}

// download waits until the file of a message can be had, and gets it.
func (k *talk) download(id string) (contentType string, file []byte) {
	k.t.Helper()
	k.inbox(id, "the file of "+id, func(m message) bool { return m.File != nil && m.File.State == "stored" })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	response, err := http.DefaultClient.Do(k.request(ctx, http.MethodGet, messagesPath+"/"+url.PathEscape(id)+"/media", nil))
	if err != nil {
		k.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if file, err = io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		k.t.Fatalf("the file of %s: %d %s %v", id, response.StatusCode, file, err)
	}
	return response.Header.Get("Content-Type"), file
}

// lidOf is the LID of a number.
func (r *rig) lidOf(number string) string {
	r.t.Helper()
	info, err := r.wa.Phone(number)
	if err != nil {
		r.t.Fatal(err)
	}
	return info.LID
}

func pnOf(number string) types.JID { return types.NewJID(number, types.DefaultUserServer) }

// isPerson tells whether an answer's person is the one with the number, under
// both names.
func (r *rig) isPerson(p person, number string) bool {
	r.t.Helper()
	return p.JID == pnOf(number).String() && strings.TrimPrefix(p.PhoneNumber, "+") == number && p.LID == r.lidOf(number)
}

// now is the present in UNIX seconds.
func now() int64 { return time.Now().Unix() }
