package api

import (
	"bufio"
	"context"
	"encoding/json"
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

type streamsKey struct{}

// Stream answers with server-sent events until run returns. Its context ends
// when the client has gone and when the server begins to shut down. The error
// of run is for the log: by then the answer has begun.
func Stream(c *fiber.Ctx, run func(ctx context.Context, send Send) error) error {
	parent := c.UserContext()
	conn := c.Context().Conn()
	c.Set(fiber.HeaderContentType, "text/event-stream")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no") // nginx would hold events back
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithCancel(parent)
		defer cancel()
		if closing, ok := parent.Value(streamsKey{}).(context.Context); ok {
			defer context.AfterFunc(closing, cancel)()
		}
		s := &eventStream{w: w, conn: conn}
		var beats sync.WaitGroup
		beats.Go(func() { s.beat(ctx, cancel) })
		if err := run(ctx, s.send); err != nil && ctx.Err() == nil {
			zerolog.Ctx(parent).Warn().Err(err).Msg("stream failed")
		}
		cancel()
		beats.Wait()
	})
	return nil
}

type eventStream struct {
	mu   sync.Mutex
	w    *bufio.Writer
	conn net.Conn
}

func (s *eventStream) send(event string, data any) error {
	encoded, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode the event %s: %w", event, err)
	}
	return s.write(fmt.Sprintf("event: %s\ndata: %s\n\n", event, encoded))
}

func (s *eventStream) write(text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The server's write timeout is for whole answers, which a stream is not.
	if err := s.conn.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return fmt.Errorf("the client has gone: %w", err)
	}
	if _, err := s.w.WriteString(text); err != nil {
		return fmt.Errorf("the client has gone: %w", err)
	}
	if err := s.w.Flush(); err != nil {
		return fmt.Errorf("the client has gone: %w", err)
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
