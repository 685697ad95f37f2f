package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/internal/fault"
)

const (
	// socketSilence is how long a client may leave pings unanswered.
	socketSilence = 3 * heartbeat
	// socketInput bounds what a client may send, of which nothing is read.
	socketInput = 512
)

// Reasons for which a WebSocket is closed by the server, see RFC 6455, 7.4.
const (
	SocketDone     = websocket.CloseNormalClosure
	SocketLeaving  = websocket.CloseGoingAway     // the server shuts down
	SocketTryLater = websocket.CloseTryAgainLater // the client is too slow
	socketFailure  = websocket.CloseInternalServerErr
)

// SocketEnd is what run returns to close a WebSocket with a code and a word of
// at most 123 bytes.
type SocketEnd struct {
	Code int
	Text string
}

func (e *SocketEnd) Error() string { return e.Text }

// Socket turns the request into a WebSocket that only the server writes to, one
// message for each send, until run returns. Its context ends when the client
// has gone and when the server begins to shut down.
func Socket(c *fiber.Ctx, run func(ctx context.Context, send func(message any) error) error) error {
	if !websocket.IsWebSocketUpgrade(c) {
		return fault.New(fault.Malformed, "this is a WebSocket: the request has to ask for an upgrade")
	}
	parent := c.UserContext()
	return websocket.New(func(conn *websocket.Conn) {
		// The HTTP server has forgotten it by now.
		if all, ok := parent.Value(streamsKey{}).(*streams); ok {
			if !all.enter() {
				sayGoodbye(conn, leaving())
				return
			}
			defer all.sockets.Done()
		}
		serveSocket(parent, conn, run)
	}, websocket.Config{RecoverHandler: func(*websocket.Conn) {
		if cause := recover(); cause != nil {
			zerolog.Ctx(parent).Error().Err(fmt.Errorf("panic: %v\n%s", cause, debug.Stack())).Msg("socket failed")
		}
	}})(c)
}

func serveSocket(parent context.Context, conn *websocket.Conn, run func(ctx context.Context, send func(message any) error) error) {
	ctx, cancel := until(parent)
	defer cancel()
	gone := make(chan struct{})
	go func() { // ends with the connection, which is closed below
		defer close(gone)
		defer cancel()
		listen(conn)
	}()
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		ping(ctx, conn, cancel)
	}()
	defer func() { // also when run panics
		cancel()
		_ = conn.Close() // it may be closed already
		<-beats
		<-gone
	}()
	err := run(ctx, func(message any) error {
		if err := conn.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		if err := conn.WriteJSON(message); err != nil {
			return fmt.Errorf("%w: %w", errGone, err)
		}
		return nil
	})
	closing := ctx.Err() != nil
	end := &SocketEnd{Code: SocketDone}
	switch {
	case errors.As(err, &end):
	case closing:
		end = leaving()
	case errors.Is(err, errGone):
		zerolog.Ctx(parent).Debug().Err(err).Msg("socket failed")
		end = &SocketEnd{Code: socketFailure}
	case err != nil:
		zerolog.Ctx(parent).Warn().Err(err).Msg("socket failed")
		end = &SocketEnd{Code: socketFailure}
	}
	sayGoodbye(conn, end)
}

func leaving() *SocketEnd {
	return &SocketEnd{Code: SocketLeaving, Text: "the server is stopping"}
}

// sayGoodbye fails to a client that has gone, and nothing is lost.
func sayGoodbye(conn *websocket.Conn, end *SocketEnd) {
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(end.Code, end.Text), time.Now().Add(streamWrite))
}

// listen reads, as it must for pongs and the client's goodbye to be seen, until
// the client has gone or was silent for too long.
func listen(conn *websocket.Conn) {
	conn.SetReadLimit(socketInput)
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(socketSilence)) }
	conn.SetPongHandler(alive)
	for alive("") == nil {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

func ping(ctx context.Context, conn *websocket.Conn, gone func()) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(streamWrite)) != nil {
				gone()
				return
			}
		}
	}
}
