package v1_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

const eventsPath = "/api/v1/events"

// entry is an event as the API shows it.
type entry struct {
	ID        string
	Seq       int64
	Type      string
	SessionID string `json:"session_id"`
	Group     string `json:"group_jid"`
	Timestamp int64
	Offline   bool
	RequestID string `json:"request_id"`
	Data      object
	raw       json.RawMessage
}

func (e *entry) UnmarshalJSON(raw []byte) error {
	type plain entry
	err := json.Unmarshal(raw, (*plain)(e))
	e.raw = append(json.RawMessage{}, raw...)
	return err
}

type eventsPage struct {
	Events []entry
	Next   string
	More   bool
	Gap    bool
}

// events reads one page of the log; the query begins with "?".
func (r *rig) events(query string) (page eventsPage) {
	r.t.Helper()
	a := r.call(http.MethodGet, eventsPath+query, nil).status(http.StatusOK)
	if err := json.Unmarshal(a.raw, &page); err != nil {
		r.t.Fatalf("%s: %v", a.raw, err)
	}
	return page
}

// typesOf lists the events' types.
func typesOf(events []entry) (list []string) {
	for _, e := range events {
		list = append(list, e.Type)
	}
	return list
}

// block is one event of a stream of server-sent events.
type block struct{ id, event, data string }

// sse is an open stream.
type sse struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

// stream opens the stream of events; last is what the client sends as
// Last-Event-ID.
func (r *rig) stream(query, last, token string) *sse {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	request := r.request(ctx, http.MethodGet, eventsPath+"/stream"+query, nil)
	request.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	s := &sse{t: r.t, lines: bufio.NewScanner(response.Body), close: func() {
		cancel()
		_ = response.Body.Close()
	}}
	s.lines.Buffer(nil, 1<<20)
	r.t.Cleanup(s.close)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("the stream answers %d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	if !s.lines.Scan() || s.lines.Text() != ": open" {
		r.t.Fatalf("the stream begins with %q", s.lines.Text())
	}
	return s
}

// next is the next event; the zero value at the stream's end.
func (s *sse) next() (b block) {
	s.t.Helper()
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			b.id = value
		case "event":
			b.event = value
		case "data":
			b.data = value
		case "":
			if b != (block{}) {
				return b
			}
		}
	}
	return block{}
}

// socket opens the WebSocket, which the caller closes.
func (r *rig) socket(ctx context.Context, query string) *websocket.Conn {
	r.t.Helper()
	conn, answer, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(r.base, "http")+eventsPath+"/ws"+query,
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + adminToken}}})
	if err != nil {
		r.t.Fatalf("open the WebSocket: %v, %v", err, answer)
	}
	conn.SetReadLimit(1 << 20)
	return conn
}
