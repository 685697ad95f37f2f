package v1_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"muster/internal/app"
	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

const (
	adminToken = "a-token-for-the-tests-of-the-api-only"
	mySession  = "my-session"
	myNumber   = "628111000000" // the phone that the session is linked to
)

// rig is the whole program, with a simulated WhatsApp of its own and a session
// that is linked to a phone.
type rig struct {
	t    *testing.T
	wa   *sandbox.Server
	base string // http://host:port
}

// newRig starts the program and links the session.
func newRig(t *testing.T, change ...func(*config.Config)) *rig {
	t.Helper()
	wa := sandboxtest.Start(t)
	root := wa.RootKey()
	c := config.Default()
	c.Listen, c.DataDir, c.AdminToken = "127.0.0.1:0", t.TempDir(), adminToken
	c.WA = config.WA{Endpoint: wa.Endpoint(), RootKey: hex.EncodeToString(root[:])}
	// Tests do in a second what a bot does in an hour.
	c.Sessions.ReadRate, c.Sessions.ReadBurst, c.Sessions.WriteRate, c.Sessions.WriteBurst = 1e4, 1e4, 1e4, 1e4
	for _, apply := range change {
		apply(&c)
	}
	program, err := app.New(t.Context(), c, app.Surroundings{
		Version: "test", Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
	})
	if err != nil {
		t.Fatalf("start the program: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- program.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("end the program: %v", err)
		}
	})
	r := &rig{t: t, wa: wa, base: "http://" + program.Addr()}
	r.phone(myNumber, sandbox.PhoneOptions{Name: "Me"})
	r.link(mySession, myNumber)
	return r
}

// with is the rig for a subtest.
func (r *rig) with(t *testing.T) *rig {
	return &rig{t: t, wa: r.wa, base: r.base}
}

// phone makes a phone.
func (r *rig) phone(number string, o sandbox.PhoneOptions) sandbox.PhoneInfo {
	r.t.Helper()
	o.Number = number
	info, err := r.wa.AddPhone(o)
	if err != nil {
		r.t.Fatalf("make phone %s: %v", number, err)
	}
	return info
}

// people makes phones with the numbers.
func (r *rig) people(numbers ...string) {
	r.t.Helper()
	for _, number := range numbers {
		r.phone(number, sandbox.PhoneOptions{Name: "N" + number[len(number)-2:]})
	}
}

// link makes a session and links it to the phone by QR, as a person would.
func (r *rig) link(id, number string) {
	r.t.Helper()
	r.call(http.MethodPost, "/api/v1/sessions", object{"id": id}).status(http.StatusCreated)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	request := r.request(ctx, http.MethodGet, "/api/v1/sessions/"+id+"/qr", nil)
	request.Header.Set("Accept", "text/event-stream")
	stream, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatalf("ask for the QR codes: %v", err)
	}
	defer func() { _ = stream.Body.Close() }()
	lines := bufio.NewScanner(stream.Body)
	var event string
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case name == "event":
			event = value
		case name == "data" && event == "qr":
			var code struct{ QR string }
			if err = json.Unmarshal([]byte(value), &code); err == nil {
				_, err = r.wa.ScanQR(ctx, number, code.QR)
			}
			if err != nil {
				r.t.Fatalf("scan %s: %v", value, err)
			}
		case name == "data" && event == "result":
			var result struct{ Status string }
			if err = json.Unmarshal([]byte(value), &result); err != nil || result.Status != "connected" {
				r.t.Fatalf("link %s: %s, %v", id, value, err)
			}
			r.seeded(id)
			return
		}
	}
	r.t.Fatalf("the stream of QR codes ended early: %v", lines.Err())
}

// seeded waits until the session's mirror was compared with WhatsApp's list:
// what happens before that is found there and is no change in its history.
func (r *rig) seeded(id string) {
	r.t.Helper()
	limit, again := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for r.call(http.MethodGet, "/api/v1/sessions/"+id+"/groups", nil).status(http.StatusOK).body["complete"] != true {
		select {
		case <-again.C:
		case <-limit:
			r.t.Fatalf("waited in vain for the mirror of %s", id)
		}
	}
}

// object is a JSON object.
type object = map[string]any

// answer is what the API answered.
type answer struct {
	t      *testing.T
	what   string // the request, for messages
	code   int
	header http.Header
	raw    []byte
	body   object
}

func (r *rig) request(ctx context.Context, method, path string, body any) *http.Request {
	r.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, reader)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request
}

// call sends a request. The body is JSON text, or a value to be made into it,
// or nil.
func (r *rig) call(method, path string, body any) answer {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.do(r.request(ctx, method, path, body))
}

func (r *rig) do(request *http.Request) answer {
	r.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{t: r.t, what: request.Method + " " + request.URL.RequestURI(), code: response.StatusCode, header: response.Header}
	if a.raw, err = io.ReadAll(response.Body); err != nil {
		r.t.Fatalf("%s: %v", a.what, err)
	}
	if len(a.raw) > 0 {
		if err = json.Unmarshal(a.raw, &a.body); err != nil {
			r.t.Fatalf("%s: the answer is not a JSON object: %s", a.what, a.raw)
		}
	}
	return a
}

// group calls something about a group of the session.
func (r *rig) group(method, jid, rest string, body any) answer {
	r.t.Helper()
	return r.call(method, "/api/v1/sessions/"+mySession+"/groups/"+jid+rest, body)
}

// status fails the test unless the answer has it.
func (a answer) status(want int) answer {
	a.t.Helper()
	if a.code != want {
		a.t.Fatalf("%s: %d %s, want %d", a.what, a.code, a.raw, want)
	}
	return a
}

// refused fails the test unless the answer is a problem document with the
// status, the code and, if one is named, the field.
func (a answer) refused(status int, code, field string) answer {
	a.t.Helper()
	var problem struct {
		Status    int
		Code      string
		Detail    string
		RequestID string `json:"request_id"`
		Errors    []struct{ Field, Message string }
	}
	if err := json.Unmarshal(a.raw, &problem); err != nil {
		a.t.Fatalf("%s: %s is not a problem document: %v", a.what, a.raw, err)
	}
	switch {
	case a.code != status || problem.Status != status || problem.Code != code || problem.Detail == "":
		a.t.Errorf("%s: %d %s, want %d %s", a.what, a.code, a.raw, status, code)
	case problem.RequestID == "" || a.header.Get("Content-Type") != "application/problem+json":
		a.t.Errorf("%s: %s (%s) has no request id or the wrong type", a.what, a.raw, a.header.Get("Content-Type"))
	case field != "" && (len(problem.Errors) == 0 || problem.Errors[0].Field != field):
		a.t.Errorf("%s: %s does not name %q", a.what, a.raw, field)
	}
	return a
}

// is fails the test unless the body is exactly the JSON text.
func (a answer) is(want string) answer {
	a.t.Helper()
	var parsed any
	if err := json.Unmarshal([]byte(want), &parsed); err != nil {
		a.t.Fatal(err)
	}
	if fmt.Sprint(parsed) != fmt.Sprint(any(a.body)) {
		a.t.Errorf("%s: %s, want %s", a.what, a.raw, want)
	}
	return a
}

// text is a field of the body as text, or "".
func (a answer) text(field string) string {
	text, _ := a.body[field].(string)
	return text
}

// outcome is one entry of an answer about several people.
type outcome struct {
	JID         string `json:"jid"`
	PhoneNumber string `json:"phone_number"`
	LID         string `json:"lid"`
	Input       string `json:"input"`
	Status      string `json:"status"`
	Error       struct {
		Code         string `json:"code"`
		Reason       string `json:"reason"`
		WhatsAppCode int    `json:"whatsapp_code"`
	} `json:"error"`
	Invite struct {
		Code      string `json:"code"`
		ExpiresAt int64  `json:"expires_at"`
	} `json:"invite"`
}

// outcomes reads the entries under the field.
func (a answer) outcomes(field string) []outcome {
	a.t.Helper()
	var body map[string]json.RawMessage
	var list []outcome
	err := json.Unmarshal(a.raw, &body)
	if err == nil {
		err = json.Unmarshal(body[field], &list)
	}
	if err != nil {
		a.t.Fatalf("%s: %s in %s: %v", a.what, field, a.raw, err)
	}
	return list
}

// summary writes entries as "62811…01 Added, 62811…02 Failed/privacy/403".
func summary(list []outcome) string {
	var parts []string
	for _, o := range list {
		part := o.JID[:strings.IndexByte(o.JID, '@')] + " " + o.Status
		if o.Error.Code != "" {
			part += fmt.Sprintf("/%s/%d", o.Error.Code, o.Error.WhatsAppCode)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

// eventually waits until the condition holds in the simulated world.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		changed := r.wa.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}
