package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"muster/store"
	"muster/store/storetest"
)

const (
	// storyDeeds is how much the phones do. MUSTER_TEST_EVENTS sets another
	// number: 10000 is the full proof, with a kill for each thousand.
	storyDeeds = 600
	storyKills = 3
	storySeed  = 20260801

	deedsPerKill = 1000
	// storyLead is how many events of a group the receiver may still lack when
	// its phones go on: the server is always busy, and each kill meets events
	// on all of their ways.
	storyLead = 40
)

// story is a server that is killed again and again while phones change groups
// and write to them, a webhook's receiver takes what it is told, and a stream
// is read.
type story struct {
	*testing.T
	w     *world
	s     *server
	on    store.Options // which database the server uses
	data  string
	count int // deeds in all
	kills int

	scenes []*scene
	done   *tally // deeds

	to *receiver
	by *follower
}

// scene is a group with what its phones do in it, one thing after the other.
type scene struct {
	*story
	group                string
	sessions             []string // that are in it
	owner, helper, guest string   // phones
	chance               *rand.Rand
	guestIn, helperAdmin bool
	locked               bool
	// wants has what the events must say, by type, in order.
	wants map[string][]string
	// wanted is how many events there must be for all sessions, and granted how
	// many of them the phones need not wait for: those that the receiver has
	// taken, and some at each kill.
	wanted  int
	granted *tally
}

// TestEventsSurviveKills kills the server at random moments while phones do
// what phones do. In the end a webhook's receiver, which fails now and then, has
// every event of the log at least once and nothing else, always with the same
// contents; a reader of the stream, which reconnects now and then, has each
// once; and the log says what the phones have done, all of it and no more.
func TestEventsSurviveKills(t *testing.T) {
	t.Parallel()
	storetest.EachStore(t, func(t *testing.T, on store.Options) {
		t.Parallel()
		r := newStory(t, on)
		deeds := r.begin()
		chance := rand.New(rand.NewPCG(storySeed, 0))
		for number := range r.kills {
			r.kill(number, chance)
		}
		deeds.Wait()
		r.check()
		noneUnknown(t, r.w)
	})
}

func newStory(t *testing.T, on store.Options) *story {
	t.Helper()
	r := &story{
		T: t, w: startWorld(t), on: on, data: filepath.Join(t.TempDir(), "data"),
		count: storyDeeds, kills: storyKills, done: newTally(), to: newReceiver(t),
	}
	if text := os.Getenv("MUSTER_TEST_EVENTS"); text != "" {
		var err error
		if r.count, err = strconv.Atoi(text); err != nil || r.count < 1 {
			t.Fatalf("MUSTER_TEST_EVENTS must be a number above 0: %q", text)
		}
		r.kills = max(storyKills, r.count/deedsPerKill)
	}
	r.by = newFollower(t)
	r.serve()
	// From the first event on: before there are sessions, there are none.
	r.s.api(t, http.MethodPost, "/webhooks", map[string]any{"url": r.to.URL, "secret": storySecret}, nil)
	for i, id := range []string{"north", "south"} {
		number := fmt.Sprintf("491590000000%d", i)
		r.w.phone(t, number, id)
		r.s.link(t, r.w, id, number)
	}
	r.scenes = []*scene{r.scene(0, "north"), r.scene(1, "north", "south"), r.scene(2, "south")}
	return r
}

// serve starts the server, and tells the reader of the stream where it is.
func (r *story) serve() {
	r.Helper()
	r.s = serveOn(r.T, r.w, r.data, r.on, "MUSTER_WEBHOOKS_ALLOW_PRIVATE=true", "MUSTER_WEBHOOKS_FIRST_RETRY=250ms")
	r.by.move(r.s.url)
}

// scene makes a group of phones in which the sessions' accounts are.
func (r *story) scene(number int, sessions ...string) *scene {
	r.Helper()
	v := &scene{
		story: r, sessions: sessions, chance: rand.New(rand.NewPCG(storySeed, uint64(1+number))),
		wants: map[string][]string{}, granted: newTally(),
	}
	for role, phone := range []*string{&v.owner, &v.helper, &v.guest} {
		*phone = fmt.Sprintf("49159100000%d%d", number, role)
		r.w.phone(r.T, *phone, fmt.Sprintf("Phone %d %d", number, role))
	}
	people := []string{v.helper}
	for _, id := range sessions {
		people = append(people, map[string]string{"north": "4915900000000", "south": "4915900000001"}[id])
	}
	var made struct {
		JID string `json:"group_jid"`
	}
	r.w.control(r.T, http.MethodPost, "/phones/"+v.owner+"/groups", map[string]any{"name": "At first", "participants": people}, &made)
	v.group = made.JID
	for _, id := range sessions {
		until(r.T, id+" knows the group", func() bool {
			status, _, err := request(http.MethodGet, r.s.url+"/api/v1/sessions/"+id+"/groups/"+v.group+"/info", nil)
			return err == nil && status == http.StatusOK
		})
	}
	return v
}

// begin has all phones act, each scene for itself.
func (r *story) begin() *sync.WaitGroup {
	for _, v := range r.scenes {
		r.to.grant(v.group, v.granted)
	}
	var deeds sync.WaitGroup
	for i, v := range r.scenes {
		deeds.Go(func() {
			for number := i; number < r.count; number += len(r.scenes) {
				if !v.granted.reach(r.Context(), v.wanted-storyLead) {
					if r.Context().Err() == nil { // the test has not failed already
						r.Errorf("the receiver is told no more of %s", v.group)
					}
					return
				}
				v.act(number)
				r.done.add(1)
			}
		})
	}
	r.Cleanup(deeds.Wait)
	return &deeds
}

// kill kills the server at some moment of the part of the story that is for this
// kill, lets the phones go on without it for a while, and starts it again.
func (r *story) kill(number int, chance *rand.Rand) {
	r.Helper()
	r.reached(r.done, (number*r.count+chance.IntN(r.count))/r.kills, "deeds")
	if number%2 == 1 { // not just when a phone has done something
		r.reached(r.to.requests, r.to.requests.now()+1+chance.IntN(10), "requests to the webhook")
	}
	r.s.kill(r.T)
	each := 2 + 2*chance.IntN(storyLead/2)
	for _, v := range r.scenes {
		v.granted.add(each)
	}
	// Even if only the scene with two sessions still goes on.
	r.reached(r.done, min(r.count, r.done.now()+each/2), "deeds while the server is down")
	r.serve()
}

// reached waits until a number is reached.
func (r *story) reached(n *tally, want int, of string) {
	r.Helper()
	if !n.reach(r.Context(), want) {
		r.Fatalf("there are no more than %d of %d %s", n.now(), want, of)
	}
}

// act is one deed: mostly a message or a new subject.
func (v *scene) act(number int) {
	group := "/groups/" + v.group
	switch kind := v.chance.IntN(100); {
	case kind < 55:
		v.write(number)
	case kind < 77:
		subject := fmt.Sprintf("Subject %d", number)
		v.do(v.owner, group+"/subject", map[string]any{"subject": subject}, "group.subject", subject, nil)
	case kind < 86:
		text := fmt.Sprintf("What it is about: %d", number)
		v.do(v.owner, group+"/description", map[string]any{"description": text}, "group.description", text, nil)
	case kind < 96:
		v.move()
	default:
		v.locked = !v.locked
		v.do(v.owner, group+"/settings", map[string]any{"locked": v.locked}, "group.settings", fmt.Sprintf("locked %t", v.locked), nil)
	}
}

// write has one of the members write.
func (v *scene) write(number int) {
	members := []string{v.owner, v.helper}
	if v.guestIn {
		members = append(members, v.guest)
	}
	var sent struct {
		ID string `json:"id"`
	}
	text, from := fmt.Sprintf("Grüße %d", number), members[v.chance.IntN(len(members))]
	v.do(from, "/messages", map[string]any{"to": v.group, "text": text}, "message.received", from+" "+text, &sent)
	if wants := v.wants["message.received"]; sent.ID != "" {
		wants[len(wants)-1] = sent.ID + " " + wants[len(wants)-1]
	}
}

// move lets the guest in or out, or changes what the helper may do.
func (v *scene) move() {
	who, state, words := v.guest, &v.guestIn, [][2]string{{"add", "added"}, {"remove", "removed"}}
	if v.chance.IntN(2) == 0 {
		who, state, words = v.helper, &v.helperAdmin, [][2]string{{"promote", "promoted"}, {"demote", "demoted"}}
	}
	word := words[0]
	if *state {
		word = words[1]
	}
	*state = !*state
	v.do(v.owner, "/groups/"+v.group+"/"+word[0], map[string]any{"participants": []string{who}}, "group.participants", word[1]+" "+who, nil)
}

// do has a phone act, and notes what the event must say.
func (v *scene) do(phone, path string, body any, event, want string, into any) {
	status, raw, err := request(http.MethodPost, v.w.url+"/control/v1/phones/"+phone+path, body)
	if err == nil && into != nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil || status/100 != 2 {
		v.Errorf("%s of %s: %d %s %v", path, phone, status, raw, err)
	}
	v.wants[event] = append(v.wants[event], want)
	v.wanted += len(v.sessions)
}

// check waits until everything has arrived, or nothing comes any more, and
// compares.
func (r *story) check() {
	r.Helper()
	wanted := 0
	for _, v := range r.scenes {
		wanted += v.wanted
	}
	if !r.to.deeds.reach(r.Context(), wanted) {
		r.Errorf("the receiver has %d events of what the phones did, want %d", r.to.deeds.now(), wanted)
	}
	log := readLog(r.T, r.s)
	complete := r.to.events.reach(r.Context(), len(log)) && r.by.events.reach(r.Context(), len(log))
	if !complete {
		r.Errorf("of %d events in the log the receiver has %d and the stream %d", len(log), r.to.events.now(), r.by.events.now())
	}
	r.to.compare(r.T, log)
	r.by.compare(r.T, log)
	r.numbered(log)
	for _, v := range r.scenes {
		for _, id := range v.sessions {
			v.told(id)
		}
	}
	r.Logf("%d deeds, %d kills: %d events; the webhook took %d requests (%d answered with an error or not at all, %d events came again); the stream was opened %d times",
		r.count, r.kills, len(log), r.to.requests.now(), r.to.refused, r.to.again, r.by.opened)
}

// numbered checks that each session's events are counted without gaps.
func (r *story) numbered(log []logged) {
	r.Helper()
	last := map[string]int64{}
	for _, e := range log {
		if last[e.Session]++; e.Seq != last[e.Session] {
			r.Errorf("event %s of %s has the number %d, want %d", e.ID, e.Session, e.Seq, last[e.Session])
			return
		}
	}
}

// told checks that what the receiver was told of the group for a session is, in
// the order of the numbers, what the phones did. WhatsApp brings messages and
// the kinds of changes on ways of their own, so each has its own order.
func (v *scene) told(session string) {
	v.Helper()
	got := map[string][]string{}
	for _, e := range v.to.sorted() {
		if e.Session == session && e.Group == v.group && e.ofDeed() {
			got[e.Type] = append(got[e.Type], e.what())
		}
	}
	for _, kind := range deedTypes() {
		if want := v.wants[kind]; !slices.Equal(got[kind], want) {
			v.Errorf("%s in %s for %s: there are %d, want %d: %s", kind, v.group, session, len(got[kind]), len(want), difference(got[kind], want))
		}
	}
}

// deedTypes are the types of events that tell of what phones do.
func deedTypes() []string {
	return []string{"message.received", "group.subject", "group.description", "group.participants", "group.settings"}
}

// what an event says, as a scene notes it.
func (e logged) what() string {
	switch e.Type {
	case "message.received":
		return strings.Join([]string{e.Data.MessageID, e.Data.Sender.PhoneNumber, e.Data.Text}, " ")
	case "group.subject":
		return e.Data.Subject
	case "group.description":
		return e.Data.Topic
	case "group.participants":
		words := []string{e.Data.Action}
		for _, p := range e.Data.Participants {
			words = append(words, p.PhoneNumber)
		}
		return strings.Join(words, " ")
	}
	if e.Data.Settings.Locked == nil {
		return "another setting"
	}
	return fmt.Sprintf("locked %t", *e.Data.Settings.Locked)
}

func (e logged) ofDeed() bool { return slices.Contains(deedTypes(), e.Type) }

// readLog reads the whole log of events.
func readLog(t *testing.T, s *server) (all []logged) {
	t.Helper()
	for after, more := "0", true; more; {
		var page struct {
			Events []json.RawMessage `json:"events"`
			Next   string            `json:"next"`
			More   bool              `json:"more"`
			Gap    bool              `json:"gap"`
		}
		s.api(t, http.MethodGet, "/events?limit=1000&after="+after, nil, &page)
		if page.Gap {
			t.Errorf("the log has a gap after %s", after)
		}
		for _, raw := range page.Events {
			e, err := readEvent(raw)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		after, more = page.Next, page.More
	}
	return all
}
