package group

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// settingHandler answers a change with an empty result.
func settingHandler(change func(*Registry, Person, types.JID, *stanza.Node) ([]Push, *stanza.Error)) handler {
	return func(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]stanza.Node, []Push, *stanza.Error) {
		pushes, refusal := change(r, actor, group, n)
		return nil, pushes, refusal
	}
}

// switchHandler is for the settings whose tag says everything.
func switchHandler(change func(*Registry, Person, types.JID, bool) ([]Push, *stanza.Error), on bool) handler {
	return settingHandler(func(r *Registry, actor Person, group types.JID, _ *stanza.Node) ([]Push, *stanza.Error) {
		return change(r, actor, group, on)
	})
}

// textHandler is for the settings whose content is the new value.
func textHandler(change func(*Registry, Person, types.JID, string) ([]Push, *stanza.Error)) handler {
	return settingHandler(func(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]Push, *stanza.Error) {
		return change(r, actor, group, string(stanza.Bytes(n)))
	})
}

// settingTable holds the requests that change a group's settings.
func settingTable() map[string]handler {
	return map[string]handler{
		"set subject":          textHandler((*Registry).SetSubject),
		"set description":      settingHandler(changeDescription),
		"set locked":           switchHandler((*Registry).SetLocked, true),
		"set unlocked":         switchHandler((*Registry).SetLocked, false),
		"set announcement":     switchHandler((*Registry).SetAnnounce, true),
		"set not_announcement": switchHandler((*Registry).SetAnnounce, false),
		"set ephemeral":        settingHandler(changeTimer),
		"set not_ephemeral":    settingHandler(stopTimer),

		"set membership_approval_mode":        settingHandler(changeApproval),
		"set member_add_mode":                 textHandler((*Registry).SetMemberAdd),
		"set member_link_mode":                textHandler((*Registry).SetMemberLink),
		"set member_share_group_history_mode": textHandler((*Registry).SetShareHistory),
	}
}

// changeDescription takes a missing or empty body for a deletion, as it takes
// delete="true".
func changeDescription(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]Push, *stanza.Error) {
	change := DescriptionChange{ID: stanza.Text(n, "id"), Prev: stanza.Text(n, "prev"), Text: childText(n, "body")}
	if stanza.Text(n, "delete") == "true" {
		change.Text = ""
	}
	return r.SetDescription(actor, group, change)
}

func changeTimer(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]Push, *stanza.Error) {
	value, refusal := seconds(n)
	if refusal != nil {
		return nil, refusal
	}
	return r.SetEphemeral(actor, group, value)
}

func stopTimer(r *Registry, actor Person, group types.JID, _ *stanza.Node) ([]Push, *stanza.Error) {
	return r.SetEphemeral(actor, group, 0)
}

// changeApproval sets who may join without an admin: of a group by
// <group_join>, of a community by <community_join>, as Baileys'
// communityJoinApprovalMode sends it.
func changeApproval(r *Registry, actor Person, group types.JID, n *stanza.Node) ([]Push, *stanza.Error) {
	join := stanza.Child(n, "group_join")
	if join == nil {
		join = stanza.Child(n, "community_join")
	}
	on, refusal := switchState(join)
	if refusal != nil {
		return nil, refusal
	}
	if join.Tag == "community_join" {
		if _, refusal := r.authorizeCommunity(actor, group, actApproval); refusal != nil {
			return nil, refusal
		}
	}
	return r.SetApproval(actor, group, on)
}
