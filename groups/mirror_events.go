package groups

import (
	"context"
	"fmt"
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"muster/internal/fault"
	"muster/store"
)

// Apply is the session.Handler that keeps the mirror: it writes inside the
// event's transaction and never asks WhatsApp.
func (m *Mirror) Apply(ctx context.Context, sessionID string, evt any) error {
	switch evt := evt.(type) {
	case *events.GroupInfo:
		return m.applyInfo(ctx, sessionID, evt)
	case *events.JoinedGroup:
		return m.applyJoined(ctx, sessionID, evt)
	case *events.Picture:
		return m.applyPicture(ctx, sessionID, evt)
	case *events.Message:
		if evt.Info.IsGroup {
			return m.learnPhone(ctx, sessionID, evt.Info.Sender, evt.Info.SenderAlt)
		}
	case *events.PairSuccess:
		return m.claim(ctx, sessionID, evt.ID.ToNonAD())
	case *events.Connected:
		if err := m.claimOwn(ctx, sessionID); err != nil {
			return err
		}
		store.AfterCommit(ctx, func() { m.worker.connected(sessionID) })
	case *events.OfflineSyncCompleted:
		store.AfterCommit(ctx, func() { m.worker.caughtUp(sessionID) })
	}
	return nil
}

// claimOwn is claim for the account that the session has.
func (m *Mirror) claimOwn(ctx context.Context, sessionID string) error {
	s, err := m.sessions.Get(ctx, sessionID)
	switch {
	case fault.Is(err, fault.SessionNotFound):
		return nil // deleted at this moment
	case err != nil:
		return err
	case s.AccountJID() == "":
		return nil
	}
	jid, err := types.ParseJID(s.AccountJID())
	if err != nil {
		return fmt.Errorf("account of session %s: %w", sessionID, err)
	}
	return m.claim(ctx, sessionID, jid)
}

// claim notes whose groups the session's mirror has. When the session is linked
// to another account than before, nothing of the earlier one's is kept.
func (m *Mirror) claim(ctx context.Context, sessionID string, account types.JID) error {
	state, err := m.lockState(ctx, sessionID)
	if err != nil || state.account == account.String() {
		return err
	}
	if state.account != "" {
		for _, table := range []string{"mirror_groups", "group_changes"} {
			if _, err = m.db.Exec(ctx, "DELETE FROM "+table+" WHERE session_id = $1", sessionID); err != nil {
				return fmt.Errorf("forget the groups of the earlier account of %s: %w", sessionID, err)
			}
		}
	}
	// seq goes on, so that a cursor of before never means something else.
	state = mirrorState{account: account.String(), seq: state.seq + 1}
	m.announce(ctx, sessionID, "")
	return m.saveState(ctx, sessionID, state)
}

// notice is what the changes of one notification have in common.
type notice struct {
	*Mirror
	base Change
}

func (e notice) change(kind ChangeKind) Change {
	c := e.base
	c.Kind = kind
	return c
}

func (e notice) text(kind ChangeKind, text string) Change {
	c := e.change(kind)
	c.Text = text
	return c
}

func (e notice) switched(kind ChangeKind, on bool) Change {
	c := e.change(kind)
	c.On = on
	return c
}

func (m *Mirror) applyInfo(ctx context.Context, sessionID string, evt *events.GroupInfo) error {
	actor, err := m.person(ctx, sessionID, evt.Sender, evt.SenderPN)
	if err != nil {
		return err
	}
	e := notice{m, Change{
		SessionID: sessionID, Group: evt.JID, At: evt.Timestamp, Actor: actor, Source: SourceEvent,
		Version: evt.ParticipantVersionID, PrevVersion: evt.PrevParticipantVersionID,
	}}
	members, err := e.members(ctx, evt)
	if err != nil {
		return err
	}
	more, unread, err := e.unknown(ctx, evt.UnknownChanges)
	if err != nil {
		return err
	}
	changes := slices.Concat(e.values(evt), members, more)
	if err = m.record(ctx, changes...); err != nil {
		return err
	}
	// What the event does not tell is asked, and its author remembered until then.
	if evt.MembershipApprovalMode != nil || unread {
		h := hint{kind: ChangeApproval, actor: actor, at: evt.Timestamp}
		if evt.MembershipApprovalMode == nil {
			h = hint{}
		}
		return m.suspect(ctx, sessionID, evt.JID, h)
	}
	return nil
}

// values reads the changes that are about one value.
func (e notice) values(evt *events.GroupInfo) (list []Change) {
	if evt.Name != nil {
		list = append(list, e.text(ChangeSubject, evt.Name.Name))
	}
	if evt.Topic != nil {
		c := e.text(ChangeDescription, evt.Topic.Topic)
		c.TopicID = evt.Topic.TopicID
		list = append(list, c)
	}
	if evt.Locked != nil {
		list = append(list, e.switched(ChangeLocked, evt.Locked.IsLocked))
	}
	if evt.Announce != nil {
		list = append(list, e.switched(ChangeAnnounce, evt.Announce.IsAnnounce))
	}
	if evt.Ephemeral != nil {
		c := e.change(ChangeDisappearing)
		c.Seconds = evt.Ephemeral.DisappearingTimer
		list = append(list, c)
	}
	if evt.Suspended || evt.Unsuspended {
		list = append(list, e.switched(ChangeSuspended, evt.Suspended))
	}
	if evt.NewInviteLink != nil {
		list = append(list, e.text(ChangeInviteLink, *evt.NewInviteLink))
	}
	if evt.Link != nil && evt.Link.Type != types.GroupLinkChangeTypeSibling {
		list = append(list, e.text(ChangeLinked, evt.Link.Group.JID.String()))
	}
	if evt.Unlink != nil && evt.Unlink.Type != types.GroupLinkChangeTypeSibling {
		list = append(list, e.text(ChangeUnlinked, evt.Unlink.Group.JID.String()))
	}
	if evt.Delete != nil {
		list = append(list, e.change(ChangeDeleted))
	}
	return list
}

// members reads the changes of the members.
func (e notice) members(ctx context.Context, evt *events.GroupInfo) (list []Change, err error) {
	for _, part := range []struct {
		people           []types.JID
		byOther, byOwner ChangeKind
	}{
		{evt.Join, ChangeAdded, ChangeArrived},
		{evt.Leave, ChangeExpelled, ChangeDeparted},
		{evt.Promote, ChangePromoted, ChangePromoted},
		{evt.Demote, ChangeDemoted, ChangeDemoted},
	} {
		if len(part.people) == 0 {
			continue
		}
		c := e.change(part.byOther)
		if c.People, err = e.persons(ctx, e.base.SessionID, part.people); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(c.People, c.Actor.same) || part.byOther == ChangeAdded && evt.JoinReason != "" {
			c.Kind = part.byOwner
		}
		if part.byOther == ChangeAdded {
			c.Reason = evt.JoinReason
		}
		list = append(list, c)
	}
	// Several at once share the numbers of the last one.
	for i := range len(list) - 1 {
		list[i].Version, list[i].PrevVersion = "", ""
	}
	return list, nil
}

// unknown reads the elements that whatsmeow does not know. Unread ones are
// those that are not known here either, so that WhatsApp has to be asked.
func (e notice) unknown(ctx context.Context, nodes []*waBinary.Node) (list []Change, unread bool, err error) {
	for _, node := range nodes {
		switch node.Tag {
		case "member_add_mode":
			list = append(list, e.text(ChangeMemberAdd, text(node)))
		case "member_link_mode":
			list = append(list, e.text(ChangeMemberLink, text(node)))
		case "created_membership_requests":
			c := e.text(ChangeRequested, node.AttrGetter().OptionalString("request_method"))
			if c.People, err = e.named(ctx, node, "requested_user"); err != nil {
				return nil, false, err
			}
			if len(c.People) == 0 { // by link, some only name the sender
				c.People = []Identity{c.Actor}
			}
			list = append(list, c)
		case "revoked_membership_requests":
			c := e.change(ChangeWithdrawn)
			if c.People, err = e.named(ctx, node, "participant"); err != nil {
				return nil, false, err
			}
			if !slices.ContainsFunc(c.People, c.Actor.same) {
				c.Kind = ChangeRejected
			}
			list = append(list, c)
		default:
			unread = true
		}
	}
	return list, unread, nil
}

// named reads the people that an element lists.
func (e notice) named(ctx context.Context, node *waBinary.Node, tag string) ([]Identity, error) {
	var people []Identity
	for _, child := range node.GetChildrenByTag(tag) {
		ag := child.AttrGetter()
		jid, phone, lid := ag.OptionalJIDOrEmpty("jid"), ag.OptionalJIDOrEmpty("phone_number"), ag.OptionalJIDOrEmpty("lid")
		who, err := e.person(ctx, e.base.SessionID, &jid, &phone, &lid)
		if err != nil {
			return nil, err
		}
		if who != (Identity{}) {
			people = append(people, who)
		}
	}
	return people, nil
}

func (m *Mirror) applyJoined(ctx context.Context, sessionID string, evt *events.JoinedGroup) error {
	actor, err := m.person(ctx, sessionID, evt.Sender, evt.SenderPN)
	if err != nil {
		return err
	}
	info, err := m.introduced(ctx, sessionID, &evt.GroupInfo)
	if err != nil {
		return err
	}
	kind := ChangeJoined
	if evt.Type == "new" {
		kind = ChangeCreated
	}
	// The notification has a time, but whatsmeow does not hand it on.
	at := m.now()
	if kind == ChangeCreated && !evt.GroupCreated.IsZero() {
		at = evt.GroupCreated
	}
	return m.record(ctx, Change{
		SessionID: sessionID, Group: evt.JID, Kind: kind, At: at, Actor: actor, Source: SourceEvent,
		Info: &info, Version: evt.ParticipantVersionID, Reason: evt.Reason,
	})
}

// introduced makes a Group of whatsmeow's reading alone. What that may have
// wrong stays unknown: WhatsApp is asked later.
func (m *Mirror) introduced(ctx context.Context, sessionID string, info *types.GroupInfo) (Group, error) {
	group := groupOf(info, &waBinary.Node{Tag: "group"})
	group.Topic, group.TopicID = info.Topic, info.TopicID
	if group.Topic != "" {
		group.TopicSetAt = info.TopicSetAt
	}
	group.Settings = Settings{MemberAdd: AddMode(info.MemberAddMode), MembershipApproval: ApprovalOff}
	if info.IsJoinApprovalRequired {
		group.Settings.MembershipApproval = "" // its presence says little
	}
	owner, err := m.person(ctx, sessionID, &info.OwnerJID, &info.OwnerPN)
	if err != nil {
		return Group{}, err
	}
	group.Owner = owner.JID
	me := m.account(sessionID)
	group.Participants = make([]Participant, len(info.Participants))
	for i, p := range info.Participants {
		who, err := m.person(ctx, sessionID, &p.JID, &p.PhoneNumber, &p.LID)
		if err != nil {
			return Group{}, err
		}
		group.Participants[i] = Participant{Identity: who, Role: roleOf(p)}
		if who.same(me) {
			group.MyRole = roleOf(p)
		}
	}
	return group, nil
}

func (m *Mirror) applyPicture(ctx context.Context, sessionID string, evt *events.Picture) error {
	if evt.JID.Server != types.GroupServer {
		return nil
	}
	actor, err := m.person(ctx, sessionID, &evt.Author)
	if err != nil {
		return err
	}
	return m.record(ctx, Change{
		SessionID: sessionID, Group: evt.JID, Kind: ChangePhoto, At: evt.Timestamp, Actor: actor,
		Source: SourceEvent, Text: evt.PictureID,
	})
}

// suspect marks a group for being asked about.
func (m *Mirror) suspect(ctx context.Context, sessionID string, jid types.JID, h hint) error {
	w, err := m.begin(ctx, sessionID)
	if err != nil {
		return err
	}
	g, err := w.load(ctx, jid.String(), false)
	if err != nil {
		return err
	}
	g.ask = true
	if g.known {
		g.doubt()
	}
	if h != (hint{}) {
		w.hints[jid.String()] = []hint{h}
	}
	return w.finish(ctx)
}

// hint is what an event has told of a change whose value has to be asked.
type hint struct {
	kind  ChangeKind
	actor Identity
	at    time.Time
}
