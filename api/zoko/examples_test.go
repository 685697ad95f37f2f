package zoko_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// The people of the documentation's examples: one to be invited, one who is in
// the group, and one who is not on WhatsApp.
const (
	first  = "919876543210"
	second = "919876543211"
)

// documented are the fields of the answers that the documentation shows, by the
// end of the path; of a list, those of its first entry.
var documented = []struct {
	method, end string
	fields      []string
}{
	{http.MethodPost, "/group", []string{"_id", "request_id", "group_id", "customer_id", "subject", "status"}},
	{http.MethodGet, "/group", []string{
		"id", "customerId", "chatType", "groupId", "subject", "inviteLink", "autoApproval", "activeParticipantCount", "createdAt", "updatedAt",
	}},
	{http.MethodGet, "/GROUP_ID", []string{
		"_id", "customer_id", "chat_type", "group_id", "subject", "invite_link", "auto_approval", "suspended", "status", "participants", "created_at", "updated_at",
	}},
	{http.MethodPut, "/settings", []string{"subject"}},
	{http.MethodPost, "/delete", []string{"status"}},
	{http.MethodPost, "/invitations", []string{"sent", "skipped", "failed"}},
	{http.MethodPost, "/remove-participants", []string{"removed", "failed"}},
	{http.MethodGet, "/join-requests", []string{"count", "data"}},
	{http.MethodPost, "/approve", []string{"approved", "failed"}},
	{http.MethodPut, "/auto-approval", []string{"auto_approval"}},
	{http.MethodGet, "/invite-link", []string{"invite_link"}},
	{http.MethodPut, "/invite-link", []string{"invite_link"}},
	{http.MethodGet, "/invitation-template", []string{"invitation_template_id", "template_args"}},
	{http.MethodPut, "/invitation-template", []string{"invitation_template_id", "template_args"}},
}

// TestExamples runs the examples of Zoko's documentation, unchanged but for
// host, key and group.
func TestExamples(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Phone(t, first, sandbox.PhoneOptions{Name: "Jane Doe"})
	r.Phone(t, second, sandbox.PhoneOptions{Name: "John Doe"})
	text, err := os.ReadFile("testdata/curl.txt")
	if err != nil {
		t.Fatal(err)
	}
	curl := apptest.Curl(t, "https://chat.zoko.io", string(text))
	if text, err = os.ReadFile("testdata/requests.txt"); err != nil {
		t.Fatal(err)
	}
	requests := pythonRequests(t, string(text))
	if len(curl) != 14 || len(requests) != 10 {
		t.Fatalf("there are %d examples for curl and %d for Python", len(curl), len(requests))
	}
	for _, x := range append(curl, requests...) {
		t.Run(x.Method+x.Path, func(t *testing.T) { r.with(t).example(x) })
	}
}

// example runs one, about a group of its own.
func (r *rig) example(x apptest.Exchange) {
	r.t.Helper()
	members := []string{second}
	if strings.HasSuffix(x.Path, "/remove-participants") {
		members = append(members, first)
	}
	jid := r.own("Example", members...)
	known := x.Path
	x.Path = "/zoko" + strings.ReplaceAll(x.Path, "GROUP_ID", jid.User)
	x.Header.Set("apikey", r.Key)
	x = r.Send(r.t, x).Want(r.t, http.StatusOK)
	var body object
	if err := json.Unmarshal(x.Answer, &body); err != nil {
		var list []object
		x.Decode(r.t, &list)
		body = list[0]
	}
	checked := false
	for _, d := range documented {
		if d.method != x.Method || !strings.HasSuffix(known, d.end) {
			continue
		}
		checked = true
		for _, field := range d.fields {
			if _, ok := body[field]; !ok {
				r.t.Errorf("%s %s: %s has no %s", x.Method, x.Path, x.Answer, field)
			}
		}
	}
	if !checked {
		r.t.Errorf("nothing is known of the answer to %s %s", x.Method, known)
	}
	var sent invited
	if strings.HasSuffix(known, "/invitations") {
		if x.Decode(r.t, &sent); len(sent.Sent) != 1 || len(sent.Skipped) != 1 || len(sent.Failed) != 1 {
			r.t.Errorf("invited were %s", x.Answer)
		}
	}
}

var (
	pythonAssign = regexp.MustCompile(`(?s)(url|payload|headers) = ("[^"]*"|\{.*?\n\})`)
	pythonCall   = regexp.MustCompile(`requests\.(get|post|put)\(url(, json=payload)?, headers=headers\)`)
)

// pythonRequests reads Python's snippets: the assignments of url, payload and
// headers, and the call.
func pythonRequests(t *testing.T, text string) (list []apptest.Exchange) {
	t.Helper()
	for _, snippet := range strings.Split(text, "import requests\n")[1:] {
		values := map[string]string{}
		for _, found := range pythonAssign.FindAllStringSubmatch(snippet, -1) {
			values[found[1]] = strings.NewReplacer("True", "true", "False", "false").Replace(found[2])
		}
		call := pythonCall.FindStringSubmatch(snippet)
		var url string
		var headers map[string]string
		if call == nil || json.Unmarshal([]byte(values["url"]), &url) != nil || json.Unmarshal([]byte(values["headers"]), &headers) != nil {
			t.Fatalf("this is not understood: %s", snippet)
		}
		x := apptest.Exchange{Method: strings.ToUpper(call[1]), Path: strings.TrimPrefix(url, "https://chat.zoko.io"), Header: http.Header{}}
		for name, value := range headers {
			x.Header.Set(name, value)
		}
		if call[2] != "" {
			x.Body = []byte(values["payload"])
		}
		list = append(list, x)
	}
	return list
}

// TestGuide runs the examples of our own guide.
func TestGuide(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Phone(t, first, sandbox.PhoneOptions{Name: "Jane Doe"})
	text, err := os.ReadFile("../../docs/dialects/zoko.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for i, part := range strings.Split(string(text), "```") {
		if code, isShell := strings.CutPrefix(part, "sh\n"); isShell && i%2 == 1 {
			script.WriteString(code)
		}
	}
	examples := apptest.Curl(t, "http://localhost:3451/zoko", script.String())
	if len(examples) < 5 {
		t.Fatalf("the guide has %d examples", len(examples))
	}
	group := ""
	for _, x := range examples {
		x.Path = "/zoko" + strings.ReplaceAll(x.Path, "GROUP_ID", group)
		x.Body = []byte(strings.ReplaceAll(string(x.Body), "GROUP_ID", group))
		x.Header.Set("apikey", r.Key)
		if x = r.Send(t, x); x.Status/100 != 2 {
			t.Errorf("%s %s: %d %s", x.Method, x.Path, x.Status, x.Answer)
		}
		if group == "" {
			group, _ = answer(t, x)["_id"].(string)
		}
	}
}
