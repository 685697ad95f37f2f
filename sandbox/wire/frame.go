package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/coder/websocket"
)

const (
	// maxFrame is the largest frame body that the three length bytes can state.
	maxFrame = 1<<24 - 1
	// frameHeader is the size of those length bytes.
	frameHeader = 3
	// maxMessage bounds one websocket message: a frame of full size, plus room
	// for the small frames and the intro that may be glued to it. Messages are
	// read as a stream, so this is no buffer size.
	maxMessage = maxFrame + 1<<16
	// eagerFrame is how much is allocated on the word of a length prefix alone.
	// Longer bodies grow with the bytes that really arrive.
	eagerFrame = 1 << 16
)

var errTextMessage = errors.New("text message on a binary stream")

// messages is a websocket read as one stream of bytes: message boundaries mean
// nothing to whoever reads it, so frames may be glued together in one message
// or be split over several. It holds no buffer of its own.
//
// It reads under its own, never-ending context, because the websocket ties a
// message to the context it was begun with, and a message may outlive the call
// that began it: the handshake's last frame and the first node may share one.
// The caller ends a read by closing the websocket.
type messages struct {
	ws      *websocket.Conn
	current io.Reader // what remains of the message being read; nil between messages
}

func (m *messages) Read(p []byte) (int, error) {
	for {
		if m.current == nil {
			kind, r, err := m.ws.Reader(context.Background())
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary {
				return 0, errTextMessage
			}
			m.current = r
		}
		n, err := m.current.Read(p)
		if errors.Is(err, io.EOF) {
			m.current, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// readFrame reads one frame and returns its body, which the caller owns.
// A stream that ends before the first byte is io.EOF.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	length, err := readLength(r)
	if err != nil {
		return nil, fmt.Errorf("read frame length: %w", err)
	}
	if length > limit {
		return nil, fmt.Errorf("frame of %d bytes, at most %d are accepted", length, limit)
	}
	if length <= eagerFrame {
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, fmt.Errorf("read frame of %d bytes: %w", length, unexpected(err))
		}
		return body, nil
	}
	var body bytes.Buffer
	body.Grow(eagerFrame)
	if _, err := io.CopyN(&body, r, int64(length)); err != nil {
		return nil, fmt.Errorf("read frame of %d bytes: %w", length, unexpected(err))
	}
	return body.Bytes(), nil
}

// newFrame returns a frame whose header states the length and whose body is
// still to be appended; there is room for all of it.
func newFrame(length int) ([]byte, error) {
	if length > maxFrame {
		return nil, fmt.Errorf("frame of %d bytes, at most %d can be sent", length, maxFrame)
	}
	frame := make([]byte, frameHeader, frameHeader+length)
	frame[0], frame[1], frame[2] = byte(length>>16), byte(length>>8), byte(length)
	return frame, nil
}

func readLength(r io.Reader) (int, error) {
	var b [frameHeader]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, err
	}
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2]), nil
}

// unexpected turns the end of the stream into an error that says it came in
// the middle of something. io.ReadFull and io.CopyN return io.EOF bare; one that
// is wrapped is the websocket's, which has said more already.
func unexpected(err error) error {
	if err == io.EOF { //nolint:errorlint // wrapped ones must not match, as said above
		return io.ErrUnexpectedEOF
	}
	return err
}
