package zoko_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
	"muster/sandbox/phone"
)

const hooksPath = "/zoko/v2/webhook"

// news is a webhook, as far as tests look into it.
type news struct {
	Event          string
	ID             string
	Text           string
	DeliveryStatus string
	Direction      string
	ChatType       string
}

func read(d apptest.Delivery) (n news) {
	_ = json.Unmarshal(d.Body, &n) // what is none of them has no event
	return n
}

// TestWebhooks: messages in and out and what becomes of them, and nothing else.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	receiver := apptest.Receive(t, nil)
	x := r.call(http.MethodPost, hooksPath, object{
		"url": receiver.URL + "/zoko", "events": []string{"message:user:in", "message:store:out", "message:delivery:update"},
		"challengeToken": "client0_letmein",
	}).Want(t, http.StatusOK)
	g := golden()
	g.Value("receiver", receiver.URL)
	pin(t, g, "webhooks/create", x)

	jid := r.own("Heard", ann)
	check := func(file string, fits func(news) bool) news {
		t.Helper()
		d := receiver.Wait(t, file, func(d apptest.Delivery) bool { return fits(read(d)) })
		if token := d.Header.Get("X-Challenge-Token"); token != "client0_letmein" || d.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s came with %v", file, d.Header)
		}
		g.JSON(t, "webhooks/"+file, still(d.Body))
		return read(d)
	}
	say := func(number, to string, c phone.Content) string {
		t.Helper()
		id, err := r.WA.Send(number, to, sandbox.Outgoing{Content: c})
		if err != nil {
			t.Fatal(err)
		}
		g.Value("whatsapp-id", id)
		return id
	}
	say(ann, me, phone.Content{Text: "To you"})
	check("in from a person", func(n news) bool { return n.Text == "To you" })
	say(ann, jid.String(), phone.Content{Text: "To all"})
	check("in from a group", func(n news) bool { return n.Text == "To all" })
	say(ann, jid.String(), phone.Content{Kind: phone.KindLocation, Location: &phone.Location{Latitude: 1.5, Longitude: -2}})
	check("in with a place", func(n news) bool { return n.Text == "1.5:-2" })
	say(me, jid.String(), phone.Content{Text: "From the phone"})
	check("out from the phone", func(n news) bool { return n.Text == "From the phone" })

	sent := answer(t, r.call(http.MethodPost, sendPath, object{"channel": "whatsapp", "recipient": jid.User, "type": "text", "message": "Out"}))
	out := check("out to a group", func(n news) bool { return n.Text == "Out" })
	if out.ID != sent["messageId"] {
		t.Errorf("what was sent as %v is told of as %s", sent["messageId"], out.ID)
	}
	check("delivered", func(n news) bool { return n.ID == out.ID && n.DeliveryStatus == "delivered" })
	got := r.receives(ann, "the text", func(m phone.Received) bool { return m.Text == "Out" })
	if err := r.WA.MarkRead(ann, []string{got.ID}, false); err != nil {
		t.Fatal(err)
	}
	check("read", func(n news) bool { return n.ID == out.ID && n.DeliveryStatus == "read" })

	// Groups change without a word: there is no event for that.
	r.call(http.MethodPut, path(jid, "settings"), object{"subject": "Renamed"}).Want(t, http.StatusOK)
	say(ann, me, phone.Content{Text: "The last"})
	check("last", func(n news) bool { return n.Text == "The last" })
	for _, d := range receiver.Deliveries() {
		switch read(d).Event {
		case "message:user:in", "message:store:out", "message:delivery:update":
		default:
			t.Errorf("there was %s", d.Body)
		}
	}
}

// TestWebhookEvents: a webhook is sent what it has asked for.
func TestWebhookEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	in, out, native := apptest.Receive(t, nil), apptest.Receive(t, nil), apptest.Receive(t, nil)
	r.call(http.MethodPost, hooksPath, object{"url": in.URL, "events": []string{"message:user:in"}}).Want(t, http.StatusOK)
	r.call(http.MethodPost, hooksPath, object{"url": out.URL, "events": []string{"message:store:out"}}).Want(t, http.StatusOK)
	if status := r.Call(t, http.MethodPost, "/api/v1/webhooks", object{"url": native.URL, "format": "zoko"}, nil); status != http.StatusCreated {
		t.Fatalf("a webhook of the format zoko: %d", status)
	}
	if _, err := r.WA.SendText(ann, me, "In"); err != nil {
		t.Fatal(err)
	}
	in.Wait(t, "in", func(d apptest.Delivery) bool { return read(d).Text == "In" })
	native.Wait(t, "in", func(d apptest.Delivery) bool { return read(d).Text == "In" })
	r.call(http.MethodPost, sendPath, object{"channel": "whatsapp", "recipient": ann, "type": "text", "message": "Out"}).Want(t, http.StatusAccepted)
	out.Wait(t, "out", func(d apptest.Delivery) bool { return read(d).Text == "Out" })
	native.Wait(t, "out", func(d apptest.Delivery) bool { return read(d).Text == "Out" })
	if n := len(out.Deliveries()); n != 1 {
		t.Errorf("the webhook for what is sent got %d deliveries", n)
	}
	for _, d := range in.Deliveries() {
		if read(d).Event != "message:user:in" {
			t.Errorf("the webhook for what comes in got %s", d.Body)
		}
	}
}

// TestWebhookChanges lists, shows, changes and deletes webhooks.
func TestWebhookChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := golden()
	const url = "https://8.8.8.8/hook"
	made := answer(t, r.call(http.MethodPost, hooksPath, object{"url": url, "events": []string{"message:user:in"}, "challengeToken": "letmein"}))
	id, _ := made["id"].(string)
	pin(t, g, "webhooks/list", r.call(http.MethodGet, hooksPath, nil).Want(t, http.StatusOK))
	pin(t, g, "webhooks/get", r.call(http.MethodGet, hooksPath+"/"+id, nil).Want(t, http.StatusOK))
	pin(t, g, "webhooks/update", r.call(http.MethodPut, hooksPath+"/"+id, object{
		"url": url + "/2", "events": []string{"message:delivery:update", "message:user:in"},
	}).Want(t, http.StatusOK))
	for name, body := range map[string]object{
		"no url": {"events": []string{"message:user:in"}}, "no events": {"url": url}, "unknown event": {"url": url, "events": []string{"group:created"}},
		"bad url":   {"url": "hook", "events": []string{"message:user:in"}},
		"bad token": {"url": url, "events": []string{"message:user:in"}, "challengeToken": "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.with(t)
			pin(t, g, "webhook errors/"+name, r.call(http.MethodPost, hooksPath, body).Want(t, http.StatusBadRequest))
		})
	}
	pin(t, g, "webhooks/delete", r.call(http.MethodDelete, hooksPath+"/"+id, nil).Want(t, http.StatusNoContent))
	pin(t, g, "webhook errors/unknown", r.call(http.MethodGet, hooksPath+"/"+id, nil).Want(t, http.StatusNotFound))
}
