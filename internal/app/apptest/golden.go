package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// updateGolden is set to write golden files instead of comparing with them.
const updateGolden = "MUSTER_UPDATE_GOLDEN"

// Golden compares with files below testdata. What differs between runs is
// replaced by names: the first match of a pattern by <name>, the next that is
// not the same by <name-2>, and so on.
type Golden struct {
	masks []mask
	known map[string]string
	count map[string]int
}

type mask struct {
	name    string
	pattern *regexp.Regexp
}

// NewGolden knows nothing but UUIDs yet.
func NewGolden() *Golden {
	g := &Golden{known: map[string]string{}, count: map[string]int{}}
	g.Mask("uuid", `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	return g
}

// Mask replaces what the pattern matches; of a pattern with a group, only what
// the group does. Patterns are tried in the order in which they were added.
func (g *Golden) Mask(name, pattern string) {
	g.masks = append(g.masks, mask{name, regexp.MustCompile(pattern)})
}

// Value replaces a text by a name, wherever it is.
func (g *Golden) Value(name, text string) { g.Mask(name, regexp.QuoteMeta(text)) }

func (g *Golden) name(name, value string) string {
	key := name + " " + value
	if known := g.known[key]; known != "" {
		return known
	}
	g.count[name]++
	masked := "<" + name + ">"
	if n := g.count[name]; n > 1 {
		masked = fmt.Sprintf("<%s-%d>", name, n)
	}
	g.known[key] = masked
	return masked
}

// Text is a text with the names in it.
func (g *Golden) Text(text string) string {
	for _, m := range g.masks {
		var out strings.Builder
		rest := 0
		for _, at := range m.pattern.FindAllStringSubmatchIndex(text, -1) {
			from, to := at[0], at[1]
			if len(at) > 2 && at[2] >= 0 {
				from, to = at[2], at[3]
			}
			out.WriteString(text[rest:from])
			out.WriteString(g.name(m.name, text[from:to]))
			rest = to
		}
		out.WriteString(text[rest:])
		text = out.String()
	}
	return text
}

// Check compares a text with the file testdata/<file>.golden.
func (g *Golden) Check(t testing.TB, file, text string) {
	t.Helper()
	got := g.Text(text)
	path := filepath.Join("testdata", filepath.FromSlash(file)+".golden")
	if os.Getenv(updateGolden) != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path) //nolint:gosec // a path of the test's own
	if err != nil {
		t.Fatalf("%v; set %s=1 to write it:\n%s", err, updateGolden, got)
	}
	if got != string(want) {
		t.Errorf("%s is not what happened (set %s=1 to write it)\n--- want\n%s\n--- got\n%s", path, updateGolden, want, got)
	}
}

// Exchange compares a request and its answer with a file. Of the headers there
// are those that are named, and the content types.
func (g *Golden) Exchange(t testing.TB, file string, x Exchange, headers ...string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s\n", x.Method, x.Path)
	for _, name := range slices.Sorted(maps.Keys(x.Header)) {
		if name == "Content-Type" || slices.Contains(headers, name) {
			fmt.Fprintf(&text, "%s: %s\n", name, x.Header.Get(name))
		}
	}
	writeBody(&text, x.Body)
	fmt.Fprintf(&text, "\n--- %d\n", x.Status)
	for _, name := range slices.Sorted(maps.Keys(x.Answered)) {
		if name == "Content-Type" || slices.Contains(headers, name) {
			fmt.Fprintf(&text, "%s: %s\n", name, x.Answered.Get(name))
		}
	}
	writeBody(&text, x.Answer)
	g.Check(t, file, text.String())
}

// JSON compares a body with a file.
func (g *Golden) JSON(t testing.TB, file string, body []byte) {
	t.Helper()
	var text strings.Builder
	writeBody(&text, body)
	g.Check(t, file, strings.TrimLeft(text.String(), "\n"))
}

func writeBody(text *strings.Builder, body []byte) {
	if len(body) == 0 {
		return
	}
	text.WriteByte('\n')
	var indented bytes.Buffer
	if json.Indent(&indented, body, "", "  ") == nil {
		body = bytes.TrimSpace(indented.Bytes())
	}
	text.Write(body)
	text.WriteByte('\n')
}
