package webhooks

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"muster/internal/fault"
)

// lookupPatience bounds how long creating a webhook waits for the DNS.
const lookupPatience = 3 * time.Second

// guard keeps requests away from addresses that are not the internet's: the
// server's own machine and network are none of a webhook's business.
type guard struct {
	// allow lets everything through.
	allow bool
	rules *ssrf.Guardian
}

func newGuard(allow bool) guard {
	return guard{allow: allow, rules: ssrf.New(ssrf.WithAnyPort())}
}

// control is for net.Dialer. It sees each address that is connected to, after
// the DNS, so that a name cannot mean something else than when it was checked.
func (g guard) control(network, address string, c syscall.RawConn) error {
	if g.allow {
		return nil
	}
	return g.rules.Safe(network, address, c)
}

// check refuses a URL whose host is or means a private address, as far as that
// is known now. A name that is not known at all is accepted: it may be later.
func (g guard) check(ctx context.Context, field string, u *url.URL) error {
	if g.allow {
		return nil
	}
	host := u.Hostname()
	if name := strings.TrimSuffix(strings.ToLower(host), "."); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return private(field, host)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if g.rules.SafeAddr(ip.WithZone("")) != nil {
			return private(field, host)
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	for _, ip := range found {
		if g.rules.SafeAddr(ip.Unmap()) == nil {
			return nil
		}
	}
	return private(field, host)
}

func private(field, host string) error {
	return fault.Field(field, "%q is not an address of the public internet; the setting webhooks.allow_private allows others", host)
}
