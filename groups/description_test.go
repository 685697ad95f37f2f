package groups_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"muster/groups"
	apifault "muster/internal/fault"
	"muster/sandbox"
	"muster/sandbox/fault"
)

// described is a group whose description somebody else has deleted before the
// session's eyes, and the id that WhatsApp wants to see replaced.
func (r *rig) described() (types.JID, string) {
	r.t.Helper()
	jid, _, _, err := r.wa.CreateGroup(ann, sandbox.GroupOptions{Name: "Anglers", Description: "Fish", Participants: []string{me}})
	r.must(err)
	r.link(mine, me)
	r.must(r.wa.SetDescription(ann, jid, ""))
	r.eventually("the deletion", func() bool { return r.get(jid).Topic == "" })
	return jid, r.topicID(jid)
}

// topicID is that of the truth.
func (r *rig) topicID(jid types.JID) string {
	r.t.Helper()
	truth, err := r.wa.GroupTruth(jid)
	r.must(err)
	return truth.Description.ID
}

// WhatsApp shows nothing of a deleted description, not even the id that its
// successor has to name. What the event told of it outlives every comparison.
func TestDeletedDescriptionKeepsItsID(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		jid, id := r.described()
		for range 2 {
			if got := r.get(jid).TopicID; got != id {
				r.t.Errorf("the id is %q, not %q", got, id)
			}
			_, err := r.service.Get(r.t.Context(), groups.GetRequest{Target: r.target(jid), Refresh: true})
			r.must(err)
			_, err = r.service.List(r.t.Context(), groups.ListRequest{SessionID: mine, Refresh: true})
			r.must(err)
		}
		text := "Fish again"
		r.must(r.service.SetDescription(r.t.Context(), groups.DescriptionRequest{Target: r.target(jid), Description: &text, PrevID: &id}))
		if g := r.get(jid); g.Topic != text || g.TopicID != r.topicID(jid) {
			r.t.Errorf("the description is %q (%s)", g.Topic, g.TopicID)
		}
	})
}

// After a gap nobody knows which description was deleted last.
func TestDeletedDescriptionAfterAGap(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		jid, _ := r.described()
		_, err := r.manager.Reconnect(r.t.Context(), mine)
		r.must(err)
		r.eventually("the comparison", func() bool { return r.get(jid).TopicID == "" })
	})
}

// An id that turns out to be that of an older deletion is given up.
func TestDeletedDescriptionThatWasMissed(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		jid, id := r.described()
		r.trouble(fault.Script{DropReply: true}, 0, 0)
		r.must(r.wa.SetDescription(ann, jid, "Unheard"))
		r.must(r.wa.SetDescription(ann, jid, ""))
		r.wa.ClearFaults()
		text := "Mine"
		change := groups.DescriptionRequest{Target: r.target(jid), Description: &text, PrevID: &id}
		if err := r.service.SetDescription(r.t.Context(), change); !apifault.Is(err, apifault.DescriptionConflict) {
			r.t.Fatalf("an old id is answered with %v", err)
		}
		r.eventually("the id to be given up", func() bool { return r.get(jid).TopicID == "" })
		change.PrevID = nil
		r.must(r.service.SetDescription(r.t.Context(), change))
		if g := r.get(jid); g.Topic != text || g.TopicID != r.topicID(jid) {
			r.t.Errorf("the description is %q (%s)", g.Topic, g.TopicID)
		}
	})
}
