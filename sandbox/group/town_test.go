package group_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// town is a registry with people, and the ear of one whatsmeow client that
// hears every notification exactly as it would come off the wire.
type town struct {
	t       testing.TB
	reg     *group.Registry
	now     time.Time
	people  map[types.JID]group.Person // by both JIDs
	refuses map[types.JID]int          // AddRefusal, by LID
	client  *whatsmeow.Client
	mode    types.AddressingMode // of groups that create makes
}

func newTown(t testing.TB, mode types.AddressingMode) *town {
	town := &town{
		t: t, mode: mode, now: time.Date(2026, 8, 21, 12, 0, 0, 0, time.UTC),
		people: map[types.JID]group.Person{}, refuses: map[types.JID]int{},
	}
	town.client = whatsmeow.NewClient(&store.Device{}, strictLog{t})
	town.reg = group.NewRegistry(town, func() time.Time { return town.now }, rand.NewChaCha8([32]byte{1}))
	return town
}

// inBothModes runs a test in LID and in phone-number groups.
func inBothModes(t *testing.T, test func(t *testing.T, town *town)) {
	for _, mode := range []types.AddressingMode{types.AddressingModeLID, types.AddressingModePN} {
		t.Run(string(mode), func(t *testing.T) { test(t, newTown(t, mode)) })
	}
}

// strictLog fails the test when whatsmeow finds fault with a node.
type strictLog struct{ t testing.TB }

// expectedUnknown are elements of <group> that whatsmeow knows nothing of.
var expectedUnknown = []string{
	"<member_link_mode", "<member_share_group_history_mode", "<general_chat", "<allow_non_admin_sub_group_creation",
}

func (l strictLog) Warnf(msg string, args ...any)  { l.t.Errorf("whatsmeow warns: "+msg, args...) }
func (l strictLog) Errorf(msg string, args ...any) { l.t.Errorf("whatsmeow: "+msg, args...) }
func (l strictLog) Infof(string, ...any)           {}
func (l strictLog) Sub(string) waLog.Logger        { return l }
func (l strictLog) Debugf(msg string, args ...any) {
	for _, arg := range args {
		if node, ok := arg.(*waBinary.Node); ok {
			known := slices.ContainsFunc(expectedUnknown, func(tag string) bool { return "<"+node.Tag == tag })
			if !known {
				l.t.Errorf("whatsmeow: "+msg, args...)
			}
		}
	}
}

// person makes the nth inhabitant.
func (w *town) person(n int) group.Person {
	p := group.Person{
		PN:   types.NewJID(strconv.Itoa(4915100000000+n), types.DefaultUserServer),
		LID:  types.NewJID(strconv.Itoa(200000000000000+n), types.HiddenUserServer),
		Name: fmt.Sprintf("Person %d", n),
	}
	w.people[p.PN], w.people[p.LID] = p, p
	return p
}

func (w *town) persons(from, to int) []group.Person {
	var list []group.Person
	for n := from; n <= to; n++ {
		list = append(list, w.person(n))
	}
	return list
}

func (w *town) Lookup(jid types.JID) (group.Person, bool) {
	p, ok := w.people[jid]
	return p, ok
}

func (w *town) AddRefusal(_, target group.Person) int { return w.refuses[target.LID] }

func (w *town) pass(d time.Duration) { w.now = w.now.Add(d) }

// wire sends a node through the binary encoding and back.
func (w *town) wire(n stanza.Node) *stanza.Node {
	w.t.Helper()
	data, err := waBinary.Marshal(n)
	if err != nil {
		w.t.Fatalf("marshal: %v", err)
	}
	back, err := waBinary.Unmarshal(data[1:])
	if err != nil {
		w.t.Fatalf("unmarshal: %v", err)
	}
	return back
}

// ask sends a request as a client does and hands back what a client gets: the
// reply, the events that the notifications turned into, or the refusal.
func (w *town) ask(actor group.Person, to types.JID, kind string, child stanza.Node) (*stanza.Node, heard, *stanza.Error) {
	w.t.Helper()
	iq := w.wire(stanza.Node{
		Tag: "iq", Attrs: stanza.Attrs{"id": "1", "xmlns": "w:g2", "type": kind, "to": to},
		Content: []stanza.Node{child},
	})
	actor.LID.Device, actor.PN.Device = 7, 7 // companions ask; the model drops the device
	reply, pushes, refusal := w.reg.HandleIQ(actor, iq)
	if refusal != nil {
		if len(reply) > 0 || len(pushes) > 0 {
			w.t.Errorf("refusal %v comes with reply %v and %d pushes", refusal, reply, len(pushes))
		}
		return nil, nil, refusal
	}
	result := stanza.Node{Tag: "iq", Attrs: stanza.Attrs{"type": "result", "id": "1", "from": to}}
	if len(reply) > 0 {
		result.Content = reply
	}
	return w.wire(result), w.hear(pushes), nil
}

// must is ask for requests that succeed.
func (w *town) must(actor group.Person, to types.JID, kind string, child stanza.Node) (*stanza.Node, heard) {
	w.t.Helper()
	reply, events, refusal := w.ask(actor, to, kind, child)
	if refusal != nil {
		w.t.Fatalf("%s %s: refused with %v", kind, child.Tag, refusal)
	}
	return reply, events
}

// refused is ask for requests that fail with a code.
func (w *town) refused(code int, actor group.Person, to types.JID, kind string, child stanza.Node) {
	w.t.Helper()
	before := w.snapshot()
	_, _, refusal := w.ask(actor, to, kind, child)
	switch {
	case refusal == nil:
		w.t.Errorf("%s %s: succeeded, want %d", kind, child.Tag, code)
	case refusal.Code != code:
		w.t.Errorf("%s %s: refused with %v, want %d", kind, child.Tag, refusal, code)
	case *refusal != *stanza.Refuse(code):
		w.t.Errorf("%s %s: text of %v is not the code's", kind, child.Tag, refusal)
	}
	if after := w.snapshot(); after != before {
		w.t.Errorf("%s %s: refusal %d changed the state\nbefore %s\nafter  %s", kind, child.Tag, code, before, after)
	}
}

func (w *town) snapshot() string {
	w.t.Helper()
	data, err := w.reg.Snapshot()
	if err != nil {
		w.t.Fatalf("snapshot: %v", err)
	}
	return string(data)
}

// note is one notification as whatsmeow understood it: either joined or change.
type note struct {
	to     []types.JID
	node   *stanza.Node
	joined *events.JoinedGroup
	change *events.GroupInfo
}

func (n note) child() *stanza.Node { return stanza.First(n.node) }

type heard []note

// hear lets whatsmeow parse notifications, failing the test on any complaint.
func (w *town) hear(pushes []group.Push) heard {
	w.t.Helper()
	var list heard
	for _, push := range pushes {
		if len(push.To) == 0 || len(slices.Compact(slices.Clone(push.To))) != len(push.To) {
			w.t.Errorf("push to %v", push.To)
		}
		node := w.wire(withID(push.Node))
		w.checkEnvelope(node)
		event, _, _, err := w.client.DangerousInternals().ParseGroupNotification(node)
		if err != nil {
			w.t.Fatalf("whatsmeow cannot parse %s: %v", node, err)
		}
		n := note{to: push.To, node: node}
		switch e := event.(type) {
		case *events.JoinedGroup:
			n.joined = e
		case *events.GroupInfo:
			n.change = e
		}
		list = append(list, n)
	}
	return list
}

func withID(n stanza.Node) stanza.Node {
	n.Attrs = maps.Clone(n.Attrs)
	n.Attrs["id"] = "1"
	return n
}

// checkEnvelope checks what every notification has.
func (w *town) checkEnvelope(n *stanza.Node) {
	w.t.Helper()
	from, ok := n.Attrs["from"].(types.JID)
	if !ok || from.Server != types.GroupServer || stanza.Text(n, "type") != "w:gp2" || stanza.Text(n, "t") != strconv.FormatInt(w.now.Unix(), 10) {
		w.t.Errorf("envelope of %s", n)
	}
	g, known := w.reg.Get(from)
	if known && stanza.Text(n, "addressing_mode") != string(g.AddressingMode) {
		w.t.Errorf("addressing mode of %s", n)
	}
	actor, ok := n.Attrs["participant"].(types.JID)
	if !ok {
		return
	}
	other, server := "participant_pn", types.HiddenUserServer
	if stanza.Text(n, "addressing_mode") == "pn" {
		other, server = "participant_lid", types.DefaultUserServer
	}
	companion, _ := n.Attrs[other].(types.JID)
	if actor.Server != server || w.people[actor] != w.people[companion] || stanza.Text(n, "notify") != w.people[actor].Name {
		w.t.Errorf("actor of %s", n)
	}
}

// one returns the only notification with the child tag.
func (h heard) one(t testing.TB, tag string) note {
	t.Helper()
	var found []note
	for _, n := range h {
		if n.child().Tag == tag {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d notifications <%s> among %v, want 1", len(found), tag, h.tags())
	}
	return found[0]
}

func (h heard) tags() []string {
	list := make([]string, len(h))
	for i, n := range h {
		list[i] = n.child().Tag
	}
	return list
}

// want compares the tags of what was heard, in order.
func (h heard) want(t testing.TB, tags ...string) {
	t.Helper()
	if !slices.Equal(h.tags(), tags) {
		t.Errorf("heard %v, want %v", h.tags(), tags)
	}
}

// reaches checks the recipients.
func (n note) reaches(t testing.TB, people ...group.Person) {
	t.Helper()
	want := map[types.JID]bool{}
	for _, p := range people {
		want[p.LID] = true
	}
	got := map[types.JID]bool{}
	for _, jid := range n.to {
		got[jid] = true
	}
	if !maps.Equal(got, want) || len(n.to) != len(people) {
		t.Errorf("<%s> goes to %v, want %v", n.child().Tag, n.to, people)
	}
}

// create makes a group in the town's mode through the wire.
func (w *town) create(actor group.Person, others ...group.Person) *group.Group {
	w.t.Helper()
	node := stanza.Node{Tag: "create", Attrs: stanza.Attrs{"subject": "Neighbours", "addressing_mode": string(w.mode)}}
	node.Content = w.nodes("participant", others...)
	reply, _ := w.must(actor, types.GroupServerJID, "set", node)
	return w.groupIn(reply)
}

// groupIn is the group that a reply shows.
func (w *town) groupIn(reply *stanza.Node) *group.Group {
	w.t.Helper()
	info := w.info(stanza.Child(reply, "group"))
	g, ok := w.reg.Get(info.JID)
	if !ok {
		w.t.Fatalf("no group %s", info.JID)
	}
	return g
}

// info parses <group> as whatsmeow does.
func (w *town) info(node *stanza.Node) *types.GroupInfo {
	w.t.Helper()
	if node == nil {
		w.t.Fatal("no <group>")
	}
	info, err := w.client.DangerousInternals().ParseGroupNode(node)
	if err != nil {
		w.t.Fatalf("whatsmeow cannot parse %s: %v", node, err)
	}
	return info
}

// query is what GetGroupInfo returns to the person.
func (w *town) query(actor group.Person, g types.JID) *types.GroupInfo {
	w.t.Helper()
	reply, events := w.must(actor, g, "get", stanza.Node{Tag: "query", Attrs: stanza.Attrs{"request": "interactive"}})
	events.want(w.t)
	return w.info(stanza.Child(reply, "group"))
}

// nodes lists people, by LID and by phone in turns, since both are accepted.
func (w *town) nodes(tag string, people ...group.Person) []stanza.Node {
	nodes := make([]stanza.Node, len(people))
	for i, p := range people {
		attrs := stanza.Attrs{"jid": p.PN}
		if i%2 == 0 {
			attrs = stanza.Attrs{"jid": p.LID, "phone_number": p.PN}
		}
		nodes[i] = stanza.Node{Tag: tag, Attrs: attrs}
	}
	return nodes
}

func (w *town) change(tag string, people ...group.Person) stanza.Node {
	return stanza.Node{Tag: tag, Content: w.nodes("participant", people...)}
}

// codes are the error attributes of the participants in a reply, in order.
func codes(t testing.TB, reply *stanza.Node, path ...string) string {
	t.Helper()
	node := stanza.Path(reply, path...)
	if node == nil {
		t.Fatalf("no %v in %s", path, reply)
	}
	var list []string
	for _, p := range stanza.Children(node) {
		code := stanza.Text(&p, "error")
		if code == "" {
			code = "200"
		}
		list = append(list, code)
	}
	return strings.Join(list, " ")
}

func jids(people ...group.Person) []types.JID {
	list := make([]types.JID, len(people))
	for i, p := range people {
		list[i] = p.LID
	}
	return list
}

func members(g *group.Group) []types.JID {
	var list []types.JID
	for _, m := range g.Members() {
		list = append(list, m.LID)
	}
	return list
}

func textNode(tag, text string) stanza.Node { return stanza.Node{Tag: tag, Content: []byte(text)} }

// same fails when two lists of JIDs differ.
func same(t testing.TB, what string, got, want []types.JID) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
