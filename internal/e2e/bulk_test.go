package e2e_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
	"muster/store"
	"muster/store/storetest"
)

// bulkProgress is what GET /jobs/{id} answers.
type bulkProgress struct {
	State   string         `json:"state"`
	Total   int            `json:"total"`
	Done    int            `json:"done"`
	Counts  map[string]int `json:"counts"`
	Results []struct {
		Input       string `json:"input"`
		PhoneNumber string `json:"phone_number"`
		LID         string `json:"lid"`
		Status      string `json:"status"`
	} `json:"results"`
}

// bulkRig is a group of session "one" that 200 people are to come into, and
// that a client on another phone watches. The simulator lives in the test and
// survives the server.
type bulkRig struct {
	wa      *sandbox.Server
	w       *world // the same, as the harness sees it
	s       *server
	witness *sandboxtest.Client
	data    string
	on      store.Options // which database the server uses
	group   types.JID
	people  []string
	job     string
}

const (
	bulkOwner, bulkWitness = "4915200000000", "4915200000001"
	bulkPeople             = 200
	bulkBatch              = 20
)

func newBulkRig(t *testing.T, on store.Options) *bulkRig {
	t.Helper()
	r := &bulkRig{wa: sandboxtest.Start(t), data: filepath.Join(t.TempDir(), "data"), on: on}
	root := r.wa.RootKey()
	r.w = &world{url: r.wa.URL(), endpoint: r.wa.Endpoint(), rootKey: hex.EncodeToString(root[:])}
	for i := range bulkPeople {
		r.people = append(r.people, fmt.Sprintf("4915200001%03d", i))
	}
	for _, number := range append([]string{bulkOwner, bulkWitness}, r.people...) {
		if _, err := r.wa.AddPhone(sandbox.PhoneOptions{Number: number}); err != nil {
			t.Fatal(err)
		}
	}
	r.witness = sandboxtest.Link(t, r.wa, bulkWitness)
	r.s = serveOn(t, r.w, r.data, r.on)
	r.s.link(t, r.w, "one", bulkOwner)
	var made struct {
		JID types.JID `json:"group_jid"`
	}
	r.s.api(t, http.MethodPost, "/sessions/one/groups", map[string]any{"name": "Everybody", "participants": []string{bulkWitness}}, &made)
	r.group = made.JID
	return r
}

// start begins the job.
func (r *bulkRig) start(t *testing.T, batch int) {
	t.Helper()
	var started struct {
		JobID string `json:"job_id"`
		State string `json:"state"`
		Total int    `json:"total"`
	}
	r.s.api(t, http.MethodPost, "/sessions/one/groups/"+r.group.String()+"/participants/bulk", map[string]any{
		"participants": r.people, "batch_size": batch, "pause_seconds": 0,
	}, &started)
	if started.JobID == "" || started.State != "queued" || started.Total != bulkPeople {
		t.Fatalf("the job is %+v", started)
	}
	r.job = started.JobID
}

// kill ends the server as a crash would.
func (r *bulkRig) kill(t *testing.T) {
	t.Helper()
	r.s.kill(t)
	r.wa.ClearFaults()
}

func (r *bulkRig) restart(t *testing.T) {
	t.Helper()
	r.s = serveOn(t, r.w, r.data, r.on)
}

func (r *bulkRig) progress(t *testing.T) (p bulkProgress) {
	t.Helper()
	r.s.api(t, http.MethodGet, "/jobs/"+r.job+"?limit=1024", nil, &p)
	return p
}

// trouble scripts what happens to the next request to add people.
func (r *bulkRig) trouble(t *testing.T, effect sandbox.FaultEffect) {
	t.Helper()
	_, err := r.wa.Faults().Add(sandbox.Fault{Match: sandbox.FaultMatch{XMLNS: "w:g2", Child: "add"}, Effect: effect, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until something holds in the simulated world.
func (r *bulkRig) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		changed := r.wa.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// members counts who is in the group in truth.
func (r *bulkRig) members(t *testing.T) int {
	t.Helper()
	truth, err := r.wa.GroupTruth(r.group)
	if err != nil {
		t.Fatal(err)
	}
	return len(truth.Participants)
}

// requests counts how often the account asked to add people.
func (r *bulkRig) requests() int { return r.wa.Stats().ByAccount[bulkOwner]["iq:w:g2:set:add"] }

// finished waits for the end and checks that everybody was added once.
func (r *bulkRig) finished(t *testing.T) {
	t.Helper()
	until(t, "the job has ended", func() bool { return r.progress(t).State == "completed" })
	p := r.progress(t)
	if p.Total != bulkPeople || p.Done != bulkPeople || len(p.Results) != bulkPeople || p.Counts["Added"] != bulkPeople {
		t.Errorf("the job ended with %d of %d done, %d results, %v", p.Done, p.Total, len(p.Results), p.Counts)
	}
	for i, result := range p.Results {
		if result.Input != r.people[i] || result.PhoneNumber != r.people[i] || result.LID == "" || result.Status != "Added" {
			t.Errorf("the result of %s is %+v", r.people[i], result)
		}
	}
	if got := r.members(t); got != bulkPeople+2 {
		t.Errorf("the group has %d members", got)
	}
	r.seenOnce(t)
}

// seenOnce checks that another member saw everybody come in once.
func (r *bulkRig) seenOnce(t *testing.T) {
	t.Helper()
	if _, err := r.wa.ChangePeople(bulkOwner, r.group, service.ActRemove, r.people[:1]); err != nil {
		t.Fatal(err)
	}
	// What the member sees of the group comes in order: this is the last.
	sandboxtest.Wait(t, r.witness, "the last change", func(e *events.GroupInfo) bool { return e.JID == r.group && len(e.Leave) == 1 })
	came := map[types.JID]int{}
	for _, event := range r.witness.Events() {
		if e, ok := event.(*events.GroupInfo); ok && e.JID == r.group {
			for _, who := range e.Join {
				came[who]++
			}
		}
	}
	if len(came) != bulkPeople {
		t.Errorf("a member saw %d people come in", len(came))
	}
	for who, times := range came {
		if times != 1 {
			t.Errorf("a member saw %s come in %d times", who, times)
		}
	}
}

// TestBulkAddKilledTwice kills the server once after WhatsApp has added a batch
// and before its answer arrives, and once before WhatsApp has read the request
// for a batch. The first batch must not be asked for again and its people must
// still count as added; the second must be asked for again.
func TestBulkAddKilledTwice(t *testing.T) {
	t.Parallel()
	storetest.EachStore(t, killTwice)
}

func killTwice(t *testing.T, on store.Options) {
	r := newBulkRig(t, on)
	before := r.members(t)
	r.trouble(t, sandbox.FaultEffect{DropReply: true})
	r.start(t, bulkBatch)
	r.eventually(t, "the first batch has been added", func() bool { return r.members(t) == before+bulkBatch })
	r.kill(t)
	r.trouble(t, sandbox.FaultEffect{Stall: true})
	asked := r.requests()
	r.restart(t)
	r.eventually(t, "the second batch has been asked for", func() bool { return r.requests() > asked })
	r.kill(t)
	r.restart(t)
	r.finished(t)
	// Every batch was asked for once, but for the one that was held up: whether
	// WhatsApp took it after the connection had died decides if it was needed again.
	const batches = bulkPeople / bulkBatch
	if asked := r.requests(); asked != batches && asked != batches+1 {
		t.Errorf("WhatsApp was asked %d times to add people, want %d or one more", asked, batches)
	}
}

// TestBulkAddKilledAnywhere kills the server at whatever it is doing, twice.
func TestBulkAddKilledAnywhere(t *testing.T) {
	t.Parallel()
	storetest.EachStore(t, killAnywhere)
}

func killAnywhere(t *testing.T, on store.Options) {
	r := newBulkRig(t, on)
	r.start(t, 4)
	for _, members := range []int{bulkPeople / 5, bulkPeople / 2} {
		r.eventually(t, fmt.Sprintf("%d people are in the group", members), func() bool { return r.members(t) > members })
		r.kill(t)
		r.restart(t)
	}
	r.finished(t)
}
