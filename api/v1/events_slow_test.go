package v1_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"muster/api"
	v1 "muster/api/v1"
	"muster/internal/auth"
	"muster/internal/event"
	"muster/store"
	"muster/store/storetest"
)

// A reader that does not read is told so once it has seen to what was sent, is
// disconnected, and goes on with what it has missed.
func TestSlowStreamReader(t *testing.T) {
	t.Parallel()
	db := storetest.SQLite(t)
	if _, err := db.Exec(t.Context(), "INSERT INTO sessions (id, name, status, created_at, updated_at) VALUES ('a', 'a', 'connected', 1, 1)"); err != nil {
		t.Fatal(err)
	}
	log := event.NewLog(event.Options{DB: db})
	add := func(count, size int) {
		t.Helper()
		err := store.Txn(t.Context(), db, func(ctx context.Context) error {
			var failures []error
			for range count {
				failures = append(failures, log.Append(ctx, event.Event{
					Type: event.GroupDescription, SessionID: "a", Group: "1@g.us",
					Data: event.Description{Topic: strings.Repeat("x", size)},
				}))
			}
			return errors.Join(failures...)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	address := serveEvents(t, auth.NewTokens(db, adminToken, time.Now), log, 50)
	first := openRaw(t, address, "?after=0")
	// More than the system's buffers for a connection take.
	add(200, 128<<10)
	got := []block{first.next()} // the server is in the middle of the first hundred
	add(60, 10)
	for b := first.next(); b != (block{}); b = first.next() {
		got = append(got, b)
	}
	last := got[len(got)-1]
	var word struct{ Type, Detail, After string }
	if err := json.Unmarshal([]byte(last.data), &word); err != nil || len(got) != 101 || last.event != "stream.slow" || last.id != "" {
		t.Fatalf("%d blocks, the last of them %.200v", len(got), last)
	}
	if word.Type != last.event || word.Detail == "" || !strings.HasPrefix(got[99].id, word.After) {
		t.Errorf("the word is %+v after %s", word, got[99].id)
	}
	second := openRaw(t, address, "?after="+word.After)
	for i := range 160 {
		if b := second.next(); b.id == "" || b.event != "group.description" {
			t.Fatalf("resumed, block %d is %.200v", i, b)
		}
	}
}

// serveEvents serves nothing but the events.
func serveEvents(t *testing.T, tokens *auth.Tokens, log *event.Log, patience int64) string {
	t.Helper()
	server, err := api.New(api.Options{Tokens: tokens, Log: zerolog.Nop(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	v1.RegisterEvents(server, log, nil, patience)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), <-served); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return listener.Addr().String()
}

// openRaw opens a stream whose reader takes in only what it is asked for.
func openRaw(t *testing.T, address, query string) *sse {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	err = conn.SetDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = conn.Write([]byte("GET " + eventsPath + "/stream" + query + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + adminToken + "\r\n\r\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 4096), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	s := &sse{t: t, lines: bufio.NewScanner(response.Body)}
	s.lines.Buffer(make([]byte, 4096), 1<<20)
	return s
}
