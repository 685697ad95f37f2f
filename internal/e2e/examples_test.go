package e2e_test

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

//go:embed testdata/session-style-examples.txt
var sessionStyleExamples string

// TestDemo starts the demo as a newcomer does, pastes the line it prints, and
// runs the examples of the session-style API's documentation against it.
func TestDemo(t *testing.T) {
	t.Parallel()
	p := start(t, "serve", "--sandbox", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0",
		"--data-dir", filepath.Join(t.TempDir(), "data"))
	host := strings.TrimPrefix(p.line(t, `API\s+(http://127\.0\.0\.1:\d+)/api/v1`)[1], "http://")
	var list struct {
		Groups []struct{ JID, Name string }
		Total  int
	}
	shell(t, p.line(t, `^\s*(curl .*)$`)[1], &list)
	if list.Total != 3 || len(list.Groups) != 3 {
		t.Fatalf("the printed line lists %+v, not three groups", list)
	}
	group := ""
	for _, g := range list.Groups {
		if g.Name == "Market square" {
			group = g.JID // the demo phone's own
		}
	}
	replace := strings.NewReplacer("localhost:3451", host, "YOUR_TOKEN", token, "my-session", "demo", "123456789-1234567890@g.us", group)
	want := map[string]func(answer map[string]any) bool{
		"create group":                func(a map[string]any) bool { return strings.HasSuffix(text(a["group_jid"]), "@g.us") },
		"set group settings":          succeeded,
		"get invite link":             hasLink,
		"reset invite link":           hasLink,
		"send a message to the group": func(a map[string]any) bool { return text(a["message_id"]) != "" && text(a["to"]) == group },
		"leave group":                 succeeded,
	}
	for _, example := range examples(t) {
		fits := want[example.name]
		if fits == nil {
			t.Fatalf("nothing is known of the example %q", example.name)
		}
		var answer map[string]any
		shell(t, replace.Replace(example.command), &answer)
		if !fits(answer) {
			t.Errorf("%s: %v", example.name, answer)
		}
		delete(want, example.name)
	}
	if len(want) > 0 {
		t.Errorf("examples that did not run: %v", want)
	}
	// What the examples did is so: the demo has left one group and made one.
	s := &server{process: p, url: "http://" + host}
	s.api(t, http.MethodGet, "/sessions/demo/groups", nil, &list)
	names := []string{}
	for _, g := range list.Groups {
		names = append(names, g.Name)
	}
	if got := strings.Join(names, ", "); !strings.Contains(got, "My New Group") || strings.Contains(got, "Market square") {
		t.Errorf("afterwards the groups are %s", got)
	}
}

func succeeded(a map[string]any) bool { return a["success"] == true }

func hasLink(a map[string]any) bool {
	return regexp.MustCompile(`^https://chat\.whatsapp\.com/\w+$`).MatchString(text(a["invite_link"]))
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

type example struct{ name, command string }

// examples reads the file's blocks: a heading, then a command.
func examples(t *testing.T) []example {
	t.Helper()
	var list []example
	for _, block := range strings.Split(sessionStyleExamples, "\n## ")[1:] {
		name, command, _ := strings.Cut(block, "\n")
		list = append(list, example{name: name, command: strings.TrimSpace(command)})
	}
	if len(list) == 0 {
		t.Fatal("no examples")
	}
	return list
}

// shell runs a command line as a person would paste it and reads its output.
func shell(t *testing.T, command string, into any) {
	t.Helper()
	// Only the progress meter is silenced; an HTTP error must fail.
	command = strings.Replace(command, "curl ", "curl --silent --show-error --fail-with-body ", 1)
	out, err := exec.Command("bash", "-c", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%v: %s", command, err, out)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%s\n%v in %s", command, err, out)
	}
}
