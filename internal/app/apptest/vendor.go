package apptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

// Line is a program with one session, linked to a phone of a sandbox that runs
// beside it, and the key of a client of that session: what the tests of the
// dialects begin with. Webhooks and media may be in the machine's own network.
type Line struct {
	*Program
	WA *sandbox.Server
	// Session is the session's id, Number its phone's number in digits.
	Session, Number string
	// Key is a token that is bound to the session.
	Key string

	config config.Config
}

// StartLine starts the program and links the session "line" to the number.
func StartLine(t testing.TB, number string, change ...func(*config.Config)) *Line {
	t.Helper()
	wa := sandboxtest.Start(t)
	change = append([]func(*config.Config){Apart(wa), func(c *config.Config) {
		c.Webhooks.AllowPrivate, c.Media.AllowPrivate = true, true
	}}, change...)
	c := Config(t, change...)
	l := &Line{Program: Start(t, c), WA: wa, Session: "line", Number: number, config: c}
	l.WaitAnnounced(t)
	l.Phone(t, number, sandbox.PhoneOptions{Name: "Business"})
	l.Link(t, wa, l.Session, number)
	l.Key = l.NewKey(t, l.Session)
	l.Seeded(t, l.Session)
	return l
}

// Restart starts the program again, after Stop, with the same data.
func (l *Line) Restart(t testing.TB) {
	t.Helper()
	l.Program = Start(t, l.config)
	l.WaitAnnounced(t)
}

// Phone makes a phone.
func (l *Line) Phone(t testing.TB, number string, o sandbox.PhoneOptions) sandbox.PhoneInfo {
	t.Helper()
	o.Number = number
	info, err := l.WA.AddPhone(o)
	if err != nil {
		t.Fatalf("make phone %s: %v", number, err)
	}
	return info
}

// NewKey makes a token that is bound to the sessions.
func (l *Line) NewKey(t testing.TB, sessions ...string) string {
	t.Helper()
	var answer struct{ Token string }
	if status := l.Call(t, http.MethodPost, "/api/v1/tokens", map[string]any{"name": "client", "sessions": sessions}, &answer); status != http.StatusCreated || answer.Token == "" {
		t.Fatalf("make a token: %d", status)
	}
	return answer.Token
}

// Seeded waits until the session's mirror was compared with WhatsApp's list.
func (l *Line) Seeded(t testing.TB, session string) {
	t.Helper()
	Eventually(t, "the mirror of "+session, func() bool {
		var list struct{ Complete bool }
		return l.Call(t, http.MethodGet, "/api/v1/sessions/"+session+"/groups", nil, &list) == http.StatusOK && list.Complete
	})
}

// Eventually asks until the condition holds.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	limit, again := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Exchange is a request, and what it was answered.
type Exchange struct {
	Method string
	// Path is with the query, below the program's URL.
	Path string
	// Header is sent; the answer's is Answered.
	Header http.Header
	Body   []byte

	Status   int
	Answered http.Header
	Answer   []byte
}

// Send performs a request that is ready: exactly its headers and its body.
func (l *Line) Send(t testing.TB, x Exchange) Exchange {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), x.Method, l.URL+x.Path, bytes.NewReader(x.Body))
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Body) == 0 {
		request.Body, request.ContentLength = nil, 0
	}
	if x.Header != nil {
		request.Header = x.Header.Clone()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", x.Method, x.Path, err)
	}
	x.Status, x.Answered = response.StatusCode, response.Header
	x.Answer, err = io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatalf("%s %s: %v", x.Method, x.Path, err)
	}
	return x
}

// JSON makes a request whose body is a value as JSON, or text that is JSON
// already, or nothing where it is nil.
func JSON(method, path string, header http.Header, body any) Exchange {
	x := Exchange{Method: method, Path: path, Header: header.Clone()}
	if x.Header == nil {
		x.Header = http.Header{}
	}
	switch b := body.(type) {
	case nil:
		return x
	case string:
		x.Body = []byte(b)
	default:
		x.Body, _ = json.Marshal(b) // what tests send can be written
	}
	x.Header.Set("Content-Type", "application/json")
	return x
}

// Decode reads the answer into a value, and returns the exchange for chaining.
func (x Exchange) Decode(t testing.TB, target any) Exchange {
	t.Helper()
	if err := json.Unmarshal(x.Answer, target); err != nil {
		t.Fatalf("%s %s: %d %s: %v", x.Method, x.Path, x.Status, x.Answer, err)
	}
	return x
}

// Want fails the test unless the answer has the status.
func (x Exchange) Want(t testing.TB, status int) Exchange {
	t.Helper()
	if x.Status != status {
		t.Fatalf("%s %s: %d %s, want %d", x.Method, x.Path, x.Status, x.Answer, status)
	}
	return x
}

// Curl reads the command lines of a text, as a shell would (comments, quotes,
// lines that go on after a backslash), and returns those that are curl's as
// requests; what they call is below base. -X, -H, -d, -F (with text only), their
// long names, --location and --globoff are understood.
func Curl(t testing.TB, base, text string) (list []Exchange) {
	t.Helper()
	for _, words := range commands(t, text) {
		if words[0] != "curl" {
			continue
		}
		x := Exchange{Header: http.Header{}}
		for i := 1; i < len(words); i++ {
			option := words[i]
			value := func() string {
				if i++; i == len(words) {
					t.Fatalf("%s has no value: %q", option, words)
				}
				return words[i]
			}
			x.option(t, base, option, value)
		}
		switch {
		case x.Method != "":
		case len(x.Body) > 0:
			x.Method = http.MethodPost
		default:
			x.Method = http.MethodGet
		}
		if len(x.Body) > 0 && x.Header.Get("Content-Type") == "" {
			x.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		list = append(list, x)
	}
	return list
}

func (x *Exchange) option(t testing.TB, base, option string, value func() string) {
	t.Helper()
	switch option {
	case "-X", "--request":
		x.Method = value()
	case "-H", "--header":
		name, content, _ := strings.Cut(value(), ":")
		x.Header.Set(name, strings.TrimSpace(content))
	case "-d", "--data", "--data-raw":
		x.Body = []byte(value())
	case "-s", "-L", "-g", "--location", "--globoff", "--silent":
	case "--url":
		x.target(t, base, value())
	default:
		if strings.HasPrefix(option, "-") {
			t.Fatalf("curl's option %s is not known here", option)
		}
		x.target(t, base, option)
	}
}

func (x *Exchange) target(t testing.TB, base, url string) {
	t.Helper()
	path, ok := strings.CutPrefix(url, base)
	if !ok {
		t.Fatalf("%s is not below %s", url, base)
	}
	x.Path = path
}

// commands splits text into command lines and their words.
func commands(t testing.TB, text string) (list [][]string) {
	t.Helper()
	var words []string
	var word strings.Builder
	inWord := false
	endWord := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	endLine := func() {
		endWord()
		if words != nil {
			list = append(list, words)
		}
		words = nil
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && strings.HasPrefix(text[i+1:], "\n"):
			i++
		case c == '#' && !inWord:
			length := strings.IndexByte(text[i:], '\n')
			if length < 0 {
				length = len(text) - i
			}
			i += length - 1
		case c == '\'' || c == '"':
			length := strings.IndexByte(text[i+1:], c)
			if length < 0 {
				t.Fatalf("a quote does not end: %.100s", text[i:])
			}
			word.WriteString(text[i+1 : i+1+length])
			inWord, i = true, i+1+length
		case c == '\n':
			endLine()
		case c == ' ' || c == '\t':
			endWord()
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	endLine()
	return list
}
