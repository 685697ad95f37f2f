package service

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
	"muster/sandbox/wire"
)

// testNow is when everything in these tests happens.
var testNow = time.Unix(1800000000, 0)

// testIdentity is shared: whatsmeow's root key is one for the whole process.
var testIdentity = sync.OnceValues(func() (*wire.Identity, error) { return wire.NewIdentity(rand.Reader, time.Now()) })

// bench is a world with accounts whose devices are connected to nothing but
// the test.
type bench struct {
	*World
	asked int // requests made by ask
	t     testing.TB
}

func newBench(t testing.TB) *bench {
	t.Helper()
	identity, err := testIdentity()
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(Options{
		Identity: identity, Seed: 1, Now: func() time.Time { return testNow }, Log: zerolog.Nop(), MediaHost: "media.test:80",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return &bench{World: w, t: t}
}

// phone adds an account.
func (b *bench) phone(o PhoneOptions) *Account {
	b.t.Helper()
	if _, err := b.AddPhone(o); err != nil {
		b.t.Fatal(err)
	}
	return b.byNumber[o.Number]
}

// companion links a device to an account, as if by QR code, and connects it.
func (b *bench) companion(a *Account) *Device {
	b.t.Helper()
	identity := keys.NewKeyPair()
	d := &Device{
		ID: a.NextDevice, Account: a, Identity: *identity.Pub, KeyIndex: uint32(a.NextDevice), Linked: testNow,
		Keys: DeviceKeys{
			Registration: 7, Type: keyType, Identity: *identity.Pub, SignedID: 1,
			SignedKey: *keys.NewKeyPair().Pub, SignedSig: [64]byte{1},
		},
	}
	a.NextDevice++
	a.Devices[d.ID] = d
	b.connect(d)
	return d
}

// connect gives a device a connection that keeps what it is sent.
func (b *bench) connect(d *Device) *connection {
	_, cancel := context.WithCancel(b.t.Context())
	b.t.Cleanup(cancel)
	d.conn = &connection{device: d, wake: make(chan struct{}, 1), cancel: cancel}
	return d.conn
}

// sent takes what a device was sent since the last look, as its client reads it.
func (b *bench) sent(d *Device) []stanza.Node {
	b.t.Helper()
	var list []stanza.Node
	for _, node := range d.conn.outbox {
		list = append(list, *travel(b.t, node))
	}
	d.conn.outbox = nil
	return list
}

// notified is sent, but insists on a single notification of a type.
func (b *bench) notified(d *Device, kind string) *stanza.Node {
	b.t.Helper()
	list := b.sent(d)
	if len(list) != 1 || list[0].Tag != "notification" || stanza.Text(&list[0], "type") != kind {
		b.t.Fatalf("sent %v, want one notification of type %s", list, kind)
	}
	if stanza.Text(&list[0], "id") == "" || stanza.Text(&list[0], "t") == "" {
		b.t.Fatalf("notification without id or t: %v", list[0].String())
	}
	return &list[0]
}

// travel sends a node over the wire: attributes and contents come out as the
// other side reads them.
func travel(t testing.TB, node stanza.Node) *stanza.Node {
	t.Helper()
	raw, err := waBinary.Marshal(node)
	if err != nil {
		t.Fatalf("%s cannot be sent: %v", node.Tag, err)
	}
	read, err := waBinary.Unmarshal(raw[1:])
	if err != nil {
		t.Fatalf("%s cannot be read: %v", node.Tag, err)
	}
	return read
}

// request is an iq to the service.
func request(kind, xmlns string, content ...stanza.Node) stanza.Node {
	node := stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
		"type": kind, "xmlns": xmlns, "to": types.ServerJID,
	}}
	if len(content) > 0 {
		node.Content = content
	}
	return node
}

// ask has a device send an iq and returns the answer. What others are told
// because of it stays for sent.
func (b *bench) ask(d *Device, iq stanza.Node) *stanza.Node {
	b.t.Helper()
	before := len(d.conn.outbox)
	read := travel(b.t, iq)
	b.asked++ // or it would be taken for a repetition
	id := strconv.Itoa(b.asked)
	read.Attrs["id"] = id
	b.answer(d.conn, read, stanzaKey(read), fault.Effect{})
	if len(d.conn.outbox) <= before {
		b.t.Fatalf("no answer to %s", iq.String())
	}
	reply := travel(b.t, d.conn.outbox[before])
	d.conn.outbox = append(d.conn.outbox[:before], d.conn.outbox[before+1:]...)
	if stanza.Text(reply, "id") != id {
		b.t.Fatalf("answered %s", reply.String())
	}
	return reply
}

// grant is ask for a request that must be granted.
func (b *bench) grant(d *Device, iq stanza.Node) *stanza.Node {
	b.t.Helper()
	reply := b.ask(d, iq)
	if stanza.Text(reply, "type") != "result" {
		b.t.Fatalf("%s was answered %s", iq.String(), reply.String())
	}
	return reply
}

// refuse is ask for a request that must be refused with a code.
func (b *bench) refuse(d *Device, iq stanza.Node, code int64) {
	b.t.Helper()
	reply := b.ask(d, iq)
	child := stanza.Child(reply, "error")
	if child == nil {
		b.t.Fatalf("%s was granted: %s", iq.String(), reply.String())
	}
	if got, _ := stanza.Int(child, "code"); got != code {
		b.t.Fatalf("%s was refused with %d, want %d", iq.String(), got, code)
	}
}

// at follows tags and insists that they are there.
func at(t testing.TB, node *stanza.Node, tags ...string) *stanza.Node {
	t.Helper()
	found := stanza.Path(node, tags...)
	if found == nil {
		t.Fatalf("no %v in %s", tags, node.String())
	}
	return found
}

// same compares two values of an answer.
func same[V comparable](t testing.TB, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
