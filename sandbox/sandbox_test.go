package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

const (
	baker = "4915100000001"
	nurse = "4915100000002"
)

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:80", "nonsense"} {
		if srv, err := sandbox.Start(context.Background(), sandbox.Options{Listen: address}); err == nil {
			_ = srv.Close()
			t.Errorf("it listens on %q", address)
		}
	}
}

func TestUnwritableStateIsFoundAtTheStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "state.json")
	if srv, err := sandbox.Start(context.Background(), sandbox.Options{StateFile: path}); err == nil {
		_ = srv.Close()
		t.Error("it starts with a state file that cannot be written")
	}
	broken := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(broken, []byte(`{"identity":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if srv, err := sandbox.Start(context.Background(), sandbox.Options{StateFile: broken}); err == nil || !strings.Contains(err.Error(), broken) {
		if err == nil {
			_ = srv.Close()
		}
		t.Errorf("a broken state file gives %v", err)
	}
}

// TestStateSurvives copies the state file at the moment when a change was
// acknowledged, which is what a killed process leaves, and starts from it: the
// device signs in, the group is there, and what was not delivered arrives.
func TestStateSurvives(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.json")
	srv := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = path })
	addPhones(t, srv)
	client := sandboxtest.Link(t, srv, baker)
	jid, _, _, err := srv.CreateGroup(nurse, sandbox.GroupOptions{Name: "Kept", Participants: []string{baker}})
	if err != nil {
		t.Fatal(err)
	}
	client.Disconnect()
	if _, err := srv.SendText(nurse, jid.String(), "while you were away"); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state file: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, left, 0o600); err != nil {
		t.Fatal(err)
	}

	again := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = path })
	t.Cleanup(client.Disconnect) // before the sandbox closes: it would try to return
	client.Point(again)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	client.Text(t, jid, "while you were away")
	if truth, err := again.GroupTruth(jid); err != nil || truth.Subject != "Kept" || len(truth.Participants) != 2 {
		t.Errorf("the group is %+v, %v", truth, err)
	}
	if phone, err := again.Phone(baker); err != nil || len(phone.Devices) != 1 || !phone.Devices[0].Online {
		t.Errorf("the phone is %+v, %v", phone, err)
	}
}

// TestStaleQR: a code that the client has replaced links nothing any more.
func TestStaleQR(t *testing.T) {
	t.Parallel()
	clock := &hand{at: time.Now()}
	srv := sandboxtest.Start(t, func(o *sandbox.Options) { o.Now = clock.now })
	addPhones(t, srv)
	client := sandboxtest.New(t, srv)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	codes := sandboxtest.Wait(t, client, "QR codes", func(*events.QR) bool { return true }).Codes
	clock.advance(62 * time.Second)
	if _, err := srv.ScanQR(t.Context(), baker, codes[0]); err == nil || err.Error() != service.ErrStaleQR.Error() {
		t.Errorf("the first code, after a minute, gives %v", err)
	}
	if _, err := srv.ScanQR(t.Context(), baker, codes[1]); err != nil {
		t.Errorf("the second code gives %v", err)
	}
}

// TestControl walks through the control API as a program in another language
// does, and compares with what the client sees.
func TestControl(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	api := controller{t, srv.URL() + "/control/v1"}
	api.call("POST", "/phones", `{"number":"+`+baker+`","name":"Baker"}`, 201)
	api.call("POST", "/phones", `{"number":"`+nurse+`","name":"Nurse","privacy_groupadd":"none"}`, 201)
	api.call("POST", "/phones", `{"number":"4915100000003","on_whatsapp":false}`, 201)
	api.call("POST", "/phones", `{"number":"`+nurse+`"}`, 409)
	api.call("POST", "/phones", `{"number":"12"}`, 422)
	api.call("GET", "/phones/4915199999999", "", 404)
	client := sandboxtest.New(t, srv)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	code := sandboxtest.Wait(t, client, "a QR code", func(*events.QR) bool { return true }).Codes[0]
	api.call("POST", "/phones/"+baker+"/link", `{}`, 422)
	api.call("POST", "/phones/"+baker+"/link", `{"qr":"nonsense"}`, 422)
	body, err := json.Marshal(map[string]string{"qr": code})
	if err != nil {
		t.Fatal(err)
	}
	if device := api.call("POST", "/phones/"+baker+"/link", string(body), 200)["device_jid"]; device != baker+":1@s.whatsapp.net" {
		t.Errorf("the device is %v", device)
	}
	sandboxtest.Wait(t, client, "being connected", func(*events.Connected) bool { return true })
	api.groups(client)
	client.Disconnect() // it would come back, and be told that it is nobody's
	api.call("POST", "/reset", "", 200)
	if phones := api.call("GET", "/phones", "", 200)["phones"]; len(phones.([]any)) != 0 {
		t.Errorf("after a reset there are %v", phones)
	}
}

// groups acts on groups and messages as the phones.
func (api controller) groups(client *sandboxtest.Client) {
	t := api.t
	made := api.call("POST", "/phones/"+baker+"/groups", `{"name":"Market","participants":["`+nurse+`","4915100000003"],"announce":true}`, 201)
	results, _ := made["results"].([]any)
	if len(results) != 2 || results[0].(map[string]any)["code"] != float64(403) || results[1].(map[string]any)["code"] != float64(404) {
		t.Errorf("who refuses and who is not on WhatsApp: %v", results)
	}
	jid, _ := made["group_jid"].(string)
	link, _ := json.Marshal(map[string]any{"link": made["invite_link"]})
	if status := api.call("POST", "/phones/"+nurse+"/join", string(link), 200)["status"]; status != "joined" {
		t.Errorf("joining by link: %v", status)
	}
	act := "/phones/" + baker + "/groups/" + jid
	api.call("POST", act+"/promote", `{"participants":["`+nurse+`"]}`, 200)
	api.call("POST", act+"/subject", `{"subject":"Market square"}`, 200)
	api.call("POST", act+"/description", `{"description":"On Saturdays"}`, 200)
	api.call("POST", act+"/settings", `{"membership_approval_mode":"on","member_add_mode":"admin_add","member_link_mode":"all_member_link","locked":true,"disappearing_seconds":86400}`, 200)
	api.call("POST", act+"/settings", `{"disappearing_seconds":5}`, 400)
	truth := api.call("GET", "/groups/"+jid, "", 200)
	for field, want := range map[string]any{
		"subject": "Market square", "announce": true, "locked": true, "disappearing_seconds": float64(86400),
		"membership_approval_mode": "on", "member_add_mode": "admin_add", "member_link_mode": "all_member_link",
	} {
		if truth[field] != want {
			t.Errorf("%s is %v, want %v", field, truth[field], want)
		}
	}
	api.call("POST", "/phones/"+nurse+"/messages", `{"to":"`+jid+`","text":"for everybody"}`, 200)
	group, err := types.ParseJID(jid)
	if err != nil {
		t.Fatal(err)
	}
	client.Text(t, group, "for everybody")
	inbox := api.call("GET", "/phones/"+baker+"/messages", "", 200)["messages"].([]any)
	if last := inbox[len(inbox)-1].(map[string]any); last["text"] != "for everybody" || last["from_number"] != nurse || last["chat"] != jid {
		t.Errorf("the phone read %v", last)
	}
	api.call("POST", act+"/leave", "", 200)
	api.call("POST", act+"/subject", `{"subject":"Too late"}`, 403)
}

type controller struct {
	t    *testing.T
	base string
}

// call sends a request and checks its status; it returns the JSON object.
func (api controller) call(method, path, body string, want int) map[string]any {
	api.t.Helper()
	request, err := http.NewRequestWithContext(api.t.Context(), method, api.base+path, strings.NewReader(body))
	if err != nil {
		api.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		api.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		api.t.Fatalf("%s %s: %v", method, path, err)
	}
	if response.StatusCode != want {
		api.t.Errorf("%s %s: %d %v, want %d", method, path, response.StatusCode, answer, want)
	}
	return answer
}

func addPhones(t *testing.T, srv *sandbox.Server) {
	t.Helper()
	for _, number := range []string{baker, nurse} {
		if _, err := srv.AddPhone(sandbox.PhoneOptions{Number: number}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebPagesAreKeptOut: what a browser on this machine would send for a page
// from elsewhere must not act on the world.
func TestWebPagesAreKeptOut(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	for name, test := range map[string]struct {
		host   string
		header map[string]string
		want   int
	}{
		"a program":                 {"", nil, 200},
		"by name":                   {"localhost:1", nil, 200},
		"by IPv6":                   {"[::1]:1", nil, 200},
		"a page of this machine":    {"", map[string]string{"Origin": "http://localhost:3451", "Sec-Fetch-Site": "same-origin"}, 200},
		"a page from elsewhere":     {"", map[string]string{"Origin": "https://evil.example"}, 403},
		"a page without an origin":  {"", map[string]string{"Origin": "null"}, 403},
		"an image on a page":        {"", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a name pointed to here":    {"evil.example", nil, 421},
		"a name that looks like it": {"127.0.0.1.evil.example:80", nil, 421},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/control/v1/reset", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = test.host
			for key, value := range test.header {
				request.Header.Set(key, value)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("status %d, want %d", response.StatusCode, test.want)
			}
		})
	}
}
