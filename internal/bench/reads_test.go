// Package bench_test measures what reading the mirror costs, beside the least
// that a server of the same kind could do.
package bench_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/internal/app/apptest"
	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

const (
	rounds = 8                      // of each case, the two servers in turn
	span   = 250 * time.Millisecond // of one server in one round
	share  = 0.5                    // of the bare handler's rate, at least

	members = 20   // of an ordinary group
	largest = 1024 // of the largest
)

// BenchmarkReads compares the list of groups and the info of one group, as the
// whole program serves them, with a Fiber handler that does nothing but send
// the same bytes. Both run in this process and are asked in turn, in one run,
// by the same clients; what counts is the ratio.
//
//	go test ./internal/bench -run '^$' -bench Reads -benchtime 1x
func BenchmarkReads(b *testing.B) {
	w := newWorld(b)
	for _, size := range []struct {
		name            string
		groups, members int
	}{
		{"10-groups", 10, members}, {"100-groups", 100, members}, {"1000-groups", 1000, members},
		{"1024-participants", 1, largest},
	} {
		session := w.session(b, size.name, size.groups, size.members)
		for _, read := range session {
			b.Run(size.name+"/"+read.name, func(b *testing.B) {
				for b.Loop() {
					w.compare(b, read.path)
				}
			})
		}
	}
}

// compare measures one path against the bare handler.
func (w *world) compare(b *testing.B, path string) {
	b.Helper()
	body := w.get(b, path)
	muster := connect(b, newTarget(w.program.Addr(), path, w.program.Token(), len(body)))
	bare := connect(b, newTarget(serveBare(b, path, body), path, w.program.Token(), len(body)))
	muster.load(b, span) // what is made once is made now
	bare.load(b, span)
	var answers [2]int
	var took [2]time.Duration
	for range rounds {
		for i, each := range []*fleet{muster, bare} {
			n, t := each.load(b, span)
			answers[i] += n
			took[i] += t
		}
	}
	rate := func(i int) float64 { return float64(answers[i]) / took[i].Seconds() }
	ratio := rate(0) / rate(1)
	b.ReportMetric(rate(0), "muster-req/s")
	b.ReportMetric(rate(1), "bare-req/s")
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(float64(len(body)), "bytes")
	b.ReportMetric(0, "ns/op")
	if ratio < share {
		b.Errorf("%s is served at %.2f times the rate of a bare handler; it should be %.2f", path, ratio, share)
	}
}

// serveBare serves the bytes, and nothing else, until the benchmark ends.
func serveBare(b *testing.B, path string, body []byte) (address string) {
	b.Helper()
	bare := fiber.New(fiber.Config{DisableStartupMessage: true})
	bare.Get(path, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(body)
	})
	listener, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- bare.Listener(listener) }()
	b.Cleanup(func() {
		if err := bare.ShutdownWithTimeout(time.Second); err != nil {
			b.Logf("end the bare server: %v", err) // its clients are still connected
		}
		<-ended
	})
	return listener.Addr().String()
}

// world is the program, on a simulated WhatsApp of its own.
type world struct {
	wa      *sandbox.Server
	program *apptest.Program
	phones  int
}

func newWorld(b *testing.B) *world {
	wa := sandboxtest.Start(b)
	c := apptest.Config(b, apptest.Apart(wa))
	return &world{wa: wa, program: apptest.StartLogging(b, c, zerolog.New(io.Discard).Level(zerolog.InfoLevel))}
}

// read is one of the reads that are compared.
type read struct{ name, path string }

// session links a phone that is in so many groups of so many members each.
func (w *world) session(b *testing.B, id string, groups, size int) []read {
	b.Helper()
	number := w.phone(b)
	others := make([]string, size-1)
	for i := range others {
		others[i] = w.phone(b)
	}
	var first string
	for i := range groups {
		jid, _, _, err := w.wa.CreateGroup(number, sandbox.GroupOptions{
			Name: fmt.Sprintf("Group %d", i), Description: "What this group is about, in a sentence of usual length.", Participants: others,
		})
		if err != nil {
			b.Fatal(err)
		}
		first = jid.String()
	}
	w.program.Link(b, w.wa, id, number)
	base := "/api/v1/sessions/" + id + "/groups"
	w.awaitMirror(b, base, groups)
	return []read{{"list", base}, {"info", base + "/" + first + "/info"}}
}

func (w *world) phone(b *testing.B) string {
	b.Helper()
	w.phones++
	number := fmt.Sprintf("49152%07d", w.phones)
	if _, err := w.wa.AddPhone(sandbox.PhoneOptions{Number: number}); err != nil {
		b.Fatal(err)
	}
	return number
}

// awaitMirror waits until the session has read its groups.
func (w *world) awaitMirror(b *testing.B, path string, groups int) {
	b.Helper()
	deadline, again := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer again.Stop()
	for {
		var list struct {
			Total    int
			Complete bool
		}
		if err := json.Unmarshal(w.get(b, path), &list); err != nil {
			b.Fatal(err)
		}
		if list.Total == groups && list.Complete {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			b.Fatalf("the mirror has %+v, not %d groups", list, groups)
		}
	}
}

func (w *world) get(b *testing.B, path string) []byte {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, w.program.URL+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.program.Token())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d %s %v", path, response.StatusCode, body, err)
	}
	return body
}
