package groups_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"muster/groups"
	"muster/internal/event"
	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
	"muster/session"
	"muster/store/storetest"
)

// patience bounds every wait; only a failing test ever uses it up.
const patience = 30 * time.Second

const (
	mine = "my-session"
	me   = "628111000000"
	ann  = "628111000001"
	bob  = "628111000002"
	cid  = "628111000003"
)

// rig is the domain on a database, with a simulated WhatsApp of its own.
type rig struct {
	t       testing.TB
	wa      *sandbox.Server
	db      *dbutil.Database
	mirror  *groups.Mirror
	manager *session.Manager
	service *groups.Service
	events  *event.Log
	metrics *prometheus.Registry

	mu   sync.Mutex
	news chan struct{} // closed and replaced at each change of the mirror
}

// everywhere runs a test on each database, with phones and no sessions.
func everywhere(t *testing.T, test func(r *rig), change ...func(*groups.MirrorOptions)) {
	t.Helper()
	storetest.Each(t, func(t *testing.T, db *dbutil.Database) { test(newRig(t, db, change...)) })
}

func newRig(t testing.TB, db *dbutil.Database, change ...func(*groups.MirrorOptions)) *rig {
	t.Helper()
	r := &rig{t: t, wa: sandboxtest.Start(t), db: db, metrics: prometheus.NewRegistry(), news: make(chan struct{})}
	for i, number := range []string{me, ann, bob, cid} {
		if _, err := r.wa.AddPhone(sandbox.PhoneOptions{Number: number, Name: fmt.Sprintf("Person %d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	log := zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	r.events = event.NewLog(event.Options{DB: db, Log: log})
	options := groups.MirrorOptions{DB: db, Log: log, Metrics: r.metrics, Events: r.events}
	for _, apply := range change {
		apply(&options)
	}
	r.mirror = groups.NewMirror(options)
	network, err := session.Sandbox(r.wa.Endpoint(), r.wa.RootKey())
	if err != nil {
		t.Fatal(err)
	}
	fast := session.Pace{Rate: 1000, Burst: 1000}
	r.manager, err = session.NewManager(t.Context(), session.Options{
		DB: db, Network: network, Log: log, Handlers: []session.Handler{r.mirror.Apply}, Events: r.events,
		BackoffMin: 10 * time.Millisecond, BackoffMax: 100 * time.Millisecond, StartJitter: time.Millisecond,
		ReadPace: fast, WritePace: fast,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.service = groups.NewService(r.manager, r.mirror)
	r.mirror.Watch(groups.Watcher{Changing: func(string, string) {}, Changed: func(string, string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		close(r.news)
		r.news = make(chan struct{})
	}})
	r.mirror.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := r.mirror.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := r.manager.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// link links a session to a phone and waits until its mirror is complete.
func (r *rig) link(id, number string) {
	r.t.Helper()
	if _, err := r.manager.Create(r.t.Context(), session.CreateRequest{ID: id}); err != nil {
		r.t.Fatal(err)
	}
	r.scan(id, number)
}

func (r *rig) scan(id, number string) {
	r.t.Helper()
	r.pair(id, number)
	r.settled(id)
}

// pair links a session and does not wait for its mirror.
func (r *rig) pair(id, number string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	codes, err := r.manager.WatchQR(ctx, id)
	if err != nil {
		r.t.Fatal(err)
	}
	first := <-codes
	if _, err = r.wa.ScanQR(ctx, number, first.Code); err != nil {
		r.t.Fatal(err)
	}
	for range codes { // until it is linked
	}
}

// settled waits until the session's mirror follows WhatsApp.
func (r *rig) settled(id string) {
	r.t.Helper()
	r.eventually("a live mirror", func() bool {
		pulse, err := r.service.Pulse(r.t.Context(), id)
		return err == nil && pulse.Live
	})
}

// eventually waits until the condition holds, looking after each change of the
// mirror and now and then for what the mirror does not tell.
func (r *rig) eventually(what string, holds func() bool) {
	r.t.Helper()
	limit := time.After(patience)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		r.mu.Lock()
		news := r.news
		r.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-news:
		case <-ticker.C:
		case <-limit:
			r.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// group lets a phone make a group.
func (r *rig) group(by, mode string, people ...string) types.JID {
	r.t.Helper()
	jid, _, _, err := r.wa.CreateGroup(by, sandbox.GroupOptions{Name: "Anglers", Participants: people, AddressingMode: mode})
	if err != nil {
		r.t.Fatal(err)
	}
	return jid
}

func (r *rig) target(jid types.JID) groups.Target {
	return groups.Target{SessionID: mine, GroupJID: jid.String()}
}

// get is the group in the mirror, or nil.
func (r *rig) get(jid types.JID) *groups.Listed {
	g, err := r.service.Get(r.t.Context(), groups.GetRequest{Target: r.target(jid), Members: true})
	if err != nil {
		return nil
	}
	return &g
}

// differs says where the mirror and the truth disagree, or "".
func (r *rig) differs(jid types.JID) string {
	truth, err := r.wa.GroupTruth(jid)
	if err != nil {
		return err.Error()
	}
	g := r.get(jid)
	if g == nil {
		return "the mirror does not have the group"
	}
	if truth.Description.Text == "" && g.TopicID == "" {
		truth.Description.ID = "" // only those who saw it deleted know it
	}
	want := []any{
		truth.Subject, truth.Description.Text, truth.Description.ID, truth.Announcement, truth.Locked, truth.Suspended, truth.Ephemeral,
		truth.MembershipApprovalMode, truth.MemberAddMode, truth.MemberLinkMode, truth.AddressingMode, truth.Owner.JID.String(),
		truth.CreatedAt, len(truth.Participants),
	}
	have := []any{
		g.Subject, g.Topic, g.TopicID, g.Announce, g.Locked, g.Suspended, g.DisappearingSeconds,
		string(g.Settings.MembershipApproval), string(g.Settings.MemberAdd), string(g.Settings.MemberLink), g.AddressingMode, g.Owner,
		g.CreatedAt.Unix(), g.ParticipantCount,
	}
	var theirs, ours []string
	for _, p := range truth.Participants {
		theirs = append(theirs, fmt.Sprint(p.JID.User, " ", p.LID, " ", p.Role))
	}
	for _, p := range g.Participants {
		ours = append(ours, fmt.Sprint(p.PhoneNumber, " ", p.LID, " ", p.Role))
	}
	slices.Sort(theirs)
	slices.Sort(ours)
	if a, b := fmt.Sprint(want, theirs), fmt.Sprint(have, ours); a != b {
		return fmt.Sprintf("\ntruth  %s\nmirror %s", a, b)
	}
	return ""
}

// agrees waits until the mirror of a group is like the truth.
func (r *rig) agrees(jid types.JID) {
	r.t.Helper()
	difference := ""
	defer func() {
		if r.t.Failed() && difference != "" {
			r.t.Log(difference)
		}
	}()
	r.eventually("the mirror to be like the truth", func() bool {
		difference = r.differs(jid)
		return difference == ""
	})
}

// history is the group's, from after.
func (r *rig) history(jid types.JID, after int64) []groups.Entry {
	r.t.Helper()
	h, err := r.service.History(r.t.Context(), groups.HistoryRequest{Target: r.target(jid), After: after, Limit: groups.MaxHistory})
	if err != nil {
		r.t.Fatal(err)
	}
	return h.Entries
}

func (r *rig) lastSeq(jid types.JID) int64 {
	entries, err := r.service.History(r.t.Context(), groups.HistoryRequest{Target: r.target(jid), Limit: groups.MaxHistory})
	if err != nil || len(entries.Entries) == 0 {
		return 0
	}
	return entries.Entries[len(entries.Entries)-1].Seq
}

// tell writes entries as "kind/source actor before>after".
func tell(entries []groups.Entry) string {
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = fmt.Sprintf("%s/%s %s %s>%s", e.Kind, e.Source, e.Actor.PhoneNumber, e.Before, e.After)
	}
	return strings.Join(lines, "\n")
}

// asked counts the stanzas of a kind that the session's account has sent.
func (r *rig) asked(kind string) int { return r.wa.Stats().ByAccount[me][kind] }

const (
	queryOne = "iq:w:g2:get:query"
	queryAll = "iq:w:g2:get:participating"
)

// trouble scripts a fault for notifications of groups.
func (r *rig) trouble(effect fault.Script, count int, chance float64) {
	r.t.Helper()
	_, err := r.wa.Faults().Add(fault.Fault{
		Match: fault.Match{Tag: "notification", Type: "w:gp2", Account: me}, Effect: effect, Count: count, Probability: chance,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// repairs is the sum of the metric.
func (r *rig) repairs() (total float64) {
	r.t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "muster_mirror_repairs_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			total += metric.GetCounter().GetValue()
		}
	}
	return total
}

func (r *rig) act(by string, jid types.JID, act service.PeopleAct, people ...string) {
	r.t.Helper()
	results, err := r.wa.ChangePeople(by, jid, act, people)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, result := range results {
		if result.Code != 0 {
			r.t.Fatalf("%s %s: %d", act, result.JID, result.Code)
		}
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}
