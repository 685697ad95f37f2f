// Package zoko is Zoko's API over the sessions: its Groups API, its messages
// and its webhooks, as docs.zoko.io describes them. A key stands for one
// account, and so for one session. What the documentation leaves open is
// decided in docs/dialects/zoko.md.
package zoko

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/api"
	"muster/session"
)

// Options are what can be chosen.
type Options struct {
	// PendingAfter is how long the creation of a group may take before it is
	// answered as pending.
	PendingAfter time.Duration
}

// Dialect is an api.Dialect and a webhooks.Encoder.
type Dialect struct {
	services     *api.Services
	pendingAfter time.Duration
	directory    directory
	making       sync.WaitGroup // groups that are made in the background
}

// New makes the dialect.
func New(services *api.Services, o Options) *Dialect {
	return &Dialect{services: services, pendingAfter: o.PendingAfter}
}

const (
	name      = "zoko"
	keyHeader = "apikey"
)

// Name is also that of the format of webhooks.
func (d *Dialect) Name() string { return name }

// Prefix is where the paths begin; Zoko's own follow, with their version.
func (d *Dialect) Prefix() string { return "/zoko" }

// Credential is the key of the store.
func (d *Dialect) Credential(header func(name string) string) string { return header(keyHeader) }

// Close waits for the groups that are made in the background, as long as the
// context lets it. No request may come any more.
func (d *Dialect) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		d.making.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the groups that are being made: %w", ctx.Err())
	}
}

// session is the one that the key stands for.
func (d *Dialect) session(c *fiber.Ctx) (session.Session, error) {
	return d.services.Accounts.Only(c.UserContext())
}
