package e2e_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// storySecret signs what the receiver gets.
const storySecret = "whsec_bm90IHNlY3JldDogaXQgaXMgb2YgYSB0ZXN0IG9ubHk="

// logged is an event, from wherever it was read.
type logged struct {
	ID      string `json:"id"`
	Seq     int64  `json:"seq"`
	Type    string `json:"type"`
	Session string `json:"session_id"`
	Group   string `json:"group_jid"`
	Data    struct {
		MessageID string `json:"message_id"`
		Text      string `json:"text"`
		Sender    struct {
			PhoneNumber string `json:"phone_number"`
		} `json:"sender"`
		Subject      string `json:"subject"`
		Topic        string `json:"topic"`
		Action       string `json:"action"`
		Participants []struct {
			PhoneNumber string `json:"phone_number"`
		} `json:"participants"`
		Settings struct {
			Locked *bool `json:"locked"`
		} `json:"settings"`
	} `json:"data"`

	// raw is all of it, without spaces.
	raw string
}

func readEvent(raw []byte) (e logged, err error) {
	var compact bytes.Buffer
	if err = json.Unmarshal(raw, &e); err == nil {
		err = json.Compact(&compact, raw)
	}
	if err != nil {
		return logged{}, fmt.Errorf("%w in the event %q", err, raw)
	}
	e.raw = compact.String()
	return e, nil
}

// receiver is a webhook's receiver that verifies every signature, answers some
// requests with an error and others not at all, and remembers what it took.
type receiver struct {
	*httptest.Server
	requests *tally
	events   *tally // different ones that it has taken
	deeds    *tally // of these, those that tell of what phones did

	mu             sync.Mutex
	chance         *rand.Rand
	byID           map[string]logged // everything that came
	taken          map[string]bool   // ids of what it said, or meant to say, yes to
	granted        map[string]*tally // grows with the deeds taken, by group
	refused, again int
	wrong          []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	library, err := standardwebhooks.NewWebhook(storySecret)
	if err != nil {
		t.Fatal(err)
	}
	h := &receiver{
		requests: newTally(), events: newTally(), deeds: newTally(),
		chance: rand.New(rand.NewPCG(storySeed, 100)), byID: map[string]logged{}, taken: map[string]bool{}, granted: map[string]*tally{},
	}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return // cut off by a kill
		}
		h.requests.add(1)
		h.take(raw, r.Header, library, w)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *receiver) take(raw []byte, header http.Header, library *standardwebhooks.Webhook, w http.ResponseWriter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, err := readEvent(raw)
	if err == nil {
		err = library.Verify(raw, header)
	}
	if id := header.Get(standardwebhooks.HeaderWebhookID); err == nil && id != e.ID {
		err = fmt.Errorf("the event %s came under the id %s", e.ID, id)
	}
	if before, there := h.byID[e.ID]; err == nil && there {
		h.again++
		if before.raw != e.raw {
			err = fmt.Errorf("the event came as %s and then as %s", before.raw, e.raw)
		}
	}
	if err != nil {
		h.wrong = append(h.wrong, err.Error())
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	h.byID[e.ID] = e
	switch mood := h.chance.IntN(100); {
	case mood < 4:
		h.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	case mood < 6: // hangs up, with nothing done
		h.refused++
		panic(http.ErrAbortHandler)
	case mood < 8: // hangs up although it has taken it
		h.refused++
		h.note(e)
		panic(http.ErrAbortHandler)
	}
	h.note(e)
}

// note counts what is taken for the first time.
func (h *receiver) note(e logged) {
	if h.taken[e.ID] {
		return
	}
	h.taken[e.ID] = true
	h.events.add(1)
	if e.ofDeed() {
		h.deeds.add(1)
		if granted := h.granted[e.Group]; granted != nil {
			granted.add(1)
		}
	}
}

// grant has the deeds that it takes of a group counted there, too.
func (h *receiver) grant(group string, to *tally) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.granted[group] = to
}

// sorted are the events in the order of their sessions' numbers.
func (h *receiver) sorted() []logged {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Values(h.byID), func(a, b logged) int {
		return cmp.Or(strings.Compare(a.Session, b.Session), cmp.Compare(a.Seq, b.Seq))
	})
}

// compare checks that it has all of the log, and nothing else.
func (h *receiver) compare(t *testing.T, log []logged) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.wrong) > 0 {
		t.Errorf("%d requests to the webhook were wrong, the first one: %s", len(h.wrong), h.wrong[0])
	}
	invented := maps.Clone(h.byID)
	for _, e := range log {
		delete(invented, e.ID)
		if got := h.byID[e.ID].raw; !h.taken[e.ID] || got != e.raw {
			t.Errorf("the log has %s, and the webhook (taken: %t) had %s", e.raw, h.taken[e.ID], got)
		}
	}
	for _, e := range invented {
		t.Errorf("the webhook was told of %s, which is not in the log", e.raw)
	}
}

// follower reads the stream of events, wherever the server is, leaves it now
// and then, and resumes after the last event that it has got.
type follower struct {
	events *tally
	chance *rand.Rand

	mu    sync.Mutex
	url   string
	moved chan struct{} // closed when url changes

	got    []logged // valid for others once stop has returned
	wrong  []string
	opened int
	stop   func()
}

var errLeft = errors.New("left the stream")

func newFollower(t *testing.T) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{events: newTally(), chance: rand.New(rand.NewPCG(storySeed, 200)), moved: make(chan struct{})}
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	f.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(f.stop)
	return f
}

// move tells it where the server is.
func (f *follower) move(url string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.url = url
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		f.mu.Lock()
		url, moved := f.url, f.moved
		f.mu.Unlock()
		if url != "" && errors.Is(f.read(ctx, url), errLeft) {
			continue
		}
		select { // only a kill ends the stream
		case <-moved:
		case <-ctx.Done():
		}
	}
}

// read reads until the stream breaks or it wants to leave.
func (f *follower) read(ctx context.Context, url string) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/events/stream?after=0", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if len(f.got) > 0 {
		r.Header.Set("Last-Event-ID", f.got[len(f.got)-1].ID)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		f.wrong = append(f.wrong, fmt.Sprintf("it answers %d", response.StatusCode))
		return errors.New("refused")
	}
	f.opened++
	lines := bufio.NewReader(response.Body)
	for range 5 + f.chance.IntN(60) {
		if err := f.next(lines); err != nil {
			return err
		}
	}
	return errLeft
}

// next takes the next event, which counts once the empty line after it is there.
func (f *follower) next(lines *bufio.Reader) error {
	var id, kind, data string
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data = value
		}
		if line == "\n" && kind != "" {
			return f.note(id, kind, data)
		}
	}
}

func (f *follower) note(id, kind, data string) error {
	switch kind {
	case "stream.slow":
		return errLeft // it is to come again
	case "stream.gap":
		f.wrong = append(f.wrong, "there is a gap: "+data)
		return nil
	}
	e, err := readEvent([]byte(data))
	if err == nil && (e.ID != id || e.Type != kind) {
		err = fmt.Errorf("the event %s came as %s, %s", data, id, kind)
	}
	if err != nil {
		f.wrong = append(f.wrong, err.Error())
		return nil
	}
	f.got = append(f.got, e)
	f.events.add(1)
	return nil
}

// compare ends the reading and checks that it has seen the log as it is: each
// event once and in its place.
func (f *follower) compare(t *testing.T, log []logged) {
	t.Helper()
	f.stop()
	if len(f.wrong) > 0 {
		t.Errorf("%d times the stream was wrong, at first: %s", len(f.wrong), f.wrong[0])
	}
	got, want := texts(f.got), texts(log)
	if !slices.Equal(got, want) {
		t.Errorf("the stream had %d events and the log has %d: %s", len(got), len(want), difference(got, want))
	}
}

func texts(events []logged) (list []string) {
	for _, e := range events {
		list = append(list, e.raw)
	}
	return list
}

// tally is a number that grows, and that others wait for.
type tally struct {
	mu    sync.Mutex
	n     int
	grown chan struct{} // closed and replaced as it grows
}

func newTally() *tally { return &tally{grown: make(chan struct{})} }

func (n *tally) add(more int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.n += more
	close(n.grown)
	n.grown = make(chan struct{})
}

func (n *tally) now() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.n
}

// reach waits until it is so much, as long as it grows.
func (n *tally) reach(ctx context.Context, want int) bool {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		n.mu.Lock()
		now, grown := n.n, n.grown
		n.mu.Unlock()
		if now >= want {
			return true
		}
		select {
		case <-grown:
			limit.Reset(patience)
		case <-limit.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// difference is where two lists first differ.
func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d there is %q, want %q", i, got[i], want[i])
		}
	}
	return fmt.Sprintf("there are %d, want %d", len(got), len(want))
}
