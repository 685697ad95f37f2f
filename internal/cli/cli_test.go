package cli_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"muster/internal/app"
	"muster/internal/cli"
	"muster/internal/config"
)

// run calls the program as a shell would.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = cli.Run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		code int
		in   string // what one of the outputs says
	}{
		"nothing":                 {nil, 0, "serve"},
		"help":                    {[]string{"--help"}, 0, "sandbox"},
		"help of a command":       {[]string{"serve", "--help"}, 0, "--sandbox-world"},
		"version":                 {[]string{"version"}, 0, "muster "},
		"unknown command":         {[]string{"fly"}, 2, "fly"},
		"unknown flag":            {[]string{"serve", "--fly"}, 2, "--fly"},
		"bad setting":             {[]string{"serve", "--listen", "nowhere"}, 2, "listen"},
		"missing file":            {[]string{"serve", "--config", "/does/not/exist"}, 2, "/does/not/exist"},
		"two simulators":          {[]string{"serve", "--sandbox", "--wa-endpoint", "ws://127.0.0.1:1/ws/chat", "--wa-root-key", strings.Repeat("00", 32)}, 2, "exclude"},
		"open sandbox":            {[]string{"serve", "--sandbox", "--sandbox-listen", "0.0.0.0:1"}, 2, "sandbox.listen"},
		"sandbox on the network":  {[]string{"sandbox", "--listen", "0.0.0.0:1"}, 2, "loopback"},
		"sandbox world":           {[]string{"sandbox", "--world", "flat"}, 2, "flat"},
		"token without a reach":   {[]string{"token", "create", "x"}, 2, "--admin"},
		"token with both reaches": {[]string{"token", "create", "x", "--admin", "--session", "a"}, 2, "--admin"},
		"pair without a server":   {[]string{"pair", "one", "--url", "http://127.0.0.1:1"}, 1, "reach the server"},
		"pair with a bad URL":     {[]string{"pair", "one", "--url", "127.0.0.1"}, 2, "URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, test.args...)
			if code != test.code || !strings.Contains(stdout+stderr, test.in) {
				t.Errorf("exit %d, want %d and %q\nstdout: %s\nstderr: %s", code, test.code, test.in, stdout, stderr)
			}
		})
	}
}

func TestConfigPrintsTheExample(t *testing.T) {
	t.Parallel()
	if code, stdout, _ := run(t, "config"); code != 0 || stdout != config.Example() {
		t.Errorf("exit %d, %q", code, stdout)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// A wrong directory must not become a new database with a useless token.
	if code, _, stderr := run(t, "token", "create", "bot", "--admin", "--data-dir", dir); code != 1 || !strings.Contains(stderr, dir) {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("a refused command left %v, %v", left, err)
	}
	makeDatabase(t, dir)
	code, secret, stderr := run(t, "token", "create", "bot", "--session", "one", "--session", "two", "--data-dir", dir)
	if code != 0 || !strings.HasPrefix(secret, "mst_") {
		t.Fatalf("exit %d: %s%s", code, secret, stderr)
	}
	code, list, _ := run(t, "token", "list", "--data-dir", dir)
	lines := strings.Split(strings.TrimSpace(list), "\n")
	if code != 0 || len(lines) != 2 || !strings.Contains(lines[1], "one,two") || strings.Contains(list, strings.TrimSpace(secret)) {
		t.Fatalf("exit %d: %s", code, list)
	}
	id := strings.Fields(lines[1])[0]
	if code, _, stderr := run(t, "token", "revoke", id, "--data-dir", dir); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := run(t, "token", "revoke", "nobody", "--data-dir", dir); code != 1 || !strings.Contains(stderr, "nobody") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := run(t, "token", "create", "bot", "--session", "a b", "--data-dir", dir); code != 2 || !strings.Contains(stderr, "sessions[0]") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// makeDatabase leaves in dir what a server's first start does.
func makeDatabase(t *testing.T, dir string) {
	t.Helper()
	c := config.Default()
	c.DataDir = dir
	db, err := app.OpenDatabase(t.Context(), c, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
