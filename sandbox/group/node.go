package group

import (
	"strconv"

	"muster/sandbox/stanza"
)

// view says which parts of a group are shown.
type view struct {
	participants, description bool
	// onlyAdmins shows outsiders no other participants.
	onlyAdmins bool
	// fresh imitates the reply to a creation, which contains <ephemeral
	// expiration="0"/> even though nothing disappears.
	fresh bool
}

// What members see, and what an invite shows to outsiders.
//
//nolint:gochecknoglobals // values that are never changed
var (
	fullView    = view{participants: true, description: true}
	outsideView = view{participants: true, description: true, onlyAdmins: true}
)

// groupNode renders <group>. Its id is the bare digits: a JID there is an error
// to whatsmeow. Settings that are off are absent, since clients go by presence.
func (r *Registry) groupNode(g *Group, v view) stanza.Node {
	attrs := stanza.Attrs{
		"id": g.JID.User, "subject": g.Subject, "s_t": unix(g.SubjectAt),
		"creation": unix(g.Created), "addressing_mode": string(g.AddressingMode),
		"p_v_id": strconv.FormatInt(g.ParticipantVersion, 10),
		"a_v_id": strconv.FormatInt(g.AnnounceVersion, 10),
		"size":   strconv.Itoa(len(g.Roster)),
	}
	g.putAddress(attrs, "creator", "creator_", g.Creator)
	g.putAddress(attrs, "s_o", "s_o_", g.SubjectBy)
	var children []stanza.Node
	if v.participants {
		children = g.participantNodes(v.onlyAdmins)
	}
	if v.description && g.Description.exists() {
		children = append(children, g.descriptionNode())
	}
	children = append(children, g.settingNodes(v.fresh)...)
	children = append(children, g.communityNodes()...)
	return stanza.Node{Tag: "group", Attrs: attrs, Content: children}
}

func (g *Group) participantNodes(onlyAdmins bool) []stanza.Node {
	nodes := make([]stanza.Node, 0, len(g.Roster))
	for _, m := range g.Roster {
		if onlyAdmins && !m.Role.Admin() {
			continue
		}
		node := g.personNode("participant", m.Person)
		if m.Role.Admin() {
			node.Attrs["type"] = string(m.Role)
		}
		nodes = append(nodes, node)
	}
	return nodes
}

func (g *Group) descriptionNode() stanza.Node {
	attrs := stanza.Attrs{"id": g.Description.ID, "t": unix(g.Description.At)}
	g.putAddress(attrs, "participant", "participant_", g.Description.By)
	return stanza.Node{Tag: "description", Attrs: attrs, Content: []stanza.Node{
		textNode("body", g.Description.Text),
	}}
}

func (g *Group) settingNodes(fresh bool) []stanza.Node {
	var nodes []stanza.Node
	if g.Locked {
		nodes = append(nodes, stanza.Node{Tag: "locked"})
	}
	if g.Announce {
		nodes = append(nodes, stanza.Node{Tag: "announcement"})
	}
	if g.Ephemeral > 0 || fresh {
		nodes = append(nodes, ephemeralNode(g.Ephemeral))
	}
	if g.Approval {
		nodes = append(nodes, approvalNode(true))
	}
	if g.Suspended {
		nodes = append(nodes, stanza.Node{Tag: "suspended"})
	}
	return append(nodes,
		textNode("member_add_mode", g.MemberAddMode),
		textNode("member_link_mode", g.MemberLinkMode),
		textNode("member_share_group_history_mode", g.HistoryMode),
	)
}

func (g *Group) communityNodes() []stanza.Node {
	var nodes []stanza.Node
	if g.Parent {
		nodes = append(nodes, stanza.Node{Tag: "parent", Attrs: stanza.Attrs{
			"default_membership_approval_mode": g.DefaultApproval,
		}})
		if g.NonAdminSubGroups {
			nodes = append(nodes, stanza.Node{Tag: "allow_non_admin_sub_group_creation"})
		}
	}
	if !g.LinkedParent.IsEmpty() {
		nodes = append(nodes, stanza.Node{Tag: "linked_parent", Attrs: stanza.Attrs{"jid": g.LinkedParent}})
	}
	if g.DefaultSub {
		nodes = append(nodes, stanza.Node{Tag: "default_sub_group"})
	}
	if g.General {
		nodes = append(nodes, stanza.Node{Tag: "general_chat"})
	}
	return nodes
}

func ephemeralNode(seconds uint32) stanza.Node {
	return stanza.Node{Tag: "ephemeral", Attrs: stanza.Attrs{
		"expiration": strconv.FormatUint(uint64(seconds), 10),
	}}
}
