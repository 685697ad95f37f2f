package wire

import (
	"crypto/ecdh"
	"crypto/rand"
	"testing"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"
)

// rawClient is a client that does what the libraries under test would not: it
// glues and splits frames, resumes, and sends nonsense. It uses the package's
// own primitives; that these are right is proven with whatsmeow's client.
type rawClient struct {
	t         *testing.T
	ws        *websocket.Conn
	in        messages
	intro     intro
	ephemeral *ecdh.PrivateKey
	static    *ecdh.PrivateKey
	receive   sealer
	send      sealer
}

func newRawClient(t *testing.T, ws *websocket.Conn, version byte) *rawClient {
	t.Helper()
	c := &rawClient{t: t, ws: ws, in: messages{ws: ws}, intro: intro{'W', 'A', 6, version}}
	for _, key := range []**ecdh.PrivateKey{&c.ephemeral, &c.static} {
		made, err := drawKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		*key = made
	}
	return c
}

// hello is the framed ClientHello; one that resumes carries a static key.
func (c *rawClient) hello(resume bool) []byte {
	c.t.Helper()
	hello := &waWa6.HandshakeMessage_ClientHello{Ephemeral: c.ephemeral.PublicKey().Bytes()}
	if resume {
		hello.Static, hello.Payload = make([]byte, keySize+tagSize), make([]byte, 200)
	}
	return c.marshal(&waWa6.HandshakeMessage{ClientHello: hello})
}

// finish reads the ServerHello and returns the framed ClientFinish.
func (c *rawClient) finish(name string) []byte {
	c.t.Helper()
	body, err := readFrame(&c.in, maxHandshakeFrame)
	c.must(err)
	var message waWa6.HandshakeMessage
	c.must(proto.Unmarshal(body, &message))
	hello := message.GetServerHello()

	transcript := newSymmetric(name, c.intro)
	transcript.mixHash(c.ephemeral.PublicKey().Bytes())
	transcript.mixHash(hello.GetEphemeral())
	serverEphemeral, err := ecdh.X25519().NewPublicKey(hello.GetEphemeral())
	c.must(err)
	c.must(transcript.mixKey(c.ephemeral, serverEphemeral))
	rawStatic, err := transcript.open(hello.GetStatic())
	c.must(err)
	serverStatic, err := ecdh.X25519().NewPublicKey(rawStatic)
	c.must(err)
	c.must(transcript.mixKey(c.ephemeral, serverStatic))
	chain, err := transcript.open(hello.GetPayload())
	c.must(err)
	c.must(checkChain(chain, identities.good.RootPublic(), [keySize]byte(rawStatic)))

	static, err := transcript.seal(c.static.PublicKey().Bytes())
	c.must(err)
	c.must(transcript.mixKey(c.static, serverEphemeral))
	payload, err := proto.Marshal(&waWa6.ClientPayload{Username: proto.Uint64(77)})
	c.must(err)
	sealed, err := transcript.seal(payload)
	c.must(err)
	c.send, c.receive, err = transcript.split()
	c.must(err)
	return c.marshal(&waWa6.HandshakeMessage{
		ClientFinish: &waWa6.HandshakeMessage_ClientFinish{Static: static, Payload: sealed},
	})
}

// open runs the ordinary handshake.
func (c *rawClient) open() {
	c.t.Helper()
	c.write(append(c.intro[:], c.hello(false)...))
	c.write(c.finish(noiseXX))
}

// sealed is a frame with an encrypted body.
func (c *rawClient) sealed(plaintext []byte) []byte {
	c.t.Helper()
	frame, err := newFrame(len(plaintext) + tagSize)
	c.must(err)
	frame, err = c.send.seal(frame, plaintext, nil)
	c.must(err)
	return frame
}

func (c *rawClient) node(node waBinary.Node) []byte {
	c.t.Helper()
	plaintext, err := encodeNode(node, c.intro.dictionary())
	c.must(err)
	return c.sealed(plaintext)
}

// read reads one node, which must be alone in its message.
func (c *rawClient) read() *waBinary.Node {
	c.t.Helper()
	_, message, err := c.ws.Read(testContext(c.t))
	c.must(err)
	length := len(message) - frameHeader
	if length < 0 || int(message[0])<<16|int(message[1])<<8|int(message[2]) != length {
		c.t.Fatalf("a message of %d bytes is not one frame", len(message))
	}
	plaintext, err := c.receive.open(nil, message[frameHeader:], nil)
	c.must(err)
	node, err := decodeBody(plaintext, dictionaryFor(c.intro.dictionary()))
	c.must(err)
	return node
}

func (c *rawClient) write(message []byte) {
	c.t.Helper()
	c.must(c.ws.Write(testContext(c.t), websocket.MessageBinary, message))
}

// writeSplit sends the bytes a few to a message.
func (c *rawClient) writeSplit(stream []byte, size int) {
	c.t.Helper()
	for len(stream) > 0 {
		n := min(size, len(stream))
		c.write(stream[:n])
		stream = stream[n:]
	}
}

func (c *rawClient) marshal(message *waWa6.HandshakeMessage) []byte {
	c.t.Helper()
	body, err := proto.Marshal(message)
	c.must(err)
	frame, err := newFrame(len(body))
	c.must(err)
	return append(frame, body...)
}

func (c *rawClient) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}
