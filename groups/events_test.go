package groups_test

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/groups"
	"muster/internal/event"
	"muster/internal/fault"
	"muster/sandbox"
	sandboxfault "muster/sandbox/fault"
	"muster/sandbox/service"
)

// Whatever others do is one event of its type, with who did it and to whom.
func TestEventsOfOthers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		r.name(cid, "Cid")
		jid := r.group(ann, "lid", me, bob)
		r.agrees(jid)
		r.act(ann, jid, service.ActPromote, me)
		r.agrees(jid)
		after, wants, total := r.newest(), expectations(), 0
		for _, step := range stepsByOthers(r, jid) {
			here := r.newest()
			step.do()
			want := wants[step.kind]
			if len(want) == 0 {
				r.t.Fatalf("nothing is expected of %s", step.kind)
			}
			for i, e := range r.hears(step.kind, here, len(want)) {
				if i >= len(want) {
					r.t.Errorf("%s: beyond what is expected %v", step.kind, e)
					continue
				}
				about := want[i][1] + " source=whatsapp"
				if step.actor != "" {
					about += " actor.phone_number=" + step.actor
				}
				r.says(step.kind, e, event.Type(want[i][0]), about)
				if e.RequestID != "" || e.Offline || e.at("subject") == "" || step.actor == "" && e.data["actor"] != nil {
					r.t.Errorf("%s: %v", step.kind, e)
				}
			}
			total += len(want)
			r.agrees(jid)
		}
		if all := r.heard(after); len(all) != total {
			r.t.Errorf("%d events, want %d:\n%v", len(all), total, all)
		}
	})
}

// The account's comings and goings, and the end of a group.
func TestEventsOfMembership(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		after := r.newest()
		jid := r.group(ann, "lid", me, bob)
		r.says("made", r.hears("the new group", after, 1)[0], event.GroupCreated,
			"subject=Anglers actor.phone_number="+ann+" participant_count=3 participants.0.phone_number="+ann+" participants.0.role=superadmin")
		r.agrees(jid)
		r.act(ann, jid, service.ActRemove, me)
		r.says("removed", r.hears("being removed", after, 2)[1], event.GroupLeft, "reason=removed subject=Anglers actor.phone_number="+ann)
		r.act(ann, jid, service.ActAdd, me)
		r.says("added", r.hears("being added", after, 3)[2], event.GroupJoined, "participant_count=3 actor.phone_number="+ann)
		r.agrees(jid)
		r.must(r.wa.LeaveGroup(me, jid)) // by the phone
		r.says("left", r.hears("leaving", after, 4)[3], event.GroupLeft, "reason=left source=whatsapp actor.phone_number="+me)
		if all := r.heard(after); len(all) != 4 {
			r.t.Errorf("%d events: %v", len(all), all)
		}
	})
}

// Each change of ours is one event with the request's id, and its echo none.
func TestEventsOfOurs(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		r.name(cid, "Cid")
		after := r.newest()
		var jid types.JID
		r.do("create", func(ctx context.Context) error {
			made, err := r.service.Create(ctx, groups.CreateRequest{SessionID: mine, Name: "Anglers", Participants: []string{ann, bob}})
			if err == nil {
				jid, err = types.ParseJID(made.GroupJID)
			}
			return err
		})
		r.agrees(jid)
		steps := oursOf(r, jid)
		for _, step := range steps {
			r.do(step.request, step.do)
			if step.before != nil {
				step.before()
			}
		}
		// Something later by somebody else shows that the echoes have come.
		other := r.group(ann, "lid", me)
		r.eventually("the last event", func() bool {
			all := r.heard(after)
			return len(all) > 0 && all[len(all)-1].Group == other.String()
		})
		var got, want []string
		for _, e := range r.heard(after) {
			if e.RequestID == "" {
				continue
			}
			got = append(got, e.RequestID+" "+string(e.Type))
			if e.at("source") != "api" || e.at("actor.phone_number") != me {
				r.t.Errorf("%v", e)
			}
		}
		want = append(want, "create group.created")
		for _, step := range steps {
			for _, kind := range step.kinds {
				want = append(want, step.request+" "+kind)
			}
		}
		if !slices.Equal(got, want) {
			r.t.Errorf("the events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, e := range r.heard(after) {
			if e.RequestID == "" && e.Group == jid.String() && e.Type != event.GroupJoinRequest {
				r.t.Errorf("without a request: %v", e)
			}
		}
	})
}

// ourStep is one operation; before prepares the one after it.
type ourStep struct {
	request string
	kinds   []string
	do      func(ctx context.Context) error
	before  func()
}

func oursOf(r *rig, jid types.JID) []ourStep {
	target := r.target(jid)
	people := func(op func(context.Context, groups.MembershipRequest) error) func(context.Context) error {
		return func(ctx context.Context) error {
			return op(ctx, groups.MembershipRequest{Target: target, Participants: []string{cid}})
		}
	}
	settings := func(c groups.SettingsChange) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := r.service.SetSettings(ctx, groups.SettingsRequest{Target: target, Settings: c})
			return err
		}
	}
	var picture bytes.Buffer
	r.must(jpeg.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 64, 64)), nil))
	ask := func() {
		link, err := r.wa.InviteLink(me, jid, false)
		r.must(err)
		after := r.newest()
		_, _, err = r.wa.Join(cid, link)
		r.must(err)
		r.hears("the request to join", after, 1)
	}
	return []ourStep{
		{"subject", []string{"group.subject"}, func(ctx context.Context) error {
			return r.service.SetSubject(ctx, groups.SubjectRequest{Target: target, Subject: "Ours"})
		}, nil},
		{"description", []string{"group.description"}, func(ctx context.Context) error {
			text := "Fish"
			return r.service.SetDescription(ctx, groups.DescriptionRequest{Target: target, Description: &text})
		}, nil},
		{"photo", []string{"group.photo"}, func(ctx context.Context) error {
			_, err := r.service.SetPhoto(ctx, groups.SetPhotoRequest{Target: target, Image: picture.Bytes()})
			return err
		}, nil},
		{"no-photo", []string{"group.photo"}, func(ctx context.Context) error {
			return r.service.DeletePhoto(ctx, groups.DeletePhotoRequest{Target: target})
		}, nil},
		{"settings", []string{"group.settings", "group.settings", "group.settings", "group.settings", "group.settings"}, settings(groups.SettingsChange{
			Settings: groups.Settings{MembershipApproval: groups.ApprovalOn, MemberLink: groups.LinkByAll},
			Announce: on(true), Locked: on(true), DisappearingSeconds: on(uint32(86400)),
		}), ask},
		{"reject", []string{"group.join_request"}, people(func(ctx context.Context, req groups.MembershipRequest) error {
			_, err := r.service.Reject(ctx, req)
			return err
		}), ask},
		{"approve", []string{"group.join_request", "group.participants"}, people(func(ctx context.Context, req groups.MembershipRequest) error {
			_, err := r.service.Approve(ctx, req)
			return err
		}), nil},
		{"promote", []string{"group.participants"}, people(func(ctx context.Context, req groups.MembershipRequest) error {
			_, err := r.service.Promote(ctx, req)
			return err
		}), nil},
		{"demote", []string{"group.participants"}, people(func(ctx context.Context, req groups.MembershipRequest) error {
			_, err := r.service.Demote(ctx, req)
			return err
		}), nil},
		{"remove", []string{"group.participants"}, people(func(ctx context.Context, req groups.MembershipRequest) error {
			_, err := r.service.Remove(ctx, req)
			return err
		}), nil},
		{"add", []string{"group.participants"}, people(func(ctx context.Context, req groups.MembershipRequest) error {
			_, err := r.service.Add(ctx, groups.AddRequest{MembershipRequest: req})
			return err
		}), nil},
		{"link", []string{"group.invite_link"}, func(ctx context.Context) error {
			_, err := r.service.InviteLink(ctx, groups.InviteLinkRequest{Target: target, Reset: true})
			return err
		}, nil},
		{"leave", []string{"group.left"}, func(ctx context.Context) error {
			return r.service.Leave(ctx, groups.LeaveRequest{Target: target})
		}, nil},
	}
}

// The end of a group by us: everybody is removed, and the group is deleted.
func TestEventsOfDeletion(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(me, "lid", ann, bob)
		r.agrees(jid)
		after := r.newest()
		r.do("delete", func(ctx context.Context) error {
			_, err := r.service.Delete(ctx, groups.DeleteRequest{Target: r.target(jid)})
			return err
		})
		other := r.group(ann, "lid", me)
		r.eventually("the last event", func() bool {
			all := r.heard(after)
			return len(all) > 0 && all[len(all)-1].Group == other.String()
		})
		all := r.heard(after)
		if len(all) != 3 {
			r.t.Fatalf("%d events: %v", len(all), all)
		}
		r.says("emptied", all[0], event.GroupParticipants, "action=removed participant_count=1 source=api")
		r.says("deleted", all[1], event.GroupDeleted, "source=api actor.phone_number="+me)
		if all[0].RequestID != "delete" || all[1].RequestID != "delete" {
			r.t.Errorf("the request is lost: %v", all)
		}
	})
}

// An echo that is faster than the answer, and one whose answer never comes, are
// the one event of the change, with the request's id.
func TestEventsOfFastEchoes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(me, "lid", ann)
		r.agrees(jid)
		lose := func(child string, effect sandboxfault.Script) {
			_, err := r.wa.Faults().Add(sandboxfault.Fault{Match: sandboxfault.Match{XMLNS: "w:g2", Child: child, Account: me}, Effect: effect, Count: 1})
			r.must(err)
		}
		after := r.newest()
		lose("subject", sandboxfault.Script{DropReply: true})
		ctx, giveUp := context.WithCancel(event.WithRequest(r.t.Context(), "unanswered"))
		defer giveUp()
		ended := make(chan error, 1)
		go func() {
			ended <- r.service.SetSubject(ctx, groups.SubjectRequest{Target: r.target(jid), Subject: "Fast"})
		}()
		e := r.hears("the echo", after, 1)[0]
		r.says("the echo", e, event.GroupSubject, "subject=Fast source=api actor.phone_number="+me)
		if e.RequestID != "unanswered" || e.Offline {
			r.t.Errorf("%v", e)
		}
		giveUp()
		if err := <-ended; !fault.Is(err, fault.OutcomeUnknown) {
			r.t.Errorf("the change without an answer: %v", err)
		}
		lose("locked", sandboxfault.Script{ApplyThenDisconnect: true})
		_, err := r.service.SetSettings(event.WithRequest(r.t.Context(), "cut"), groups.SettingsRequest{
			Target: r.target(jid), Settings: groups.SettingsChange{Locked: on(true)},
		})
		if !fault.Is(err, fault.OutcomeUnknown) {
			r.t.Errorf("the change whose connection was cut: %v", err)
		}
		e = r.hears("the late echo", after, 2)[1]
		r.says("the late echo", e, event.GroupSettings, "settings.locked=true source=api actor.phone_number="+me)
		if e.RequestID != "cut" || !e.Offline {
			r.t.Errorf("%v", e)
		}
		r.must(r.wa.SetSettings(me, jid, sandbox.Settings{Announce: on(true)})) // by the phone
		e = r.hears("a change by the phone", after, 3)[2]
		r.says("by the phone", e, event.GroupSettings, "settings.announce=true source=whatsapp actor.phone_number="+me)
		if e.RequestID != "" || e.Offline || len(r.heard(after)) != 3 {
			r.t.Errorf("%v", r.heard(after))
		}
	})
}

// What happened while the session was away is marked, and what is found by
// comparing says so.
func TestEventsAfterGaps(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid, lost := r.group(ann, "lid", me), r.group(ann, "lid", me)
		r.agrees(jid)
		r.agrees(lost)
		after := r.newest()
		_, err := r.manager.Disconnect(r.t.Context(), mine)
		r.must(err)
		r.must(r.wa.SetSubject(ann, jid, "Later"))
		_, err = r.manager.Connect(r.t.Context(), mine)
		r.must(err)
		e := r.hears("the backlog", after, 1)[0]
		r.says("the backlog", e, event.GroupSubject, "subject=Later source=whatsapp actor.phone_number="+ann)
		if !e.Offline {
			r.t.Errorf("it is not marked: %v", e)
		}
		r.settled(mine)
		r.trouble(sandboxfault.Script{DropReply: true}, 0, 0)
		r.must(r.wa.SetSubject(ann, lost, "Unheard"))
		r.wa.ClearFaults()
		_, err = r.service.Get(event.WithRequest(r.t.Context(), "a question"), groups.GetRequest{Target: r.target(lost), Refresh: true})
		r.must(err)
		e = r.hears("the repair", after, 2)[1]
		r.says("the repair", e, event.GroupSubject, "subject=Unheard source=reconcile")
		if e.RequestID != "" || e.Offline || e.data["actor"] != nil {
			r.t.Errorf("%v", e)
		}
	})
}

// Echoes that come when the same was changed once more tell nothing, and take
// nothing back.
func TestEventsOfLateEchoes(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(me, "lid", ann, bob)
		r.agrees(jid)
		after := r.newest()
		r.trouble(sandboxfault.Script{DelayMS: 300}, 0, 0)
		target := r.target(jid)
		people := groups.MembershipRequest{Target: target, Participants: []string{bob}}
		r.do("ours", func(ctx context.Context) error {
			for _, subject := range []string{"One", "Two", "Three"} {
				if err := r.service.SetSubject(ctx, groups.SubjectRequest{Target: target, Subject: subject}); err != nil {
					return err
				}
			}
			for _, op := range []func(context.Context, groups.MembershipRequest) (groups.Promotion, error){
				r.service.Promote, r.service.Demote, r.service.Promote,
			} {
				if _, err := op(ctx, people); err != nil {
					return err
				}
			}
			_, err := r.service.Remove(ctx, people)
			return err
		})
		r.wa.ClearFaults()
		r.must(r.wa.LeaveGroup(ann, jid)) // delivered after them
		r.eventually("the last event", func() bool {
			all := r.heard(after)
			return len(all) > 0 && all[len(all)-1].at("action") == "left"
		})
		var got []string
		for _, e := range r.heard(after) {
			got = append(got, e.RequestID+" "+e.at("action")+e.at("previous_subject")+">"+e.at("subject"))
		}
		want := []string{
			"ours Anglers>One", "ours One>Two", "ours Two>Three",
			"ours promoted>Three", "ours demoted>Three", "ours promoted>Three", "ours removed>Three", " left>Three",
		}
		if !slices.Equal(got, want) {
			r.t.Errorf("the events are\n%s", strings.Join(got, "\n"))
		}
		r.agrees(jid)
	})
}

// What the account's own phone changes right after us is told at once, and by
// whom.
func TestEventsOfThePhoneAfterOurs(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		jid := r.group(me, "lid", ann)
		r.agrees(jid)
		after := r.newest()
		r.do("ours", func(ctx context.Context) error {
			return r.service.SetSubject(ctx, groups.SubjectRequest{Target: r.target(jid), Subject: "Ours"})
		})
		r.must(r.wa.SetSubject(me, jid, "The phone's"))
		list := r.hears("both changes", after, 2)
		r.says("ours", list[0], event.GroupSubject, "subject=Ours source=api actor.phone_number="+me)
		r.says("the phone's", list[1], event.GroupSubject, "source=whatsapp previous_subject=Ours actor.phone_number="+me)
		if list[0].RequestID != "ours" || list[1].RequestID != "" || list[1].at("subject") != "The phone's" {
			r.t.Errorf("the events are %v", list)
		}
		r.agrees(jid)
	})
}
