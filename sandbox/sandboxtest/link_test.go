package sandboxtest_test

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// TestLinkAndTalk is the shortest story that touches every layer: two clients
// link by QR, one makes a group, both speak in it, a phone reads along.
func TestLinkAndTalk(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	srv := sandboxtest.Start(t)
	for _, p := range []sandbox.PhoneOptions{{Number: "4915100000001", Name: "Baker"}, {Number: "4915100000002", Name: "Nurse"}} {
		if _, err := srv.AddPhone(p); err != nil {
			t.Fatal(err)
		}
	}
	baker, nurse := sandboxtest.Link(t, srv, "4915100000001"), sandboxtest.Link(t, srv, "4915100000002")
	group, err := baker.CreateGroup(ctx, whatsmeow.ReqCreateGroup{
		Name: "Market", Participants: []types.JID{types.NewJID("4915100000002", types.DefaultUserServer)},
	})
	if err != nil {
		t.Fatalf("create group: %v", err)
	}
	for _, speaker := range []*sandboxtest.Client{baker, nurse} {
		text := "hello from " + speaker.Store.ID.User
		if _, err := speaker.SendMessage(ctx, group.JID, &waE2E.Message{Conversation: proto.String(text)}); err != nil {
			t.Fatalf("send: %v", err)
		}
		for _, listener := range []*sandboxtest.Client{baker, nurse} {
			if listener != speaker {
				listener.Text(t, group.JID, text)
			}
		}
	}
	inbox, err := srv.Inbox("4915100000001")
	if err != nil {
		t.Fatal(err)
	}
	if len(inbox) == 0 || inbox[len(inbox)-1].Text != "hello from 4915100000002" {
		t.Errorf("the phone read %+v", inbox)
	}
}
