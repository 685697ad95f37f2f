// Package e2e_test runs the built program as its users do: separate processes,
// real ports, real signals, and clients that were not written here.
package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	// The program itself is run as a binary; the import tells the test cache
	// what these tests depend on.
	_ "muster/internal/cli"
	"muster/store"
)

// patience bounds every wait; only a failing test uses it up.
const patience = 60 * time.Second

// token is the admin token of every server that the tests start.
const token = "e2e-admin-token-with-enough-characters"

// binary is the program, built once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "muster-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "muster")
	out, err := exec.Command("go", "build", "-o", path, "muster").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if order := os.Getenv(holderVariable); order != "" {
		if err := runHolder(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is a running program whose output is kept.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
	err  error         // valid after done

	mu    sync.Mutex
	lines []string
	news  chan struct{} // closed and replaced at each line
}

// start runs the program until it ends or the test does.
func start(t testing.TB, args ...string) *process {
	t.Helper()
	return run(t, command(t, args...))
}

// command is one of the program.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

func run(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, done: make(chan struct{}), news: make(chan struct{})}
	cmd.Env = append(cmd.Environ(), "MUSTER_ADMIN_TOKEN="+token)
	reader, writer := io.Pipe()
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(reader)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.add(lines.Text())
		}
	}()
	go func() {
		p.err = cmd.Wait()
		_ = writer.Close()
		<-read
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill(t)
		if t.Failed() {
			t.Logf("output of %s:\n%s", strings.Join(cmd.Args, " "), strings.Join(p.output(), "\n"))
		}
	})
	return p
}

func (p *process) add(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line)
	close(p.news)
	p.news = make(chan struct{})
}

func (p *process) output() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// line waits for a line that matches and returns its submatches.
func (p *process) line(t testing.TB, pattern string) []string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for seen := 0; ; {
		p.mu.Lock()
		lines, news := p.lines[seen:], p.news
		seen = len(p.lines)
		p.mu.Unlock()
		for _, line := range lines {
			if found := expression.FindStringSubmatch(line); found != nil {
				return found
			}
		}
		select {
		case <-news:
		case <-p.done:
			t.Fatalf("ended (%v) before it printed %q:\n%s", p.err, pattern, strings.Join(p.output(), "\n"))
		case <-limit.C:
			t.Fatalf("waited in vain for %q:\n%s", pattern, strings.Join(p.output(), "\n"))
		}
	}
}

// kill ends the program at once, as a crash would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Kill() // it may have ended already
	p.wait(t)
}

func (p *process) wait(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("the program does not end")
	}
}

// world is a separately running simulator.
type world struct {
	*process
	url, endpoint, rootKey string
}

// startWorld runs `muster sandbox` with an empty world.
func startWorld(t testing.TB, args ...string) *world {
	t.Helper()
	w := &world{process: start(t, append([]string{"sandbox", "--listen", "127.0.0.1:0", "--world", "empty"}, args...)...)}
	w.url = strings.TrimSuffix(w.line(t, `(http://127\.0\.0\.1:\d+)/control/v1`)[1], "/")
	var info struct {
		Endpoint string `json:"endpoint"`
		RootKey  string `json:"root_key"`
	}
	call(t, http.MethodGet, w.url+"/control/v1/info", nil, &info)
	w.endpoint, w.rootKey = info.Endpoint, info.RootKey
	return w
}

// control calls the simulator's control API; path is below /control/v1.
func (w *world) control(t testing.TB, method, path string, body, into any) {
	t.Helper()
	call(t, method, w.url+"/control/v1"+path, body, into)
}

// phone makes a phone.
func (w *world) phone(t testing.TB, number, name string) {
	t.Helper()
	w.control(t, http.MethodPost, "/phones", map[string]any{"number": number, "name": name}, nil)
}

// server is `muster serve` against a separate simulator.
type server struct {
	*process
	url string
}

func serve(t testing.TB, w *world, dataDir string) *server {
	t.Helper()
	return serveOn(t, w, dataDir, store.Options{Driver: store.SQLite})
}

// serveOn is serve with a database of any kind, that of SQLite being in the data
// directory, and with more environment variables.
func serveOn(t testing.TB, w *world, dataDir string, on store.Options, env ...string) *server {
	t.Helper()
	cmd := command(t, "serve", "--listen", "127.0.0.1:0", "--data-dir", dataDir,
		"--wa-endpoint", w.endpoint, "--wa-root-key", w.rootKey)
	cmd.Env = append(os.Environ(), "MUSTER_DATABASE_DRIVER="+on.Driver, "MUSTER_DATABASE_DSN="+on.DSN)
	cmd.Env = append(cmd.Env, env...)
	s := &server{process: run(t, cmd)}
	s.url = s.line(t, `API\s+(http://127\.0\.0\.1:\d+)/api/v1`)[1]
	return s
}

// api calls the server; path is below /api/v1.
func (s *server) api(t testing.TB, method, path string, body, into any) {
	t.Helper()
	call(t, method, s.url+"/api/v1"+path, body, into)
}

// link makes a session and links it to a phone by QR.
func (s *server) link(t testing.TB, w *world, id, number string) {
	t.Helper()
	s.api(t, http.MethodPost, "/sessions", map[string]any{"id": id}, nil)
	w.control(t, http.MethodPost, "/phones/"+number+"/link", map[string]any{"qr": s.qr(t, id)}, nil)
	s.connected(t, id)
}

// qr asks for the session's QR code until there is one.
func (s *server) qr(t testing.TB, id string) string {
	t.Helper()
	var code struct {
		QR string `json:"qr"`
	}
	s.api(t, http.MethodGet, "/sessions/"+id+"/qr", nil, &code)
	if code.QR == "" {
		t.Fatal("the session has no QR code")
	}
	return code.QR
}

// connected waits until the session is connected.
func (s *server) connected(t testing.TB, id string) {
	t.Helper()
	until(t, "session "+id+" is connected", func() bool {
		var status struct {
			Status string `json:"status"`
		}
		s.api(t, http.MethodGet, "/sessions/"+id, nil, &status)
		return status.Status == "connected"
	})
}

// until asks again, after a pause, until the answer is yes. It is for what
// happens in another process, which has no signal to wait on.
func until(t testing.TB, what string, yes func() bool) {
	t.Helper()
	deadline, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// call sends JSON and reads JSON; any status but 2xx fails the test.
func call(t testing.TB, method, url string, body, into any) {
	t.Helper()
	status, raw, err := request(method, url, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, url, status, raw)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s %s: %v in %s", method, url, err, raw)
		}
	}
}

func request(method, url string, body any) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, raw, err
}
