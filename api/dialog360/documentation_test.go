package dialog360_test

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"muster/internal/app/apptest"
	"muster/sandbox"
)

// TestVendorsExamples runs the curl lines of 360dialog's page, with nothing
// changed but the host, the key and the placeholders.
func TestVendorsExamples(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text, err := os.ReadFile("testdata/curl.txt")
	if err != nil {
		t.Fatal(err)
	}
	mode := "on"
	jid := r.group(sandbox.GroupOptions{Name: "Examples", Settings: sandbox.Settings{ApprovalMode: &mode}})
	ids := r.requests(jid)
	examples := apptest.Curl(t, r.line.URL, strings.NewReplacer("https://waba-v2.360dialog.io", r.line.URL+base, "<API_KEY>", r.line.Key,
		"<JOIN_APPROVAL_MODE>", "approval_required", "{group_id}", id(jid), "<JOIN_REQUEST_ID>", ids[0], "<OTHER_JOIN_REQUEST_ID>", ids[1]).Replace(string(text)))
	if len(examples) != 5 {
		t.Fatalf("there are %d examples", len(examples))
	}
	for _, x := range examples {
		if x.Path == base+"/groups" && len(x.Body) == 0 {
			x.Header.Del("Content-Type")
		}
		r.send(x).Want(t, http.StatusOK)
	}
}

// requests has both people ask to be let in, and returns the ids of that.
func (r *rig) requests(jid string) (ids []string) {
	r.Helper()
	var link struct {
		Link string `json:"invite_link"`
	}
	r.call(http.MethodGet, "/groups/"+id(jid)+"/invite_link", nil).Want(r, http.StatusOK).Decode(r, &link)
	for _, who := range []string{ann, bob} {
		if _, _, err := r.line.WA.Join(who, link.Link); err != nil {
			r.Fatal(err)
		}
	}
	apptest.Eventually(r, "the requests", func() bool {
		var list struct {
			Data []struct {
				ID string `json:"join_request_id"`
			}
		}
		r.call(http.MethodGet, "/groups/"+id(jid)+"/join_requests", nil).Want(r, http.StatusOK).Decode(r, &list)
		ids = nil
		for _, one := range list.Data {
			ids = append(ids, one.ID)
		}
		return len(ids) == 2
	})
	return ids
}

// TestDocumentedExamples runs the curl lines of our own documentation.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text, err := os.ReadFile("../../docs/dialects/360dialog.md")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for i, part := range strings.Split(string(text), "```") {
		if lines, shell := strings.CutPrefix(part, "sh\n"); i%2 == 1 && shell {
			code.WriteString(lines)
		}
	}
	examples := apptest.Curl(t, r.line.URL, strings.NewReplacer("http://localhost:3451", r.line.URL, "ADMIN_TOKEN", r.line.Token(),
		"https://example.com/hook", r.hook.URL+"/docs", "SESSION", r.line.Session).Replace(code.String()))
	if len(examples) != 7 {
		t.Fatalf("there are %d examples", len(examples))
	}
	names := []string{"API_KEY", r.line.Key}
	for i, x := range examples {
		replace := strings.NewReplacer(names...)
		x.Path, x.Body = replace.Replace(x.Path), []byte(replace.Replace(string(x.Body)))
		for _, values := range x.Header {
			values[0] = strings.ReplaceAll(values[0], "API_KEY", r.line.Key)
		}
		var answer struct {
			ID   string
			Link string `json:"invite_link"`
		}
		if x = r.line.Send(t, x); x.Status != http.StatusOK && x.Status != http.StatusCreated {
			t.Fatalf("%s %s: %d %s", x.Method, x.Path, x.Status, x.Answer)
		}
		x.Decode(t, &answer)
		switch i {
		case 2:
			names = append(names, "GROUP_ID", answer.ID)
		case 3: // somebody to write to
			if _, _, err = r.line.WA.Join(ann, answer.Link); err != nil {
				t.Fatal(err)
			}
			r.told("group_participants_add", ann)
		}
	}
	r.hook.Wait(t, "the deletion", func(d apptest.Delivery) bool {
		return d.Path == "/docs" && bytes.Contains(d.Body, []byte("group_delete"))
	})
}
