package truth_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// The people of the operations.
const (
	me      = "628111000000" // whose session acts
	bob     = "628111000002" // an admin in every group, whose session watches
	ann     = "628111000001" // a member of every group, and the owner of those that are not ours
	cid     = "628111000003" // a member of every group
	dee     = "628111000004" // in no group, and has an unmodified client
	eve     = "628111000005" // in no group
	private = "628111000006" // lets nobody add them, and has a session
	nobody  = "628199999999" // not on WhatsApp
)

// standing is what the session's account is in a group.
type standing string

const (
	owner    standing = "superadmin"
	admin    standing = "admin"
	ordinary standing = "member"
	outsider standing = "" // not in it
)

// stage is the world in which the operations are performed.
type stage struct {
	*rig
	acting, watching, guest session
	stranger                *sandboxtest.Client // dee's
}

func newStage(t *testing.T) stage {
	r := newRig(t)
	for _, number := range []string{me, ann, bob, cid, dee, eve} {
		r.phone(number, sandbox.PhoneOptions{Name: "N" + number[9:]})
	}
	r.phone(private, sandbox.PhoneOptions{GroupAdd: "none"})
	return stage{r, r.link("acting", me), r.link("watching", bob), r.link("guest", private), sandboxtest.Link(t, r.wa, dee)}
}

// scene is one group, made for one operation.
type scene struct {
	session         // that acts
	watching, guest session
	stranger        *sandboxtest.Client
	mode            string // how members are addressed
	jid             types.JID
	link            string      // to join by
	others          []types.JID // groups that the operation concerns too
}

// play makes a group in which the acting account is what is asked for.
func (w stage) play(t *testing.T, mode string, as standing, settings sandbox.Settings) *scene {
	t.Helper()
	s := &scene{session: w.acting.with(t), watching: w.watching.with(t), guest: w.guest.with(t), stranger: w.stranger, mode: mode}
	from := ann
	if as == owner {
		from = me
	}
	people := slices.DeleteFunc([]string{me, ann, bob, cid}, func(number string) bool {
		return number == from || number == me && as == outsider
	})
	var err error
	s.jid, s.link, _, err = s.wa.CreateGroup(from, sandbox.GroupOptions{
		Name: "Before", Description: "As it was", Participants: people, AddressingMode: mode, Settings: settings,
	})
	s.must(err)
	s.act(from, service.ActPromote, bob)
	if as == admin {
		s.act(from, service.ActPromote, me)
	}
	s.rest()
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// act lets a phone change people of the group.
func (s *scene) act(number string, act service.PeopleAct, people ...string) {
	s.t.Helper()
	results, err := s.wa.ChangePeople(number, s.jid, act, people)
	s.must(err)
	for _, r := range results {
		if r.Code != 0 {
			s.t.Fatalf("%s %s: %d", act, r.JID, r.Code)
		}
	}
}

// join lets a phone use the group's link.
func (s *scene) join(number string) {
	s.t.Helper()
	_, _, err := s.wa.Join(number, s.link)
	s.must(err)
}

// here calls something about the scene's group.
func (s *scene) here(method, rest string, body any) answer {
	s.t.Helper()
	return s.group(method, s.jid, rest, body)
}

// name is a person under a name that is not the group's own way of addressing.
func (s *scene) name(number string) string {
	s.t.Helper()
	info, err := s.wa.Phone(number)
	s.must(err)
	if s.mode == "pn" {
		return info.LID
	}
	return info.JID
}

// people is a body that names them.
func (s *scene) people(numbers ...string) object {
	s.t.Helper()
	names := make([]string, len(numbers))
	for i, number := range numbers {
		if names[i] = "+" + number; number != nobody {
			names[i] = s.name(number)
		}
	}
	return object{"participants": names}
}

// rest waits until nothing more is about to change.
func (s *scene) rest() {
	s.t.Helper()
	s.quiet(s.session, s.watching, s.guest)
}

// agree compares what all sessions know of the scene's groups with the truth.
func (s *scene) agree() {
	s.t.Helper()
	for _, jid := range append([]types.JID{s.jid}, s.others...) {
		s.agrees(jid)
		s.watching.agrees(jid)
		s.guest.agrees(jid)
	}
}

// clear lets everybody leave, so that lists stay short.
func (s *scene) clear() {
	s.t.Helper()
	for _, jid := range append(s.others, s.jid) {
		truth, err := s.wa.GroupTruth(jid)
		if errors.Is(err, service.ErrUnknownGroup) {
			continue
		}
		s.must(err)
		for _, p := range truth.Participants {
			if err = s.wa.LeaveGroup(p.JID.User, jid); err != nil {
				s.t.Logf("%s does not leave %s: %v", p.JID, jid, err) // it has left the community
			}
		}
	}
}

// entry is one change in a group's history.
type entry struct {
	Seq    int64
	Kind   string
	Source string
	At     int64
	Actor  struct {
		JID string
		LID string
	}
}

// history is the changes of a group after one of them.
func (s session) history(jid types.JID, after int64) (list []entry) {
	s.t.Helper()
	var page struct{ Changes []entry }
	a := s.group(http.MethodGet, jid, fmt.Sprintf("/changes?after=%d", after), nil)
	if a.status == http.StatusNotFound {
		return nil // nothing is known of it
	}
	decode(a.ok(), &page)
	return page.Changes
}

// latest is the number of the newest change of a group.
func (s session) latest(jid types.JID) (seq int64) {
	s.t.Helper()
	for _, e := range s.history(jid, 0) {
		seq = e.Seq
	}
	return seq
}

// nothing is what a session tells that has heard of none of it.
const nothing = "nothing"

// told compares the changes that the history has after one of them, in any
// order: some values of an event have to be asked for and come later. One of
// several kinds, where it depends on who was faster, is "one|other".
func (s session) told(jid types.JID, after int64, want string) {
	s.t.Helper()
	var kinds []string
	for _, e := range s.history(jid, after) {
		kinds = append(kinds, e.Kind)
		if age := time.Since(time.Unix(e.At, 0)); age < -time.Minute || age > time.Hour {
			s.t.Errorf("%s: the change %s is dated %v ago", s.id, e.Kind, age)
		}
	}
	wanted := strings.Fields(want)
	if want == nothing {
		wanted = nil
	}
	slices.Sort(kinds)
	slices.Sort(wanted)
	if !slices.EqualFunc(kinds, wanted, func(kind, want string) bool { return slices.Contains(strings.Split(want, "|"), kind) }) {
		s.t.Errorf("%s: the history tells %v, not %v", s.id, kinds, wanted)
	}
}
