package meta_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"muster/internal/app/apptest"
)

// TestDocumentedExamples runs the curl lines of the documentation, with nothing
// changed but hosts, tokens and the ids that come of it.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.people(ann)
	text, err := os.ReadFile("../../docs/dialects/meta.md")
	if err != nil {
		t.Fatal(err)
	}
	replaced := []string{
		"http://localhost:3451", r.line.URL, "ADMIN_TOKEN", r.line.Token(), "Bearer TOKEN", "Bearer " + r.line.Key,
		"https://example.com/hook", r.hook.URL + "/docs", "PHONE_NUMBER", business, "SESSION", r.line.Session,
	}
	examples := apptest.Curl(t, r.line.URL, strings.NewReplacer(replaced...).Replace(fenced(string(text))))
	if len(examples) != 9 {
		t.Fatalf("there are %d examples", len(examples))
	}
	names := strings.NewReplacer()
	for i, x := range examples {
		x.Path, x.Body = names.Replace(x.Path), []byte(names.Replace(string(x.Body)))
		if x = r.line.Send(t, x); x.Status != http.StatusOK && x.Status != http.StatusCreated {
			t.Fatalf("%s %s: %d %s", x.Method, x.Path, x.Status, x.Answer)
		}
		if i == 1 { // the group: somebody asks to be let in
			created, _ := r.told("the group", func(i item) bool { return i.Type == "group_create" })
			jid := r.jid(created.GroupID).String()
			r.ask(ann, jid)
			names = strings.NewReplacer("GROUP_ID", created.GroupID, "JOIN_REQUEST_ID", r.asked(jid, 1)[0])
		}
	}
	d := r.hook.Wait(t, "the deletion", func(d apptest.Delivery) bool {
		return d.Path == "/docs" && bytes.Contains(d.Body, []byte("group_delete"))
	})
	if d.Header.Get("X-Hub-Signature-256") == "" {
		t.Error("the webhook of the documentation is not signed")
	}
}

// fenced is what stands in the code blocks of a document for a shell.
func fenced(document string) string {
	var out strings.Builder
	for i, part := range strings.Split(document, "```") {
		if code, shell := strings.CutPrefix(part, "sh\n"); i%2 == 1 && shell {
			out.WriteString(code)
		}
	}
	return out.String()
}
