package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"
)

const (
	// heartbeat keeps proxies from closing a silent stream, and finds out that
	// a client has gone.
	heartbeat = 15 * time.Second
	// streamWrite bounds the sending of one event; a client that reads slower
	// is disconnected.
	streamWrite = 15 * time.Second
)

// Send writes one event: its name and its data, as JSON on one line.
type Send func(event string, data any) error

// Numbered writes one event with the id that a client that reconnects sends as
// Last-Event-ID; an empty one leaves the client's as it was.
type Numbered func(id, event string, data any) error

// streams are the answers of a server that would never end by themselves.
type streams struct {
	closing context.Context // ends when the server begins to shut down
	cancel  context.CancelFunc

	// sockets are those that the HTTP server has let go of; mu keeps new ones
	// out once closing has ended.
	mu      sync.Mutex
	sockets sync.WaitGroup
}

// enter counts a socket, unless the server shuts down; call the WaitGroup's Done
// at its end.
func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.sockets.Add(1)
	return true
}

func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
}

// wait waits for the sockets, after end, as long as the context lets it.
func (s *streams) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.sockets.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

type streamsKey struct{}

// until gives a stream the context that ends with the request's, and when the
// server begins to shut down.
func until(parent context.Context) (ctx context.Context, cancel func()) {
	ctx, end := context.WithCancel(parent)
	all, ok := parent.Value(streamsKey{}).(*streams)
	if !ok {
		return ctx, end
	}
	forget := context.AfterFunc(all.closing, end)
	return ctx, func() {
		forget()
		end()
	}
}

// Stream answers with server-sent events until run returns. Its context ends
// when the client has gone and when the server begins to shut down. The error
// of run is for the log: by then the answer has begun.
func Stream(c *fiber.Ctx, run func(ctx context.Context, send Send) error) error {
	return stream(c, "", func(ctx context.Context, send Numbered) error {
		return run(ctx, func(event string, data any) error { return send("", event, data) })
	})
}

// NumberedStream is Stream with ids, so that clients can resume. It begins at
// once, with a comment, for those who wait for the stream to be there.
func NumberedStream(c *fiber.Ctx, run func(ctx context.Context, send Numbered) error) error {
	return stream(c, ": open\n\n", run)
}

func stream(c *fiber.Ctx, opening string, run func(ctx context.Context, send Numbered) error) error {
	parent := c.UserContext()
	conn := c.Context().Conn()
	c.Set(fiber.HeaderContentType, "text/event-stream")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no") // nginx would hold events back
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := until(parent)
		defer cancel()
		s := &eventStream{w: w, conn: conn}
		if opening != "" && s.write(opening) != nil {
			return
		}
		var beats sync.WaitGroup
		beats.Go(func() { s.beat(ctx, cancel) })
		if err := run(ctx, s.send); err != nil && ctx.Err() == nil {
			level := zerolog.WarnLevel
			if errors.Is(err, errGone) {
				level = zerolog.DebugLevel // as clients do
			}
			zerolog.Ctx(parent).WithLevel(level).Err(err).Msg("stream failed")
		}
		cancel()
		beats.Wait()
	})
	return nil
}

// errGone ends a stream whose client does not read any more.
var errGone = errors.New("the client has gone")

type eventStream struct {
	mu   sync.Mutex
	w    *bufio.Writer
	conn net.Conn
}

func (s *eventStream) send(id, event string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the event %s: %w", event, err)
	}
	text := fmt.Sprintf("event: %s\ndata: %s\n\n", event, encoded)
	if id != "" {
		text = "id: " + id + "\n" + text
	}
	return s.write(text)
}

func (s *eventStream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The server's write timeout is for whole answers, which a stream is not.
	if err := s.conn.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if _, err := s.w.WriteString(text); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

func (s *eventStream) beat(ctx context.Context, gone context.CancelFunc) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s.write(": still here\n\n") != nil {
				gone()
				return
			}
		}
	}
}
