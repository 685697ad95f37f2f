package group

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// handler answers one kind of request. The group is where the iq went, empty
// for the group service; n is the iq's first child.
type handler func(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error)

// HandleIQ answers a request of namespace w:g2, sent to g.us or to a group. It
// returns the children of the result (none is an empty result) and what others
// must be told. A request that nothing here knows is refused with 501.
func (r *Registry) HandleIQ(actor Person, iq *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	actor.PN, actor.LID = bare(actor.PN), bare(actor.LID)
	to, ok := stanza.JID(iq, "to")
	child := stanza.First(iq)
	if !ok || to.Server != types.GroupServer || child == nil {
		return nil, nil, stanza.Refuse(400)
	}
	table := r.groupRequests
	if to.User == "" {
		table = r.serviceRequests
	}
	handle, known := table[stanza.Text(iq, "type")+" "+child.Tag]
	if !known {
		return nil, nil, stanza.Refuse(501)
	}
	return handle(r, actor, bare(to), child)
}

// serviceTable holds the requests to g.us, by type and tag.
func serviceTable() map[string]handler {
	return map[string]handler{
		"set create":        handleCreate,
		"get participating": handleParticipating,
		"get invite":        handleInviteInfo,
		"set invite":        handleJoin,
		"set leave":         handleLeave,
	}
}

// groupTable holds the requests to a group, by type and tag.
func groupTable() map[string]handler {
	table := map[string]handler{
		"get query":  handleQuery,
		"set accept": handleAccept,
		"set revoke": handleRevoke,

		"set add":     participantHandler((*Registry).Add),
		"set remove":  participantHandler((*Registry).Remove),
		"set promote": participantHandler((*Registry).Promote),
		"set demote":  participantHandler((*Registry).Demote),

		"get invite": handleInvite(false),
		"set invite": handleInvite(true),

		"get membership_approval_requests": handleRequests,
		"set membership_requests_action":   handleDecision,
		"set cancel_membership_requests":   handleCancel,

		"get sub_groups":                 handleSubGroups,
		"get linked_groups_participants": handleCommunityParticipants,
		"set links":                      handleLinks,
		"set unlink":                     handleUnlink,
		"set join_linked_group":          handleJoinLinked,
		"set delete_parent":              handleDeleteParent,
	}
	for name, handle := range settingTable() {
		table[name] = handle
	}
	return table
}

// people reads the <participant> children. A LID that the directory does not
// know is replaced by the phone JID that clients send along with it.
func (r *Registry) people(n *stanza.Node) ([]types.JID, *stanza.Error) {
	var list []types.JID
	for _, child := range stanza.Children(n, "participant") {
		jid, ok := stanza.JID(&child, "jid")
		if !ok {
			return nil, stanza.Refuse(400)
		}
		if _, known := r.dir.Lookup(bare(jid)); !known {
			if pn, ok := stanza.JID(&child, "phone_number"); ok {
				if _, known := r.dir.Lookup(bare(pn)); known {
					jid = pn
				}
			}
		}
		list = append(list, jid)
	}
	return list, nil
}

// groupJID reads a group's address, in any of the forms clients use: a JID, or
// the bare digits.
func groupJID(n *stanza.Node, name string) (types.JID, bool) {
	if text := stanza.Text(n, name); text != "" && digitsOnly(text) {
		return types.NewJID(text, types.GroupServer), true
	}
	jid, ok := stanza.JID(n, name)
	return bare(jid), ok && jid.Server == types.GroupServer && jid.User != ""
}

func digitsOnly(text string) bool {
	for _, c := range text {
		if (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// groupView shows a group to a member.
func (r *Registry) groupView(actor Person, jid types.JID) ([]stanza.Node, []Push, *stanza.Error) {
	g, refusal := r.authorize(actor, jid, actRead)
	if refusal != nil {
		return nil, nil, refusal
	}
	return []stanza.Node{r.groupNode(g, fullView)}, nil, nil
}
