package session_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox/service"
	"muster/session"
)

// TestLetEventsPass has an answer overtake two notifications, one of which is
// being handled and one of which waits behind it: the operation that has the
// answer goes on when both have been handled.
func TestLetEventsPass(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var handled []string
	begun, answered := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(o *session.Options) {
		o.Handlers = append(o.Handlers, func(ctx context.Context, _ string, evt any) error {
			change, ok := evt.(*events.GroupInfo)
			if !ok || change.Name == nil {
				return nil
			}
			if change.Name.Name == "First" {
				close(begun)
				select {
				case <-answered:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			handled = append(handled, change.Name.Name)
			return nil
		})
	})
	r.link("ann", ann)
	group, _, _, err := r.srv.CreateGroup(bob, service.GroupOptions{Name: "Before", Participants: []string{ann}})
	if err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"First", "Second"} {
		if err = r.srv.SetSubject(bob, group, subject); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	err = r.m.Do(t.Context(), "ann", session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
		_, err := client.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
			Namespace: "w:p", Type: "get", To: types.ServerJID, Content: []waBinary.Node{{Tag: "ping"}},
		})
		if err != nil {
			return err
		}
		close(answered)
		if err = session.LetEventsPass(ctx); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(handled, []string{"First", "Second"}) {
			t.Errorf("the events that were handled are %q", handled)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestLetEventsPassEnds ends the wait for an event that cannot be handled with
// the connection.
func TestLetEventsPassEnds(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) }) // it is delivered again
	r := newRig(t, func(o *session.Options) {
		o.Handlers = append(o.Handlers, func(_ context.Context, _ string, evt any) error {
			if change, ok := evt.(*events.GroupInfo); ok && change.Name != nil {
				begin()
				<-release
			}
			return nil
		})
	})
	t.Cleanup(func() { close(release) }) // before the manager is closed
	r.link("ann", ann)
	group, _, _, err := r.srv.CreateGroup(bob, service.GroupOptions{Name: "Before", Participants: []string{ann}})
	if err == nil {
		err = r.srv.SetSubject(bob, group, "After")
	}
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	err = r.m.Do(ctx, "ann", session.Read, func(ctx context.Context, _ *whatsmeow.Client) error {
		cancel()
		return session.LetEventsPass(ctx)
	})
	if err == nil {
		t.Error("the wait ended without the event")
	}
}
