package e2e_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the clients' store
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types/events"
	"golang.org/x/sync/errgroup"
)

// holderVariable tells a process of this test binary to be a holder: a program
// that holds bare whatsmeow clients and does nothing else.
const holderVariable = "MUSTER_E2E_HOLDER"

// holdingLine is what a holder prints once all its clients are connected.
const holdingLine = "holding"

// holding is what a holder is told.
type holding struct {
	World, RootKey string
	Path           string // of the clients' store
	Clients        int    // linked to the phones in turn, unless they are in the store
}

// hold runs a holder, and returns when all its clients are connected.
func hold(b *testing.B, w *world, path string, clients int) *process {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	order, err := json.Marshal(holding{w.url, w.rootKey, path, clients})
	if err != nil {
		b.Fatal(err)
	}
	b.Setenv(holderVariable, string(order))
	defer os.Unsetenv(holderVariable) //nolint:errcheck // of this process; the next server must not be one
	p := run(b, exec.Command(self))
	p.says(b, holdingLine)
	return p
}

// says waits, for as long as it takes, for a line.
func (p *process) says(b *testing.B, text string) {
	b.Helper()
	for {
		p.mu.Lock()
		lines, news := p.lines, p.news
		p.mu.Unlock()
		if slices.Contains(lines, text) {
			return
		}
		select {
		case <-news:
		case <-p.done:
			b.Fatalf("ended (%v): %s", p.err, strings.Join(p.output(), "\n"))
		}
	}
}

// runHolder is the holder's main function.
func runHolder(text string) error {
	var order holding
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	root, err := hex.DecodeString(order.RootKey)
	if err != nil {
		return err
	}
	whatsmeow.WACertPubKey = [32]byte(root)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	container, err := sqlstore.New(ctx, "sqlite3", "file:"+order.Path+"?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=60000&_txlock=immediate", nil)
	if err != nil {
		return err
	}
	devices, err := container.GetAllDevices(ctx)
	if err != nil {
		return err
	}
	clients := make([]*whatsmeow.Client, order.Clients)
	var connecting errgroup.Group
	connecting.SetLimit(benchLinkParallel)
	for i := range clients {
		connecting.Go(func() error {
			device := container.NewDevice()
			if i < len(devices) {
				device = devices[i]
			}
			clients[i] = bareClient(order, device)
			return connectBare(ctx, order, clients[i], benchNumber(i))
		})
	}
	if err = connecting.Wait(); err != nil {
		return err
	}
	if _, err = fmt.Fprintln(os.Stdout, holdingLine); err != nil {
		return err
	}
	giveBack(ctx)
	for _, client := range clients {
		client.Disconnect()
	}
	return container.Close()
}

// giveBack returns to the system, until the context ends, what nothing needs any
// more. The server does so too; what is left is what the clients take, and not
// when the collector happened to run last.
func giveBack(ctx context.Context) {
	again := time.NewTicker(idleRest / 5)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			debug.FreeOSMemory()
		}
	}
}

// bareClient is a client as whatsmeow makes it, that talks to the simulator.
func bareClient(order holding, device *store.Device) *whatsmeow.Client {
	client := whatsmeow.NewClient(device, nil)
	address := strings.TrimPrefix(order.World, "http://")
	transport := &http.Client{Transport: toLoopback{&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}}}
	client.SetPreLoginHTTPClient(transport)
	client.SetWebsocketHTTPClient(transport)
	client.SetMediaHTTPClient(transport)
	return client
}

// connectBare connects a client, after linking it to the phone where need be.
func connectBare(ctx context.Context, order holding, client *whatsmeow.Client, number string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	codes, connected := make(chan string, 1), make(chan struct{}, 8)
	client.AddEventHandler(func(event any) {
		switch e := event.(type) {
		case *events.QR:
			codes <- e.Codes[0]
		case *events.Connected:
			connected <- struct{}{}
		}
	})
	if err := client.ConnectContext(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for {
		select {
		case code := <-codes:
			if err := post(order.World+"/control/v1/phones/"+number+"/link", map[string]any{"qr": code}); err != nil {
				return err
			}
		case <-connected:
			return nil
		case <-ctx.Done():
			return errors.New(number + " did not connect")
		}
	}
}
