package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
)

var update = flag.Bool("update", false, "write config.example.yaml")

// examplePath is the file that users copy.
const examplePath = "../../config.example.yaml"

func TestExampleIsCurrent(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.WriteFile(examplePath, []byte(config.Example()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(examplePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != config.Example() {
		t.Error("config.example.yaml is not what the struct says; run: go generate ./internal/config")
	}
}

// The example file, unchanged, configures what no file at all would, and every
// variable that it names is one that the program reads.
func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	got, err := config.Load(config.Sources{File: examplePath})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.DataDir = "./data"
	if got != want {
		t.Errorf("the example configures\n%+v\nand the default is\n%+v", got, want)
	}
	names := 0
	for line := range strings.Lines(config.Example()) {
		name := strings.TrimPrefix(strings.TrimSpace(line), "# ")
		if !strings.HasPrefix(name, "MUSTER_") {
			continue
		}
		names++
		_, err := config.Load(config.Sources{Environ: []string{name + "=\x00"}})
		if err != nil && strings.Contains(err.Error(), "no such setting") {
			t.Errorf("the documented variable %s is not read", name)
		}
	}
	if names < 20 {
		t.Errorf("only %d variables are documented", names)
	}
}

func TestSourcesInOrder(t *testing.T) {
	t.Parallel()
	file := write(t, `
listen: 127.0.0.1:1000
log:
  level: debug
  format: json
http: {body_limit: 2MiB, max_connections: 7}
sandbox:
  listen: 127.0.0.1:1001
shutdown_timeout: 1m30s
admin_token:
`)
	c, err := config.Load(config.Sources{
		File:    file,
		Environ: []string{"MUSTER_LOG_LEVEL=warn", "MUSTER_SANDBOX_LISTEN=127.0.0.1:2001", "MUSTER_DATA_DIR=/somewhere", "HOME=/root"},
		Flags:   map[string]string{"sandbox.listen": "127.0.0.1:3001", "sandbox.enabled": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Listen, want.DataDir = "127.0.0.1:1000", "/somewhere"
	want.Log = config.Log{Level: "warn", Format: "json"}
	want.HTTP.BodyLimit, want.HTTP.MaxConnections = 2<<20, 7
	want.Sandbox.Listen, want.Sandbox.Enabled = "127.0.0.1:3001", true
	want.ShutdownTimeout = 90 * time.Second
	if c != want {
		t.Errorf("got\n%+v\nwant\n%+v", c, want)
	}
}

// A root key of decimal digits is text, whatever YAML thinks of it.
func TestDigitsStayText(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("0123456789012345", 4)
	c, err := config.Load(config.Sources{File: write(t, "wa:\n  endpoint: ws://127.0.0.1:3452/ws/chat\n  root_key: "+key+"\n")})
	if err != nil {
		t.Fatal(err)
	}
	if c.WA.RootKey != key || c.DataDir != "./sandbox-data" || !c.Simulated() {
		t.Errorf("got %+v", c)
	}
}

// Every refusal names what is wrong, and where it stands.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const key = "0000000000000000000000000000000000000000000000000000000000000000"
	tests := map[string]struct {
		yaml  string
		env   []string
		flags map[string]string
		names []string
	}{
		"unknown key in the file":      {yaml: "listen: 127.0.0.1:1\nlissten: x", names: []string{"line 2", "lissten", "no such setting"}},
		"unknown nested key":           {yaml: "log:\n  colour: red", names: []string{"log.colour"}},
		"key twice":                    {yaml: "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", names: []string{"listen"}},
		"section with a value":         {yaml: "log: debug", names: []string{"log", "expected keys"}},
		"value with a section":         {yaml: "listen:\n  host: x", names: []string{"listen", "single value"}},
		"list instead of a file":       {yaml: "- listen", names: []string{"the file"}},
		"broken YAML":                  {yaml: "listen: [", names: []string{"not YAML"}},
		"malformed size in the file":   {yaml: "http:\n  body_limit: huge", names: []string{"line 2", "http.body_limit", `"huge"`}},
		"malformed number in the file": {yaml: "http:\n  max_connections: many", names: []string{"http.max_connections", `"many"`}},
		"malformed bool in the file":   {yaml: "sandbox:\n  enabled: perhaps", names: []string{"sandbox.enabled", `"perhaps"`}},
		"unknown variable":             {env: []string{"MUSTER_LISSTEN=x"}, names: []string{"MUSTER_LISSTEN"}},
		"malformed variable":           {env: []string{"MUSTER_HTTP_READ_TIMEOUT=30"}, names: []string{"MUSTER_HTTP_READ_TIMEOUT", `"30"`}},
		"malformed flag":               {flags: map[string]string{"http.body_limit": "-1"}, names: []string{"http.body_limit", `"-1"`}},
		"zero bound":                   {env: []string{"MUSTER_SESSIONS_START_PARALLEL=0"}, names: []string{"sessions.start_parallel"}},
		"zero rate":                    {env: []string{"MUSTER_SESSIONS_WRITE_RATE=0"}, names: []string{"sessions.write_rate"}},
		"malformed rate":               {env: []string{"MUSTER_SESSIONS_READ_RATE=fast"}, names: []string{"MUSTER_SESSIONS_READ_RATE", `"fast"`}},
		"endless rate":                 {env: []string{"MUSTER_SESSIONS_READ_RATE=+Inf"}, names: []string{"MUSTER_SESSIONS_READ_RATE"}},
		"zero duration":                {env: []string{"MUSTER_HTTP_IDLE_TIMEOUT=0s"}, names: []string{"http.idle_timeout"}},
		"address without port":         {yaml: "listen: localhost", names: []string{"listen", `"localhost"`}},
		"address with a bad port":      {yaml: "listen: localhost:99999", names: []string{"listen", "99999"}},
		"log level":                    {env: []string{"MUSTER_LOG_LEVEL=loud"}, names: []string{"log.level", `"loud"`}},
		"log format":                   {env: []string{"MUSTER_LOG_FORMAT=xml"}, names: []string{"log.format", `"xml"`}},
		"world":                        {flags: map[string]string{"sandbox.world": "flat"}, names: []string{"sandbox.world", `"flat"`}},
		"driver":                       {yaml: "database: {driver: mysql}", names: []string{"database.driver", `"mysql"`}},
		"postgres without DSN":         {yaml: "database: {driver: postgres}", names: []string{"database.dsn"}},
		"sqlite with DSN":              {yaml: "database: {dsn: 'postgres://x'}", names: []string{"database.dsn"}},
		"open sandbox":                 {flags: map[string]string{"sandbox.listen": "0.0.0.0:3452"}, names: []string{"sandbox.listen", "loopback"}},
		"sandbox by name":              {flags: map[string]string{"sandbox.listen": "example.com:3452"}, names: []string{"sandbox.listen", "loopback"}},
		"simulator elsewhere":          {flags: map[string]string{"wa.endpoint": "ws://10.0.0.1:3452/ws/chat", "wa.root_key": key}, names: []string{"wa.endpoint", "loopback"}},
		"simulator over TLS":           {flags: map[string]string{"wa.endpoint": "wss://127.0.0.1:3452/ws/chat", "wa.root_key": key}, names: []string{"wa.endpoint"}},
		"endpoint without key":         {flags: map[string]string{"wa.endpoint": "ws://127.0.0.1:3452/ws/chat"}, names: []string{"wa.root_key"}},
		"key without endpoint":         {flags: map[string]string{"wa.root_key": key}, names: []string{"wa.endpoint"}},
		"short key":                    {flags: map[string]string{"wa.endpoint": "ws://127.0.0.1:3452/ws/chat", "wa.root_key": "00ff"}, names: []string{"wa.root_key", `"00ff"`}},
		"two simulators":               {flags: map[string]string{"wa.endpoint": "ws://127.0.0.1:1/ws/chat", "wa.root_key": key, "sandbox.enabled": "true"}, names: []string{"sandbox.enabled", "wa.endpoint"}},
		"short admin token":            {env: []string{"MUSTER_ADMIN_TOKEN=secret"}, names: []string{"admin_token"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := config.Sources{Environ: test.env, Flags: test.flags}
			if test.yaml != "" {
				s.File = write(t, test.yaml)
			}
			_, err := config.Load(s)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.names {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not name %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a token: %v", err)
			}
		})
	}
}

// Several mistakes are reported together.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Sources{Environ: []string{"MUSTER_ONE=1", "MUSTER_LOG_LEVEL=info", "MUSTER_TWO=2"}})
	if err == nil || !strings.Contains(err.Error(), "MUSTER_ONE") || !strings.Contains(err.Error(), "MUSTER_TWO") {
		t.Errorf("got %v", err)
	}
}

func TestVariablesOfTheTestsAndTheClient(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Sources{Environ: []string{
		"MUSTER_TEST_POSTGRES=x", "MUSTER_SERVICE_HOST=10.0.0.1", "MUSTER_PORT=tcp://10.0.0.1:3451", "MUSTER_PORT_3451_TCP_ADDR=10.0.0.1", "MUSTER_REQUIRE_ALL=1", "MUSTER_CONFIG=x", "MUSTER_URL=x", "MUSTER_TOKEN=x",
	}})
	if err != nil {
		t.Error(err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Size{
		"0": 0, "512": 512, "1B": 1, "64KiB": 65536, "64kib": 65536, "1 MiB": 1 << 20, "2MB": 2_000_000, "1GiB": 1 << 30,
	} {
		if got, err := config.ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5MiB", "1TiB", "9999999999GiB"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
	for size, want := range map[config.Size]string{0: "0", 1000: "1000", 65536: "64KiB", 1 << 20: "1MiB", 3 << 30: "3GiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(size), got, want)
		}
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
