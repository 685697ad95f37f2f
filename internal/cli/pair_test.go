package cli_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"muster/internal/app/apptest"
	"muster/internal/cli"
	"muster/sandbox"
)

// terminalBuffer is what a command prints while it runs; each write is a
// signal to look again.
type terminalBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newTerminal() *terminalBuffer { return &terminalBuffer{changed: make(chan struct{}, 1)} }

func (b *terminalBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *terminalBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// pairing runs `muster pair` beside a server with a phone and a session.
type pairing struct {
	server *apptest.Program
	out    *terminalBuffer
	exit   chan int
}

const phoneNumber = "491511234567"

func startPairing(t *testing.T, ctx context.Context, flags ...string) *pairing {
	t.Helper()
	p := &pairing{server: apptest.Start(t, apptest.Config(t)), out: newTerminal(), exit: make(chan int, 1)}
	if _, err := p.server.Sandbox().AddPhone(sandbox.PhoneOptions{Number: phoneNumber, Name: "Baker"}); err != nil {
		t.Fatal(err)
	}
	if status := p.server.Call(t, http.MethodPost, "/api/v1/sessions", map[string]string{"id": "bakery"}, nil); status != 201 {
		t.Fatalf("create the session: %d", status)
	}
	args := append([]string{"pair", "bakery", "--url", p.server.URL, "--token", p.server.Token()}, flags...)
	go func() { p.exit <- cli.Run(ctx, args, p.out, p.out) }()
	return p
}

// await waits until the output matches, and gives the first group.
func (p *pairing) await(t *testing.T, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	for {
		if match := expression.FindStringSubmatch(p.out.String()); match != nil {
			return match[1]
		}
		select {
		case <-p.out.changed:
		case code := <-p.exit:
			t.Fatalf("exit %d before the output matched %s: %s", code, pattern, p.out)
		}
	}
}

// linked checks the command's good end.
func (p *pairing) linked(t *testing.T) {
	t.Helper()
	if code := <-p.exit; code != 0 || !strings.Contains(p.out.String(), "Linked: "+phoneNumber+"@s.whatsapp.net") {
		t.Errorf("exit %d: %s", code, p.out)
	}
}

func TestPairByQR(t *testing.T) {
	t.Parallel()
	p := startPairing(t, t.Context())
	p.await(t, "(█)")
	var qr struct{ QR string }
	if status := p.server.Call(t, http.MethodGet, "/api/v1/sessions/bakery/qr", nil, &qr); status != 200 {
		t.Fatalf("the QR code: %d", status)
	}
	if _, err := p.server.Sandbox().ScanQR(t.Context(), phoneNumber, qr.QR); err != nil {
		t.Fatal(err)
	}
	p.linked(t)
	// A second link of the same session is refused, in words.
	again := newTerminal()
	code := cli.Run(t.Context(), []string{"pair", "bakery", "--url", p.server.URL, "--token", p.server.Token()}, again, again)
	if code != 1 || !strings.Contains(again.String(), "linked") {
		t.Errorf("exit %d: %s", code, again)
	}
}

func TestPairByCode(t *testing.T) {
	t.Parallel()
	p := startPairing(t, t.Context(), "--phone", "+"+phoneNumber)
	code := p.await(t, `\n    ([A-Z0-9-]+)\n`)
	if _, err := p.server.Sandbox().EnterCode(t.Context(), phoneNumber, code); err != nil {
		t.Fatal(err)
	}
	p.linked(t)
}

// TestPairByCodeOfAQuickPhone: the phone has typed the code and the session is
// on its way when the answer with the code arrives.
func TestPairByCodeOfAQuickPhone(t *testing.T) {
	t.Parallel()
	typed := make(chan struct{})
	routes := http.NewServeMux()
	routes.HandleFunc("GET /api/v1/sessions/bakery", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"connecting","reason":"linked"}`)
	})
	routes.HandleFunc("POST /api/v1/sessions/bakery/pair", func(w http.ResponseWriter, _ *http.Request) {
		close(typed)
		_, _ = io.WriteString(w, `{"code":"AAAA-BBBB"}`)
	})
	routes.HandleFunc("GET /api/v1/sessions/bakery/qr", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-typed:
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"detail":"a phone is linked to this session already"}`)
			return
		default:
		}
		_, _ = io.WriteString(w, "event: qr\ndata: {\"qr\":\"x\",\"status\":\"waiting_for_qr\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-typed:
			_, _ = io.WriteString(w, "event: result\ndata: {\"status\":\"connected\",\"jid\":\""+phoneNumber+"@s.whatsapp.net\"}\n\n")
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	code, out, stderr := run(t, "pair", "bakery", "--url", server.URL, "--phone", phoneNumber)
	if code != 0 || !strings.Contains(out, "AAAA-BBBB") || !strings.Contains(out, "Linked: "+phoneNumber) {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
}

// TestPairTellsOfAPasskey: without a word the command would seem to hang.
func TestPairTellsOfAPasskey(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	p := startPairing(t, ctx)
	if err := p.server.Sandbox().DemandPasskey(phoneNumber, true); err != nil {
		t.Fatal(err)
	}
	p.await(t, "(█)")
	var qr struct{ QR string }
	if status := p.server.Call(t, http.MethodGet, "/api/v1/sessions/bakery/qr", nil, &qr); status != 200 {
		t.Fatalf("the QR code: %d", status)
	}
	scanned := make(chan struct{})
	go func() {
		defer close(scanned)
		_, _ = p.server.Sandbox().ScanQR(ctx, phoneNumber, qr.QR) // ends with the context
	}()
	p.await(t, "(demands a passkey)")
	interrupt()
	<-scanned
	if code := <-p.exit; code != 1 || strings.Count(p.out.String(), "passkey. ") != 1 {
		t.Errorf("exit %d: %s", code, p.out)
	}
}

func TestPairIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	p := startPairing(t, ctx)
	p.await(t, "(█)")
	interrupt()
	if code := <-p.exit; code != 1 {
		t.Errorf("exit %d: %s", code, p.out)
	}
}

func TestPairRefusals(t *testing.T) {
	t.Parallel()
	server := apptest.Start(t, apptest.Config(t))
	for name, test := range map[string]struct{ session, token, says string }{
		"unknown session": {"nobody", server.Token(), "nobody"},
		"no token":        {"bakery", "", "token is required"},
		"wrong token":     {"bakery", "mst_wrong", "not known"},
	} {
		code, _, stderr := run(t, "pair", test.session, "--url", server.URL, "--token", test.token)
		if code != 1 || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}
