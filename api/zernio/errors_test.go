package zernio_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox"
)

// TestErrors has a golden file of each kind of error.
func TestErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, jid := r.makeWith("Errors", ann)
	notMine, _, _, err := r.WA.CreateGroup(ann, sandbox.GroupOptions{Name: "Ann's", Participants: []string{me}})
	if err != nil {
		t.Fatal(err)
	}
	strange, _, _, err := r.WA.CreateGroup(ann, sandbox.GroupOptions{Name: "Closed", Participants: []string{bob}})
	if err != nil {
		t.Fatal(err)
	}
	at := "?accountId=" + r.Session
	long := func(n int) string { return strings.Repeat("é", n) }
	const invalid, permission, unknown, refused = "invalid_request_error", "permission_error", "not_found", "platform_error"
	for _, test := range []struct {
		name, method, path string
		body               any
		status             int
		class, param       string
	}{
		{"no account", http.MethodGet, groups, nil, 400, invalid, "accountId"},
		{"another account", http.MethodGet, groups + "?accountId=other", nil, 404, unknown, ""},
		{"limit", http.MethodGet, groups + at + "&limit=1025", nil, 400, invalid, "limit"},
		{"cursor", http.MethodGet, groups + at + "&after=x", nil, 400, invalid, "after"},
		{"not JSON", http.MethodPost, groups, "{", 400, invalid, ""},
		{"not an object", http.MethodPost, groups, "[]", 400, invalid, ""},
		{"wrong type", http.MethodPost, groups, `{"accountId":"line","subject":1}`, 400, invalid, "subject"},
		{"no subject", http.MethodPost, groups, object{"accountId": "line", "subject": "  "}, 400, invalid, "subject"},
		{"subject beyond Zernio's limit", http.MethodPost, groups, object{"accountId": "line", "subject": long(129)}, 400, invalid, "subject"},
		{"subject beyond WhatsApp's limit", http.MethodPost, groups, object{"accountId": "line", "subject": long(128)}, 400, invalid, "subject"},
		{"long description", http.MethodPost, groups, object{"accountId": "line", "subject": "S", "description": long(2049)}, 400, invalid, "description"},
		{"mode", http.MethodPost, groups, object{"accountId": "line", "subject": "S", "joinApprovalMode": "on"}, 400, invalid, "joinApprovalMode"},
		{"nothing to change", http.MethodPost, groups + "/" + id + at, object{}, 400, invalid, ""},
		{"no group", http.MethodGet, groups + "/120363000000000001" + at, nil, 404, unknown, ""},
		{"not a group", http.MethodGet, groups + "/GROUP_ID" + at, nil, 400, invalid, "groupId"},
		{"another account's group", http.MethodGet, groups + "/Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD" + at, nil, 404, unknown, ""},
		{"not in the group", http.MethodPost, groups + "/" + strange.User + at, object{"subject": "S"}, 403, permission, ""},
		{"not an admin", http.MethodDelete, groups + "/" + notMine.User + "/participants" + at, phones(ann), 403, permission, ""},
		{"no numbers", http.MethodPost, groups + "/" + id + "/participants" + at, object{"phoneNumbers": []string{}}, 400, invalid, "phoneNumbers"},
		{"nine numbers", http.MethodPost, groups + "/" + id + "/participants" + at, phones(ann, bob, cid, shy, ann, bob, cid, shy, ann), 400, invalid, "phoneNumbers"},
		{"not a number", http.MethodPost, groups + "/" + id + "/participants" + at, object{"phoneNumbers": []string{"+" + bob, "Bob"}}, 400, invalid, "phoneNumbers[1]"},
		{"nobody added", http.MethodPost, groups + "/" + id + "/participants" + at, object{"phoneNumbers": []string{"+" + nobody, "+0987654321"}}, 400, refused, ""},
		{"nobody removed", http.MethodDelete, groups + "/" + id + "/participants" + at, phones(cid), 400, refused, ""},
		{"unknown join request", http.MethodPost, groups + "/" + id + "/join-requests" + at, phones(cid), 404, unknown, ""},
		{"no such path", http.MethodGet, base + "/v1/posts", nil, 404, unknown, ""},
		{"no such method", http.MethodPut, groups, object{}, 405, invalid, ""},
		{"an empty body", http.MethodPost, groups, "", 400, invalid, ""},
		{"an empty message", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line"}, 400, invalid, "message"},
		{"two messages", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "message": "x", "contacts": []object{{"name": object{"formatted_name": "A"}}}}, 400, invalid, "message"},
		{"a template", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "template": object{}}, 400, invalid, "template"},
		{"an interactive message", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "interactive": object{}}, 400, invalid, "interactive"},
		{"a kind of attachment", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "attachmentUrl": "http://x/", "attachmentType": "gif"}, 400, invalid, "attachmentType"},
		{"an attachment that is not there", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "attachmentUrl": "ftp://x/", "attachmentType": "image"}, 400, invalid, "attachmentUrl"},
		{"a reply to nothing", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "message": "x", "replyTo": "3EB0NOTHING"}, 400, invalid, "replyTo"},
		{"buttons and replies", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "message": "x", "buttons": []object{{"title": "A"}}, "quickReplies": []object{{"title": "A"}}}, 400, invalid, "quickReplies"},
		{"a long title", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "message": "x", "buttons": []object{{"title": long(21)}}}, 400, invalid, "buttons[0].title"},
		{"a place on no map", http.MethodPost, chats + "/" + id + "/messages", object{"accountId": "line", "location": object{"latitude": 91, "longitude": 0}}, 400, invalid, "location.latitude"},
		{"a stranger", http.MethodPost, chats + "/" + nobody + "/messages", object{"accountId": "line", "message": "x"}, 400, invalid, "conversationId"},
		{"no conversation", http.MethodGet, chats + "/" + bob + at, nil, 404, unknown, ""},
		{"no media", http.MethodGet, base + "/v1/whatsapp/media/x" + at, nil, 404, unknown, ""},
		{"order", http.MethodGet, chats + "/" + id + "/messages" + at + "&sortOrder=up", nil, 400, invalid, "sortOrder"},
		{"messages' cursor", http.MethodGet, chats + "/" + id + "/messages" + at + "&cursor=%21", nil, 400, invalid, "cursor"},
		{"conversations' cursor", http.MethodGet, chats + at + "&cursor=x", nil, 400, invalid, "cursor"},
		{"status", http.MethodGet, chats + at + "&status=open", nil, 400, invalid, "status"},
		{"a webhook's name", http.MethodPost, base + "/v1/webhooks/settings", object{"url": "http://x/", "events": []string{"message.sent"}}, 400, invalid, "name"},
		{"a webhook's events", http.MethodPost, base + "/v1/webhooks/settings", object{"name": "x", "url": "http://x/", "events": []string{"post.published"}}, 400, invalid, "events"},
		{"a webhook's event", http.MethodPost, base + "/v1/webhooks/settings", object{"name": "x", "url": "http://x/", "events": []string{"Message"}}, 400, invalid, "events[0]"},
		{"a webhook's URL", http.MethodPost, base + "/v1/webhooks/settings", object{"name": "x", "url": "x", "events": []string{"message.sent"}}, 400, invalid, "url"},
		{"no webhook", http.MethodDelete, base + "/v1/webhooks/settings?id=wh_0", nil, 404, unknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := r.with(t)
			x := r.refused(r.call(test.method, test.path, test.body), test.status, test.class, test.param)
			r.check(golden(r), "errors/"+strings.NewReplacer(" ", "-", "'", "").Replace(test.name), x)
		})
	}
	file := apptest.JSON(http.MethodPost, chats+"/"+id+"/messages", r.header(), "--x--")
	file.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	r.check(golden(r), "errors/a-file", r.refused(r.Send(t, file), http.StatusUnsupportedMediaType, invalid, ""))
	if got := r.members(jid); got != me+" "+ann {
		t.Errorf("after all that went wrong, the members are %s", got)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	path := groups + "?accountId=" + r.Session
	for name, header := range map[string]http.Header{
		"none": {}, "wrong": {"Authorization": {"Bearer sk_wrong"}}, "another scheme": {"Authorization": {"Basic " + r.Key}}, "another header": {"D360-Api-Key": {r.Key}},
	} {
		x := r.Send(t, apptest.Exchange{Method: http.MethodGet, Path: path, Header: header})
		r.refused(x, http.StatusUnauthorized, "authentication_error", "")
		if name == "none" {
			r.check(golden(r), "errors/no-key", x)
		}
	}
	// The document can be read by any key, and other sessions do not exist for one.
	document := r.Send(t, apptest.Exchange{Method: http.MethodGet, Path: base + "/openapi.json", Header: r.header()}).Want(t, http.StatusOK)
	if !strings.HasPrefix(text(t, document, "openapi"), "3.") {
		t.Errorf("the document is %.200s", document.Answer)
	}
	if status := r.Call(t, http.MethodPost, "/api/v1/sessions", object{"id": "other"}, nil); status != http.StatusCreated {
		t.Fatalf("make a session: %d", status)
	}
	r.refused(r.call(http.MethodGet, groups+"?accountId=other", nil), http.StatusNotFound, "not_found", "")
}

// TestPace: what is left of the account's pace is told as the SDK reads it.
func TestPace(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *config.Config) {
		c.Sessions.WriteRate, c.Sessions.WriteBurst, c.Sessions.PaceWait = 0.01, 3, 0
	})
	id, _ := r.make("Paced")
	var x apptest.Exchange
	for range 4 {
		if x = r.inGroup(http.MethodPost, id, "/invite-link", nil); x.Status != http.StatusOK {
			break
		}
		if x.Answered.Get("X-RateLimit-Limit") != "3" || x.Answered.Get("X-RateLimit-Remaining") == "" {
			t.Errorf("the headers are %v", x.Answered)
		}
	}
	r.refused(x, http.StatusTooManyRequests, "rate_limit_error", "")
	if x.Answered.Get("X-RateLimit-Remaining") != "0" || x.Answered.Get("Retry-After") == "" {
		t.Errorf("the headers are %v", x.Answered)
	}
	// A time, and not a wait: the SDK makes a date of it.
	if reset, err := strconv.ParseInt(x.Answered.Get("X-RateLimit-Reset"), 10, 64); err != nil || reset < 1_700_000_000 {
		t.Errorf("the reset is %q", x.Answered.Get("X-RateLimit-Reset"))
	}
}

// TestIdempotency: the same key and body are answered as before, and another
// body is refused.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := r.makeWith("Once", ann)
	send := func(text string) apptest.Exchange {
		x := apptest.JSON(http.MethodPost, chats+"/"+id+"/messages", r.header(), object{"accountId": r.Session, "message": text})
		x.Header.Set("Idempotency-Key", "a-key-of-the-client")
		return r.Send(t, x)
	}
	first, again := send("once").Want(t, http.StatusOK), send("once").Want(t, http.StatusOK)
	if string(first.Answer) != string(again.Answer) || again.Answered.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s, and again %s with %v", first.Answer, again.Answer, again.Answered)
	}
	r.check(golden(r), "inbox/replayed", again, "Idempotency-Key", "Idempotent-Replayed")
	other := r.refused(send("twice"), http.StatusUnprocessableEntity, "invalid_request_error", "Idempotency-Key")
	r.check(golden(r), "errors/another-body", other, "Idempotency-Key")
	r.hears(ann, "the message", func(m sandbox.Received) bool { return m.Text == "once" })
	r.said(id, 1)
}

// TestDisconnected: what WhatsApp cannot be asked is said so.
func TestDisconnected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id, _ := r.make("Alone")
	if status := r.Call(t, http.MethodPost, "/api/v1/sessions/"+r.Session+"/disconnect", nil, nil); status >= 300 {
		t.Fatalf("disconnect: %d", status)
	}
	x := r.refused(r.inGroup(http.MethodPost, id, "", object{"subject": "S"}), http.StatusServiceUnavailable, "api_error", "")
	r.check(golden(r), "errors/not-connected", x)
	r.inGroup(http.MethodGet, id, "", nil).Want(t, http.StatusOK) // which is known here
}
