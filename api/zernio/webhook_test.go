package zernio_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

const settings = base + "/v1/webhooks/settings"

// TestWebhookSettings makes, lists, changes, tests and deletes a webhook.
func TestWebhookSettings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	receiver := apptest.Receive(t, nil)
	made := r.call(http.MethodPost, settings, object{
		"name": "Größe 1", "url": receiver.URL + "/hook", "secret": "mine", "events": []string{"message.received", "message.read", "comment.received"},
		"customHeaders": object{"X-Mine": "yes"},
	}).Want(t, http.StatusOK)
	r.check(golden(r), "webhooks/createWebhookSettings", made)
	id := text(t, made, "webhook", "_id")
	r.check(golden(r), "webhooks/getWebhookSettings", r.call(http.MethodGet, settings, nil).Want(t, http.StatusOK))
	r.check(golden(r), "webhooks/testWebhook", r.call(http.MethodPost, base+"/v1/webhooks/test", object{"webhookId": id}).Want(t, http.StatusOK))
	sample := receiver.Wait(t, "a sample", func(d apptest.Delivery) bool { return d.Header.Get("X-Zernio-Event") == "message.received" })
	if sample.Header.Get("X-Mine") != "yes" || sample.Path != "/hook" {
		t.Errorf("the sample has %v", sample.Header)
	}
	changed := r.call(http.MethodPut, settings, object{"_id": id, "isActive": false, "events": []string{"message.sent"}, "name": "Other"}).Want(t, http.StatusOK)
	r.check(golden(r), "webhooks/updateWebhookSettings", changed)
	r.refused(r.call(http.MethodPut, settings, object{"name": "x"}), http.StatusBadRequest, "invalid_request_error", "webhookId")

	// One of another key's does not exist for this one, nor one of another format.
	if status := r.Call(t, http.MethodPost, "/api/v1/webhooks", object{"url": receiver.URL, "sessions": []string{r.Session}}, nil); status >= 300 {
		t.Fatalf("make another webhook: %d", status)
	}
	if list := field(t, r.call(http.MethodGet, settings, nil), "webhooks").([]any); len(list) != 1 {
		t.Errorf("the webhooks are %v", list)
	}
	r.check(golden(r), "webhooks/deleteWebhookSettings", r.call(http.MethodDelete, settings+"?webhookId="+id, nil).Want(t, http.StatusOK))
	if list := field(t, r.call(http.MethodGet, settings, nil), "webhooks").([]any); len(list) != 0 {
		t.Errorf("the webhooks are %v", list)
	}
}

// TestWebhooks has a golden file of each of Zernio's events that happen here.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	receiver := apptest.Receive(t, nil)
	const secret = "the secret of the receiver"
	r.call(http.MethodPost, settings, object{"name": "all", "url": receiver.URL, "secret": strings.ReplaceAll(secret, " ", "-"), "events": []string{
		"message.received", "message.sent", "message.delivered", "message.read", "message.edited", "message.deleted", "reaction.received", "conversation.started",
	}}).Want(t, http.StatusOK)
	names := golden(r)
	got := func(name string, fits func(p object) bool) object {
		t.Helper()
		var p object
		d := receiver.Wait(t, name, func(d apptest.Delivery) bool {
			p = nil
			return d.Header.Get("X-Zernio-Event") == name && json.Unmarshal(d.Body, &p) == nil && fits(p)
		})
		mac := hmac.New(sha256.New, []byte(strings.ReplaceAll(secret, " ", "-")))
		mac.Write(d.Body)
		if d.Header.Get("X-Zernio-Signature") != hex.EncodeToString(mac.Sum(nil)) || d.Header.Get("X-Zernio-Event-Id") != p["id"] {
			t.Errorf("%s is signed with %v", name, d.Header)
		}
		names.JSON(t, "webhooks/"+name, timeless(d.Body))
		return p
	}
	of := func(id string) func(object) bool {
		return func(p object) bool { return p["message"].(object)["platformMessageId"] == id }
	}

	id, jid := r.make("Told")
	got("conversation.started", func(p object) bool { return p["conversation"].(object)["id"] == id })
	r.inGroup(http.MethodPost, id, "/participants", phones(ann)).Want(t, http.StatusOK)
	question, err := r.WA.SendText(ann, jid.String(), "When?")
	if err != nil {
		t.Fatal(err)
	}
	p := got("message.received", of(question))
	if p["conversation"].(object)["platformConversationId"] != id || p["message"].(object)["sender"].(object)["phoneNumber"] != "+"+ann {
		t.Errorf("%v", p)
	}
	answer := text(t, r.send(id, object{"message": "Now", "replyTo": question}), "data", "messageId")
	got("message.sent", of(answer))
	got("message.delivered", of(answer))
	r.hears(ann, "the answer", func(m sandbox.Received) bool { return m.ID == answer })
	if err = r.WA.MarkRead(ann, []string{answer}, false); err != nil {
		t.Fatal(err)
	}
	got("message.read", of(answer))
	say := func(c sandbox.Content) {
		t.Helper()
		c.Target = &sandbox.Reference{ID: question}
		if c.Kind == "reaction" {
			c.Target.ID = answer
		}
		if _, err := r.WA.Send(ann, jid.String(), sandbox.Outgoing{Content: c}); err != nil {
			t.Fatal(err)
		}
	}
	say(sandbox.Content{Kind: "reaction", Text: "👍"})
	got("reaction.received", func(p object) bool { return p["reaction"].(object)["platformMessageId"] == answer })
	say(sandbox.Content{Kind: "edit", Text: "When exactly?"})
	got("message.edited", of(question))
	say(sandbox.Content{Kind: "revoke"})
	got("message.deleted", of(question))

	for _, d := range receiver.Deliveries() {
		if strings.Contains(string(d.Body), `"event":"message.failed"`) {
			t.Errorf("not asked for: %s", d.Body)
		}
	}
}
