package service_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

// setBack restarts a sandbox on an older copy of its state file, as after a
// crash that lost the last writes, and brings a client back to it.
func setBack(t *testing.T, srv *sandbox.Server, a *sandboxtest.Client, file string, older []byte) *sandbox.Server {
	t.Helper()
	a.Disconnect()
	addr := srv.Addr()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, older, 0o600); err != nil {
		t.Fatal(err)
	}
	srv = sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile, o.Listen = file, addr })
	t.Cleanup(a.Disconnect) // before the sandbox, or it would try to come back
	a.Point(srv)
	if err := a.Connect(); err != nil {
		t.Fatal(err)
	}
	connectedTimes(t, a, 2)
	return srv
}

// kept starts a sandbox with a state file, and copies the file as it is once
// everything is saved.
func kept(t *testing.T, numbers ...string) (srv *sandbox.Server, file string, copied func() []byte) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "state.json")
	srv = sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	addPhones(t, srv, numbers...)
	return srv, file, func() []byte {
		t.Helper()
		if err := srv.Save(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

// What is sent after a restart on an older state arrives: a phone does not
// encrypt under keys that it has used in the time that is forgotten.
func TestMessagesAfterASetBack(t *testing.T) {
	t.Parallel()
	srv, file, copied := kept(t, alice, bob)
	a := linkSynced(t, srv, alice)
	bobLID := lid(t, srv, bob)
	group := newGroup(t, srv, "lid", bob, alice)
	say := func(srv *sandbox.Server, to, body string) {
		t.Helper()
		if _, err := srv.SendText(bob, to, body); err != nil {
			t.Fatal(err)
		}
	}
	// Both ways, so that messages stop carrying what starts a session.
	say(srv, alice, "hello")
	a.Text(t, bobLID, "hello")
	send(t, a, bobLID, text("hello yourself"))
	say(srv, group.String(), "hello all")
	a.Text(t, group, "hello all")
	settled(t, srv, alice)
	older := copied()
	for _, body := range []string{"lost one", "lost two", "lost three"} {
		say(srv, alice, body)
		a.Text(t, bobLID, body)
		say(srv, group.String(), body)
		a.Text(t, group, body)
	}

	srv = setBack(t, srv, a, file, older)
	for _, body := range []string{"after one", "after two"} {
		say(srv, alice, body)
		a.Text(t, bobLID, body)
		say(srv, group.String(), body)
		a.Text(t, group, body)
	}
	send(t, a, bobLID, text("can you read this?"))
	eventually(t, "the phone to read it", func() bool { return inboxed(t, srv, bob, "can you read this?") != nil })
	send(t, a, group, text("and this?"))
	eventually(t, "the phone to read the group", func() bool { return inboxed(t, srv, bob, "and this?") != nil })
	say(srv, alice, "yes")
	a.Text(t, bobLID, "yes")
}

// A client whose app state is ahead of the service's hears of it, and is well
// again after the full sync that whatsmeow asks a program for.
func TestAppStateAfterASetBack(t *testing.T) {
	t.Parallel()
	srv, file, copied := kept(t, alice, bob)
	a := linkSynced(t, srv, alice)
	mute := func(on bool) error {
		return a.SendAppState(t.Context(), appstate.BuildMute(pn(bob), on, time.Hour))
	}
	if err := mute(true); err != nil {
		t.Fatal(err)
	}
	older := copied()
	if err := mute(false); err != nil {
		t.Fatal(err)
	}

	setBack(t, srv, a, file, older)
	if err := mute(true); err == nil {
		t.Fatal("a patch on what the service does not have was accepted")
	}
	failure := sandboxtest.Wait(t, a, "the error", func(*events.AppStateSyncError) bool { return true })
	if err := a.FetchAppState(t.Context(), failure.Name, true, false); err != nil {
		t.Fatalf("full sync: %v", err)
	}
	if err := mute(false); err != nil {
		t.Errorf("after the full sync: %v", err)
	}
}
