// Package archtest checks the shape of the source: who may import whom, how
// long files and functions may be, and what packages may be called.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "muster"

	maxFileLines     = 500
	maxFunctionLines = 70
)

// file is one parsed source file; dir is its package's path in the module.
type file struct {
	name, dir string
	test      bool
	syntax    *ast.File
	positions *token.FileSet
}

func sources(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		positions := token.NewFileSet()
		syntax, err := parser.ParseFile(positions, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		files = append(files, file{
			name: relative, dir: path.Dir(relative), test: strings.HasSuffix(relative, "_test.go"),
			syntax: syntax, positions: positions,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (f file) imports(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, spec := range f.syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, imported)
	}
	return all
}

// rule forbids imports: a file in one of the packages "in" (everywhere when
// empty) but not in "except" must not import any of "never".
type rule struct {
	why     string
	in      []string
	except  []string
	never   []string
	allowed []string // imports that a wider "never" does not mean
	tests   bool     // whether it holds for tests too
}

const whatsmeow = "go.mau.fi/whatsmeow"

func rules() []rule {
	domains := []string{"session", "groups", "messages", "webhooks"}
	dialects := []string{"muster/api/meta", "muster/api/dialog360", "muster/api/zoko", "muster/api/zernio"}
	return []rule{
		{why: "a domain does not know its edges", in: domains, tests: true,
			never: []string{"muster/api", "muster/web", "muster/internal/app", "muster/internal/cli", "muster/internal/config"}},
		{why: "groups and messages do not know each other", in: []string{"groups"}, never: []string{"muster/messages", "muster/webhooks"}},
		{why: "groups and messages do not know each other", in: []string{"messages"}, never: []string{"muster/groups", "muster/webhooks"}},
		{why: "session knows no other domain", in: []string{"session"}, never: []string{"muster/groups", "muster/messages", "muster/webhooks"}},
		// The sandbox's control API is an edge of its own.
		{why: "HTTP frameworks stay at the edge", except: []string{"api", "web", "sandbox/control", "internal/bench"}, tests: true,
			never: []string{"github.com/gofiber/fiber", "github.com/danielgtaylor/huma", "github.com/valyala/fasthttp"}},
		{why: "WhatsApp's types stay in the domains", except: append([]string{"store", "sandbox", "internal/address"}, domains...), never: []string{whatsmeow}},
		{why: "addresses are types, not clients", in: []string{"internal/address"}, never: []string{whatsmeow}, allowed: []string{whatsmeow + "/types"}},
		{why: "the store knows whatsmeow's tables only", in: []string{"store"}, never: []string{whatsmeow},
			allowed: []string{whatsmeow + "/store/sqlstore", whatsmeow + "/util/log"}},
		// The phone takes the signatures' prefixes and the serialisers of Signal's
		// records from the client's packages; sandboxtest is a helper for tests.
		{why: "the client that the sandbox is tested against is not part of it",
			in: []string{"sandbox"}, except: []string{"sandbox/phone", "sandbox/sandboxtest"}, never: []string{whatsmeow},
			allowed: []string{whatsmeow + "/binary", whatsmeow + "/proto", whatsmeow + "/types", whatsmeow + "/util", whatsmeow + "/appstate"}},
		{why: "the sandbox imports nothing of ours", in: []string{"sandbox"}, never: []string{module}, allowed: []string{"muster/sandbox"}},
		{why: "only the program and tests run a sandbox", except: []string{"sandbox", "internal/app", "internal/cli"}, never: []string{"muster/sandbox"}},
		{why: "the store knows no domain", in: []string{"store"}, never: []string{module}, allowed: []string{"muster/store"}},
		{why: "a domain does not know whose words it is told in", in: append([]string{"internal/event", "api/v1"}, domains...), tests: true, never: dialects},
		{why: "dialects do not know each other", in: []string{"api/meta"}, tests: true, never: dialects, allowed: []string{"muster/api/meta"}},
		{why: "dialects do not know each other", in: []string{"api/zoko"}, tests: true, never: dialects, allowed: []string{"muster/api/zoko"}},
		{why: "dialects do not know each other", in: []string{"api/zernio"}, tests: true, never: dialects, allowed: []string{"muster/api/zernio"}},
		{why: "360dialog's API is Meta's with another envelope", in: []string{"api/dialog360"}, tests: true, never: dialects, allowed: []string{"muster/api/meta", "muster/api/dialog360"}},
		{why: "a dialect is not the session-style API in other words", in: []string{"api/meta", "api/dialog360", "api/zoko", "api/zernio"}, never: []string{"muster/api/v1"}},
		{why: "loggers are passed in", tests: true, never: []string{"github.com/rs/zerolog/log", "log"}, allowed: []string{"log/slog"}},
	}
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	files := sources(t)
	if len(files) < 50 {
		t.Fatalf("only %d files were found", len(files)) // looking in the wrong place
	}
	for _, f := range files {
		for _, r := range rules() {
			if f.test && !r.tests || !r.covers(f.dir) {
				continue
			}
			for _, imported := range f.imports(t) {
				if within(imported, r.never) && !within(imported, r.allowed) {
					t.Errorf("%s imports %s: %s", f.name, imported, r.why)
				}
			}
		}
	}
}

func (r rule) covers(dir string) bool {
	return (len(r.in) == 0 || within(dir, r.in)) && !within(dir, r.except)
}

// within tells whether the path is one of the roots or below it. A major
// version suffix counts as below: fiber/v2 is below fiber.
func within(name string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return name == root || strings.HasPrefix(name, root+"/")
	})
}

// A package is named for what it is about.
func TestPackageNames(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		for _, part := range strings.Split(f.dir, "/") {
			switch part {
			case "util", "utils", "common", "helper", "helpers", "model", "models", "misc", "shared":
				t.Errorf("%s: a package called %s says nothing", f.name, part)
			}
		}
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if ast.IsGenerated(f.syntax) {
			continue
		}
		if lines := f.positions.Position(f.syntax.FileEnd).Line; lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d: it has more than one topic", f.name, lines, maxFileLines)
		}
		ast.Inspect(f.syntax, func(node ast.Node) bool {
			function, ok := node.(*ast.FuncDecl)
			if !ok {
				return true
			}
			from, to := f.positions.Position(function.Pos()).Line, f.positions.Position(function.End()).Line
			// A test that is one table may be as long as its table.
			if lines := to - from + 1; lines > maxFunctionLines && !f.test {
				t.Errorf("%s:%d: %s has %d lines, more than %d", f.name, from, function.Name.Name, lines, maxFunctionLines)
			}
			return true
		})
	}
}
