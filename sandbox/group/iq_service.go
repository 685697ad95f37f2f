package group

import (
	"strconv"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// handleCreate answers <create>: the new group, and in it, marked by error,
// the participants who could not be added.
func handleCreate(r *Registry, actor Person, _ types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	req, refusal := r.createRequest(n)
	if refusal != nil {
		return nil, nil, refusal
	}
	g, results, pushes, refusal := r.Create(actor, req)
	if refusal != nil {
		return nil, nil, refusal
	}
	node := r.groupNode(g, view{participants: true, description: true, fresh: true})
	children := stanza.Children(&node)
	for _, result := range results {
		if result.Code != 0 {
			children = append(children, g.resultNode(result))
		}
	}
	node.Content = children
	return []stanza.Node{node}, pushes, nil
}

// createParts are the children that a <create> may have: those of whatsmeow's
// CreateGroup, Baileys' groupCreate and communityCreate, and WhatsApp Web.
//
//nolint:gochecknoglobals // a list that is never changed
var createParts = []string{
	"participant", "description", "ephemeral", "locked", "announcement",
	"member_add_mode", "member_link_mode", "member_share_group_history_mode", "membership_approval_mode",
	"parent", "linked_parent", "allow_non_admin_sub_group_creation", "create_general_chat",
}

// createRequest reads a <create>. A child that nothing here knows is refused
// with 501: a group without the setting it stands for would not be what the
// client asked for.
func (r *Registry) createRequest(n *stanza.Node) (CreateRequest, *stanza.Error) {
	for _, child := range stanza.Children(n) {
		if !oneOf(child.Tag, createParts...) {
			return CreateRequest{}, stanza.Refuse(501)
		}
	}
	people, refusal := r.people(n)
	if refusal != nil {
		return CreateRequest{}, refusal
	}
	req := CreateRequest{
		Subject: stanza.Text(n, "subject"), Key: stanza.Text(n, "key"), Participants: people,
		AddressingMode:    types.AddressingMode(stanza.Text(n, "addressing_mode")),
		MemberAddMode:     childText(n, "member_add_mode"),
		MemberLinkMode:    childText(n, "member_link_mode"),
		HistoryMode:       childText(n, "member_share_group_history_mode"),
		Locked:            stanza.Child(n, "locked") != nil,
		Announce:          stanza.Child(n, "announcement") != nil,
		NonAdminSubGroups: stanza.Child(n, "allow_non_admin_sub_group_creation") != nil,
		GeneralChat:       stanza.Child(n, "create_general_chat") != nil,
	}
	if child := stanza.Child(n, "ephemeral"); child != nil {
		if req.Ephemeral, refusal = seconds(child); refusal != nil {
			return CreateRequest{}, refusal
		}
	}
	if child := stanza.Child(n, "membership_approval_mode"); child != nil {
		if req.Approval, refusal = approvalState(child); refusal != nil {
			return CreateRequest{}, refusal
		}
	}
	if child := stanza.Child(n, "description"); child != nil {
		req.DescriptionID, req.Description = stanza.Text(child, "id"), childText(child, "body")
	}
	if child := stanza.Child(n, "parent"); child != nil {
		req.Parent, req.DefaultApproval = true, stanza.Text(child, "default_membership_approval_mode")
	}
	if child := stanza.Child(n, "linked_parent"); child != nil {
		jid, ok := groupJID(child, "jid")
		if !ok {
			return CreateRequest{}, stanza.Refuse(400)
		}
		req.LinkedParent = jid
	}
	return req, nil
}

// childText is the text of a child, or "".
func childText(n *stanza.Node, tag string) string {
	child := stanza.Child(n, tag)
	if child == nil {
		return ""
	}
	return string(stanza.Bytes(child))
}

// seconds reads the timer of <ephemeral expiration>; without one it is off.
func seconds(n *stanza.Node) (uint32, *stanza.Error) {
	if stanza.Text(n, "expiration") == "" {
		return 0, nil
	}
	value, ok := stanza.Int(n, "expiration")
	if !ok || value < 0 || value > int64(timers[len(timers)-1]) {
		return 0, stanza.Refuse(400)
	}
	return uint32(value), nil
}

// approvalState reads <membership_approval_mode><group_join state/>.
func approvalState(n *stanza.Node) (bool, *stanza.Error) {
	return switchState(stanza.Child(n, "group_join"))
}

// switchState reads a state of on or off; any other is refused with 400.
func switchState(n *stanza.Node) (bool, *stanza.Error) {
	if n == nil {
		return false, stanza.Refuse(400)
	}
	switch stanza.Text(n, "state") {
	case "on":
		return true, nil
	case "off":
		return false, nil
	}
	return false, stanza.Refuse(400)
}

// handleParticipating lists the actor's groups, with participants and
// description only where asked for.
func handleParticipating(r *Registry, actor Person, _ types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	v := view{
		participants: stanza.Child(n, "participants") != nil,
		description:  stanza.Child(n, "description") != nil,
	}
	list := []stanza.Node{}
	for _, jid := range r.GroupsOf(actor.LID) {
		list = append(list, r.groupNode(r.groups[jid], v))
	}
	return []stanza.Node{{Tag: "groups", Content: list}}, nil, nil
}

func handleInviteInfo(r *Registry, actor Person, _ types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	g, refusal := r.Invited(stanza.Text(n, "code"))
	if refusal != nil {
		return nil, nil, refusal
	}
	v := outsideView
	if g.has(actor.LID) {
		v = fullView
	}
	return []stanza.Node{r.groupNode(g, v)}, nil, nil
}

func handleJoin(r *Registry, actor Person, _ types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	result, pushes, refusal := r.Join(actor, stanza.Text(n, "code"))
	return joinReply(result, refusal), pushes, refusal
}

// joinReply is <group jid/> for those who are in, <membership_approval_request
// jid/> for those who wait.
func joinReply(result JoinResult, refusal *stanza.Error) []stanza.Node {
	if refusal != nil {
		return nil
	}
	tag := "group"
	if result.Requested {
		tag = "membership_approval_request"
	}
	return []stanza.Node{{Tag: tag, Attrs: stanza.Attrs{"jid": result.Group}}}
}

// handleLeave leaves several groups; each has its own outcome.
func handleLeave(r *Registry, actor Person, _ types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
	asked := stanza.Children(n, "group", "community")
	if len(asked) == 0 {
		return nil, nil, stanza.Refuse(400)
	}
	var left []stanza.Node
	var pushes []Push
	for _, child := range asked {
		jid, ok := groupJID(&child, "id")
		if !ok {
			return nil, nil, stanza.Refuse(400)
		}
		node := stanza.Node{Tag: child.Tag, Attrs: stanza.Attrs{"id": jid}}
		more, refusal := r.Leave(actor, jid)
		if refusal != nil {
			node.Attrs["error"] = strconv.Itoa(refusal.Code)
		}
		left, pushes = append(left, node), append(pushes, more...)
	}
	return []stanza.Node{{Tag: "leave", Content: left}}, pushes, nil
}
