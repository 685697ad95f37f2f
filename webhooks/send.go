package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// answerKept is how much of an answer is kept, answerRead how much is read
	// so that the connection can be used again.
	answerKept, answerRead = 1 << 10, 64 << 10
	// errorKept is how much of an error's text is kept.
	errorKept = 500

	maxAnswerHeader = 64 << 10
	dialTimeout     = 10 * time.Second
	idleTimeout     = 90 * time.Second
	maxIdle         = 1024

	userAgent = "Muster-Webhooks"
)

// newClient is what all attempts are made with. Connections are kept for each
// host, as many as an endpoint may use at once. There is no proxy: the guard
// would see its address instead of the endpoint's. Redirects are not followed:
// the endpoint is the URL that was checked.
func newClient(g guard, o Options) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, Control: g.control}
	return &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConns: maxIdle, MaxIdleConnsPerHost: o.Concurrency, IdleConnTimeout: idleTimeout,
			TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxAnswerHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// outcome is what has come of one attempt.
type outcome struct {
	at     time.Time
	took   time.Duration
	status int    // 0: no answer
	answer string // its beginning
	err    string // why there is no answer, or what is wrong with it; empty for a success
	// retryAfter is what the answer asks for; zero where it does not.
	retryAfter time.Duration
}

func (o outcome) success() bool { return o.err == "" }
func (o outcome) gone() bool    { return o.status == http.StatusGone }

// send makes one attempt. It never fails: what goes wrong is the outcome.
func (s *Service) send(ctx context.Context, e Endpoint, d delivery) outcome {
	now := s.clock.Now()
	out := outcome{at: now}
	begin := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(d.Body))
	if err != nil {
		out.err = "the URL cannot be used"
		return out
	}
	for name, value := range d.Header {
		request.Header.Set(name, value)
	}
	for name, value := range e.Headers {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", d.ContentType)
	if d.ContentType == "" {
		request.Header.Set("Content-Type", jsonType)
	}
	request.Header.Set("User-Agent", userAgent)
	s.prove(request.Header, e, d, now)
	response, err := s.http.Do(request)
	if err != nil {
		out.took, out.err = time.Since(begin), shown(err)
		return out
	}
	defer func() { _ = response.Body.Close() }() // it has answered, and that is what counts
	out.status, out.answer = response.StatusCode, readAnswer(response.Body)
	out.took = time.Since(begin)
	if out.status < 200 || out.status > 299 {
		out.err = refusal(response)
		out.retryAfter = retryAfter(response.Header.Get("Retry-After"), now)
	}
	return out
}

func refusal(r *http.Response) string {
	if location := r.Header.Get("Location"); location != "" && r.StatusCode < http.StatusBadRequest {
		return fmt.Sprintf("answered %d, a redirect, which is not followed", r.StatusCode)
	}
	return fmt.Sprintf("answered %d", r.StatusCode)
}

// readAnswer takes the beginning of an answer, as text that a database takes,
// and reads some of the rest, so that the connection can be used again. Where it
// breaks off, it is as long as it came.
func readAnswer(body io.Reader) string {
	kept, err := io.ReadAll(io.LimitReader(body, answerKept))
	if err == nil {
		_, err = io.CopyN(io.Discard, body, answerRead)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return printable(string(kept)) + "…"
	}
	return printable(string(kept))
}

// printable leaves out what is not UTF-8, and NUL, which PostgreSQL has no text
// with.
func printable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// shown is an error without the URL, which may have a secret in it.
func shown(err error) string {
	text := err.Error()
	var failed *url.Error
	if errors.As(err, &failed) {
		if text = failed.Err.Error(); failed.Timeout() {
			text = "no answer in time"
		}
	}
	text = printable(text)
	if len(text) > errorKept {
		text = strings.ToValidUTF8(text[:errorKept], "")
	}
	return text
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
