package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"muster/internal/app"
	"muster/internal/app/apptest"
	"muster/internal/config"
	"muster/sandbox/sandboxtest"
)

func demoWorld(c *config.Config) { c.Sandbox.World = config.WorldDemo }

// The printed command, taken literally, lists the demo's three groups: at the
// first start and, with the kept data, at the second, where nothing is linked
// anew.
func TestDemoStartsAndStartsAgain(t *testing.T) {
	t.Parallel()
	c := apptest.Config(t, demoWorld)
	var device string
	for _, start := range []string{"first", "second"} {
		p := apptest.Start(t, c)
		printed := p.WaitAnnounced(t)
		command := regexp.MustCompile(`curl -H "(Authorization): ([^"]+)" (\S+)`).FindStringSubmatch(printed)
		if command == nil {
			t.Fatalf("%s start: no command in %q", start, printed)
		}
		var answer struct{ Groups []struct{ JID, Name string } }
		get(t, command[3], command[1], command[2], &answer)
		if len(answer.Groups) != 3 {
			t.Errorf("%s start: the command lists %d groups", start, len(answer.Groups))
		}
		var s struct {
			Status    string
			DeviceJID string `json:"device_jid"`
		}
		p.Call(t, http.MethodGet, "/api/v1/sessions/demo", nil, &s)
		if s.Status != "connected" || device != "" && device != s.DeviceJID {
			t.Errorf("%s start: the session is %+v, before it was %s", start, s, device)
		}
		device = s.DeviceJID
		if status := p.Call(t, http.MethodGet, "/readyz", nil, nil); status != 200 {
			t.Errorf("%s start: not ready: %d", start, status)
		}
		p.Stop(t)
	}
	for _, name := range []string{"muster.db", "sandbox.json", "sandbox.token", "lock"} {
		if info, err := os.Stat(filepath.Join(c.DataDir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func get(t *testing.T, url, header, value string, answer any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(header, value)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(body, answer); err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: %s %v: %s", url, response.Status, err, body)
	}
}

// What belongs to one world, or to a running server, is refused to another.
func TestDataDirectoryIsGuarded(t *testing.T) {
	t.Parallel()
	c := apptest.Config(t)
	p := apptest.Start(t, c)
	p.WaitAnnounced(t)
	if err := refused(t, c); !strings.Contains(err, "another server") || !strings.Contains(err, c.DataDir) {
		t.Errorf("a second server gets %q", err)
	}
	p.Stop(t)
	c.Sandbox.Enabled = false
	if err := refused(t, c); !strings.Contains(err, "sandbox") || !strings.Contains(err, "real WhatsApp") {
		t.Errorf("the other world gets %q", err)
	}
}

// refused starts a server that must not start.
func refused(t *testing.T, c config.Config) string {
	t.Helper()
	server, err := app.New(t.Context(), c, app.Surroundings{Log: zerolog.Nop(), Identity: sandboxtest.Identity(t)})
	if err == nil {
		_ = server.Close()
		t.Fatal("it started")
	}
	return err.Error()
}

// A failed start leaves nothing behind: the next one succeeds.
func TestFailedStartCleansUp(t *testing.T) {
	t.Parallel()
	c := apptest.Config(t)
	taken := c
	running := apptest.Start(t, apptest.Config(t))
	taken.Listen = running.Addr()
	if err := refused(t, taken); !strings.Contains(err, "listen") {
		t.Errorf("a taken port gives %q", err)
	}
	apptest.Start(t, c).WaitAnnounced(t)
}

func TestTokensOverTheAPI(t *testing.T) {
	t.Parallel()
	p := apptest.Start(t, apptest.Config(t))
	for _, id := range []string{"one", "two"} {
		if status := p.Call(t, http.MethodPost, "/api/v1/sessions", map[string]string{"id": id}, nil); status != 201 {
			t.Fatalf("create the session %s: %d", id, status)
		}
	}
	var created struct{ ID, Token string }
	if status := p.Call(t, http.MethodPost, "/api/v1/tokens", map[string]any{"name": "bot", "sessions": []string{"one"}}, &created); status != 201 {
		t.Fatalf("create the token: %d", status)
	}
	var sessions struct {
		Sessions []struct{ ID string }
		Total    int
	}
	get(t, p.URL+"/api/v1/sessions", "Authorization", "Bearer "+created.Token, &sessions)
	if len(sessions.Sessions) != 1 || sessions.Sessions[0].ID != "one" || sessions.Total != 1 {
		t.Errorf("the bound token sees %+v", sessions)
	}
	for path, want := range map[string]int{
		"/api/v1/sessions/one":        200,
		"/api/v1/sessions/two":        404,
		"/api/v1/sessions/two/groups": 404,
		"/api/v1/tokens":              403,
	} {
		if got := statusWith(t, p.URL+path, created.Token); got != want {
			t.Errorf("the bound token gets %d for %s, want %d", got, path, want)
		}
	}
	if status := p.Call(t, http.MethodDelete, "/api/v1/tokens/"+created.ID, nil, nil); status != 204 {
		t.Errorf("revoke: %d", status)
	}
	if got := statusWith(t, p.URL+"/api/v1/sessions/one", created.Token); got != 401 {
		t.Errorf("the revoked token gets %d", got)
	}
	var list struct{ Tokens []struct{ ID string } }
	if status := p.Call(t, http.MethodGet, "/api/v1/tokens", nil, &list); status != 200 || len(list.Tokens) != 2 {
		t.Errorf("list: %d, %+v", status, list)
	}
}

func statusWith(t *testing.T, url, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Every route of the program is in the OpenAPI document with a summary, a tag
// and its parameters.
func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	p := apptest.Start(t, apptest.Config(t))
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Tags        []string
			Parameters  []struct{ Name, In string }
		}
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if status := p.Call(t, http.MethodGet, "/openapi.json", nil, &doc); status != 200 || len(doc.Paths) < 15 {
		t.Fatalf("%d, %d paths", status, len(doc.Paths))
	}
	// What a type takes over from another one is described too.
	for schema, property := range map[string]string{"CreatedToken": "created_at", "SessionReply": "status"} {
		if doc.Components.Schemas[schema].Properties[property] == nil {
			t.Errorf("the schema %s does not describe %s", schema, property)
		}
	}
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			if operation.Summary == "" || len(operation.Tags) == 0 || operation.OperationID == "" || seen[operation.OperationID] {
				t.Errorf("%s %s: %+v", method, path, operation)
			}
			seen[operation.OperationID] = true
			for _, parameter := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(path, -1) {
				found := false
				for _, p := range operation.Parameters {
					found = found || p.In == "path" && p.Name == parameter[1]
				}
				if !found {
					t.Errorf("%s %s does not describe {%s}", method, path, parameter[1])
				}
			}
		}
	}
}

// A fixed admin token works, and is never written anywhere.
func TestFixedAdminToken(t *testing.T) {
	t.Parallel()
	c := apptest.Config(t, func(c *config.Config) {
		c.AdminToken = "the-token-of-this-configuration"
	})
	p := apptest.Start(t, c)
	printed := p.WaitAnnounced(t)
	if !strings.Contains(printed, c.AdminToken) || p.Token() != c.AdminToken {
		t.Errorf("a simulating server with a fixed token prints %q", printed)
	}
	if bytes.Contains(readFiles(t, c.DataDir), []byte(c.AdminToken)) {
		t.Error("the fixed token was stored")
	}
}

func readFiles(t *testing.T, dir string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, found fs.DirEntry, err error) error {
		if err != nil || found.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, content...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
