package meta_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"muster/api/contract"
	"muster/api/meta"
	"muster/internal/app/apptest"
)

// contracts are what exchanges are checked with: Meta's own OpenAPI file, and
// the document that this dialect serves.
type contracts struct{ theirs, ours *contract.Document }

func loadContracts(t testing.TB) contracts {
	t.Helper()
	raw, err := os.ReadFile("testdata/meta-groups.openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := contract.Load(raw)
	if err != nil {
		t.Fatal(err)
	}
	correct(theirs)
	served, err := (*meta.API)(nil).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := contract.Load(served)
	if err != nil {
		t.Fatal(err)
	}
	return contracts{theirs, ours}
}

// correct puts right what Meta's file has otherwise than Meta's guide and the
// guide's samples, which are what clients parse.
func correct(d *contract.Document) {
	change, item := d.Components.Schemas["Change"], d.Components.Schemas["Groups"]
	// The field is group_participants_update, and there is one about suspensions.
	change.Properties["field"].Enum = append(change.Properties["field"].Enum, "group_participants_update", "group_status_update")
	// The types are group_participants_add and group_participants_remove; those
	// of join requests and of suspensions are missing.
	item.Properties["type"].Enum = append(item.Properties["type"].Enum, "group_participants_add", "group_participants_remove",
		"group_join_request_created", "group_join_request_revoked", "group_suspend", "group_suspend_cleared")
	// The timestamp is a text. What nobody has asked for has no request_id, and a
	// group that was not made has no id.
	item.Properties["timestamp"].Type = huma.TypeString
	item.Required = []string{"timestamp", "type"}
	for _, schema := range []*huma.Schema{change, item, d.Components.Schemas["WebhookPayload"]} {
		schema.PrecomputeMessages()
	}
	// Partial success is answered with 206, in the same form.
	for _, path := range []string{"/{Version}/{group_id}/join_requests"} {
		for _, op := range []*contract.Operation{d.Paths[path].Post, d.Paths[path].Delete} {
			op.Responses["206"] = op.Responses["200"]
		}
	}
}

// check checks an exchange with both documents, and an error with Meta's schema
// of errors.
func (c contracts) check(t testing.TB, x apptest.Exchange) {
	t.Helper()
	path := strings.TrimPrefix(x.Path, "/meta")
	if x.Status >= http.StatusBadRequest {
		for _, err := range c.theirs.Schema("ErrorResponse", x.Answer) {
			t.Errorf("%s %s: Meta's schema of errors: %v in %s", x.Method, x.Path, err, x.Answer)
		}
	}
	for name, document := range map[string]*contract.Document{"Meta's OpenAPI file": c.theirs, "our OpenAPI document": c.ours} {
		op := document.Operation(x.Method, path)
		if op == nil {
			if document == c.ours && x.Status < http.StatusBadRequest {
				t.Errorf("%s %s is not in our OpenAPI document", x.Method, x.Path)
			}
			continue
		}
		var errs []error
		if strings.HasPrefix(x.Header.Get("Content-Type"), "application/json") && x.Status < http.StatusBadRequest {
			errs = document.Request(op, x.Body)
		}
		if x.Status < http.StatusBadRequest && strings.HasPrefix(x.Answered.Get("Content-Type"), "application/json") || document == c.ours && x.Status >= http.StatusBadRequest {
			errs = append(errs, document.Answer(op, x.Status, x.Answer)...)
		}
		for _, err := range errs {
			t.Errorf("%s: %s %s: %v\n%s\n%s", name, x.Method, x.Path, err, x.Body, x.Answer)
		}
	}
}

// checkWebhook checks a delivery about groups with Meta's schema.
func (c contracts) checkWebhook(t testing.TB, body []byte) {
	t.Helper()
	if bytes.Contains(body, []byte(`"field":"messages"`)) {
		return // Meta's file has no messages
	}
	for _, err := range c.theirs.Schema("WebhookPayload", body) {
		t.Errorf("a webhook is not as Meta's OpenAPI file has it: %v\n%s", err, body)
	}
}

// The examples of webhooks have every property that ours have, and ours have no
// others: clients that decode strictly can decode them.
func (c contracts) sameShape(t testing.TB, example string, body []byte) {
	t.Helper()
	raw, err := os.ReadFile("testdata/meta-webhook-shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples map[string]any
	if err = json.Unmarshal(raw, &examples); err != nil {
		t.Fatal(err)
	}
	want, found := examples[example]
	if !found {
		t.Fatalf("there is no example %s", example)
	}
	var got any
	if err = json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if w, g := shape(want, ""), shape(got, ""); !slices.Equal(w, g) {
		t.Errorf("the webhook has the shape\n%s\nand Meta's example %s\n%s\n%s", strings.Join(g, "\n"), example, strings.Join(w, "\n"), body)
	}
}

// shape lists the paths of a value with the types at their ends.
func shape(value any, path string) (list []string) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			list = append(list, shape(inner, path+"."+name)...)
		}
	case []any:
		for _, inner := range v {
			list = append(list, shape(inner, path+"[]")...)
		}
	case string:
		list = []string{path + " string"}
	case float64:
		list = []string{path + " number"}
	case bool:
		list = []string{path + " bool"}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Every route has a place in the document, and every place a route: what has
// none is answered as a path that does not exist.
func TestDocumentHasEveryRoute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	served := r.line.Send(t, apptest.JSON(http.MethodGet, "/meta/openapi.json", r.header(), nil)).Want(t, http.StatusOK)
	document, err := contract.Load(served.Answer)
	if err != nil {
		t.Fatal(err)
	}
	if len(document.Operations()) != 19 {
		t.Errorf("the document has %d operations: %q", len(document.Operations()), document.Operations())
	}
	for _, op := range document.Operations() {
		method, path, _ := strings.Cut(op, " ")
		path = strings.NewReplacer("{version}", "v99.1", "{phone_number_id}", business, "{group_id}", "120363000000000000", "{media_id}", "x").Replace(path)
		x := r.line.Send(t, apptest.JSON(method, "/meta"+path, r.header(), nil))
		var answer struct {
			Error struct {
				Data struct{ Details string } `json:"error_data"`
			}
		}
		x.Decode(t, &answer)
		if strings.Contains(answer.Error.Data.Details, "nothing at this path") || x.Status == http.StatusMethodNotAllowed {
			t.Errorf("%s has no route: %d %s", op, x.Status, x.Answer)
		}
	}
}
