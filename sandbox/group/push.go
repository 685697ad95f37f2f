package group

import (
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// notification wraps a change. The actor is nil for what the service does by
// itself. Only from and t are required by whatsmeow, but Baileys needs
// addressing_mode and the actor's other address.
func (r *Registry) notification(g *Group, actor *Person, child stanza.Node) stanza.Node {
	attrs := stanza.Attrs{
		"from": g.JID, "type": "w:gp2", "t": unix(r.now()),
		"addressing_mode": string(g.AddressingMode),
	}
	if actor != nil {
		g.putAddress(attrs, "participant", "participant_", *actor)
		if actor.Name != "" {
			attrs["notify"] = actor.Name
		}
	}
	return stanza.Node{Tag: "notification", Attrs: attrs, Content: []stanza.Node{child}}
}

// tell sends a change to every member.
func (r *Registry) tell(g *Group, actor *Person, child stanza.Node) []Push {
	return r.tellThem(g, g.lids(), actor, child)
}

func (r *Registry) tellThem(g *Group, to []types.JID, actor *Person, child stanza.Node) []Push {
	if len(to) == 0 {
		return nil
	}
	return []Push{{To: to, Node: r.notification(g, actor, child)}}
}

// putAddress writes a person's JID in the group's addressing under name, and
// the other one under prefix+"pn" or prefix+"lid".
func (g *Group) putAddress(attrs stanza.Attrs, name, prefix string, p Person) {
	attrs[name] = g.Address(p)
	if attrs[name] == p.PN {
		attrs[prefix+"lid"] = p.LID
	} else if !p.PN.IsEmpty() {
		attrs[prefix+"pn"] = p.PN
	}
}

// personNode is <tag jid phone_number|lid/>, the form in which participants,
// requested users and requesters are listed.
func (g *Group) personNode(tag string, p Person) stanza.Node {
	attrs := stanza.Attrs{"jid": g.Address(p)}
	if attrs["jid"] == p.PN {
		attrs["lid"] = p.LID
	} else if !p.PN.IsEmpty() {
		attrs["phone_number"] = p.PN
	}
	return stanza.Node{Tag: tag, Attrs: attrs}
}

func (g *Group) personNodes(tag string, people []Person) []stanza.Node {
	nodes := make([]stanza.Node, len(people))
	for i, p := range people {
		nodes[i] = g.personNode(tag, p)
	}
	return nodes
}

// changeNode is <add|remove|promote|demote prev_v_id v_id reason?>.
func (g *Group) changeNode(tag string, prev int64, reason string, people []Person) stanza.Node {
	attrs := stanza.Attrs{
		"prev_v_id": strconv.FormatInt(prev, 10),
		"v_id":      strconv.FormatInt(g.ParticipantVersion, 10),
	}
	if reason != "" {
		attrs["reason"] = reason
	}
	return stanza.Node{Tag: tag, Attrs: attrs, Content: g.personNodes("participant", people)}
}

// createNode announces a group to those who are new in it.
func (r *Registry) createNode(g *Group, kind, key, reason string) stanza.Node {
	attrs := stanza.Attrs{}
	for name, value := range map[string]string{"type": kind, "key": key, "reason": reason} {
		if value != "" {
			attrs[name] = value
		}
	}
	return stanza.Node{Tag: "create", Attrs: attrs, Content: []stanza.Node{r.groupNode(g, fullView)}}
}

// targetNode is the <group> inside <link> and <unlink>.
func targetNode(g *Group) stanza.Node {
	node := stanza.Node{Tag: "group", Attrs: stanza.Attrs{
		"jid": g.JID, "subject": g.Subject, "s_t": unix(g.SubjectAt),
	}}
	if g.DefaultSub {
		node.Content = []stanza.Node{{Tag: "default_sub_group"}}
	}
	return node
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// flag chooses between the two tags of a setting.
func flag(on bool, yes, no string) stanza.Node {
	if on {
		return stanza.Node{Tag: yes}
	}
	return stanza.Node{Tag: no}
}

// textNode is an element with text content; bytes, because clients assert it.
func textNode(tag, text string) stanza.Node {
	return stanza.Node{Tag: tag, Content: []byte(text)}
}

// approvalNode is the setting as both notifications and group nodes carry it.
func approvalNode(on bool) stanza.Node {
	state := "off"
	if on {
		state = "on"
	}
	return stanza.Node{Tag: "membership_approval_mode", Content: []stanza.Node{
		{Tag: "group_join", Attrs: stanza.Attrs{"state": state}},
	}}
}
