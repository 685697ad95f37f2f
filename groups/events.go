package groups

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/types"

	"muster/internal/event"
)

// publish writes an effect to the log of events, in the transaction that changes
// the mirror. Its request is that of the operation that has made the change,
// also where the echo of it was faster.
func (w *writing) publish(ctx context.Context, g *mirrored, c Change, e effect) error {
	if w.events == nil {
		return nil
	}
	about := event.About{GroupJID: g.JID, Subject: g.Subject, Source: sourceOf(c)}
	if c.Actor != (Identity{}) {
		actor := personFor(personOf(c.Actor, ""))
		about.Actor = &actor
	}
	news := g.news(about, c, e)
	if err := w.name(ctx, news); err != nil {
		return err
	}
	if c.Source != SourceAPI { // a question that finds a change has not caused it
		ctx = event.WithRequest(ctx, c.request)
	}
	for _, n := range news {
		err := w.events.Append(ctx, event.Event{
			Type: n.kind, SessionID: w.session, Group: g.JID, At: c.At, Data: n.data(),
		})
		if err != nil {
			return fmt.Errorf("tell of a change of group %s: %w", g.JID, err)
		}
	}
	return nil
}

func sourceOf(c Change) string {
	switch {
	case c.Source == SourceAPI || c.echo:
		return "api"
	case c.Source == SourceReconcile:
		return "reconcile"
	}
	return "whatsapp"
}

// item is an event to be; data is made once the people in it have their names.
type item struct {
	kind   event.Type
	people []*event.Person
	data   func() any
}

// news makes an effect's events.
func (g *mirrored) news(about event.About, c Change, e effect) []item {
	one := func(kind event.Type, data any) []item {
		return []item{{kind, actorOf(about), func() any { return data }}}
	}
	switch e.kind {
	case ChangeCreated, ChangeJoined:
		return []item{g.arrival(about, c, e)}
	case ChangeLeft, ChangeRemoved, ChangeGone:
		return one(event.GroupLeft, event.Left{About: about, Reason: string(e.kind)})
	case ChangeDeleted:
		return one(event.GroupDeleted, event.Deleted{About: about})
	case ChangeSubject:
		about.Subject = textOf(e.after)
		return one(event.GroupSubject, event.Subject{About: about, PreviousSubject: textOf(e.before)})
	case ChangeDescription:
		return one(event.GroupDescription, event.Description{About: about, Topic: textOf(e.after), TopicID: c.TopicID, PreviousTopic: textOf(e.before)})
	case ChangePhoto:
		return one(event.GroupPhoto, event.Photo{About: about, PhotoID: textOf(e.after), PreviousPhotoID: textOf(e.before)})
	case ChangeInviteLink:
		return one(event.GroupInviteLink, event.InviteLink{About: about, InviteLink: textOf(e.after)})
	case ChangeSuspended:
		return one(event.GroupSuspended, event.Suspended{About: about, Suspended: e.after == true})
	case ChangeAdded, ChangeArrived, ChangeExpelled, ChangeDeparted, ChangePromoted, ChangeDemoted:
		return []item{g.membership(about, c, e)}
	case ChangeRequested, ChangeWithdrawn, ChangeRejected:
		return []item{g.request(about, c, e)}
	case ChangeApproved: // two things: a request has ended, and somebody is a member
		return []item{g.request(about, c, e), g.membership(about, c, e)}
	}
	return one(event.GroupSettings, event.Settings{
		About: about, Settings: setting(g, e.kind, e.after, e.before), Previous: setting(g, e.kind, e.before, e.after),
	})
}

func actorOf(about event.About) []*event.Person {
	if about.Actor == nil {
		return nil
	}
	return []*event.Person{about.Actor}
}

// arrival is a group that is new to the account, with its members.
func (g *mirrored) arrival(about event.About, c Change, e effect) item {
	members := make([]event.Member, len(g.members))
	people := actorOf(about)
	for i, m := range g.members {
		members[i] = memberFor(personOf(m.Identity, m.Role))
		people = append(people, &members[i].Person)
	}
	count := g.ParticipantCount
	if e.kind == ChangeJoined {
		return item{event.GroupJoined, people, func() any {
			return event.Joined{About: about, Reason: c.Reason, ParticipantCount: count, Participants: members}
		}}
	}
	return item{event.GroupCreated, people, func() any {
		return event.Created{About: about, ParticipantCount: count, Participants: members}
	}}
}

// membership is what has happened to members.
func (g *mirrored) membership(about event.About, c Change, e effect) item {
	actions := map[ChangeKind]string{
		ChangeAdded: "added", ChangeArrived: "joined", ChangeApproved: "joined", ChangeExpelled: "removed",
		ChangeDeparted: "left", ChangePromoted: "promoted", ChangeDemoted: "demoted",
	}
	reason := c.Reason
	if e.kind == ChangeApproved {
		reason = "request_approved"
	}
	before := viewsOf(e.before)
	views := viewsOf(e.after)
	ranked := len(before) == len(views) && len(before) > 0
	if len(views) == 0 {
		views = before
	}
	members, people := make([]event.Member, len(views)), actorOf(about)
	for i, view := range views {
		members[i] = memberFor(view)
		if ranked {
			members[i].PreviousRole = string(before[i].Role)
		}
		people = append(people, &members[i].Person)
	}
	count := g.ParticipantCount
	return item{event.GroupParticipants, people, func() any {
		return event.Participants{About: about, Action: actions[e.kind], Reason: reason, Participants: members, ParticipantCount: count}
	}}
}

// request is what has become of requests to join.
func (g *mirrored) request(about event.About, c Change, e effect) item {
	actions := map[ChangeKind]string{
		ChangeRequested: "created", ChangeWithdrawn: "revoked", ChangeApproved: "approved", ChangeRejected: "rejected",
	}
	views := viewsOf(e.after)
	if len(views) == 0 {
		views = viewsOf(e.before)
	}
	asking, people := make([]event.Person, len(views)), actorOf(about)
	for i, view := range views {
		asking[i] = personFor(view)
		people = append(people, &asking[i])
	}
	method := ""
	if e.kind == ChangeRequested {
		method = c.Text
	}
	return item{event.GroupJoinRequest, people, func() any {
		return event.JoinRequest{About: about, Action: actions[e.kind], Method: method, Participants: asking}
	}}
}

func viewsOf(value any) []personView {
	views, _ := value.([]personView)
	return views
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

func personFor(view personView) event.Person {
	return event.Person{JID: view.JID, PhoneNumber: view.PhoneNumber, LID: view.LID}
}

func memberFor(view personView) event.Member {
	return event.Member{Person: personFor(view), Role: string(view.Role)}
}

// setting makes the value of a kind of change that is about a setting; other is
// the value on the other side of the change.
func setting(g *mirrored, kind ChangeKind, value, other any) (s event.GroupSetting) {
	text, _ := value.(string)
	on, _ := value.(bool)
	switch kind {
	case ChangeApproval:
		s.MembershipApproval = &text
	case ChangeMemberAdd:
		s.MemberAdd = &text
	case ChangeMemberLink:
		s.MemberLink = &text
	case ChangeAnnounce:
		s.Announce = &on
	case ChangeLocked:
		s.Locked = &on
	case ChangeDisappearing:
		seconds, _ := value.(uint32)
		s.Disappearing = &seconds
	case ChangeLinked, ChangeUnlinked:
		switch {
		case !g.Community.IsCommunity:
			s.Community = &text
		case text == "":
		case kind == ChangeLinked:
			s.LinkedGroup = &text
		default:
			s.UnlinkedGroup = &text
		}
	case ChangeDetails:
		return detailSetting(value, other)
	}
	return s
}

// detailSetting has of the details those that differ.
func detailSetting(value, other any) (s event.GroupSetting) {
	d, _ := value.(details)
	o, _ := other.(details)
	if d.Owner != o.Owner {
		s.Owner = &d.Owner
	}
	if d.AddressingMode != o.AddressingMode {
		s.AddressingMode = &d.AddressingMode
	}
	if d.Incognito != o.Incognito {
		s.Incognito = &d.Incognito
	}
	if d.IsCommunity != o.IsCommunity {
		s.IsCommunity = &d.IsCommunity
	}
	if d.IsAnnouncementGroup != o.IsAnnouncementGroup {
		s.IsAnnouncement = &d.IsAnnouncementGroup
	}
	return s
}

// name gives the people in events their names, as far as the session knows them.
func (w *writing) name(ctx context.Context, news []item) error {
	var jids []types.JID
	eachPerson(news, func(_ *event.Person, names []types.JID) { jids = append(jids, names...) })
	if len(jids) == 0 {
		return nil
	}
	names, err := w.sessions.Names(ctx, w.session, jids)
	if err != nil {
		return err
	}
	eachPerson(news, func(who *event.Person, by []types.JID) {
		for _, jid := range by {
			if who.Name == "" {
				who.Name = names[jid]
			}
		}
	})
	return nil
}

// eachPerson goes through the people in events, with their JIDs.
func eachPerson(news []item, do func(who *event.Person, names []types.JID)) {
	for _, n := range news {
		for _, who := range n.people {
			var names []types.JID
			if who.PhoneNumber != "" {
				names = append(names, types.NewJID(who.PhoneNumber, types.DefaultUserServer))
			}
			if lid, err := types.ParseJID(who.LID); err == nil && who.LID != "" {
				names = append(names, lid)
			}
			do(who, names)
		}
	}
}
