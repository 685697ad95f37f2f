package apptest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Delivery is a request that a Receiver got.
type Delivery struct {
	Method, Path string
	Query        map[string][]string
	Header       http.Header
	Body         []byte
}

// Receiver takes webhooks.
type Receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []Delivery
	news chan struct{} // closed and replaced at each delivery
}

// Receive starts a receiver that answers 200 to everything, with what answer
// says; nil is an empty body.
func Receive(t testing.TB, answer func(Delivery) string) *Receiver {
	t.Helper()
	r := &Receiver{news: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // the sender has gone, and will come again
		}
		d := Delivery{Method: request.Method, Path: request.URL.Path, Query: request.URL.Query(), Header: request.Header, Body: body}
		r.mu.Lock()
		r.got = append(r.got, d)
		close(r.news)
		r.news = make(chan struct{})
		r.mu.Unlock()
		if answer != nil {
			_, _ = io.WriteString(w, answer(d))
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// Deliveries lists what has come so far.
func (r *Receiver) Deliveries() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Delivery(nil), r.got...)
}

// Wait returns the first delivery that fits, past or to come.
func (r *Receiver) Wait(t testing.TB, what string, fits func(Delivery) bool) Delivery {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	seen := 0
	for {
		r.mu.Lock()
		recent, news := r.got[seen:], r.news
		seen = len(r.got)
		r.mu.Unlock()
		for _, d := range recent {
			if fits(d) {
				return d
			}
		}
		select {
		case <-news:
		case <-limit.C:
			for _, d := range r.Deliveries() {
				t.Logf("there was %s", d.Body)
			}
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
