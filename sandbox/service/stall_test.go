package service_test

import (
	"context"
	"net/http"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/stanza"
)

// stall makes alice's next stanza of a kind stall its connection.
func stall(t *testing.T, srv *sandbox.Server, match fault.Match) string {
	t.Helper()
	match.Account = alice
	return addFault(t, srv, fault.Fault{Match: match, Effect: fault.Script{Stall: true}, Count: 1})
}

// met waits until a fault has met its stanza.
func met(t *testing.T, srv *sandbox.Server, id string) {
	t.Helper()
	eventually(t, "the fault's stanza", func() bool {
		for _, f := range srv.Faults().List() {
			if f.ID == id {
				return f.Met > 0
			}
		}
		return false
	})
}

func TestStalledRequestIsAnsweredLater(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(srv *sandbox.Server, id string){
		"cleared":     func(srv *sandbox.Server, _ string) { srv.ClearFaults() },
		"removed":     func(srv *sandbox.Server, id string) { srv.Faults().Remove(id) },
		"set cleared": func(srv *sandbox.Server, _ string) { srv.Faults().Clear() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := world(t, alice, bob)
			a := linkSynced(t, srv, alice)
			group := newGroup(t, srv, "lid", alice, bob)
			id := stall(t, srv, fault.Match{Tag: "iq", XMLNS: "w:g2", Child: "subject"})
			done := make(chan error, 2)
			go func() { done <- a.SetGroupName(t.Context(), group, "first") }()
			met(t, srv, id)
			go func() { done <- a.SetGroupName(t.Context(), group, "second") }()
			eventually(t, "both requests", func() bool { return srv.Stats().Stanzas["iq:w:g2:set:subject"] == 2 })
			if truth, err := srv.GroupTruth(group); err != nil || truth.Subject != "Group" {
				t.Errorf("while stalled the group is %q, %v", truth.Subject, err)
			}
			end(srv, id)
			for range 2 {
				if err := <-done; err != nil {
					t.Errorf("a stalled request: %v", err)
				}
			}
			if truth, err := srv.GroupTruth(group); err != nil || truth.Subject != "second" {
				t.Errorf("in the end the group is %q, %v", truth.Subject, err)
			}
		})
	}
}

func TestStalledSignInGoesOn(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := linkSynced(t, srv, alice)
	a.Disconnect()
	id := stall(t, srv, fault.Match{Tag: "login"})
	if err := a.Connect(); err != nil {
		t.Fatal(err)
	}
	met(t, srv, id)
	if connections(a) != 1 {
		t.Error("signed in while stalled")
	}
	srv.Faults().Remove(id)
	connectedTimes(t, a, 2)
}

// connections counts how often a client has been told that it is in.
func connections(c *sandboxtest.Client) (n int) {
	for _, event := range c.Events() {
		if _, in := event.(*events.Connected); in {
			n++
		}
	}
	return n
}

// requestInVain makes a request that is never answered.
func requestInVain(t *testing.T, srv *sandbox.Server, a *sandboxtest.Client, id string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.GetJoinedGroups(ctx)
		done <- err
	}()
	met(t, srv, id)
	cancel()
	if err := <-done; err == nil {
		t.Error("the stalled request was answered")
	}
}

func TestStalledClientLeaves(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := linkSynced(t, srv, alice)
	requestInVain(t, srv, a, stall(t, srv, fault.Match{Tag: "iq", XMLNS: "w:g2"}))
	a.Disconnect()
	eventually(t, "the connection to end", func() bool { return srv.Connections() == 0 })
	if info, err := srv.Phone(alice); err != nil || info.Devices[0].Online {
		t.Errorf("the device is %+v, %v", info.Devices, err)
	}
	a.Disconnect()
	login := stall(t, srv, fault.Match{Tag: "login"})
	if err := a.Connect(); err != nil {
		t.Fatal(err)
	}
	met(t, srv, login)
	a.Disconnect()
	eventually(t, "the sign-in to end", func() bool { return srv.Connections() == 0 })
	if n := srv.Stats().Connected; n != 0 {
		t.Errorf("%d devices are on line", n)
	}
}

func TestStalledConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := linkSynced(t, srv, alice)
	requestInVain(t, srv, a, stall(t, srv, fault.Match{Tag: "iq", XMLNS: "w:g2"}))
	second := whatsmeow.NewClient(a.Store, nil)
	second.SetWebsocketHTTPClient(&http.Client{Transport: sandboxtest.Transport(srv)})
	t.Cleanup(second.Disconnect)
	if err := second.Connect(); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, a, "being replaced", func(*events.StreamReplaced) bool { return true })
	if !second.WaitForConnection(patience) {
		t.Fatal("the second client did not get connected")
	}
	eventually(t, "the first connection to end", func() bool { return srv.Connections() == 1 })
	srv.ClearFaults()
	if _, err := second.GetJoinedGroups(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSignInThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := linkSynced(t, srv, alice)
	a.Disconnect()
	eventually(t, "the end of the connection", func() bool { return srv.Connections() == 0 })
	addFault(t, srv, fault.Fault{Match: fault.Match{Tag: "login", Account: alice}, Effect: fault.Script{DropReply: true}, Count: 1})
	if err := a.Connect(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the device to be on line", func() bool { return srv.Stats().Connected == 1 })
	if connections(a) != 1 {
		t.Error("the client was told that it is in")
	}
	a.Disconnect()
	if err := a.Connect(); err != nil {
		t.Fatal(err)
	}
	connectedTimes(t, a, 2)
}

// A stanza that no client can be sent must not end the connections of those it
// is for, now and after every reconnect.
func TestUnwritableStanzaIsDropped(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	a := linkSynced(t, srv, alice)
	srv.Push(alice, stanza.Node{Tag: "notification", Attrs: stanza.Attrs{"id": "1", "type": "x", "from": types.EmptyJID}})
	if _, err := srv.SendText(bob, alice, "still there"); err != nil {
		t.Fatal(err)
	}
	a.Text(t, lid(t, srv, bob), "still there")
	settled(t, srv, alice)
	for _, event := range a.Events() {
		if _, cut := event.(*events.Disconnected); cut {
			t.Error("the client was cut off")
		}
	}
}
