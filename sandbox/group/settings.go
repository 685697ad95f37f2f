package group

import (
	"slices"
	"strconv"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// SetSubject renames the group: 406 when blank or too long.
func (r *Registry) SetSubject(actor Person, group types.JID, subject string) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actSubject)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := r.checkSubject(subject); refusal != nil {
		return nil, refusal
	}
	g.Subject, g.SubjectBy, g.SubjectAt = subject, actor, r.stamp()
	attrs := stanza.Attrs{"subject": subject, "s_t": unix(g.SubjectAt)}
	g.putAddress(attrs, "s_o", "s_o_", actor)
	return r.tell(g, &actor, stanza.Node{Tag: "subject", Attrs: attrs}), nil
}

// DescriptionChange is a new description.
type DescriptionChange struct {
	Text string // empty deletes
	ID   string // of the new description; empty draws one
	Prev string // the id that the change replaces
	// AnyPrev replaces whatever is there, as a phone that has seen it does.
	AnyPrev bool
}

// SetDescription changes or deletes the description: 409 unless Prev names the
// current one, 406 when too long. A deleted description needs no Prev, since
// clients cannot read its id.
func (r *Registry) SetDescription(actor Person, group types.JID, change DescriptionChange) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actDescription)
	if refusal != nil {
		return nil, refusal
	}
	if refusal := r.checkDescription(change.Text, change.ID); refusal != nil {
		return nil, refusal
	}
	current := g.Description
	follows := change.AnyPrev || change.Prev == current.ID || !current.exists() && change.Prev == ""
	if !follows {
		return nil, stanza.Refuse(409)
	}
	if change.ID == "" {
		if change.ID, refusal = r.descriptionID(); refusal != nil {
			return nil, refusal
		}
	}
	g.Description = Description{ID: change.ID, Text: change.Text, By: actor, At: r.stamp()}
	body := textNode("body", change.Text)
	if change.Text == "" {
		body = stanza.Node{Tag: "delete"}
	}
	return r.tell(g, &actor, stanza.Node{
		Tag: "description", Attrs: stanza.Attrs{"id": change.ID}, Content: []stanza.Node{body},
	}), nil
}

// descriptionID draws an id of the look that clients give.
func (r *Registry) descriptionID() (string, *stanza.Error) { return r.draw(20, "0123456789ABCDEF") }

// SetLocked lets only admins edit the group's info, or everybody.
func (r *Registry) SetLocked(actor Person, group types.JID, on bool) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actLocked)
	if refusal != nil || g.Locked == on {
		return nil, refusal
	}
	g.Locked = on
	return r.tell(g, &actor, flag(on, "locked", "unlocked")), nil
}

// SetAnnounce lets only admins send messages, or everybody. A community's
// announcement group stays one: 405.
func (r *Registry) SetAnnounce(actor Person, group types.JID, on bool) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actAnnounce)
	switch {
	case refusal != nil || g.Announce == on:
		return nil, refusal
	case g.DefaultSub:
		return nil, stanza.Refuse(405)
	}
	g.Announce, g.AnnounceVersion = on, r.nextVersion()
	node := flag(on, "announcement", "not_announcement")
	node.Attrs = stanza.Attrs{"v_id": strconv.FormatInt(g.AnnounceVersion, 10)}
	return r.tell(g, &actor, node), nil
}

// SetEphemeral sets after how many seconds messages disappear, 0 for never.
// Other than WhatsApp's own durations: 400.
func (r *Registry) SetEphemeral(actor Person, group types.JID, seconds uint32) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actEphemeral)
	switch {
	case refusal != nil:
		return nil, refusal
	case !slices.Contains(timers[:], seconds):
		return nil, stanza.Refuse(400)
	case g.Ephemeral == seconds:
		return nil, nil
	}
	g.Ephemeral = seconds
	if seconds == 0 {
		return r.tell(g, &actor, stanza.Node{Tag: "not_ephemeral"}), nil
	}
	return r.tell(g, &actor, ephemeralNode(seconds)), nil
}

// SetApproval lets people in by link only after an admin approved. Those who
// wait already keep waiting when it is turned off.
func (r *Registry) SetApproval(actor Person, group types.JID, on bool) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, actApproval)
	if refusal != nil || g.Approval == on {
		return nil, refusal
	}
	g.Approval = on
	return r.tell(g, &actor, approvalNode(on)), nil
}

// SetMemberAdd sets who may add: AddAdmin or AddAll, else 400.
func (r *Registry) SetMemberAdd(actor Person, group types.JID, mode string) ([]Push, *stanza.Error) {
	return r.setMode(actor, group, actMemberAdd, mode, func(g *Group) *string { return &g.MemberAddMode }, AddAdmin, AddAll)
}

// SetMemberLink sets who may share the invite link: LinkAdmin or LinkAll, else 400.
func (r *Registry) SetMemberLink(actor Person, group types.JID, mode string) ([]Push, *stanza.Error) {
	return r.setMode(actor, group, actMemberLink, mode, func(g *Group) *string { return &g.MemberLinkMode }, LinkAdmin, LinkAll)
}

// SetShareHistory sets who may share earlier messages with newcomers:
// HistoryAdmin or HistoryAll, else 400.
func (r *Registry) SetShareHistory(actor Person, group types.JID, mode string) ([]Push, *stanza.Error) {
	return r.setMode(actor, group, actHistory, mode, func(g *Group) *string { return &g.HistoryMode }, HistoryAdmin, HistoryAll)
}

// setMode sets one of the settings whose element, named like the act, has the
// mode as its text.
func (r *Registry) setMode(actor Person, group types.JID, a act, mode string, field func(*Group) *string, allowed ...string) ([]Push, *stanza.Error) {
	g, refusal := r.authorize(actor, group, a)
	switch {
	case refusal != nil:
		return nil, refusal
	case !oneOf(mode, allowed...):
		return nil, stanza.Refuse(400)
	case *field(g) == mode:
		return nil, nil
	}
	*field(g) = mode
	return r.tell(g, &actor, textNode(string(a), mode)), nil
}

// Suspend suspends or restores a group: the service's own act, which asks for
// no right. While suspended, nobody posts or changes anything. 404 unknown.
func (r *Registry) Suspend(group types.JID, on bool) ([]Push, *stanza.Error) {
	g := r.groups[bare(group)]
	if g == nil {
		return nil, stanza.Refuse(404)
	}
	if g.Suspended == on {
		return nil, nil
	}
	g.Suspended = on
	return r.tell(g, nil, flag(on, "suspended", "unsuspended")), nil
}
