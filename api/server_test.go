package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/api"
	"muster/internal/auth"
	"muster/internal/fault"
	"muster/store/storetest"
)

const adminToken = "mst_the-admin-token-of-this-test"

// running is a server on a free port, with a few routes of its own.
type running struct {
	url     string
	server  *api.Server
	tokens  *auth.Tokens
	log     *lockedBuffer
	settled atomic.Int64
	broken  atomic.Bool
}

func start(t *testing.T, limits api.Limits, routes ...func(*api.Server)) *running {
	t.Helper()
	db := storetest.SQLite(t)
	r := &running{tokens: auth.NewTokens(db, adminToken, time.Now), log: &lockedBuffer{}}
	server, err := api.New(api.Options{
		Tokens: r.tokens, Log: zerolog.New(r.log), Version: "test", Limits: limits,
		Progress: func() api.Progress { return api.Progress{Total: 2, Settled: int(r.settled.Load())} },
		Healthy: func(context.Context) error {
			if r.broken.Load() {
				return errors.New("no database")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	for _, add := range append(routes, testRoutes) {
		add(server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), ignoreClosed(listener.Close()), <-served); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return r
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

type echoInput struct {
	SessionID string `path:"session_id"`
	Limit     int    `query:"limit" minimum:"1" maximum:"100" default:"10"`
	Body      struct {
		Name         string   `json:"name" minLength:"1"`
		Participants []string `json:"participants,omitempty"`
	}
}

type echoOutput struct {
	Body struct{ Name, Session string }
}

func testRoutes(s *api.Server) {
	huma.Register(s.Huma(), huma.Operation{OperationID: "echo", Method: http.MethodPost, Path: "/api/v1/sessions/{session_id}/echo"},
		func(_ context.Context, in *echoInput) (*echoOutput, error) {
			out := &echoOutput{}
			out.Body.Name, out.Body.Session = in.Body.Name, in.SessionID
			return out, nil
		})
	huma.Register(s.Huma(), huma.Operation{OperationID: "fail", Method: http.MethodGet, Path: "/fail/{code}"},
		func(ctx context.Context, in *struct {
			Code string `path:"code"`
		}) (*struct{}, error) {
			return nil, api.Problem(ctx, failure(in.Code))
		})
	s.Router().Get("/plain", func(*fiber.Ctx) error { return fault.New(fault.RateLimited, "slowly").After(time.Minute) })
}

func failure(kind string) error {
	switch kind {
	case "plain":
		return errors.New("a cause that is not shown")
	case "panic":
		panic("a cause that is not shown")
	case "field":
		return fault.Field("participants[2]", "is not a phone number")
	default:
		return fault.New(fault.Code(kind), "as asked").After(1500 * time.Millisecond).Because(errors.New("a cause that is not shown"))
	}
}

// scenario is one request and what must come back.
type scenario struct {
	name         string
	method, path string
	header       map[string]string
	body         string
	status       int
	code         fault.Code        // of the problem document, or ""
	field        string            // of its first error
	contains     string            // in the body
	want         map[string]string // headers
}

func (r *running) run(t *testing.T, s scenario) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), s.method, r.url+s.path, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	request.Header.Set("Content-Type", "application/json")
	for name, value := range s.header {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != s.status {
		t.Errorf("status %d, want %d: %s", response.StatusCode, s.status, body)
	}
	if response.Header.Get("X-Request-Id") == "" || response.Header.Get("X-Content-Type-Options") != "nosniff" && s.code != fault.TooLarge {
		t.Errorf("headers are missing: %v", response.Header)
	}
	for name, value := range s.want {
		if got := response.Header.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if !strings.Contains(string(body), s.contains) {
		t.Errorf("the answer lacks %q: %s", s.contains, body)
	}
	if s.code != "" {
		checkProblem(t, s, response, body)
	}
	return response
}

func checkProblem(t *testing.T, s scenario, response *http.Response, body []byte) {
	t.Helper()
	var p api.ProblemDocument
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("the answer is not a problem document: %v: %s", err, body)
	}
	if got := response.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("a problem has the content type %q", got)
	}
	if p.Code != s.code || p.Status != s.status || p.Title == "" || p.Detail == "" || p.Type != "about:blank" {
		t.Errorf("the problem is %s, want code %s", body, s.code)
	}
	if p.RequestID != response.Header.Get("X-Request-Id") {
		t.Errorf("the problem has the request id %q, the header %q", p.RequestID, response.Header.Get("X-Request-Id"))
	}
	if s.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != s.field) {
		t.Errorf("the problem does not name the field %s: %s", s.field, body)
	}
	if strings.Contains(string(body), "not shown") {
		t.Errorf("the cause is shown: %s", body)
	}
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	r := start(t, api.Limits{Body: 2000})
	const echo = "/api/v1/sessions/one/echo"
	for _, s := range []scenario{
		{name: "accepted", method: "POST", path: echo, body: `{"name":"x"}`, status: 200, contains: `"Session":"one"`},
		{name: "no content type", method: "POST", path: echo, header: map[string]string{"Content-Type": ""}, body: `{"name":"x"}`, status: 200},
		{name: "escaped path", method: "POST", path: "/api/v1/sessions/o%6Ee/echo", body: `{"name":"x"}`, status: 200, contains: `"Session":"one"`},
		{name: "no token", method: "GET", path: "/plain", header: map[string]string{"Authorization": ""}, status: 401, code: fault.Unauthenticated, want: map[string]string{"WWW-Authenticate": `Bearer realm="Muster"`}},
		{name: "wrong token", method: "GET", path: "/plain", header: map[string]string{"Authorization": "Bearer mst_wrong"}, status: 401, code: fault.Unauthenticated},
		{name: "basic outside the reference", method: "GET", path: "/plain", header: map[string]string{"Authorization": "Basic eDp5"}, status: 401, code: fault.Unauthenticated},
		{name: "unknown path without a token", method: "GET", path: "/nowhere", header: map[string]string{"Authorization": ""}, status: 401, code: fault.Unauthenticated},
		{name: "unknown path", method: "GET", path: "/nowhere", status: 404, code: fault.NotFound},
		{name: "other case of a path", method: "GET", path: "/PLAIN", status: 404, code: fault.NotFound},
		{name: "wrong method", method: "PUT", path: echo, status: 405, code: fault.MethodNotAllowed, want: map[string]string{"Allow": "POST"}},
		{name: "malformed JSON", method: "POST", path: echo, body: `{"name":`, status: 400, code: fault.Malformed},
		{name: "empty body", method: "POST", path: echo, status: 400, code: fault.Malformed},
		{name: "not JSON", method: "POST", path: echo, header: map[string]string{"Content-Type": "text/xml"}, body: `<name/>`, status: 415, code: fault.Malformed, contains: "application/json"},
		{name: "missing field", method: "POST", path: echo, body: `{}`, status: 422, code: fault.Invalid, field: "name"},
		{name: "text that is no UTF-8", method: "POST", path: echo, body: "{\"name\":\"\xff\xfe\"}", status: 400, code: fault.Malformed},
		{name: "compressed", method: "POST", path: echo, body: "\x1f\x8b", header: map[string]string{"Content-Encoding": "gzip"}, status: 415, code: fault.UnsupportedMedia},
		{name: "unknown field", method: "POST", path: echo, body: `{"name":"x","nmae":"y"}`, status: 422, code: fault.Invalid, field: "nmae"},
		{name: "wrong type in a list", method: "POST", path: echo, body: `{"name":"x","participants":["a",7]}`, status: 422, code: fault.Invalid, field: "participants[1]", contains: `"value":7`},
		{name: "bad query", method: "POST", path: echo + "?limit=1000", body: `{"name":"x"}`, status: 422, code: fault.Invalid, field: "limit"},
		{name: "body too large", method: "POST", path: echo, body: `{"name":"` + strings.Repeat("x", 3000) + `"}`, status: 413, code: fault.TooLarge},
		{name: "headers too large", method: "GET", path: "/plain", header: map[string]string{"X-Long": strings.Repeat("x", 20<<10)}, status: 413, code: fault.TooLarge},
		{name: "coded error", method: "GET", path: "/fail/rate_limited", status: 429, code: fault.RateLimited, want: map[string]string{"Retry-After": "2"}},
		{name: "error with a field", method: "GET", path: "/fail/field", status: 422, code: fault.Invalid, field: "participants[2]"},
		{name: "plain handler's error", method: "GET", path: "/plain", status: 429, code: fault.RateLimited, want: map[string]string{"Retry-After": "60"}},
		{name: "unexpected error", method: "GET", path: "/fail/plain", status: 500, code: fault.Internal},
		{name: "panic", method: "GET", path: "/fail/panic", status: 500, code: fault.Internal},
		{name: "request id kept", method: "GET", path: "/nowhere", header: map[string]string{"X-Request-Id": "abc-1"}, status: 404, code: fault.NotFound, want: map[string]string{"X-Request-Id": "abc-1"}},
	} {
		t.Run(s.name, func(t *testing.T) { r.run(t, s) })
	}
	t.Run("insane request id", func(t *testing.T) {
		response := r.run(t, scenario{method: "GET", path: "/nowhere", header: map[string]string{"X-Request-Id": "a b\"c"}, status: 404})
		if id := response.Header.Get("X-Request-Id"); id == "a b\"c" {
			t.Error("it was kept")
		}
	})
	t.Run("log", func(t *testing.T) { checkLog(t, r.log.String()) })
}

// The log has the causes under the request id, and no token, body or query.
func checkLog(t *testing.T, log string) {
	for _, want := range []string{"a cause that is not shown", `"request_id":"abc-1"`, `"session":"one"`, `"route":"/api/v1/sessions/:session_id/echo"`, `"level":"error"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, bad := range []string{adminToken, "mst_wrong", "limit=1000", `nmae":"y`} {
		if strings.Contains(log, bad) {
			t.Errorf("the log shows %s", bad)
		}
	}
}

func TestBoundTokenSeesOnlyItsSessions(t *testing.T) {
	t.Parallel()
	r := start(t, api.Limits{})
	_, secret, err := r.tokens.Create(t.Context(), auth.CreateRequest{Name: "bot", Sessions: []string{"one"}})
	if err != nil {
		t.Fatal(err)
	}
	bound := map[string]string{"Authorization": "bearer " + secret}
	for _, s := range []scenario{
		{name: "its own", path: "/api/v1/sessions/one/echo", body: `{"name":"x"}`, status: 200},
		{name: "another", path: "/api/v1/sessions/two/echo", body: `{"name":"x"}`, status: 404, code: fault.SessionNotFound},
		{name: "another's unknown path", path: "/api/v1/sessions/two/nowhere", status: 404, code: fault.SessionNotFound},
		{name: "another, escaped", path: "/api/v1/sessions/t%77o/echo", body: `{"name":"x"}`, status: 404, code: fault.SessionNotFound},
		{name: "another by a slash", path: "/api/v1/sessions//two/echo", body: `{"name":"x"}`, status: 404},
		{name: "another by dots", path: "/api/v1/sessions/one/../two/echo", body: `{"name":"x"}`, status: 404},
	} {
		t.Run(s.name, func(t *testing.T) {
			s.method, s.header = "POST", bound
			r.run(t, s)
		})
	}
}

func TestHealthNeedsNoToken(t *testing.T) {
	t.Parallel()
	r := start(t, api.Limits{})
	nobody := map[string]string{"Authorization": ""}
	r.run(t, scenario{method: "GET", path: "/livez", header: nobody, status: 200, contains: "ok"})
	r.run(t, scenario{method: "GET", path: "/healthz", header: nobody, status: 200, contains: "ok"})
	r.broken.Store(true)
	r.run(t, scenario{method: "GET", path: "/healthz", header: nobody, status: 503, contains: "database"})
	r.settled.Store(1)
	r.run(t, scenario{method: "GET", path: "/readyz", header: nobody, status: 503, contains: `"sessions":{"total":2,"settled":1}`})
	r.settled.Store(2)
	r.run(t, scenario{method: "GET", path: "/readyz", header: nobody, status: 200, contains: "ready"})
}

// lockedBuffer collects the log of concurrent requests.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestJunk: bytes that are no HTTP get a short answer that does not repeat them,
// and JSON that is no UTF-8 is refused instead of being changed.
func TestJunk(t *testing.T) {
	t.Parallel()
	s := start(t, api.Limits{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Repeat("junkjunk\x00\x01", 2000) + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if len(answer) == 0 || len(answer) > 2000 || strings.Contains(string(answer), "junk") {
		t.Errorf("junk is answered with %d bytes (%v): %.300q", len(answer), err, answer)
	}
}
