package service_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox/sandboxtest"
)

// forget makes a client lose its sessions with a person.
func forget(t *testing.T, c *sandboxtest.Client, user string) {
	t.Helper()
	if err := c.Store.Sessions.DeleteAllSessions(t.Context(), user); err != nil {
		t.Fatal(err)
	}
}

func TestRetryAmongClients(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	aliceLID, bobLID := lid(t, srv, alice), lid(t, srv, bob)
	group := newGroup(t, srv, "lid", alice, bob)
	// Both ways, so that messages stop carrying what starts a session.
	send(t, a, bobLID, text("ping"))
	b.Text(t, aliceLID, "ping")
	send(t, b, aliceLID, text("pong"))
	a.Text(t, bobLID, "pong")
	forget(t, b, aliceLID.SignalAddressUser())
	send(t, a, bobLID, text("lost and found"))
	if got := b.Text(t, aliceLID, "lost and found"); got.RetryCount == 0 {
		t.Error("the message needed no retry")
	}
	send(t, b, aliceLID, text("pong"))
	forget(t, b, aliceLID.SignalAddressUser())
	send(t, a, group, text("lost in the group"))
	if got := b.Text(t, group, "lost in the group"); got.RetryCount == 0 {
		t.Error("the group message needed no retry")
	}
}

func TestRetryFromPhone(t *testing.T) {
	srv := world(t, alice, bob)
	b := sandboxtest.Link(t, srv, bob)
	aliceLID := lid(t, srv, alice)
	group := newGroup(t, srv, "lid", alice, bob)
	send(t, b, aliceLID, text("ping"))
	if _, err := srv.SendText(alice, bob, "pong"); err != nil {
		t.Fatal(err)
	}
	b.Text(t, aliceLID, "pong")
	forget(t, b, aliceLID.SignalAddressUser())
	if _, err := srv.SendText(alice, bob, "lost and found"); err != nil {
		t.Fatal(err)
	}
	if got := b.Text(t, aliceLID, "lost and found"); got.RetryCount == 0 {
		t.Error("the phone's message needed no retry")
	}
	forget(t, b, aliceLID.SignalAddressUser())
	if _, err := srv.SendText(alice, group.String(), "lost in the group"); err != nil {
		t.Fatal(err)
	}
	b.Text(t, group, "lost in the group")
	sandboxtest.Wait(t, b, "an undecryptable message", func(*events.UndecryptableMessage) bool { return true })
}

func TestPhoneAsksAgain(t *testing.T) {
	srv := world(t, alice, bob)
	b := sandboxtest.Link(t, srv, bob)
	aliceLID := lid(t, srv, alice)
	group := newGroup(t, srv, "lid", alice, bob)
	before, err := srv.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	send(t, b, aliceLID, text("ping"))
	if _, err := srv.SendText(alice, bob, "pong"); err != nil {
		t.Fatal(err)
	}
	b.Text(t, aliceLID, "pong")
	send(t, b, group, text("in the group"))
	settled(t, srv, bob)
	b.Disconnect()
	// Alice's phone forgets all that was since, its sessions included.
	if err := srv.Restore(before); err != nil {
		t.Fatal(err)
	}
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	connectedTimes(t, b, 2)
	send(t, b, aliceLID, text("can you read this?"))
	eventually(t, "the phone to read it", func() bool { return inboxed(t, srv, alice, "can you read this?") != nil })
	send(t, b, group, text("and this?"))
	eventually(t, "the phone to read the group", func() bool { return inboxed(t, srv, alice, "and this?") != nil })
}
