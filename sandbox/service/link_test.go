package service_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

const (
	alice = "4915112345601"
	bob   = "4915112345602"
	carol = "4915112345603"
)

// world starts a sandbox with a phone for each number.
func world(t *testing.T, numbers ...string) *sandbox.Server {
	t.Helper()
	srv := sandboxtest.Start(t)
	addPhones(t, srv, numbers...)
	return srv
}

func addPhones(t *testing.T, srv *sandbox.Server, numbers ...string) {
	t.Helper()
	for _, number := range numbers {
		if _, err := srv.AddPhone(service.PhoneOptions{Number: number}); err != nil {
			t.Fatalf("add phone %s: %v", number, err)
		}
	}
}

// offered connects an unlinked client and returns the QR codes it shows.
func offered(t *testing.T, srv *sandbox.Server) (*sandboxtest.Client, []string) {
	t.Helper()
	c := sandboxtest.New(t, srv)
	return c, connectForQR(t, c)
}

func connectForQR(t *testing.T, c *sandboxtest.Client) []string {
	t.Helper()
	if err := c.Connect(); err != nil {
		t.Fatalf("connect: %v", err)
	}
	return sandboxtest.Wait(t, c, "QR codes", func(*events.QR) bool { return true }).Codes
}

// connectedTimes waits until the client has signed in for the n-th time.
func connectedTimes(t *testing.T, c *sandboxtest.Client, n int) {
	t.Helper()
	count := 0
	sandboxtest.Wait(t, c, "being connected", func(*events.Connected) bool {
		count++
		return count == n
	})
}

func TestLinkByQR(t *testing.T) {
	srv := world(t, alice)
	c, codes := offered(t, srv)
	if len(codes) != 6 {
		t.Fatalf("%d QR codes, want 6", len(codes))
	}
	device, err := srv.ScanQR(t.Context(), "+"+alice, codes[3])
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	success := sandboxtest.Wait(t, c, "pair success", func(*events.PairSuccess) bool { return true })
	if success.ID != device || device.User != alice || device.Device != 1 || success.LID.Device != 1 || success.Platform != "android" {
		t.Errorf("linked as %s, %s on %q; scan says %s", success.ID, success.LID, success.Platform, device)
	}
	connectedTimes(t, c, 1)
	info, err := srv.Phone(alice)
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Devices) != 1 || info.Devices[0].JID != device.String() || !info.Devices[0].Online {
		t.Errorf("the phone's devices: %+v", info.Devices)
	}
	// The phone's welcome: the key share makes the client fetch its push name.
	sandboxtest.Wait(t, c, "the app state", func(e *events.AppStateSyncComplete) bool { return e.Name == "critical_block" })
	sandboxtest.Wait(t, c, "the history", func(*events.HistorySync) bool { return true })
	if _, err := srv.ScanQR(t.Context(), alice, codes[3]); !errors.Is(err, service.ErrStaleQR) {
		t.Errorf("a used QR code: %v, want ErrStaleQR", err)
	}
}

func TestScanErrors(t *testing.T) {
	srv := world(t, alice)
	if _, err := srv.AddPhone(service.PhoneOptions{Number: carol, NotOnWhatsApp: true}); err != nil {
		t.Fatal(err)
	}
	c, codes := offered(t, srv)
	_, other := offered(t, srv)
	fields, otherFields := strings.Split(codes[0], ","), strings.Split(other[0], ",")
	mixed := strings.Join(append([]string{fields[0]}, otherFields[1:]...), ",")
	unknown := strings.Join(append([]string{"2@" + base64.StdEncoding.EncodeToString([]byte("nobody"))}, fields[1:]...), ",")
	for name, test := range map[string]struct {
		number, code string
		want         error
	}{
		"unknown number":       {bob, codes[0], service.ErrUnknownPhone},
		"number not in use":    {carol, codes[0], service.ErrNotOnWhatsApp},
		"not a QR code":        {alice, "hello", service.ErrBadQR},
		"unknown reference":    {alice, unknown, service.ErrStaleQR},
		"another client's key": {alice, mixed, service.ErrForeignQR},
	} {
		if _, err := srv.ScanQR(t.Context(), test.number, test.code); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	// None of that spent the code, and the form of old clients works too.
	old := strings.TrimPrefix(strings.Join(fields[:4], ","), "https://wa.me/settings/linked_devices#")
	if _, err := srv.ScanQR(t.Context(), alice, old); err != nil {
		t.Errorf("old form: %v", err)
	}
	connectedTimes(t, c, 1)
}

func TestClientRefusesLink(t *testing.T) {
	srv := world(t, alice)
	c, codes := offered(t, srv)
	c.PrePairCallback = func(jid types.JID, platform, business string) bool { return false }
	if _, err := srv.ScanQR(t.Context(), alice, codes[0]); !errors.Is(err, service.ErrLinkRefused) {
		t.Fatalf("scan: %v, want ErrLinkRefused", err)
	}
	if info, err := srv.Phone(alice); err != nil || len(info.Devices) != 0 {
		t.Errorf("devices after a refusal: %+v, %v", info.Devices, err)
	}
	// A wrong secret is noticed by the client itself.
	c, codes = offered(t, srv)
	fields := strings.Split(codes[0], ",")
	fields[3] = base64.StdEncoding.EncodeToString(make([]byte, 32))
	if _, err := srv.ScanQR(t.Context(), alice, strings.Join(fields, ",")); !errors.Is(err, service.ErrLinkRefused) || !strings.Contains(err.Error(), "hmac-mismatch") {
		t.Errorf("scan with a wrong secret: %v, want a refusal for hmac-mismatch", err)
	}
	sandboxtest.Wait(t, c, "the pairing error", func(e *events.PairError) bool {
		return errors.Is(e.Error, whatsmeow.ErrPairInvalidDeviceIdentityHMAC)
	})
}

func TestCompanionLimit(t *testing.T) {
	srv := world(t, alice)
	for range 4 {
		linkSynced(t, srv, alice).Disconnect()
	}
	_, codes := offered(t, srv)
	if _, err := srv.ScanQR(t.Context(), alice, codes[0]); !errors.Is(err, service.ErrTooManyDevices) {
		t.Fatalf("fifth companion: %v, want ErrTooManyDevices", err)
	}
	if err := srv.Unlink(alice, nil); err != nil {
		t.Fatal(err)
	}
	device, err := srv.ScanQR(t.Context(), alice, codes[0])
	if err != nil || device.Device != 5 {
		t.Errorf("after unlinking: device %d, %v; want a new number, 5", device.Device, err)
	}
}

func TestLinkByCode(t *testing.T) {
	srv := world(t, alice)
	if _, err := srv.EnterCode(t.Context(), alice, "ABCD-EFGH"); !errors.Is(err, service.ErrNoCodeAsked) {
		t.Errorf("nobody asked: %v, want ErrNoCodeAsked", err)
	}
	c, _ := offered(t, srv)
	code, err := c.PairPhone(t.Context(), alice, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		t.Fatalf("ask for a code: %v", err)
	}
	if _, err := srv.EnterCode(t.Context(), alice, "12"); !errors.Is(err, service.ErrBadCode) {
		t.Errorf("short code: %v, want ErrBadCode", err)
	}
	wrong := "1111-1111"
	if wrong == code {
		wrong = "2222-2222"
	}
	if _, err := srv.EnterCode(t.Context(), alice, wrong); !errors.Is(err, service.ErrWrongCode) {
		t.Errorf("wrong code: %v, want ErrWrongCode", err)
	}
	device, err := srv.EnterCode(t.Context(), alice, strings.ToLower(code))
	if err != nil {
		t.Fatalf("right code: %v", err)
	}
	if success := sandboxtest.Wait(t, c, "pair success", func(*events.PairSuccess) bool { return true }); success.ID != device {
		t.Errorf("linked as %s, want %s", success.ID, device)
	}
	connectedTimes(t, c, 1)
}

func TestCodeRefusals(t *testing.T) {
	srv := world(t, alice)
	c, _ := offered(t, srv)
	ask := func(number, display string) error {
		_, err := c.PairPhone(t.Context(), number, true, whatsmeow.PairClientChrome, display)
		return err
	}
	if err := ask(alice, "My program"); !errors.Is(err, whatsmeow.ErrIQBadRequest) {
		t.Errorf("display name: %v, want 400", err)
	}
	if err := ask(bob, "Chrome (Linux)"); !errors.Is(err, whatsmeow.ErrIQNotFound) {
		t.Errorf("unknown number: %v, want 404", err)
	}
	var err error
	for range 20 {
		if err = ask(alice, "Firefox (Windows)"); err != nil {
			break
		}
	}
	if !errors.Is(err, whatsmeow.ErrIQRateOverLimit) {
		t.Errorf("flood: %v, want 429", err)
	}
	if _, err := srv.Faults().Add(fault.Fault{Match: fault.Match{XMLNS: "md"}, Effect: fault.Script{Error: 503}, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := ask(bob, "Chrome (Linux)"); !errors.Is(err, whatsmeow.ErrIQServiceUnavailable) {
		t.Errorf("scripted fault: %v, want 503", err)
	}
}

func TestCodeIsVoidWhenClientLeaves(t *testing.T) {
	srv := world(t, alice)
	c, codes := offered(t, srv)
	code, err := c.PairPhone(t.Context(), alice, true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		t.Fatal(err)
	}
	c.Disconnect()
	eventually(t, "the offer to be withdrawn", func() bool {
		_, err := srv.ScanQR(t.Context(), alice, codes[0])
		return errors.Is(err, service.ErrStaleQR)
	})
	if _, err := srv.EnterCode(t.Context(), alice, code); !errors.Is(err, service.ErrNoCodeAsked) {
		t.Errorf("code of a client that left: %v, want ErrNoCodeAsked", err)
	}
}

func TestLinkEndsWithContext(t *testing.T) {
	srv := world(t, alice)
	c, codes := offered(t, srv)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	c.PrePairCallback = func(types.JID, string, string) bool {
		cancel()
		<-asked
		return false
	}
	_, err := srv.ScanQR(ctx, alice, codes[0])
	close(asked)
	if !errors.Is(err, service.ErrLinkUnanswered) || !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v, want ErrLinkUnanswered for a cancelled context", err)
	}
}
