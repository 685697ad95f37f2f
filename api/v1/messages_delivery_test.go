package v1_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/phone"
)

// texts are what a phone has read, in the order of their arrival.
func (r *rig) texts(number string) (list []string) {
	r.t.Helper()
	inbox, err := r.wa.Inbox(number)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, m := range inbox {
		if m.Kind == phone.KindText {
			list = append(list, m.Text)
		}
	}
	return list
}

// lost makes WhatsApp take the next message and say nothing of it.
func (r *rig) lost() {
	r.t.Helper()
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{ApplyThenDisconnect: true}, Count: 1})
}

// again repeats a call until the session is connected again.
func (r *rig) again(call func() answer) (got answer) {
	r.t.Helper()
	r.online()
	if !r.soon(func() bool { got = call(); return got.code != http.StatusServiceUnavailable }) {
		r.t.Fatalf("the session is not connected again: %s", got.raw)
	}
	return got
}

// A message without an answer is sent again under its id, before what comes
// after it, and is read once.
func TestUnconfirmedIsSentAgain(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	group := r.byPhone(myNumber, sandbox.GroupOptions{Name: "Talk", Participants: []string{ann, bob}})
	r.knowsGroup(group)
	r.reads(ann, r.send(group, "First").status(http.StatusOK))
	r.lost()
	r.send(group, "Perhaps").refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	last := r.again(func() answer { return r.send(group, "Last") }).status(http.StatusOK)
	for _, number := range []string{ann, bob} {
		r.reads(number, last)
		if got := r.texts(number); !slices.Equal(got, []string{"First", "Perhaps", "Last"}) {
			t.Errorf("%s has read %q", number, got)
		}
	}
	list := r.call(http.MethodGet, "/api/v1/sessions/"+mySession+"/chats/"+group+"/messages", nil).status(http.StatusOK)
	var page struct {
		Messages []struct{ Text, Status string }
	}
	if err := json.Unmarshal(list.raw, &page); err != nil || len(page.Messages) != 3 {
		t.Fatalf("the chat is %s: %v", list.raw, err)
	}
	for _, m := range page.Messages {
		if m.Status == "pending" || m.Status == "failed" {
			t.Errorf("%q is %s", m.Text, m.Status)
		}
	}
}

// Nobody has to send anything for an unconfirmed message to be sent again.
func TestUnconfirmedIsSentWhenConnected(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	r.reads(ann, r.send(ann, "First").status(http.StatusOK))
	r.fault(sandbox.Fault{Match: sandbox.FaultMatch{Tag: "message"}, Effect: sandbox.FaultEffect{Close: true}, Count: 1})
	r.send(ann, "Perhaps").refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	r.online()
	r.eventually("the message at "+ann, func() bool { return slices.Equal(r.texts(ann), []string{"First", "Perhaps"}) })
}

// A repetition with the key of a message whose answer was lost is that message.
func TestRepeatedMessage(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	path := "/api/v1/sessions/" + mySession + "/messages/text"
	body := object{"to": ann, "text": "Once"}
	first := r.keyed("one", http.MethodPost, path, body).status(http.StatusOK)
	r.keyed("one", http.MethodPost, path, body).replayed(first)
	r.lost()
	body = object{"to": ann, "text": "Perhaps"}
	r.keyed("two", http.MethodPost, path, body).refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	// As long as nobody can find out, it stays unknown, and its key taken.
	r.call(http.MethodPost, "/api/v1/sessions/"+mySession+"/disconnect", nil).status(http.StatusOK)
	r.keyed("two", http.MethodPost, path, body).refused(http.StatusGatewayTimeout, "outcome_unknown", "")
	r.keyed("three", http.MethodPost, path, body).refused(http.StatusServiceUnavailable, "unavailable", "")
	r.reads(ann, r.again(func() answer { return r.keyed("two", http.MethodPost, path, body) }).status(http.StatusOK))
	if got := r.texts(ann); !slices.Equal(got, []string{"Once", "Perhaps"}) {
		t.Errorf("%s has read %q", ann, got)
	}
}

// A text waits for the file that was asked for before it in its chat, and for
// nothing in another.
func TestOrderInAChat(t *testing.T) {
	r := newRig(t, func(c *config.Config) { c.Media.AllowPrivate = true })
	r.people(ann, bob)
	r.reads(ann, r.send(ann, "First").status(http.StatusOK))
	picture := testPicture(t)
	asked, give := make(chan struct{}), make(chan struct{})
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-give
		_, _ = w.Write(picture) // a failure shows at the other end
	}))
	defer host.Close()
	answers := make(chan answer, 2)
	go func() {
		answers <- r.post("image", object{"to": ann, "image": object{"url": host.URL + "/p.png"}, "caption": "Second"})
	}()
	<-asked
	go func() { answers <- r.send(ann, "Third") }()
	r.reads(bob, r.send(bob, "Elsewhere").status(http.StatusOK))
	close(give)
	for range 2 {
		got := <-answers
		r.reads(ann, got.status(http.StatusOK))
	}
	inbox, err := r.wa.Inbox(ann)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, m := range inbox {
		if m.Text != "" {
			said = append(said, m.Text)
		}
	}
	if !slices.Equal(said, []string{"First", "Second", "Third"}) {
		t.Errorf("%s has read %q", ann, said)
	}
}

func TestSchedule(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	path := "/api/v1/sessions/" + mySession + "/scheduled"
	at := time.Now().Add(time.Hour)
	for what, when := range map[string]any{"nonsense": "tomorrow", "the past": 1600000000, "far": time.Now().AddDate(3, 0, 0), "negative": -1, "true": true} {
		t.Log(what)
		r.post("text", object{"to": ann, "text": "x", "send_at": when}).refused(http.StatusUnprocessableEntity, "invalid", "send_at")
	}
	later := r.post("text", object{"to": ann, "text": "Much later", "send_at": at.Format(time.RFC3339)}).status(http.StatusOK)
	id := later.text("message_id")
	if later.text("status") != "scheduled" || later.body["send_at"] != float64(at.Unix()) {
		t.Errorf("a message for later: %s", later.raw)
	}
	soon := r.post("text", object{"to": ann, "text": "Soon", "send_at": time.Now().Unix() + 1}).status(http.StatusOK)
	read := r.reads(ann, soon)
	if read.Text != "Soon" {
		t.Errorf("a message for later arrived as %q", read.Text)
	}
	if !r.soon(func() bool {
		return r.call(http.MethodGet, path+"/"+soon.text("message_id"), nil).status(http.StatusOK).text("status") == "sent"
	}) {
		t.Error("a message that was sent is not shown as sent")
	}
	r.call(http.MethodDelete, path+"/"+soon.text("message_id"), nil).refused(http.StatusConflict, "conflict", "")
	var page struct {
		Messages   []struct{ Status string }
		NextCursor string `json:"next_cursor"`
	}
	list := r.call(http.MethodGet, path+"?limit=1", nil).status(http.StatusOK)
	if err := json.Unmarshal(list.raw, &page); err != nil || len(page.Messages) != 1 || page.Messages[0].Status != "sent" {
		t.Errorf("the first page is %s", list.raw)
	}
	list = r.call(http.MethodGet, path+"?limit=1&cursor="+page.NextCursor, nil).status(http.StatusOK)
	if err := json.Unmarshal(list.raw, &page); err != nil || len(page.Messages) != 1 || page.Messages[0].Status != "scheduled" {
		t.Errorf("the second page is %s", list.raw)
	}
	for range 2 {
		if got := r.call(http.MethodDelete, path+"/"+id, nil).status(http.StatusOK).text("status"); got != "cancelled" {
			t.Errorf("a cancelled message is %s", got)
		}
	}
	r.call(http.MethodGet, path+"/NOSUCH", nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodDelete, path+"/NOSUCH", nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodGet, path+"?cursor=x", nil).refused(http.StatusUnprocessableEntity, "invalid", "cursor")
}

// A repeated request schedules one message.
func TestScheduleIsRepeatable(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	path := "/api/v1/sessions/" + mySession + "/messages/text"
	body := object{"to": ann, "text": "Later", "send_at": time.Now().Add(time.Hour).Unix()}
	first := r.keyed("later", http.MethodPost, path, body).status(http.StatusOK)
	r.keyed("later", http.MethodPost, path, body).replayed(first)
}

// Who has sent a message learns that it was read.
func TestMarkRead(t *testing.T) {
	r := newRig(t)
	r.people(ann)
	id, err := r.wa.SendText(ann, myNumber, "Are you there?")
	if err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/sessions/" + mySession
	if !r.soon(func() bool { return r.call(http.MethodGet, path+"/messages/"+id, nil).code == http.StatusOK }) {
		t.Fatal("the message does not arrive")
	}
	unread := func() float64 {
		var page struct {
			Chats []struct {
				Unread float64 `json:"unread_count"`
			}
		}
		list := r.call(http.MethodGet, path+"/chats", nil).status(http.StatusOK)
		if err := json.Unmarshal(list.raw, &page); err != nil || len(page.Chats) != 1 {
			t.Fatalf("the chats are %s: %v", list.raw, err)
		}
		return page.Chats[0].Unread
	}
	if got := unread(); got != 1 {
		t.Errorf("%v unread messages", got)
	}
	r.post("read", object{"message_id": id}).status(http.StatusOK)
	if got := unread(); got != 0 {
		t.Errorf("%v unread messages after reading", got)
	}
	r.post("read", object{}).refused(http.StatusUnprocessableEntity, "invalid", "message_ids")
	r.post("read", object{"message_ids": []string{id, "NOSUCH"}}).refused(http.StatusNotFound, "not_found", "")
	mine := r.send(ann, "Yes").status(http.StatusOK)
	r.post("read", object{"message_id": mine.text("message_id")}).refused(http.StatusUnprocessableEntity, "invalid", "message_ids[0]")
}
