package groups_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/groups"
	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
	"muster/session"
)

// A linked account's groups are there at once and complete, and reading them
// asks WhatsApp nothing.
func TestSeedAndReads(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		lid, pn := r.group(ann, "lid", me, bob), r.group(me, "pn", ann)
		r.group(ann, "lid", bob)
		r.link(mine, me)
		list, err := r.service.List(r.t.Context(), groups.ListRequest{SessionID: mine})
		r.must(err)
		if list.Total != 2 || !list.Complete || list.Stale || list.SyncedAt.IsZero() || len(list.Groups) != 2 {
			r.t.Errorf("the list: %+v", list)
		}
		for _, jid := range []types.JID{lid, pn} {
			if difference := r.differs(jid); difference != "" {
				r.t.Error(difference)
			}
			if n := len(r.history(jid, 0)); n != 0 {
				r.t.Errorf("what was there at the beginning is in the history: %d entries", n)
			}
		}
		ones, alls := r.asked(queryOne), r.asked(queryAll)
		for range 100 {
			r.get(lid)
			_, err = r.service.List(r.t.Context(), groups.ListRequest{SessionID: mine})
			r.must(err)
		}
		if r.asked(queryOne) != ones || r.asked(queryAll) != alls || alls != 1 {
			r.t.Errorf("reading has asked: %d and %d, before %d and %d", r.asked(queryOne), r.asked(queryAll), ones, alls)
		}
	})
}

func on[T any](v T) *T { return &v }

// Everything that others do appears in the mirror and, with its author, in the
// history.
func TestChangesByOthers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		for _, mode := range []string{"lid", "pn"} {
			jid := r.group(ann, mode, me, bob)
			r.agrees(jid)
			r.act(ann, jid, service.ActPromote, me)
			r.agrees(jid)
			for _, step := range stepsByOthers(r, jid) {
				after := r.lastSeq(jid)
				step.do()
				r.eventually(mode+" "+step.kind, func() bool { return strings.Contains(tell(r.history(jid, after)), step.kind) })
				r.agrees(jid)
				entries := r.history(jid, after)
				if len(entries) != 1 {
					r.t.Errorf("%s, %s: %d entries:\n%s", mode, step.kind, len(entries), tell(entries))
					continue
				}
				r.check(mode, step, entries[0])
			}
		}
		if n := r.repairs(); n != 0 {
			r.t.Errorf("%v repairs although every event came", n)
		}
	})
}

// step is one change by somebody else, and what the history says of it.
type step struct {
	kind          string
	actor         string // number
	before, after string // contained in the JSON
	do            func()
}

func (r *rig) check(mode string, s step, e groups.Entry) {
	r.t.Helper()
	lid := ""
	if s.actor != "" {
		info, err := r.wa.Phone(s.actor)
		r.must(err)
		lid = info.LID
	}
	if string(e.Kind) != s.kind || e.Source != groups.SourceEvent || e.Actor.PhoneNumber != s.actor || e.Actor.LID != lid ||
		!strings.Contains(string(e.Before), s.before) || !strings.Contains(string(e.After), s.after) || e.At.IsZero() {
		r.t.Errorf("%s, %s by %s %s, %s > %s:\n%s %s", mode, s.kind, s.actor, lid, s.before, s.after, tell([]groups.Entry{e}), e.Actor.LID)
	}
}

func stepsByOthers(r *rig, jid types.JID) []step {
	set := func(s sandbox.Settings) func() { return func() { r.must(r.wa.SetSettings(ann, jid, s)) } }
	people := func(by string, act service.PeopleAct, who string) func() { return func() { r.act(by, jid, act, who) } }
	join := func() {
		link, err := r.wa.InviteLink(ann, jid, false)
		r.must(err)
		_, _, err = r.wa.Join(cid, link)
		r.must(err)
	}
	ask := step{"join_requests_created", cid, "null", cid, join}
	return []step{
		{"subject", ann, `"Anglers"`, `"Fly anglers"`, func() { r.must(r.wa.SetSubject(ann, jid, "Fly anglers")) }},
		{"description", bob, `""`, `"Fish"`, func() { r.must(r.wa.SetDescription(bob, jid, "Fish")) }},
		{"description", ann, `"Fish"`, `""`, func() { r.must(r.wa.SetDescription(ann, jid, "")) }},
		{"announce", ann, "false", "true", set(sandbox.Settings{Announce: on(true)})},
		{"announce", ann, "true", "false", set(sandbox.Settings{Announce: on(false)})},
		{"locked", ann, "false", "true", set(sandbox.Settings{Locked: on(true)})},
		{"disappearing_seconds", ann, "0", "86400", set(sandbox.Settings{Ephemeral: on(uint32(86400))})},
		{"disappearing_seconds", ann, "86400", "0", set(sandbox.Settings{Ephemeral: on(uint32(0))})},
		{"member_add_mode", ann, `"all_member_add"`, `"admin_add"`, set(sandbox.Settings{MemberAddMode: on("admin_add")})},
		{"member_link_mode", ann, `"admin_link"`, `"all_member_link"`, set(sandbox.Settings{MemberLinkMode: on("all_member_link")})},
		{"suspended", "", "false", "true", set(sandbox.Settings{Suspended: on(true)})},
		{"suspended", "", "true", "false", set(sandbox.Settings{Suspended: on(false)})},
		{"participants_joined", cid, "null", cid, join},
		{"participants_promoted", ann, `"member"`, `"admin"`, people(ann, service.ActPromote, cid)},
		{"participants_demoted", ann, `"admin"`, `"member"`, people(ann, service.ActDemote, cid)},
		{"participants_left", cid, cid, "null", func() { r.must(r.wa.LeaveGroup(cid, jid)) }},
		{"membership_approval_mode", ann, `"off"`, `"on"`, set(sandbox.Settings{ApprovalMode: on("on")})},
		ask,
		{"join_requests_rejected", ann, cid, "null", people(ann, service.ActReject, cid)},
		ask,
		{"join_requests_approved", ann, "null", cid, people(ann, service.ActApprove, cid)},
		{"participants_removed", ann, cid, "null", people(ann, service.ActRemove, cid)},
		{"membership_approval_mode", ann, `"on"`, `"off"`, set(sandbox.Settings{ApprovalMode: on("off")})},
		{"participants_added", ann, "null", cid, people(ann, service.ActAdd, cid)},
		{"invite_link_reset", ann, "null", "https://", func() {
			_, err := r.wa.InviteLink(ann, jid, true)
			r.must(err)
		}},
	}
}

// Pictures and communities are changed by another client.
func TestPicturesAndCommunitiesByOthers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		other := sandboxtest.Link(r.t, r.wa, ann)
		jid := r.group(ann, "lid", me)
		r.agrees(jid)
		var picture bytes.Buffer
		r.must(jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 64, 64)), nil))
		after := r.lastSeq(jid)
		id, err := other.SetGroupPhoto(r.t.Context(), jid, picture.Bytes())
		r.must(err)
		r.eventually("the picture", func() bool { g := r.get(jid); return g != nil && g.PhotoID == id })
		r.check("photo", step{"photo", ann, `""`, id, nil}, r.history(jid, after)[0])
	})
}

// What the session does itself is in the mirror when the operation returns, and
// its echo adds nothing.
func TestOwnEchoes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(me, "lid", ann)
		r.agrees(jid)
		after := r.lastSeq(jid)
		r.must(r.service.SetSubject(r.t.Context(), groups.SubjectRequest{Target: r.target(jid), Subject: "Ours"}))
		if g := r.get(jid); g == nil || g.Subject != "Ours" {
			r.t.Errorf("after the change the mirror has %+v", g)
		}
		_, err := r.service.Add(r.t.Context(), groups.AddRequest{MembershipRequest: groups.MembershipRequest{Target: r.target(jid), Participants: []string{bob}}})
		r.must(err)
		if difference := r.differs(jid); difference != "" {
			r.t.Error(difference)
		}
		// Something later by somebody else shows that the echoes have come.
		r.must(r.wa.SetSettings(me, jid, sandbox.Settings{Announce: on(true)}))
		r.eventually("the later change", func() bool { g := r.get(jid); return g != nil && g.Announce })
		entries := r.history(jid, after)
		if len(entries) != 3 {
			r.t.Fatalf("%d entries:\n%s", len(entries), tell(entries))
		}
		for i, kind := range []groups.ChangeKind{groups.ChangeSubject, groups.ChangeAdded, groups.ChangeAnnounce} {
			if entries[i].Kind != kind || entries[i].Actor.PhoneNumber != me {
				r.t.Errorf("entry %d: %s", i, tell(entries[i:i+1]))
			}
		}
	})
}

// The account's own comings and goings: the group disappears, the history
// stays.
func TestLeavingAndReturning(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(ann, "lid", me, bob)
		r.agrees(jid)
		gone := func() bool { return r.get(jid) == nil }
		r.act(ann, jid, service.ActRemove, me)
		r.eventually("being removed", gone)
		r.act(ann, jid, service.ActAdd, me)
		r.agrees(jid)
		r.must(r.service.Leave(r.t.Context(), groups.LeaveRequest{Target: r.target(jid)}))
		if !gone() {
			r.t.Error("the group is still there after leaving it")
		}
		link, err := r.wa.InviteLink(ann, jid, false)
		r.must(err)
		_, _, err = r.wa.Join(me, link)
		r.must(err)
		r.agrees(jid)
		var kinds []string
		for _, e := range r.history(jid, 0) {
			kinds = append(kinds, string(e.Kind)+" "+e.Actor.PhoneNumber)
		}
		want := "created " + ann + ", removed " + ann + ", joined " + ann + ", left " + me + ", joined " + me
		if got := strings.Join(kinds, ", "); got != want {
			r.t.Errorf("the history: %s\nwant %s", got, want)
		}
	})
}

// What happens while the session is away arrives as events when it comes back;
// what does not arrive is found and repaired.
func TestGaps(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		kept, lost := r.group(ann, "lid", me), r.group(ann, "lid", me)
		doomed := r.group(ann, "lid", me)
		for _, jid := range []types.JID{kept, lost, doomed} {
			r.agrees(jid)
		}
		_, err := r.manager.Disconnect(r.t.Context(), mine)
		r.must(err)
		if g := r.get(kept); g == nil || !g.Stale {
			r.t.Errorf("a disconnected session's group is not stale: %+v", g)
		}
		r.must(r.wa.SetSubject(ann, kept, "Delivered later"))
		_, err = r.manager.Connect(r.t.Context(), mine)
		r.must(err)
		r.settled(mine)
		r.agrees(kept)
		if n := r.repairs(); n != 0 {
			r.t.Errorf("%v repairs, although the backlog was delivered", n)
		}
		r.trouble(fault.Script{DropReply: true}, 0, 0)
		r.must(r.wa.SetSubject(ann, lost, "Never delivered"))
		r.act(ann, lost, service.ActAdd, bob)
		r.act(ann, doomed, service.ActRemove, me)
		unheard := r.group(ann, "lid", me)
		r.wa.ClearFaults()
		_, err = r.manager.Reconnect(r.t.Context(), mine)
		r.must(err)
		r.agrees(lost)
		r.agrees(unheard)
		r.eventually("the lost group to go", func() bool { return r.get(doomed) == nil })
		r.eventually("four repairs", func() bool { return r.repairs() == 4 })
		for _, e := range r.history(lost, 0)[1:] {
			if e.Source != groups.SourceReconcile || e.Actor != (groups.Identity{}) {
				r.t.Errorf("a repair in the history: %s", tell([]groups.Entry{e}))
			}
		}
	})
}

// Missed, repeated and swapped notifications: the mirror ends like the truth.
func TestBadDelivery(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]fault.Script{
		"duplicate": {Duplicate: true}, "reorder": {Reorder: true}, "late": {DelayMS: 20},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(r *rig) {
				r.link(mine, me)
				jid := r.group(ann, "lid", me, bob)
				r.agrees(jid)
				r.trouble(effect, 0, 0.5)
				for i := range 12 {
					r.must(r.wa.SetSubject(ann, jid, strings.Repeat("x", i+1)))
					act := service.ActAdd
					if i%2 == 1 {
						act = service.ActRemove
					}
					r.act(ann, jid, act, cid)
					r.must(r.wa.SetSettings(ann, jid, sandbox.Settings{Announce: on(i%2 == 0), ApprovalMode: on([]string{"on", "off"}[i%2])}))
				}
				r.wa.ClearFaults()
				r.must(r.wa.SetSettings(ann, jid, sandbox.Settings{Locked: on(true)})) // drives out what was held back
				r.agrees(jid)
			})
		})
	}
}

// Those who refresh the same at the same time share one query.
func TestRefreshesAreShared(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		jid := r.group(ann, "lid", me) // before there is anybody to be told of it, and to ask
		r.link(mine, me)
		r.agrees(jid)
		r.eventually("no doubt", func() bool { g := r.get(jid); return g != nil && !g.Stale })
		for _, child := range []string{"query", "participating"} {
			_, err := r.wa.Faults().Add(fault.Fault{Match: fault.Match{XMLNS: "w:g2", Child: child}, Effect: fault.Script{DelayMS: 3000}})
			r.must(err)
		}
		ones, alls := r.asked(queryOne), r.asked(queryAll)
		var waiting sync.WaitGroup
		for range 20 {
			waiting.Go(func() {
				if _, err := r.service.Get(r.t.Context(), groups.GetRequest{Target: r.target(jid), Refresh: true}); err != nil {
					r.t.Error(err)
				}
			})
			waiting.Go(func() {
				if _, err := r.service.List(r.t.Context(), groups.ListRequest{SessionID: mine, Refresh: true}); err != nil {
					r.t.Error(err)
				}
			})
		}
		waiting.Wait()
		if r.asked(queryOne) != ones+1 || r.asked(queryAll) != alls+1 {
			r.t.Errorf("40 refreshes made %d and %d queries", r.asked(queryOne)-ones, r.asked(queryAll)-alls)
		}
	})
}

// Two sessions in one group have a mirror each; a session that is linked to
// another account keeps nothing of the first.
func TestMirrorsAreSeparate(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		jid := r.group(ann, "lid", me, bob)
		r.link(mine, me)
		r.link("other", bob)
		r.must(r.wa.SetSubject(ann, jid, "Both"))
		r.eventually("both mirrors", func() bool {
			g, err := r.service.Get(r.t.Context(), groups.GetRequest{Target: groups.Target{SessionID: "other", GroupJID: jid.String()}})
			return err == nil && g.Subject == "Both" && r.differs(jid) == ""
		})
		r.act(ann, jid, service.ActRemove, me)
		r.eventually("the end of one", func() bool { return r.get(jid) == nil })
		if _, err := r.service.Get(r.t.Context(), groups.GetRequest{Target: groups.Target{SessionID: "other", GroupJID: jid.String()}}); err != nil {
			r.t.Error(err)
		}
		_, err := r.manager.Logout(r.t.Context(), "other", false)
		r.must(err)
		if _, err := r.service.Get(r.t.Context(), groups.GetRequest{Target: groups.Target{SessionID: "other", GroupJID: jid.String()}}); err != nil {
			r.t.Errorf("after a logout the mirror stays: %v", err)
		}
		r.scan("other", cid)
		list, err := r.service.List(r.t.Context(), groups.ListRequest{SessionID: "other"})
		r.must(err)
		if list.Total != 0 {
			r.t.Errorf("another account sees %d groups of the one before", list.Total)
		}
	})
}

// An event of a group that the mirror has never heard of makes it known.
func TestUnknownGroups(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		r.trouble(fault.Script{DropReply: true}, 1, 0)
		jid := r.group(ann, "lid", me)
		r.must(r.wa.SetSubject(ann, jid, "Heard of"))
		r.agrees(jid)
		if n := r.asked(queryAll); n != 1 {
			r.t.Errorf("%d lists were asked for", n)
		}
	})
}

// What nobody noticed is found on schedule.
func TestSchedule(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(ann, "lid", me)
		r.agrees(jid)
		r.trouble(fault.Script{DropReply: true}, 1, 0)
		r.must(r.wa.SetSubject(ann, jid, "Unheard"))
		r.agrees(jid)
		r.eventually("the repair to be counted", func() bool { return r.repairs() == 1 })
	}, func(o *groups.MirrorOptions) { o.ReconcileEvery = 100 * time.Millisecond })
}

// A list that was cut short takes nothing away; one that cannot be had is asked
// for again, and until then the mirror says that it is not complete.
func TestDoubtfulLists(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		jid := r.group(ann, "lid", me)
		_, err := r.wa.Faults().Add(fault.Fault{
			Match: fault.Match{XMLNS: "w:g2", Child: "participating"}, Effect: fault.Script{Error: 500}, Count: 1,
		})
		r.must(err)
		_, err = r.manager.Create(r.t.Context(), session.CreateRequest{ID: mine})
		r.must(err)
		r.pair(mine, me)
		list, err := r.service.List(r.t.Context(), groups.ListRequest{SessionID: mine})
		r.must(err)
		if list.Complete || !list.Stale {
			r.t.Errorf("a list that could not be had is called complete: %+v", list)
		}
		r.settled(mine)
		r.agrees(jid)
		r.must(groups.Seed(r.t.Context(), r.mirror, mine, nil))
		if r.get(jid) == nil {
			r.t.Error("a group is gone that a list did not have")
		}
	})
}

// In a group that hides the numbers, a message tells its sender's.
func TestPhonesAreLearnt(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(ann, "lid", me)
		r.agrees(jid)
		stranger := groups.Identity{JID: "77@lid", LID: "77@lid"}
		_, err := r.db.Exec(r.t.Context(), "INSERT INTO mirror_participants (session_id, group_jid, position, lid, role) VALUES ($1, $2, 99, $3, 'member')",
			mine, jid.String(), stranger.LID)
		r.must(err)
		message := &events.Message{}
		message.Info.IsGroup, message.Info.Chat = true, jid
		message.Info.Sender, message.Info.SenderAlt = types.NewJID("77", types.HiddenUserServer), types.NewJID("62877", types.DefaultUserServer)
		r.must(r.mirror.Apply(r.t.Context(), mine, message))
		g := r.get(jid)
		if last := g.Participants[len(g.Participants)-1]; last.PhoneNumber != "62877" || last.JID != "62877@s.whatsapp.net" || last.LID != stranger.LID {
			r.t.Errorf("the stranger is %+v", last)
		}
	})
}
