package wire

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
)

// newClient makes an unmodified whatsmeow client that can reach only the server.
func newClient(t *testing.T, s *testServer, jid *types.JID) *whatsmeow.Client {
	t.Helper()
	device := &store.Device{
		NoiseKey:       keys.NewKeyPair(),
		IdentityKey:    keys.NewKeyPair(),
		RegistrationID: 1234,
		AdvSecretKey:   bytes.Repeat([]byte{7}, 32),
		ID:             jid,
	}
	device.SignedPreKey = device.IdentityKey.CreateSignedPreKey(1)
	client := whatsmeow.NewClient(device, nil)
	client.EnableAutoReconnect = false
	plain := s.httpClient()
	plain.Transport = downgrade{plain.Transport}
	client.SetPreLoginHTTPClient(plain)
	client.SetWebsocketHTTPClient(plain)
	client.SetMediaHTTPClient(plain)
	t.Cleanup(func() { disconnect(client, s.conns) })
	return client
}

// disconnect lets the client go in peace: it waits for an answer to its closing
// handshake, which the server gives while it reads.
func disconnect(client *whatsmeow.Client, conns []*Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var readers sync.WaitGroup
	for _, conn := range conns {
		readers.Go(func() {
			for {
				if _, err := conn.ReadNode(ctx); err != nil {
					return
				}
			}
		})
	}
	client.Disconnect()
	readers.Wait()
}

// downgrade asks over http what the client wants to ask over https.
type downgrade struct{ next http.RoundTripper }

func (d downgrade) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return d.next.RoundTrip(r)
}

func TestRegisteringClient(t *testing.T) {
	ctx := testContext(t)
	s := serve(t, ctx, identities.good)
	client := newClient(t, s, nil)
	codes := make(chan []string, 1)
	client.AddEventHandler(func(event any) {
		if qr, ok := event.(*events.QR); ok {
			codes <- qr.Codes
		}
	})
	if err := client.ConnectContext(ctx); err != nil {
		t.Fatal(err)
	}
	conn := s.conn(t)
	registration := conn.Payload().GetDevicePairingData()
	if registration == nil {
		t.Fatal("no registration in the client payload")
	}
	if !bytes.Equal(registration.GetEIdent(), client.Store.IdentityKey.Pub[:]) {
		t.Error("the registration has another identity key")
	}
	if conn.ClientStatic() != *client.Store.NoiseKey.Pub {
		t.Error("another static key was proven")
	}
	if conn.Dictionary() != 3 {
		t.Errorf("dictionary %d, want 3", conn.Dictionary())
	}

	err := conn.WriteNode(ctx, waBinary.Node{
		Tag:   "iq",
		Attrs: waBinary.Attrs{"from": types.ServerJID, "type": "set", "id": "pair-1", "xmlns": "md"},
		Content: []waBinary.Node{{
			Tag: "pair-device",
			Content: []waBinary.Node{
				{Tag: "ref", Content: []byte("2@first")},
				{Tag: "ref", Content: []byte("2@second")},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := conn.ReadNode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Tag != "iq" || reply.Attrs["id"] != "pair-1" || reply.Attrs["to"] != types.ServerJID {
		t.Errorf("reply: %s", reply)
	}
	select {
	case got := <-codes:
		if len(got) != 2 || !strings.Contains(got[0], "2@first") {
			t.Errorf("codes: %q", got)
		}
	case <-ctx.Done():
		t.Error("the client shows no code")
	}
}

func TestReturningClient(t *testing.T) {
	ctx := testContext(t)
	s := serve(t, ctx, identities.good)
	jid := types.JID{User: "4915112345678", Device: 12, Server: types.DefaultUserServer}
	client := newClient(t, s, &jid)
	if err := client.ConnectContext(ctx); err != nil {
		t.Fatal(err)
	}
	payload := s.conn(t).Payload()
	if payload.GetDevicePairingData() != nil {
		t.Error("a login with a registration in it")
	}
	if payload.GetUsername() != 4915112345678 || payload.GetDevice() != 12 {
		t.Errorf("login of %d device %d", payload.GetUsername(), payload.GetDevice())
	}
}

func TestClientRefusesIdentity(t *testing.T) {
	for name, test := range map[string]struct {
		id   *Identity
		want string
	}{
		"wrong root": {identities.foreign, "failed to verify server cert"},
		"expired":    {identities.expired, "certificate expired"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			s := serve(t, ctx, test.id)
			err := newClient(t, s, nil).ConnectContext(ctx)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the client says %v, want %q", err, test.want)
			}
			if _, err := s.next(t); err == nil {
				t.Error("the handshake went through")
			}
		})
	}
}

// Both directions of whatsmeow's own codec: what it encodes is read, and what
// is written is read by it.
func TestWhatsmeowNodes(t *testing.T) {
	ctx := testContext(t)
	s := serve(t, ctx, identities.good)
	client := newClient(t, s, nil)
	if err := client.ConnectContext(ctx); err != nil {
		t.Fatal(err)
	}
	conn := s.conn(t)
	for _, node := range sampleNodes() {
		if err := client.DangerousInternals().SendNode(ctx, node); err != nil {
			t.Fatal(err)
		}
		got, err := conn.ReadNode(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != node.String() {
			t.Errorf("sent %s\nread %s", node, got)
		}
		raw, err := encodeNode(node, dictionaryCurrent)
		if err != nil {
			t.Fatal(err)
		}
		read, err := waBinary.Unmarshal(raw[1:])
		if err != nil {
			t.Fatal(err)
		}
		if read.String() != node.String() {
			t.Errorf("wrote %s\nread %s", node, read)
		}
	}
}
