package groups_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/groups"
	apifault "muster/internal/fault"
	"muster/sandbox/fault"
)

// read reads a group in each of the ways that the mirror answers.
func (r *rig) read(jid types.JID) []error {
	_, err1 := r.service.Get(r.t.Context(), groups.GetRequest{Target: r.target(jid)})
	_, err2 := r.service.Get(r.t.Context(), groups.GetRequest{Target: r.target(jid), Members: true})
	_, err3 := r.service.History(r.t.Context(), groups.HistoryRequest{Target: r.target(jid)})
	_, err4 := r.service.Participants(r.t.Context(), groups.ParticipantsRequest{Target: r.target(jid)})
	return []error{err1, err2, err3, err4}
}

// A group that no event has told of is there for whoever reads it, and stays.
func TestUnknownGroupIsFound(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		r.trouble(fault.Script{DropReply: true}, 0, 0)
		jid := r.group(ann, "lid", me, bob)
		r.wa.ClearFaults()
		before := r.asked(queryOne)
		var reading sync.WaitGroup
		for range 8 {
			reading.Go(func() {
				for _, err := range r.read(jid) {
					if err != nil {
						r.t.Error(err)
					}
				}
			})
		}
		reading.Wait()
		if n := r.asked(queryOne) - before; n != 1 {
			r.t.Errorf("WhatsApp was asked %d times", n)
		}
		if difference := r.differs(jid); difference != "" {
			r.t.Error(difference)
		}
		if told := tell(r.history(jid, 0)); !strings.HasPrefix(told, "joined/reconcile") {
			r.t.Errorf("the history says %s", told)
		}
		list, err := r.service.List(r.t.Context(), groups.ListRequest{SessionID: mine})
		r.must(err)
		if list.Total != 1 {
			r.t.Errorf("the list has %d groups", list.Total)
		}
	})
}

// Reading a group in a loop that the account is not in asks WhatsApp once, and
// once more a while later; the refusal says why.
func TestUnknownGroupIsAskedForOnce(t *testing.T) {
	t.Parallel()
	var c clock
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		others, none := r.group(ann, "lid", bob), types.NewJID("120363999999999999", types.GroupServer)
		loop := func() {
			for range 25 {
				for jid, why := range map[types.JID]string{others: "account is not in", none: "knows no such"} {
					for _, err := range r.read(jid) {
						if !apifault.Is(err, apifault.GroupNotFound) || !strings.Contains(err.Error(), why) {
							r.t.Errorf("reading %s: %v", jid, err)
						}
					}
				}
			}
		}
		before := r.asked(queryOne)
		loop()
		if n := r.asked(queryOne) - before; n != 2 {
			r.t.Errorf("two groups were asked about %d times", n)
		}
		c.forward(time.Minute)
		loop()
		if n := r.asked(queryOne) - before; n != 4 {
			r.t.Errorf("a minute later, they were asked about %d times in all", n)
		}
		// What comes in meanwhile is there at once.
		r.act(ann, others, "add", me)
		r.eventually("the group", func() bool { return r.get(others) != nil })
	}, func(o *groups.MirrorOptions) { o.Now = c.now })
}

// A session that is not connected says that nobody can be asked, and still reads
// what it knows.
func TestUnknownGroupWithoutConnection(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		known := r.group(ann, "lid", me)
		r.link(mine, me)
		_, err := r.manager.Disconnect(r.t.Context(), mine)
		r.must(err)
		before := r.asked(queryOne)
		for _, err = range r.read(types.NewJID("120363999999999999", types.GroupServer)) {
			if !apifault.Is(err, apifault.GroupNotFound) || !strings.Contains(err.Error(), "not connected") {
				r.t.Error(err)
			}
		}
		for _, err = range r.read(known) {
			r.must(err)
		}
		if n := r.asked(queryOne) - before; n != 0 {
			r.t.Errorf("WhatsApp was asked %d times", n)
		}
	})
}
