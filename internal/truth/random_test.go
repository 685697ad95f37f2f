package truth_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/config"
	"muster/sandbox"
	"muster/sandbox/service"
	"muster/store"
	"muster/store/storetest"
)

const (
	turmoilMembers   = 5
	turmoilStrangers = 5
	turmoilGroups    = 10
	turmoilSteps     = 3000
	// turmoilBacklog is how many notifications may wait for all devices together
	// before the members pause: changes are to meet changes, not an empty street.
	turmoilBacklog = 60
)

// TestRandomised lets five members on several devices, Muster's sessions and
// simulated phones, change ten groups at the same time, while connections
// break and notifications come twice and out of order. In the end every
// session must know every group as it is.
//
// The seed is fixed; MUSTER_SEEDS=20 tries the seeds 1 to 20.
func TestRandomised(t *testing.T) {
	seeds := 1
	if text := os.Getenv("MUSTER_SEEDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("MUSTER_SEEDS=%s is not a number of seeds", text)
		}
		seeds = n
	}
	for seed := 1; seed <= seeds; seed++ {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) {
			storetest.EachStore(t, func(t *testing.T, o store.Options) {
				t.Parallel()
				newTurmoil(t, uint64(seed), on(o)).run()
			})
		})
	}
}

// turmoil is a world in which much happens at the same time.
type turmoil struct {
	*rig
	seed    uint64
	members []*member
	groups  []types.JID

	mu       sync.Mutex
	done     map[string]int // acts that succeeded, by name
	breaches []string       // what must not happen
}

// member is one of the people: a phone, and the sessions linked to it.
type member struct {
	number   string
	sessions []session
	rng      *rand.Rand
}

func newTurmoil(t testing.TB, seed uint64, change func(*config.Config)) *turmoil {
	w := &turmoil{seed: seed, done: map[string]int{}}
	w.rig = newLoggingRig(t, zerolog.New(w).Level(zerolog.WarnLevel), change)
	for i := range turmoilMembers + turmoilStrangers {
		w.phone(turmoilNumber(i), sandbox.PhoneOptions{})
	}
	for i, sessions := range [turmoilMembers]int{2, 1, 1, 1, 0} {
		m := &member{number: turmoilNumber(i), rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		for n := range sessions {
			m.sessions = append(m.sessions, w.link(fmt.Sprintf("member-%d-%d", i, n), m.number))
		}
		w.members = append(w.members, m)
	}
	for i := range turmoilGroups {
		owner := w.members[i%turmoilMembers]
		var others []string
		for _, m := range w.members {
			if m != owner {
				others = append(others, m.number)
			}
		}
		jid, _, _, err := w.wa.CreateGroup(owner.number, sandbox.GroupOptions{
			Name: fmt.Sprint("Group ", i), Participants: others, AddressingMode: [...]string{"lid", "pn"}[i%2],
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.wa.ChangePeople(owner.number, jid, service.ActPromote, others); err != nil {
			t.Fatal(err)
		}
		w.groups = append(w.groups, jid)
	}
	w.quiet(w.sessions()...)
	return w
}

func turmoilNumber(i int) string { return fmt.Sprintf("49152%07d", i) }

func (w *turmoil) sessions() (all []session) {
	for _, m := range w.members {
		all = append(all, m.sessions...)
	}
	return all
}

func (w *turmoil) run() {
	began := time.Now()
	w.trouble()
	var acting sync.WaitGroup
	for _, m := range w.members {
		acting.Go(func() {
			for range turmoilSteps / turmoilMembers {
				w.step(m)
				w.throttle()
			}
		})
	}
	recovered := w.nurse()
	acting.Wait()
	recovered()
	w.t.Logf("acted until %v", time.Since(began))
	faults := w.wa.Faults().List()
	w.wa.ClearFaults()
	for _, s := range w.sessions() {
		s.revive()
	}
	w.quiet(w.sessions()...)
	w.t.Logf("quiet at %v", time.Since(began))
	for _, s := range w.sessions() {
		s.agreesInAll()
	}
	w.report(faults)
}

// trouble makes connections break and notifications come twice or late.
func (w *turmoil) trouble() {
	events := sandbox.FaultMatch{Tag: "notification", Type: "w:gp2"}
	for _, f := range []sandbox.Fault{
		{Match: events, Effect: sandbox.FaultEffect{Duplicate: true}, Probability: 0.05},
		{Match: events, Effect: sandbox.FaultEffect{Reorder: true}, Probability: 0.05},
		{Match: sandbox.FaultMatch{Tag: "ack"}, Effect: sandbox.FaultEffect{Close: true}, Probability: 0.002},
		{Match: sandbox.FaultMatch{XMLNS: "w:g2"}, Effect: sandbox.FaultEffect{Close: true}, Probability: 0.01},
		{Match: sandbox.FaultMatch{XMLNS: "w:g2"}, Effect: sandbox.FaultEffect{ApplyThenDisconnect: true}, Probability: 0.01},
	} {
		if _, err := w.wa.Faults().Add(f); err != nil {
			w.t.Fatal(err)
		}
	}
}

// nurse keeps connecting the sessions whose connections broke, which after some
// times would wait ever longer; the result ends that.
func (w *turmoil) nurse() (end func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case <-again.C:
			case <-ended:
				return
			}
			for _, m := range w.members {
				p, err := w.wa.Phone(m.number)
				if err != nil || !slices.ContainsFunc(p.Devices, func(d service.DeviceInfo) bool { return !d.Online }) {
					continue
				}
				for _, s := range m.sessions {
					s.revive()
				}
			}
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

// throttle waits while the devices are far behind.
func (w *turmoil) throttle() {
	w.until("the devices keep up", func() bool {
		waiting := 0
		for _, p := range w.wa.Phones() {
			for _, d := range p.Devices {
				if d.Online {
					waiting += d.Queued
				}
			}
		}
		return waiting <= turmoilBacklog
	})
}

// revive ends the session's pause between two attempts to connect.
func (s session) revive() { _, _ = s.try(http.MethodPost, "/connect", nil) }

// step lets a member do something in some group, by phone or over the API.
func (w *turmoil) step(m *member) {
	jid, act := w.groups[m.rng.IntN(len(w.groups))], pickAct(m.rng)
	if len(m.sessions) == 0 || act.call == nil || m.rng.IntN(3) > 0 {
		if act.phone(w, m, jid) == nil {
			w.note(act.name + " by phone")
		}
		return
	}
	s := m.sessions[m.rng.IntN(len(m.sessions))]
	method, path, body := act.call(w, m, jid)
	a, err := s.try(method, path, body)
	switch {
	case err != nil:
		w.breach("%s: %v", a.what, err)
	case a.status/100 == 2:
		w.note(act.name + " over the API")
	case a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		s.revive()
	case a.status >= http.StatusInternalServerError:
		w.breach("%s: %d %s", a.what, a.status, a.raw)
	}
}

func (w *turmoil) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[what]++
}

func (w *turmoil) breach(format string, values ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.breaches = append(w.breaches, fmt.Sprintf(format, values...))
}

// Write takes the server's log: what it could not store, or did not expect, is
// no part of the turmoil.
func (w *turmoil) Write(line []byte) (int, error) {
	for _, sign := range []string{"could not be stored", "could not be written", "panic", `"code":"internal"`} {
		if bytes.Contains(line, []byte(sign)) {
			w.breach("%s", line)
		}
	}
	return len(line), nil
}

// report fails the test for what must not have happened, and where the turmoil
// was none.
func (w *turmoil) report(faults []sandbox.Fault) {
	w.t.Helper()
	for _, text := range w.breaches {
		w.t.Error(text)
	}
	for _, f := range faults {
		if f.Met == 0 {
			w.t.Errorf("no stanza met the fault %+v", f)
		}
	}
	for _, act := range turmoilActs {
		if w.done[act.name+" by phone"]+w.done[act.name+" over the API"] == 0 {
			w.t.Errorf("nobody ever did %s", act.name)
		}
	}
	w.t.Logf("seed %d: %v, faults %+v", w.seed, w.done, faults)
}
