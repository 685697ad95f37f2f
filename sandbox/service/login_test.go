package service_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// loginFault makes the next sign-in of alice fail with a reason.
func loginFault(reason int) fault.Fault {
	return fault.Fault{Match: fault.Match{Account: alice}, Effect: fault.Script{LoginFailure: reason}, Count: 1}
}

func TestLoginRefusals(t *testing.T) {
	loggedOut := func(reason int) func(t *testing.T, c *sandboxtest.Client) {
		return func(t *testing.T, c *sandboxtest.Client) {
			sandboxtest.Wait(t, c, "logged out", func(e *events.LoggedOut) bool {
				return e.OnConnect && int(e.Reason) == reason
			})
		}
	}
	failed := func(reason int) func(t *testing.T, c *sandboxtest.Client) {
		return func(t *testing.T, c *sandboxtest.Client) {
			sandboxtest.Wait(t, c, "the failure", func(e *events.ConnectFailure) bool { return int(e.Reason) == reason })
		}
	}
	again := func(t *testing.T, c *sandboxtest.Client) { connectedTimes(t, c, 2) }
	for reason, expect := range map[int]func(t *testing.T, c *sandboxtest.Client){
		401: loggedOut(401), 403: loggedOut(403), 406: loggedOut(406), 409: failed(409), 500: again, 503: again,
		402: func(t *testing.T, c *sandboxtest.Client) {
			sandboxtest.Wait(t, c, "the ban", func(e *events.TemporaryBan) bool {
				return e.Code == events.TempBanSentToTooManyPeople && e.Expire == time.Hour
			})
		},
		405: func(t *testing.T, c *sandboxtest.Client) {
			sandboxtest.Wait(t, c, "being outdated", func(*events.ClientOutdated) bool { return true })
		},
	} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			srv := world(t, alice)
			c := linkSynced(t, srv, alice)
			c.Disconnect()
			if _, err := srv.Faults().Add(loginFault(reason)); err != nil {
				t.Fatal(err)
			}
			if err := c.Connect(); err != nil {
				t.Fatal(err)
			}
			expect(t, c)
		})
	}
}

func TestUnknownCredentials(t *testing.T) {
	srv := world(t, alice)
	c := linkSynced(t, srv, alice)
	c.Disconnect()
	srv.Reset()
	addPhones(t, srv, alice)
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, c, "being logged out", func(e *events.LoggedOut) bool { return e.OnConnect })
}

func TestReplaced(t *testing.T) {
	srv := world(t, alice)
	c := linkSynced(t, srv, alice)
	second := whatsmeow.NewClient(c.Store, nil)
	second.SetWebsocketHTTPClient(&http.Client{Transport: sandboxtest.Transport(srv)})
	t.Cleanup(second.Disconnect)
	if err := second.Connect(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, c, "being replaced", func(*events.StreamReplaced) bool { return true })
	if !second.WaitForConnection(patience) {
		t.Fatal("the second client did not get connected")
	}
	if n := srv.Stats().Connected; n != 1 {
		t.Errorf("%d connected devices, want 1", n)
	}
}

func TestUnlinkByPhone(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := linkSynced(t, srv, alice), linkSynced(t, srv, bob)
	device := *a.Store.ID
	if err := srv.Unlink(alice, &device); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, a, "being logged out", func(e *events.LoggedOut) bool { return !e.OnConnect })
	if err := srv.Unlink(alice, &device); !errors.Is(err, service.ErrUnknownDevice) {
		t.Errorf("unlinking again: %v, want ErrUnknownDevice", err)
	}
	if err := srv.Unlink(bob, nil); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, b, "being logged out", func(e *events.LoggedOut) bool { return !e.OnConnect })
}

func TestLogoutByClient(t *testing.T) {
	srv := world(t, alice)
	c := linkSynced(t, srv, alice)
	if err := c.Logout(t.Context()); err != nil {
		t.Fatalf("log out: %v", err)
	}
	eventually(t, "the device to be gone", func() bool {
		info, err := srv.Phone(alice)
		return err == nil && len(info.Devices) == 0
	})
}

func TestBacklogArrivesInOrder(t *testing.T) {
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	send(t, a, lid(t, srv, bob), text("warm up"))
	b.Text(t, lid(t, srv, alice), "warm up")
	settled(t, srv, bob)
	b.Disconnect()
	const count = 30
	for i := range count {
		send(t, a, lid(t, srv, bob), text(fmt.Sprint("late ", i)))
	}
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	b.Text(t, lid(t, srv, alice), fmt.Sprint("late ", count-1))
	preview := sandboxtest.Wait(t, b, "a preview", func(e *events.OfflineSyncPreview) bool { return e.Messages > 0 })
	if preview.Messages != count {
		t.Errorf("preview announces %d messages, want %d", preview.Messages, count)
	}
	sandboxtest.Wait(t, b, "the end of the backlog", func(e *events.OfflineSyncCompleted) bool { return e.Count >= count })
	next := 0
	for _, event := range b.Events() {
		if m, ok := event.(*events.Message); ok && m.Message.GetConversation() == fmt.Sprint("late ", next) {
			next++
		}
	}
	if next != count {
		t.Errorf("%d messages in order, want %d", next, count)
	}
	settled(t, srv, bob)
}
