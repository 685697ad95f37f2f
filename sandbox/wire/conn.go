// Package wire is the server's side of WhatsApp's web socket transport: the
// intro, the frames, the Noise handshake with its certificates, and the binary
// nodes, for clients of token dictionary 3 (whatsmeow, Baileys 7) and 2
// (Baileys 6). What it reads and writes agrees with whatsmeow's packages socket
// and binary, which are the client's side.
package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
)

// settle is how long an old client is left alone after the handshake. Baileys 6
// switches to encrypted frames some time after it sent ClientFinish, and loses
// what comes before; 50 ms are the least that is known to do.
const settle = 60 * time.Millisecond

// ErrMalformed is wrapped by ReadNode's error when a frame arrived intact but
// held no readable node. The connection can go on being used.
var ErrMalformed = errors.New("malformed node")

// ErrUnwritable is wrapped by WriteNode's error when a node has no form on the
// wire. Nothing was sent, and the connection can go on being used.
var ErrUnwritable = errors.New("unwritable node")

// Upgrade turns a request into the websocket that Accept wants: of any origin,
// because clients claim WhatsApp's own, and uncompressed, because ciphertext
// does not compress and compressors cost memory. On failure the response has
// been written.
func Upgrade(w http.ResponseWriter, r *http.Request) (*websocket.Conn, error) {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true,
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, fmt.Errorf("upgrade to websocket: %w", err)
	}
	return ws, nil
}

// Conn is a connection whose handshake is done. One goroutine may read while
// another writes; several of one kind need a lock of their own. Close may be
// called at any time. Between calls a Conn holds no buffers.
type Conn struct {
	ws         *websocket.Conn
	in         messages
	session    *session
	dictionary byte
	quietUntil time.Time // nothing is written before; zero when that is over
}

// Accept reads the intro and runs the handshake, in which the server proves to
// be id. The context bounds the handshake only. The Conn takes over the
// websocket; when Accept fails, it is closed.
func Accept(ctx context.Context, ws *websocket.Conn, id *Identity) (*Conn, error) {
	ws.SetReadLimit(maxMessage)
	c := &Conn{ws: ws, in: messages{ws: ws}}
	if err := c.bounded(ctx, func() error { return c.handshake(ctx, id) }); err != nil {
		return nil, errors.Join(fmt.Errorf("handshake: %w", err), c.Close())
	}
	return c, nil
}

func (c *Conn) handshake(ctx context.Context, id *Identity) error {
	prologue, err := readIntro(&c.in)
	if err != nil {
		return err
	}
	c.dictionary = prologue.dictionary()
	hello, err := readFrame(&c.in, maxHandshakeFrame)
	if err != nil {
		return fmt.Errorf("ClientHello: %w", err)
	}
	state, answer, err := answerHello(id, prologue, hello)
	if err != nil {
		return err
	}
	frame, err := newFrame(len(answer))
	if err != nil {
		return fmt.Errorf("ServerHello: %w", err)
	}
	if err := c.ws.Write(ctx, websocket.MessageBinary, append(frame, answer...)); err != nil {
		return fmt.Errorf("send ServerHello: %w", err)
	}
	finish, err := readFrame(&c.in, maxHandshakeFrame)
	if err != nil {
		return fmt.Errorf("ClientFinish: %w", err)
	}
	if c.session, err = state.finish(finish); err != nil {
		return err
	}
	if c.dictionary == dictionaryOld {
		c.quietUntil = time.Now().Add(settle)
	}
	return nil
}

// Payload is what the client said of itself in the handshake: a login, or with
// DevicePairingData a registration. The caller must not change it.
func (c *Conn) Payload() *waWa6.ClientPayload { return c.session.payload }

// ClientStatic is the client's static key, which the handshake proved it to
// hold. It is the credential of a paired device.
func (c *Conn) ClientStatic() [32]byte { return c.session.clientStatic }

// Dictionary is the version of the client's token dictionary: 2 or 3.
func (c *Conn) Dictionary() byte { return c.dictionary }

// ReadNode waits for the next node. It has the shape that whatsmeow's decoder
// gives: attributes are string, types.JID or nil; content is nil, string,
// types.JID, []byte or []Node. The caller owns it.
//
// After an error that wraps ErrMalformed the next node can be read. Any other
// error is the end: the client left (websocket.CloseStatus tells how, if it
// said so), a frame did not decrypt, or ctx ended, which closes the connection.
func (c *Conn) ReadNode(ctx context.Context) (*waBinary.Node, error) {
	var frame []byte
	err := c.bounded(ctx, func() (err error) {
		frame, err = readFrame(&c.in, maxFrame)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	plaintext, err := c.session.receive.open(frame[:0], frame, nil)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	node, err := decodeBody(plaintext, dictionaryFor(c.dictionary))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return node, nil
}

// WriteNode sends a node as one frame in one websocket message, because
// whatsmeow cannot put together a frame that is split over two. A node that
// cannot be encoded (ErrUnwritable), and a ctx that ends before anything was
// sent, leave the connection usable; after any other error it is closed.
//
// The first node to an old client waits until the client is ready for it.
func (c *Conn) WriteNode(ctx context.Context, node waBinary.Node) error {
	plaintext, err := encodeNode(node, c.dictionary)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnwritable, err)
	}
	frame, err := newFrame(len(plaintext) + tagSize)
	if err != nil {
		return fmt.Errorf("%w: <%s>: %w", ErrUnwritable, node.Tag, err)
	}
	if err := c.waitQuiet(ctx); err != nil {
		return fmt.Errorf("send <%s>: %w", node.Tag, err)
	}
	frame, err = c.session.send.seal(frame, plaintext, nil)
	if err == nil {
		err = c.ws.Write(ctx, websocket.MessageBinary, frame)
	}
	if err != nil {
		// The counter has moved on: whatever followed could not be decrypted.
		return errors.Join(fmt.Errorf("send <%s>: %w", node.Tag, err), c.Close())
	}
	return nil
}

// Close drops the connection at once, without a websocket closing handshake.
// Calls under way fail; closing again does nothing.
func (c *Conn) Close() error {
	if err := c.ws.CloseNow(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close websocket: %w", err)
	}
	return nil
}

// waitQuiet waits until the client can take its first frame.
func (c *Conn) waitQuiet(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.quietUntil.IsZero() {
		return nil
	}
	timer := time.NewTimer(time.Until(c.quietUntil))
	defer timer.Stop()
	select {
	case <-timer.C:
		c.quietUntil = time.Time{}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bounded runs an operation that reads, and closes the connection when ctx ends
// during it: that is the only way to make it return. (See messages for why the
// reads themselves know nothing of ctx.)
func (c *Conn) bounded(ctx context.Context, operation func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// What closing says is of no use to anyone here; the operation reports ctx.
	stop := context.AfterFunc(ctx, func() { _ = c.ws.CloseNow() })
	err := operation()
	if !stop() {
		return ctx.Err()
	}
	return err
}
