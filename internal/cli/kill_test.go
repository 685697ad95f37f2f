package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"muster/internal/cli"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// asProgram makes the test binary be the program, for tests that kill it.
const asProgram = "MUSTER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// process is the program in a process of its own.
type process struct {
	command    *exec.Cmd
	log        *terminalBuffer
	url, token string
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{command: exec.CommandContext(t.Context(), os.Args[0], args...), log: newTerminal()}
	p.command.Env = append(os.Environ(), asProgram+"=1")
	p.command.Stderr = p.log
	out, err := p.command.StdoutPipe()
	if err == nil {
		err = p.command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		_ = p.command.Wait()
	})
	try := regexp.MustCompile(`Bearer ([^"]+)" (http://[^/]+)/`)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if match := try.FindStringSubmatch(lines.Text()); match != nil {
			p.token, p.url = match[1], match[2]
			return p
		}
	}
	t.Fatalf("the program did not start: %s", p.log)
	return nil
}

// call makes a request; it is not fatal that the program has just been killed.
func (p *process) call(ctx context.Context, method, path string, body, answer any) (int, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, bytes.NewReader(encoded))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	raw, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil || answer == nil {
		return response.StatusCode, err
	}
	return response.StatusCode, json.Unmarshal(raw, answer)
}

// killed ends the program as a power failure would.
func (p *process) killed(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.command.Wait()
}

type linkedSession struct {
	Status    string
	Reason    string
	DeviceJID string `json:"device_jid"`
}

// A program that is killed in the middle of group changes comes back with its
// session connected, as the same device, without linking.
func TestKilledAndRestarted(t *testing.T) {
	t.Parallel()
	world := sandboxtest.Start(t)
	if _, err := world.AddPhone(sandbox.PhoneOptions{Number: phoneNumber, Name: "Baker"}); err != nil {
		t.Fatal(err)
	}
	root := world.RootKey()
	args := []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir(), "--wa-endpoint", world.Endpoint(), "--wa-root-key", hex.EncodeToString(root[:])}
	p := startProcess(t, args...)
	before := p.link(t, world)
	for round := range 3 {
		created := make(chan struct{}, 1000)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for i := 0; ; i++ {
				group := map[string]any{"name": fmt.Sprintf("Group %d of round %d", i, round), "participants": []string{}}
				if _, err := p.call(t.Context(), http.MethodPost, "/api/v1/sessions/bakery/groups", group, nil); err != nil {
					return
				}
				created <- struct{}{}
			}
		}()
		for range 3 {
			<-created
		}
		p.killed(t)
		<-ended
		p = startProcess(t, args...)
		if after := p.connected(t); after.DeviceJID != before.DeviceJID {
			t.Fatalf("round %d: the session was %+v and is %+v", round, before, after)
		}
	}
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Errorf("after an interrupt the program ended with %v: %s", err, p.log)
	}
}

func (p *process) link(t *testing.T, world *sandbox.Server) linkedSession {
	t.Helper()
	if status, err := p.call(t.Context(), http.MethodPost, "/api/v1/sessions", map[string]string{"id": "bakery"}, nil); status != 201 {
		t.Fatalf("create the session: %d, %v", status, err)
	}
	var qr struct{ QR string }
	if status, err := p.call(t.Context(), http.MethodGet, "/api/v1/sessions/bakery/qr", nil, &qr); status != 200 {
		t.Fatalf("the QR code: %d, %v", status, err)
	}
	if _, err := world.ScanQR(t.Context(), phoneNumber, qr.QR); err != nil {
		t.Fatal(err)
	}
	return p.connected(t)
}

// connected waits until the session is. The API has no signal for that.
func (p *process) connected(t *testing.T) (s linkedSession) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := p.call(ctx, http.MethodGet, "/api/v1/sessions/bakery", nil, &s); err != nil {
			t.Fatalf("%v: %s", err, p.log)
		}
		if s.Status == "connected" && s.DeviceJID != "" {
			return s
		}
		if strings.HasPrefix(s.Status, "logged") {
			t.Fatalf("the session is %+v: %s", s, p.log)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the session stays %+v: %s", s, p.log)
		case <-ticker.C:
		}
	}
}

// What goes wrong at the end is said once.
func TestFailedShutdownIsReportedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := filepath.Join(dir, "muster.yaml")
	if err := os.WriteFile(settings, []byte("shutdown_timeout: 1ns\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, "serve", "--config", settings, "--sandbox", "--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0", "--data-dir", dir)
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err == nil {
		t.Error("the program ended well")
	}
	if count := strings.Count(p.log.String(), "close the sessions"); count != 1 {
		t.Errorf("it says so %d times: %s", count, p.log)
	}
}
