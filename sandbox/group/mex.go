package group

import (
	"encoding/json"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// UpdatePropertyQuery is the document id of the w:mex mutation that changes a
// group's member link mode.
const UpdatePropertyQuery = "9418211574894172"

// groupUpdate is the mutation's variables. Clients name the group differently.
type groupUpdate struct {
	GroupID  string `json:"group_id"`
	GroupIDC string `json:"groupId"`
	ID       string `json:"id"`
	JID      string `json:"jid"`
	Update   struct {
		MemberLinkMode string `json:"member_link_mode"`
	} `json:"update"`
}

// HandleMex answers the one w:mex mutation about groups. The variables may come
// bare or inside {"variables": …}, as they stand in the query's body. handled
// is false for any other document; the refusals are those of SetMemberLink,
// and 400 for variables that cannot be read.
func (r *Registry) HandleMex(actor Person, queryID string, variables json.RawMessage) (json.RawMessage, []Push, bool, *stanza.Error) {
	if queryID != UpdatePropertyQuery {
		return nil, nil, false, nil
	}
	update, group, refusal := readUpdate(variables)
	if refusal != nil {
		return nil, nil, true, refusal
	}
	modes := map[string]string{"ADMIN_LINK": LinkAdmin, "ALL_MEMBER_LINK": LinkAll}
	mode, known := modes[update.Update.MemberLinkMode]
	if !known {
		return nil, nil, true, stanza.Refuse(400)
	}
	pushes, refusal := r.SetMemberLink(actor, group, mode)
	if refusal != nil {
		return nil, nil, true, refusal
	}
	result, err := json.Marshal(map[string]any{"data": map[string]any{
		"xwa2_group_update_property": map[string]any{
			"id": group.String(), "state": "ACTIVE",
			"properties": map[string]string{"member_link_mode": update.Update.MemberLinkMode},
		},
	}})
	if err != nil {
		return nil, nil, true, stanza.Refuse(500)
	}
	return result, pushes, true, nil
}

func readUpdate(variables json.RawMessage) (groupUpdate, types.JID, *stanza.Error) {
	var wrapped struct {
		Variables json.RawMessage `json:"variables"`
	}
	if err := json.Unmarshal(variables, &wrapped); err != nil {
		return groupUpdate{}, types.EmptyJID, stanza.Refuse(400)
	}
	if len(wrapped.Variables) > 0 {
		variables = wrapped.Variables
	}
	var update groupUpdate
	if err := json.Unmarshal(variables, &update); err != nil {
		return groupUpdate{}, types.EmptyJID, stanza.Refuse(400)
	}
	for _, name := range []string{update.GroupID, update.GroupIDC, update.ID, update.JID} {
		node := stanza.Node{Attrs: stanza.Attrs{"id": name}}
		if jid, ok := groupJID(&node, "id"); ok {
			return update, jid, nil
		}
	}
	return groupUpdate{}, types.EmptyJID, stanza.Refuse(400)
}

// MexRefusal words a refusal as w:mex does: an iq that succeeds, with an error
// in the result's JSON.
func MexRefusal(refusal *stanza.Error) (json.RawMessage, error) {
	return json.Marshal(map[string]any{
		"data": nil,
		"errors": []map[string]any{{
			"message": refusal.Text,
			"extensions": map[string]any{
				"error_code": refusal.Code, "is_retryable": refusal.Code >= 500, "severity": "CRITICAL",
			},
		}},
	})
}
