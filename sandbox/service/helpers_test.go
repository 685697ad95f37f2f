package service_test

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muster/sandbox"
	"muster/sandbox/phone"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// patience bounds every wait; only a failing test uses it up.
const patience = 20 * time.Second

// eventually polls for what nothing signals, such as the end of a socket.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-limit.C:
			t.Fatalf("waited for %s in vain", what)
		case <-tick.C:
		}
	}
}

// text is a plain message.
func text(body string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(body)} }

// send sends a message from a client and fails the test when it is refused.
func send(t *testing.T, c *sandboxtest.Client, to types.JID, message *waE2E.Message) string {
	t.Helper()
	sent, err := c.SendMessage(t.Context(), to, message)
	if err != nil {
		t.Fatalf("send to %s: %v", to, err)
	}
	return sent.ID
}

// pn is a number's phone JID.
func pn(number string) types.JID { return types.NewJID(number, types.DefaultUserServer) }

// lid is a number's LID.
func lid(t *testing.T, srv *sandbox.Server, number string) types.JID {
	t.Helper()
	info, err := srv.Phone(number)
	if err != nil {
		t.Fatal(err)
	}
	jid, err := types.ParseJID(info.LID)
	if err != nil {
		t.Fatal(err)
	}
	return jid
}

// settled waits until a phone's companions have acknowledged all they were sent.
func settled(t *testing.T, srv *sandbox.Server, number string) {
	t.Helper()
	eventually(t, "the queues to be empty", func() bool {
		info, err := srv.Phone(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range info.Devices {
			if d.Queued > 0 {
				return false
			}
		}
		return true
	})
}

// inboxed finds a text in a phone's inbox, or returns nil.
func inboxed(t *testing.T, srv *sandbox.Server, number, body string) *phone.Received {
	t.Helper()
	inbox, err := srv.Inbox(number)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range inbox {
		if m.Text == body {
			return &m
		}
	}
	return nil
}

// newGroup lets the first phone make a group with the others.
func newGroup(t *testing.T, srv *sandbox.Server, mode string, creator string, others ...string) types.JID {
	t.Helper()
	jid, _, results, err := srv.CreateGroup(creator, service.GroupOptions{Name: "Group", Participants: others, AddressingMode: mode})
	if err != nil {
		t.Fatalf("create group: %v", err)
	}
	for _, r := range results {
		if r.Code != 0 {
			t.Fatalf("create group: %s got %d", r.JID, r.Code)
		}
	}
	return jid
}

// linkSynced links a client and waits until it has fetched its app state: a
// client that is logged out while it fetches races with itself.
func linkSynced(t *testing.T, srv *sandbox.Server, number string) *sandboxtest.Client {
	t.Helper()
	c := sandboxtest.Link(t, srv, number)
	left := len(appstate.AllPatchNames)
	sandboxtest.Wait(t, c, "the whole app state", func(*events.AppStateSyncComplete) bool {
		left--
		return left == 0
	})
	return c
}
