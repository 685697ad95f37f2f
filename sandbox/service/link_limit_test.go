package service_test

import (
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// scanHeld lets alice scan the code of a client that does not confirm until it
// is told to. It returns once the client has its credentials.
func scanHeld(t *testing.T, srv *sandbox.Server) (c *sandboxtest.Client, confirm func(), result <-chan error) {
	t.Helper()
	c, codes := offered(t, srv)
	asked, answer := make(chan struct{}), make(chan struct{})
	c.PrePairCallback = func(types.JID, string, string) bool {
		close(asked)
		<-answer
		return true
	}
	scanned := make(chan error, 1)
	go func() {
		_, err := srv.ScanQR(t.Context(), alice, codes[0])
		scanned <- err
	}()
	<-asked
	return c, func() { close(answer) }, scanned
}

func TestConcurrentScansKeepToTheLimit(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	for range 3 {
		sandboxtest.Link(t, srv, alice)
	}
	fourth, confirm, result := scanHeld(t, srv)
	_, codes := offered(t, srv)
	if _, err := srv.ScanQR(t.Context(), alice, codes[0]); !errors.Is(err, service.ErrTooManyDevices) {
		t.Errorf("the fifth scan: %v, want ErrTooManyDevices", err)
	}
	confirm()
	if err := <-result; err != nil {
		t.Errorf("the fourth scan: %v", err)
	}
	connectedTimes(t, fourth, 1)
	if info, err := srv.Phone(alice); err != nil || len(info.Devices) != 4 {
		t.Errorf("%d companions, %v", len(info.Devices), err)
	}
}

func TestUnlinkWhileLinking(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	c, confirm, result := scanHeld(t, srv)
	if err := srv.Unlink(alice, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, service.ErrLinkLost) {
		t.Errorf("the scan: %v, want ErrLinkLost", err)
	}
	confirm()
	sandboxtest.Wait(t, c, "being logged out", func(*events.LoggedOut) bool { return true })
	if info, err := srv.Phone(alice); err != nil || len(info.Devices) != 0 {
		t.Errorf("the companions are %+v, %v", info.Devices, err)
	}
}
