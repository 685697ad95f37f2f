package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// idleRest is how long the programs are left alone before they are measured:
	// longer than the two minutes after which Go collects garbage unasked.
	idleRest = 150 * time.Second
	// idleLimit is how much more a session may take than a bare client.
	idleLimit = 1.5
	// idleGroup is how many of the phones share a group.
	idleGroup = 20
)

// BenchmarkIdleMemory compares the memory that one linked and idle session
// takes in the server with what a bare whatsmeow client takes in a program that
// does nothing but hold such clients, with the same kind of store and connected
// to the same simulator at the same time. What the programs take without any
// is taken off; what counts is the ratio.
//
//	go test ./internal/e2e -run '^$' -bench IdleMemory -benchtime 1x -timeout 30m
func BenchmarkIdleMemory(b *testing.B) {
	for _, sessions := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d-sessions", sessions), func(b *testing.B) {
			for b.Loop() {
				measureIdle(b, sessions)
			}
		})
	}
}

func measureIdle(b *testing.B, sessions int) {
	b.Setenv("MUSTER_LOG_LEVEL", "warn")
	w := startWorld(b)
	idlePhones(b, w, sessions)
	dir := b.TempDir()
	served, held := filepath.Join(dir, "served"), filepath.Join(dir, "held.db")
	linkSessions(b, w, served, sessions)
	hold(b, w, held, sessions).end(b) // links them

	// New processes, one after the other: what linking took must not count.
	var stats struct {
		Connected int `json:"connected_devices"`
	}
	muster := serve(b, w, served)
	until(b, "every session is connected", func() bool {
		w.control(b, http.MethodGet, "/stats", nil, &stats)
		return stats.Connected == sessions
	})
	bare := hold(b, w, held, sessions)
	noMuster, noBare := serve(b, w, filepath.Join(dir, "none")), hold(b, w, filepath.Join(dir, "none.db"), 0)
	<-time.After(idleRest)
	each := func(full, empty *process) float64 {
		return float64(full.memory(b)-empty.memory(b)) / float64(sessions) / 1024
	}
	mine, theirs := each(muster.process, noMuster.process), each(bare, noBare)
	b.ReportMetric(mine, "muster-KiB/session")
	b.ReportMetric(theirs, "bare-KiB/session")
	b.ReportMetric(mine/theirs, "ratio")
	b.ReportMetric(float64(noMuster.memory(b))/(1<<20), "muster-base-MiB")
	b.ReportMetric(float64(noBare.memory(b))/(1<<20), "bare-base-MiB")
	b.ReportMetric(0, "ns/op")
	if w.control(b, http.MethodGet, "/stats", nil, &stats); stats.Connected != 2*sessions {
		b.Errorf("%d devices are still connected, not %d", stats.Connected, 2*sessions)
	}
	if mine > idleLimit*theirs {
		b.Errorf("a session takes %.0f KiB, which is %.2f times the %.0f KiB of a bare client; it should be %.2f at most", mine, mine/theirs, theirs, idleLimit)
	}
	for _, p := range []*process{muster.process, bare, noMuster.process, noBare, w.process} {
		p.kill(b)
	}
}

// idlePhones makes the phones, and groups of some of them each.
func idlePhones(b *testing.B, w *world, count int) {
	b.Helper()
	for i := range count {
		w.phone(b, benchNumber(i), fmt.Sprint("Phone ", i))
	}
	for owner := 0; owner < count; owner += idleGroup {
		var others []string
		for i := owner + 1; i < min(owner+idleGroup, count); i++ {
			others = append(others, benchNumber(i))
		}
		w.control(b, http.MethodPost, "/phones/"+benchNumber(owner)+"/groups",
			map[string]any{"name": fmt.Sprint("Group ", owner), "participants": others}, nil)
	}
}

// linkSessions runs a server, links a session to each phone, and ends it.
func linkSessions(b *testing.B, w *world, dataDir string, count int) {
	b.Helper()
	s := serve(b, w, dataDir)
	var linking errgroup.Group
	linking.SetLimit(benchLinkParallel)
	for i := range count {
		linking.Go(func() error { return s.linkAlone(w, fmt.Sprint("s", i), benchNumber(i)) })
	}
	if err := linking.Wait(); err != nil {
		b.Fatal(err)
	}
	s.end(b)
}

// linkAlone is link for goroutines other than the test's.
func (s *server) linkAlone(w *world, id, number string) error {
	if err := post(s.url+"/api/v1/sessions", map[string]any{"id": id}); err != nil {
		return err
	}
	_, raw, err := request(http.MethodGet, s.url+"/api/v1/sessions/"+id+"/qr", nil)
	if err != nil {
		return err
	}
	var code struct{ QR string }
	if err = json.Unmarshal(raw, &code); err != nil {
		return fmt.Errorf("%w: %s", err, raw)
	}
	if err = post(w.url+"/control/v1/phones/"+number+"/link", map[string]any{"qr": code.QR}); err != nil {
		return err
	}
	deadline, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		if _, raw, err = request(http.MethodGet, s.url+"/api/v1/sessions/"+id, nil); err != nil {
			return err
		}
		var session struct{ Status string }
		if err = json.Unmarshal(raw, &session); err != nil || session.Status == "connected" {
			return err
		}
		select {
		case <-again.C:
		case <-deadline:
			return fmt.Errorf("the session %s is %s", id, session.Status)
		}
	}
}

// end asks the program to shut down, and waits for it.
func (p *process) end(b *testing.B) {
	b.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.Fatal(err)
	}
	p.wait(b)
}
