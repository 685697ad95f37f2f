package service_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
)

// What is not answered can be disturbed as well as what is.
func TestFaultsOnWhatHasNoAnswer(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	a := linkSynced(t, srv, alice)
	group := newGroup(t, srv, "lid", bob, alice)
	settled(t, srv, alice)
	acts := map[string]func() error{
		"receipt": func() error {
			_, err := srv.SendText(bob, alice, "hello")
			return err
		},
		"ack":      func() error { return srv.SetSubject(bob, group, "Another name") },
		"presence": func() error { return a.SendPresence(t.Context(), types.PresenceAvailable) },
		"chatstate": func() error {
			return a.SendChatPresence(t.Context(), lid(t, srv, bob), types.ChatPresenceComposing, types.ChatPresenceMediaText)
		},
	}
	connected := 1
	for tag, act := range acts {
		rule := fault.Fault{Match: fault.Match{Tag: tag, Account: "+" + alice}, Effect: fault.Script{Close: true}, Count: 1}
		if _, err := srv.Faults().Add(rule); err != nil {
			t.Fatal(err)
		}
		if err := act(); err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		connected++
		connectedTimes(t, a, connected) // it was cut off, and came back
	}
	for _, rule := range srv.Faults().List() {
		if rule.Met != 1 {
			t.Errorf("the fault on %s has met %d", rule.Match.Tag, rule.Met)
		}
	}
}
