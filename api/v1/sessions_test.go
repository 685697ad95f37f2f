package v1_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"muster/sandbox"
)

const sessions = "/api/v1/sessions"

// awaitStatus asks until the session has the status; its changes are not told
// over this API.
func (r *rig) awaitStatus(id, status string) answer {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		a := r.do(r.request(ctx, http.MethodGet, sessions+"/"+id+"/status", nil)).status(http.StatusOK)
		if a.text("status") == status {
			return a
		}
	}
}

func TestSessionIsReadableInBothShapes(t *testing.T) {
	r := newRig(t)
	got := r.call(http.MethodGet, sessions+"/"+mySession, nil).status(http.StatusOK)
	nested, ok := got.body["session"].(object)
	if !ok {
		t.Fatalf("no session in %s", got.raw)
	}
	phone, err := r.wa.Phone(myNumber)
	if err != nil {
		t.Fatal(err)
	}
	wanted := object{
		"id": mySession, "name": mySession, "phone_number": myNumber, "jid": phone.JID, "lid": phone.LID,
		"device_jid": phone.Devices[0].JID, "status": "connected", "reason": nil, "proxy": nil, "is_logged_in": true,
	}
	for _, fields := range []object{got.body, nested} {
		for field, want := range wanted {
			if fields[field] != want {
				t.Errorf("%s is %v, want %v", field, fields[field], want)
			}
		}
		for _, field := range []string{"created_at", "updated_at", "last_connected_at"} {
			if seconds, ok := fields[field].(float64); !ok || seconds <= 0 {
				t.Errorf("%s is %v", field, fields[field])
			}
		}
	}
}

func TestSessionsAreCreatedAndListed(t *testing.T) {
	r := newRig(t)
	made := r.call(http.MethodPost, sessions, object{}).status(http.StatusCreated)
	if made.text("id") == "" || made.body["last_connected_at"] != nil || made.text("status") != "disconnected" {
		t.Errorf("made up %s", made.raw)
	}
	r.call(http.MethodPost, sessions, object{"id": mySession}).refused(http.StatusConflict, "session_exists", "")
	r.call(http.MethodPost, sessions, object{"id": "a b"}).refused(http.StatusUnprocessableEntity, "invalid", "id")
	r.call(http.MethodPost, sessions, object{"identity": "x"}).refused(http.StatusUnprocessableEntity, "invalid", "identity")
	for i := range 3 {
		r.call(http.MethodPost, sessions, object{"id": fmt.Sprintf("zzzzzzzzzzzz%d", i)}).status(http.StatusCreated)
	}
	var ids []string
	cursor := ""
	for {
		page := r.call(http.MethodGet, sessions+"?limit=2&cursor="+cursor, nil).status(http.StatusOK)
		for _, entry := range page.body["sessions"].([]any) {
			ids = append(ids, entry.(object)["id"].(string))
		}
		if page.body["total"] != 5.0 {
			t.Errorf("total %v", page.body["total"])
		}
		if cursor = page.text("next_cursor"); cursor == "" {
			break
		}
	}
	if len(ids) != 5 || ids[4] != "zzzzzzzzzzzz2" {
		t.Errorf("listed %v", ids)
	}
	r.call(http.MethodGet, sessions+"?limit=1001", nil).refused(http.StatusUnprocessableEntity, "invalid", "limit")
	if gone := r.call(http.MethodDelete, sessions+"/zzzzzzzzzzzz0", nil).status(http.StatusOK); gone.body["success"] != true || gone.body["logged_out"] != true {
		t.Errorf("deleting a session that was never linked: %s", gone.raw)
	}
	if made := r.call(http.MethodPost, sessions, nil).status(http.StatusCreated); made.text("id") == "" {
		t.Errorf("a session without a body: %s", made.raw)
	}
	r.call(http.MethodGet, sessions+"/zzzzzzzzzzzz0", nil).refused(http.StatusNotFound, "session_not_found", "")
}

func TestBoundTokenSeesItsSessionOnly(t *testing.T) {
	r := newRig(t)
	r.call(http.MethodPost, sessions, object{"id": "other"}).status(http.StatusCreated)
	bound := r.call(http.MethodPost, "/api/v1/tokens", object{"name": "bot", "sessions": []string{"other"}}).status(http.StatusCreated).text("token")
	ask := func(method, path string, body any) answer {
		request := r.request(t.Context(), method, path, body)
		request.Header.Set("Authorization", "Bearer "+bound)
		return r.do(request)
	}
	if list := ask(http.MethodGet, sessions, nil).status(http.StatusOK); list.body["total"] != 1.0 {
		t.Errorf("it sees %s", list.raw)
	}
	ask(http.MethodGet, sessions+"/other", nil).status(http.StatusOK)
	for _, path := range []string{"", "/status", "/qr"} {
		ask(http.MethodGet, sessions+"/"+mySession+path, nil).refused(http.StatusNotFound, "session_not_found", "")
	}
	ask(http.MethodPost, sessions, object{}).refused(http.StatusForbidden, "forbidden", "")
	// The server itself would connect to what is named here.
	ask(http.MethodPut, sessions+"/other/proxy", object{"proxy": "http://127.0.0.1:1"}).refused(http.StatusForbidden, "forbidden", "")
	ask(http.MethodPut, sessions+"/other/proxy", `{"proxy": null}`).refused(http.StatusForbidden, "forbidden", "")
}

func TestConnectionActions(t *testing.T) {
	r := newRig(t)
	act := func(action string) answer { return r.call(http.MethodPost, sessions+"/"+mySession+"/"+action, nil) }
	if a := act("disconnect").status(http.StatusOK); a.text("status") != "disconnected" {
		t.Errorf("disconnected: %s", a.raw)
	}
	act("logout").refused(http.StatusServiceUnavailable, "session_not_connected", "")
	act("connect").status(http.StatusOK)
	r.awaitStatus(mySession, "connected")
	act("reconnect").status(http.StatusOK)
	r.awaitStatus(mySession, "connected")
	if a := act("logout").status(http.StatusOK); a.text("status") != "logged_out" || a.body["is_logged_in"] != false {
		t.Errorf("logged out: %s", a.raw)
	}
	status := r.call(http.MethodGet, sessions+"/"+mySession+"/status", nil).status(http.StatusOK)
	history, _ := status.body["history"].([]any)
	if status.text("reason") != "logged_out_here" || len(history) < 8 || history[0].(object)["status"] != "logged_out" {
		t.Errorf("status %s", status.raw)
	}
	r.call(http.MethodPost, sessions+"/nobody/connect", nil).refused(http.StatusNotFound, "session_not_found", "")
}

func TestProxyRoute(t *testing.T) {
	r := newRig(t)
	put := func(body any) answer { return r.call(http.MethodPut, sessions+"/"+mySession+"/proxy", body) }
	put(object{"proxy": "ftp://me:secret@127.0.0.1"}).refused(http.StatusUnprocessableEntity, "invalid", "proxy")
	if a := put(object{"proxy": "socks5://me:secret@127.0.0.1:1"}).status(http.StatusOK); !strings.HasPrefix(a.text("proxy"), "socks5://me:") || strings.Contains(string(a.raw), "secret") {
		t.Errorf("proxy shown as %q", a.text("proxy"))
	}
	put(object{}).refused(http.StatusUnprocessableEntity, "invalid", "proxy")
	if a := put(`{"proxy": null}`).status(http.StatusOK); a.body["proxy"] != nil {
		t.Errorf("proxy removed: %s", a.raw)
	}
	r.awaitStatus(mySession, "connected")
}

// picture asks for the QR code and returns the answer's type and body.
func (r *rig) picture(path, accept string) (contentType string, body []byte) {
	r.t.Helper()
	request := r.request(r.t.Context(), http.MethodGet, path, nil)
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		r.t.Fatalf("%s: %d %s, %v", path, response.StatusCode, body, err)
	}
	return response.Header.Get("Content-Type"), body
}

func TestQRForms(t *testing.T) {
	r := newRig(t)
	r.call(http.MethodPost, sessions, object{"id": "new"}).status(http.StatusCreated)
	path := sessions + "/new/qr"
	code := r.call(http.MethodGet, path, nil).status(http.StatusOK)
	if !strings.HasPrefix(code.text("qr"), "https://wa.me/settings/linked_devices#") || code.body["attempt"] != 1.0 ||
		code.text("status") != "waiting_for_qr" || code.body["expires_at"].(float64) <= 0 || code.header.Get("Cache-Control") != "no-store" {
		t.Errorf("code %s", code.raw)
	}
	for _, ask := range [][2]string{{path, "image/png"}, {path + "?format=png", "application/json"}} {
		contentType, body := r.picture(ask[0], ask[1])
		if _, err := png.Decode(bytes.NewReader(body)); err != nil || contentType != "image/png" {
			t.Errorf("%v: %s, %v", ask, contentType, err)
		}
	}
	for _, ask := range [][2]string{{path, "image/svg+xml"}, {path + "?format=svg", "*/*"}} {
		contentType, body := r.picture(ask[0], ask[1])
		if err := xml.Unmarshal(body, new(struct{})); err != nil || contentType != "image/svg+xml" {
			t.Errorf("%v: %s, %v", ask, contentType, err)
		}
	}
	r.call(http.MethodGet, path+"?format=gif", nil).refused(http.StatusUnprocessableEntity, "invalid", "format")
	r.call(http.MethodGet, sessions+"/"+mySession+"/qr", nil).refused(http.StatusConflict, "session_linked", "")
	r.call(http.MethodGet, sessions+"/"+mySession+"/qr?format=stream", nil).refused(http.StatusConflict, "session_linked", "")
}

// TestQRStreamTellsTheEnd: a stream that someone watches ends with a result
// when the linking is called off.
func TestQRStreamTellsTheEnd(t *testing.T) {
	r := newRig(t)
	r.call(http.MethodPost, sessions, object{"id": "new"}).status(http.StatusCreated)
	request := r.request(t.Context(), http.MethodGet, sessions+"/new/qr", nil)
	request.Header.Set("Accept", "text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	r.awaitStatus("new", "waiting_for_qr")
	r.call(http.MethodPost, sessions+"/new/disconnect", nil).status(http.StatusOK)
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(strings.TrimSpace(string(text)), `data: {"status":"disconnected","reason":"requested"}`) || !strings.Contains(string(text), "event: result\n") {
		t.Errorf("the stream was %s", text)
	}
}

// TestQRStreamTellsOfAPasskey: linking goes on by other routes then, and who
// watches has to know.
func TestQRStreamTellsOfAPasskey(t *testing.T) {
	r := newRig(t)
	const number = "628111000098"
	r.phone(number, sandbox.PhoneOptions{Name: "Careful"})
	if err := r.wa.DemandPasskey(number, true); err != nil {
		t.Fatal(err)
	}
	r.call(http.MethodPost, sessions, object{"id": "new"}).status(http.StatusCreated)
	response, err := http.DefaultClient.Do(r.request(t.Context(), http.MethodGet, sessions+"/new/qr?format=stream", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	code := r.call(http.MethodGet, sessions+"/new/qr", nil).status(http.StatusOK).text("qr")
	ctx, cancel := context.WithCancel(t.Context())
	scanned := make(chan struct{})
	go func() {
		defer close(scanned)
		_, _ = r.wa.ScanQR(ctx, number, code) // ends with the context
	}()
	r.awaitStatus("new", "passkey_required")
	r.call(http.MethodPost, sessions+"/new/disconnect", nil).status(http.StatusOK)
	cancel()
	<-scanned
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if told := "event: status\ndata: {\"status\":\"passkey_required\"}\n"; strings.Count(string(text), told) != 1 {
		t.Errorf("the stream was %s", text)
	}
}

func TestPairRoute(t *testing.T) {
	r := newRig(t)
	const number = "628111000099"
	r.phone(number, sandbox.PhoneOptions{Name: "Other"})
	r.call(http.MethodPost, sessions, object{"id": "new"}).status(http.StatusCreated)
	pair := func(id string, body any) answer { return r.call(http.MethodPost, sessions+"/"+id+"/pair", body) }
	pair("new", object{"phone_number": "0811"}).refused(http.StatusUnprocessableEntity, "invalid", "phone_number")
	pair("new", object{}).refused(http.StatusUnprocessableEntity, "invalid", "phone_number")
	pair(mySession, object{"phone_number": number}).refused(http.StatusConflict, "session_linked", "")
	code := pair("new", object{"phone_number": "+" + number, "show_push_notification": true}).status(http.StatusOK)
	if timeout, ok := code.body["timeout_seconds"].(float64); len(code.text("code")) != 9 || !ok || timeout <= 0 || code.body["expires_at"].(float64) <= 0 {
		t.Errorf("code %s", code.raw)
	}
	if _, err := r.wa.EnterCode(t.Context(), number, code.text("code")); err != nil {
		t.Fatal(err)
	}
	r.awaitStatus("new", "connected")
}

func TestPasskeyRoutes(t *testing.T) {
	r := newRig(t)
	path := sessions + "/" + mySession + "/passkey"
	r.call(http.MethodGet, path, nil).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodPost, path, object{"rawId": "AAAA"}).refused(http.StatusNotFound, "not_found", "")
	r.call(http.MethodPost, path+"/confirm", nil).refused(http.StatusNotFound, "not_found", "")
}
