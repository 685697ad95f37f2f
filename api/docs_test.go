package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"muster/api"
)

func (r *running) get(t *testing.T, path, user, password string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		request.SetBasicAuth(user, password)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

// A browser reaches the reference with the token as password, and everything
// that the page asks for is in the program.
func TestReference(t *testing.T) {
	t.Parallel()
	r := start(t, api.Limits{})
	status, header, _ := r.get(t, "/docs", "", "")
	if status != 401 || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("without a token: %d, %q", status, header.Get("WWW-Authenticate"))
	}
	if status, _, _ = r.get(t, "/docs", "me", "wrong"); status != 401 {
		t.Errorf("with a wrong password: %d", status)
	}
	status, header, page := r.get(t, "/docs", "me", adminToken)
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/html") {
		t.Fatalf("the page: %d, %s", status, header.Get("Content-Type"))
	}
	policy := header.Get("Content-Security-Policy")
	if strings.Contains(policy, "http") || strings.Contains(policy, "unsafe-eval") || !strings.Contains(policy, "'sha256-") {
		t.Errorf("the policy is %q", policy)
	}
	assets := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(assets) < 3 {
		t.Fatalf("the page loads only %d files", len(assets))
	}
	for _, asset := range assets {
		if !strings.HasPrefix(asset[1], "/docs/") {
			t.Errorf("the page loads %s", asset[1])
		} else if status, _, body := r.get(t, asset[1], "me", adminToken); status != 200 || body == "" {
			t.Errorf("%s: %d", asset[1], status)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	r := start(t, api.Limits{})
	if status, _, _ := r.get(t, "/openapi.json", "", ""); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	status, _, body := r.get(t, "/openapi.json", "me", adminToken)
	var doc struct {
		OpenAPI    string
		Info       struct{ Title, Version string }
		Security   []map[string][]string
		Paths      map[string]map[string]json.RawMessage
		Components struct {
			Schemas         map[string]json.RawMessage
			SecuritySchemes map[string]struct{ Type, Scheme string }
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); status != 200 || err != nil {
		t.Fatalf("%d, %v", status, err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Version != "test" || len(doc.Security) != 1 || doc.Components.SecuritySchemes["bearer"].Scheme != "bearer" {
		t.Errorf("the document begins %.300s", body)
	}
	if doc.Paths["/api/v1/sessions/{session_id}/echo"]["post"] == nil || doc.Components.Schemas["ProblemDocument"] == nil {
		t.Error("a route or the problem document is missing")
	}
	for _, reference := range regexp.MustCompile(`"\$ref":"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if doc.Components.Schemas[reference[1]] == nil {
			t.Errorf("the schema %s is referred to and missing", reference[1])
		}
	}
	// Its other spellings do not take the password of a browser.
	for _, path := range []string{"/openapi.yaml", "/openapi-3.0.json"} {
		if status, _, _ := r.get(t, path, "me", adminToken); status != 401 {
			t.Errorf("%s: %d", path, status)
		}
	}
}
