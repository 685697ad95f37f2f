package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"code.dny.dev/ssrf"

	"muster/internal/fault"
)

// FetchOptions configure how files are fetched by URL.
type FetchOptions struct {
	Timeout      time.Duration // for the whole fetch: names, redirects and the body
	MaxRedirects int
	// AllowPrivate allows loopback, private, link-local and other addresses that
	// are not of the public internet, and ports other than 80 and 443.
	AllowPrivate bool
	// Resolver finds addresses; nil for the system's.
	Resolver *net.Resolver
}

// Limits of an answer's parts before its body.
const (
	maxURL          = 4096
	maxHeader       = 64 << 10
	connectTimeout  = 10 * time.Second
	firstByteWithin = 20 * time.Second
)

// fetcher gets files by URL, from the public internet only.
type fetcher struct {
	options FetchOptions
	client  *http.Client
	guard   *ssrf.Guardian // nil when everything is allowed
}

// newFetcher makes a fetcher. The address is checked when the connection is
// made, after the name was resolved, so that neither a redirect nor a name that
// changes its address between two look-ups leads inside.
func newFetcher(options FetchOptions) *fetcher {
	if options.AllowPrivate {
		return newGuarded(options, nil)
	}
	return newGuarded(options, ssrf.New())
}

func newGuarded(options FetchOptions, guard *ssrf.Guardian) *fetcher {
	f := &fetcher{options: options, guard: guard}
	dialer := &net.Dialer{Timeout: connectTimeout, Resolver: options.Resolver, KeepAlive: -1}
	if guard != nil {
		dialer.Control = guard.Safe
	}
	f.client = &http.Client{
		CheckRedirect: f.redirect,
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would connect where we do not
			DialContext: dialer.DialContext,
			// Each file has a server of its own: connections are not kept for another
			// request, which could find one that was checked under another name.
			DisableKeepAlives:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  firstByteWithin,
			MaxResponseHeaderBytes: maxHeader,
			ForceAttemptHTTP2:      false,
		},
	}
	return f
}

// refusal is why a URL is not fetched; it goes to the client under the field.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// checkURL looks at what can be seen before anything is resolved; again for
// every redirect.
func (f *fetcher) checkURL(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("must be a URL with http or https")
	case host == "":
		return refuse("must be a URL with a host")
	case u.User != nil:
		return refuse("must not have a user name or password in the URL")
	case len(u.String()) > maxURL:
		return refuse("has more than %d characters", maxURL)
	}
	if f.guard == nil {
		return nil
	}
	if address, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		if err = f.guard.SafeAddr(address); err != nil {
			return errPrivate
		}
	}
	return nil
}

// errPrivate says no more than that: which addresses exist inside is nobody's business.
var errPrivate = errors.New("leads to an address that is not of the public internet")

func (f *fetcher) redirect(next *http.Request, before []*http.Request) error {
	if len(before) > f.options.MaxRedirects {
		return refuse("leads to more than %d redirects", f.options.MaxRedirects)
	}
	next.Header.Del("Referer") // the address before may hold a secret
	return f.checkURL(next.URL)
}

// fetch begins a fetch. The body ends with an error when the fetch's time is
// over; close it.
func (f *fetcher) fetch(ctx context.Context, field, address string, limit int64) (io.ReadCloser, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || !u.IsAbs() {
		return nil, fault.Field(field, "must be a URL with http or https").Because(err)
	}
	if err = f.checkURL(u); err != nil {
		return nil, explain(field, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.options.Timeout, errSlow)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		cancel()
		return nil, fault.Field(field, "must be a URL with http or https").Because(err)
	}
	request.Header.Set("Accept-Encoding", "identity")
	request.Header.Set("User-Agent", "muster")
	response, err := f.client.Do(request)
	if err != nil {
		defer cancel()
		return nil, explain(field, cause(ctx, err))
	}
	if err = check(response, limit); err != nil {
		_ = response.Body.Close() // nothing of it is wanted
		cancel()
		if errors.Is(err, errTooMuch) {
			return nil, tooLarge(field, limit)
		}
		return nil, explain(field, err)
	}
	return &body{ReadCloser: response.Body, ctx: ctx, cancel: cancel, field: field}, nil
}

// check looks at an answer's head.
func check(response *http.Response, limit int64) error {
	encoding := response.Header.Get("Content-Encoding")
	switch {
	case response.StatusCode != http.StatusOK:
		return refuse("the server of the URL answered with status %d", response.StatusCode)
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		// Not asked for, and what it unpacks to is not bounded by what arrives.
		return refuse("the server of the URL sent a compressed answer, which was not asked for")
	case response.ContentLength > limit:
		return errTooMuch
	}
	return nil
}

// errSlow is the cause of a context whose time for a fetch is over.
var errSlow = errors.New("took too long to arrive")

// cause is the context's reason where there is one: the client's error only
// says that something was cancelled.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

// body is an answer's body until the fetch's time is over.
type body struct {
	io.ReadCloser
	ctx    context.Context //nolint:containedctx // the fetch's own: it ends with the body
	cancel context.CancelFunc
	field  string
}

func (b *body) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if err != nil && !errors.Is(err, io.EOF) {
		err = explain(b.field, cause(b.ctx, err))
	}
	return n, err
}

func (b *body) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

// explain makes the fault for a fetch that failed. What the client is told does
// not say what was found at an address inside.
func explain(field string, err error) error {
	var refused *refusal
	var unknown *net.DNSError
	switch {
	case errors.Is(err, errSlow):
		return fault.Field(field, "took too long to fetch").Because(err)
	case errors.Is(err, context.Canceled):
		return err // of the one who asked
	case errors.Is(err, errPrivate), errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return fault.Field(field, "leads to an address that is not of the public internet").Because(err)
	case errors.Is(err, ssrf.ErrProhibitedPort):
		return fault.Field(field, "must use port 80 or 443").Because(err)
	case errors.As(err, &refused):
		return fault.Field(field, "%s", refused.text).Because(err)
	case errors.As(err, &unknown):
		return fault.Field(field, "the host of the URL was not found").Because(err)
	}
	return fault.Field(field, "could not be fetched from the URL").Because(err)
}
