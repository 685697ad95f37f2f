package wire

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

func ping(id string) waBinary.Node {
	return waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": id, "xmlns": "w:p", "to": types.ServerJID}}
}

// connect returns both ends of a connection.
func connect(t *testing.T, version byte) (*rawClient, *Conn) {
	t.Helper()
	s := serve(t, testContext(t), identities.good)
	client := newRawClient(t, s.dial(t), version)
	client.open()
	return client, s.conn(t)
}

func expect(t *testing.T, conn *Conn, want ...waBinary.Node) {
	t.Helper()
	for _, node := range want {
		got, err := conn.ReadNode(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != node.String() {
			t.Fatalf("read %s, want %s", got, node)
		}
	}
}

func TestFramesGluedAndSplit(t *testing.T) {
	routing := []byte{'E', 'D', 0, 1, 0, 0, 5, 1, 2, 3, 4, 5}
	for name, test := range map[string]struct {
		prefix []byte
		send   func(c *rawClient, stream []byte)
	}{
		"glued":         {nil, (*rawClient).write},
		"byte by byte":  {nil, func(c *rawClient, stream []byte) { c.writeSplit(stream, 1) }},
		"by seven":      {nil, func(c *rawClient, stream []byte) { c.writeSplit(stream, 7) }},
		"routed, glued": {routing, (*rawClient).write},
		"routed, split": {routing, func(c *rawClient, stream []byte) { c.writeSplit(stream, 3) }},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, testContext(t), identities.good)
			client := newRawClient(t, s.dial(t), dictionaryCurrent)
			test.send(client, slices.Concat(test.prefix, client.intro[:], client.hello(false)))
			// The first nodes share a message with the end of the handshake.
			finish := client.finish(noiseXX)
			test.send(client, slices.Concat(finish, client.node(ping("1")), client.node(ping("2"))))
			conn := s.conn(t)
			if conn.Payload().GetUsername() != 77 || conn.ClientStatic() != [32]byte(client.static.PublicKey().Bytes()) {
				t.Error("another client was accepted")
			}
			expect(t, conn, ping("1"), ping("2"))
			if err := conn.WriteNode(testContext(t), ping("3")); err != nil {
				t.Fatal(err)
			}
			if got := client.read(); got.Attrs["id"] != "3" {
				t.Errorf("client read %s", got)
			}
		})
	}
}

func TestResumingClientFallsBack(t *testing.T) {
	s := serve(t, testContext(t), identities.good)
	client := newRawClient(t, s.dial(t), dictionaryCurrent)
	client.write(append(client.intro[:], client.hello(true)...))
	client.write(client.finish(noiseFallback))
	client.write(client.node(ping("1")))
	expect(t, s.conn(t), ping("1"))
}

func TestOldClient(t *testing.T) {
	client, conn := connect(t, dictionaryOld)
	if conn.Dictionary() != 2 {
		t.Fatalf("dictionary %d", conn.Dictionary())
	}
	// <iq id="12.34-5"> as Baileys 6 abbreviates it.
	client.write(client.sealed([]byte{0, 248, 3, 30, 8, 255, 0x84, 0x12, 0xb3, 0x4a, 0x5f}))
	expect(t, conn, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "12.34-5"}})
	for _, id := range []string{"first", "second"} {
		if err := conn.WriteNode(testContext(t), ping(id)); err != nil {
			t.Fatal(err)
		}
		if got := client.read(); got.Attrs["id"] != id {
			t.Errorf("client read %s", got)
		}
	}
}

// The wait for an old client ends with the context, and costs nothing: the
// next node still decrypts.
func TestOldClientWaitEndsWithContext(t *testing.T) {
	client, conn := connect(t, dictionaryOld)
	conn.quietUntil = time.Now().Add(time.Hour)
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if err := conn.WriteNode(ctx, ping("1")); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	conn.quietUntil = time.Now()
	if err := conn.WriteNode(testContext(t), ping("2")); err != nil {
		t.Fatal(err)
	}
	if got := client.read(); got.Attrs["id"] != "2" {
		t.Errorf("client read %s", got)
	}
}

func TestLargeAndCompressedNodes(t *testing.T) {
	client, conn := connect(t, dictionaryCurrent)
	large := waBinary.Node{Tag: "value", Content: bytes.Repeat([]byte("0123456789"), 30_000)}
	client.write(client.node(large))
	expect(t, conn, large)

	var packed bytes.Buffer
	packed.WriteByte(flagCompressed)
	w := zlib.NewWriter(&packed)
	plain, err := encodeNode(large, dictionaryCurrent)
	client.must(err)
	_, err = w.Write(plain[1:])
	client.must(err)
	client.must(w.Close())
	client.write(client.sealed(packed.Bytes()))
	expect(t, conn, large)

	if err := conn.WriteNode(testContext(t), large); err != nil {
		t.Fatal(err)
	}
	if got := client.read(); !bytes.Equal(got.Content.([]byte), large.Content.([]byte)) {
		t.Error("the client read other bytes")
	}
}

func TestMalformedNodeIsSurvived(t *testing.T) {
	client, conn := connect(t, dictionaryCurrent)
	deep := bytes.Repeat([]byte{248, 2, 19, 248, 1}, 100_000)
	var bomb bytes.Buffer
	bomb.WriteByte(flagCompressed)
	w := zlib.NewWriter(&bomb)
	for range maxInflated>>16 + 1 {
		_, err := w.Write(make([]byte, 1<<16))
		client.must(err)
	}
	client.must(w.Close())
	for name, body := range map[string][]byte{
		"empty":       {},
		"flag only":   {0},
		"no list":     {0, 5},
		"no tag":      {0, 248, 0},
		"tag is nil":  {0, 248, 1, 0},
		"tag is JID":  {0, 248, 1, 250, 0, 3},
		"bad user":    {0, 248, 3, 19, 4, 247, 0, 1, 0},
		"left over":   {0, 248, 1, 19, 1},
		"huge list":   {0, 248, 2, 19, 249, 255, 255},
		"huge bytes":  {0, 248, 2, 19, 254, 255, 255, 255, 255},
		"too deep":    append([]byte{0}, deep...),
		"not zlib":    {2, 1, 2, 3},
		"zlib bomb":   bomb.Bytes(),
		"bad nibble":  {0, 248, 1, 255, 1, 0xcd},
		"wrong token": {0, 248, 1, 244},
	} {
		client.write(client.sealed(body))
		node, err := conn.ReadNode(testContext(t))
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: node %v, error %v", name, node, err)
		}
	}
	client.write(client.node(ping("still here")))
	expect(t, conn, ping("still here"))
}

func TestUnencodableNodeIsSurvived(t *testing.T) {
	for _, version := range []byte{dictionaryOld, dictionaryCurrent} {
		client, conn := connect(t, version)
		for name, node := range map[string]waBinary.Node{
			"no tag":        {},
			"bad attribute": {Tag: "a", Attrs: waBinary.Attrs{"b": 1.5}},
			"bad content":   {Tag: "a", Content: struct{}{}},
			"empty JID":     {Tag: "a", Attrs: waBinary.Attrs{"to": types.EmptyJID}},
			"bad child":     {Tag: "a", Content: []waBinary.Node{{Tag: "b", Content: 1.5}, {}}},
			"no name":       {Tag: "a", Attrs: waBinary.Attrs{"": "x"}},
			"long list":     {Tag: "a", Content: make([]waBinary.Node, 1<<16)},
			"too large":     {Tag: "a", Content: make([]byte, 1<<24)},
		} {
			if err := conn.WriteNode(testContext(t), node); !errors.Is(err, ErrUnwritable) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := conn.WriteNode(testContext(t), ping("fine")); err != nil {
			t.Fatal(err)
		}
		if got := client.read(); got.Attrs["id"] != "fine" {
			t.Errorf("client read %s", got)
		}
	}
}

func TestForgedFrameEndsConnection(t *testing.T) {
	client, conn := connect(t, dictionaryCurrent)
	frame := client.node(ping("1"))
	frame[len(frame)-1] ^= 1
	client.write(frame)
	if _, err := conn.ReadNode(testContext(t)); err == nil || errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
	if err := conn.WriteNode(testContext(t), ping("2")); err == nil {
		t.Error("the connection is still open")
	}
}

func TestReadEndsWithContext(t *testing.T) {
	client, conn := connect(t, dictionaryCurrent)
	ctx, cancel := context.WithCancel(testContext(t))
	// Half a frame: the reader is in the middle of a message when ctx ends.
	client.write(client.node(ping("1"))[:5])
	read := make(chan error, 1)
	go func() {
		_, err := conn.ReadNode(ctx)
		read <- err
	}()
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, _, err := client.ws.Read(testContext(t)); err == nil {
		t.Error("the client still has a connection")
	}
}

func TestCloseEndsRead(t *testing.T) {
	_, conn := connect(t, dictionaryCurrent)
	read := make(chan error, 1)
	go func() {
		_, err := conn.ReadNode(testContext(t))
		read <- err
	}()
	for range 2 {
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err == nil {
		t.Error("read a node from a closed connection")
	}
}

func TestClientCloseIsTold(t *testing.T) {
	client, conn := connect(t, dictionaryCurrent)
	closed := make(chan error, 1)
	go func() { closed <- client.ws.Close(websocket.StatusGoingAway, "bye") }()
	_, err := conn.ReadNode(testContext(t))
	if websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("got %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestHandshakeEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	s := serve(t, ctx, identities.good)
	client := newRawClient(t, s.dial(t), dictionaryCurrent)
	client.write(append(client.intro[:], client.hello(false)...))
	client.finish(noiseXX) // the server has answered, and waits
	cancel()
	if _, err := s.next(t); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHandshakeRefuses(t *testing.T) {
	hello := func(c *rawClient) []byte { return append(c.intro[:], c.hello(false)...) }
	for name, test := range map[string]struct {
		act  func(c *rawClient)
		want string
	}{
		"other protocol":   {func(c *rawClient) { c.write([]byte("GET / HTTP/1.1")) }, "does not start with"},
		"other dictionary": {func(c *rawClient) { c.write([]byte("WA\x06\x09")) }, "dictionary 9"},
		"long routing":     {func(c *rawClient) { c.write([]byte("ED\x00\x01\xff\xff\xff")) }, "edge routing"},
		"long frame":       {func(c *rawClient) { c.write([]byte("WA\x06\x03\xff\xff\xff")) }, "at most"},
		"no hello":         {func(c *rawClient) { c.write([]byte("WA\x06\x03\x00\x00\x00")) }, "no ClientHello"},
		"no protobuf":      {func(c *rawClient) { c.write([]byte("WA\x06\x03\x00\x00\x01\xff")) }, "decode ClientHello"},
		"text": {func(c *rawClient) {
			c.must(c.ws.Write(testContext(c.t), websocket.MessageText, []byte("WA")))
		}, "text message"},
		"null key": {func(c *rawClient) {
			c.write(append([]byte("WA\x06\x03\x00\x00\x24\x12\x22\x0a\x20"), make([]byte, 32)...))
		}, "low order point"},
		"no finish": {func(c *rawClient) {
			c.write(hello(c))
			c.write([]byte{0, 0, 0})
		}, "no ClientFinish"},
		"forged finish": {func(c *rawClient) {
			c.write(hello(c))
			finish := c.finish(noiseXX)
			finish[len(finish)-1] ^= 1
			c.write(finish)
		}, "client payload"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, testContext(t), identities.good)
			test.act(newRawClient(t, s.dial(t), dictionaryCurrent))
			if _, err := s.next(t); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
