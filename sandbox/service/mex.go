package service

import (
	"encoding/json"

	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// mexAnswer answers one GraphQL operation with its whole response, {"data":…}
// or {"errors":…}.
type mexAnswer func(w *World, c *call, variables json.RawMessage) (any, *stanza.Error)

// mexOperations are the operations that whatsmeow and Baileys ask for by
// number, besides those of groups. Channels do not exist in the sandbox, so
// lists of them are empty and each of them is not found; making one is refused
// like any unknown operation, and recorded.
var mexOperations = map[string]mexAnswer{
	"9152604461510864": mexSetAbout,

	// whatsmeow: a channel, subscribed channels, recommended ones, the directory.
	"6563316087068696": mexMissing("xwa2_newsletter"), // Baileys too
	"7272540469429201": mexMissing("xwa2_newsletter"),
	"9779843322044422": mexMissing("xwa2_newsletter"), // as a desktop client
	"6388546374527196": mexData("xwa2_newsletter_subscribed", []any{}),
	// As a desktop client; whatsmeow has the same number for following.
	"8621797084555037":  mexData("xwa2_newsletter_subscribed", []any{}),
	"7263823273662354":  mexData("xwa2_newsletters_recommended", noChannels()),
	"27256776790637714": mexData("xwa2_newsletters_recommended", noChannels()),
	"6190824427689257":  mexData("xwa2_newsletters_directory_list", noChannels()),

	// What one does with a channel that one knows: subscribers, mute, unmute,
	// update, unfollow, follow.
	"9800646650009898":  mexMissing("xwa2_newsletter_subscribers"),
	"25403502652570342": mexMissing("xwa2_newsletter_subscribers"),
	"9783111038412085":  mexMissing("xwa2_newsletter_subscribers"), // Baileys
	"6274038279359549":  mexMissing("xwa2_newsletter_update"),
	"5971669009605755":  mexMissing("xwa2_newsletter_update"),
	"29766401636284406": mexMissing("xwa2_newsletter_mute_v2"), // Baileys
	"6068417879924485":  mexMissing("xwa2_newsletter_update"),
	"6104029483058502":  mexMissing("xwa2_newsletter_update"),
	"9864994326891137":  mexMissing("xwa2_newsletter_unmute_v2"), // Baileys
	"7150902998257522":  mexMissing("xwa2_newsletter_update"),
	"7839742399440946":  mexMissing("xwa2_newsletter_update"),
	"24250201037901610": mexMissing("xwa2_newsletter_update"), // Baileys
	"6392786840836363":  mexMissing("xwa2_newsletter_leave_v2"),
	"8782612271820087":  mexMissing("xwa2_newsletter_leave_v2"),
	"9767147403369991":  mexMissing("xwa2_newsletter_leave_v2"), // Baileys
	"9926858900719341":  mexMissing("xwa2_newsletter_join_v2"),
	"24404358912487870": mexMissing("xwa2_newsletter_join_v2"), // Baileys
	"7130823597031706":  mexMissing("xwa2_newsletter_admin"),
	"7341777602580933":  mexMissing("xwa2_newsletter_change_owner"),
	"6551828931592903":  mexMissing("xwa2_newsletter_demote"),
	"30062808666639665": mexMissing("xwa2_newsletter_delete_v2"),

	// Baileys: is the account kept from writing to strangers, and how much it may.
	"23983697327930364": mexData("xwa2_fetch_account_reachout_timelock", map[string]any{
		"is_active": false, "enforcement_type": "DEFAULT", "time_enforcement_ends": "0",
	}),
	"24503548349331633": mexData("xwa2_message_capping_info", map[string]any{
		"total_quota": -1, "used_quota": 0, "capping_status": "NONE",
		"mv_status": "NOT_ELIGIBLE", "ote_status": "NOT_ELIGIBLE",
		"cycle_start_timestamp": "0", "cycle_end_timestamp": "0", "server_sent_timestamp": "0",
	}),
}

// iqMex answers the GraphQL-like operations: those of groups, then the table. A
// refused operation is an error in a result, as whatsmeow and Baileys read it.
// One that is in neither is refused as a request, and so recorded as unknown.
func (w *World) iqMex(c *call) ([]stanza.Node, *stanza.Error) {
	query := stanza.Child(c.iq, "query")
	if query == nil {
		return nil, stanza.Refuse(400)
	}
	id, body := stanza.Text(query, "query_id"), stanza.Bytes(query)
	result, pushes, handled, refusal := w.groups.HandleMex(c.device.Account.person(), id, body)
	if refusal != nil {
		return w.mexRefusal(refusal)
	}
	if handled {
		w.commit() // a change, though w:mex is asked with "get"
		c.then(func() { w.deliverPushes(pushes) })
		return mexResult(result), nil
	}
	answer := mexOperations[id]
	if answer == nil {
		return nil, stanza.Refuse(501)
	}
	var request struct {
		Variables json.RawMessage `json:"variables"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, stanza.Refuse(400)
	}
	response, refusal := answer(w, c, request.Variables)
	if refusal != nil {
		return w.mexRefusal(refusal)
	}
	encoded, err := json.Marshal(response)
	if err != nil {
		w.log.Error().Err(err).Str("query_id", id).Msg("Answer could not be written")
		return nil, stanza.Refuse(500)
	}
	return mexResult(encoded), nil
}

func (w *World) mexRefusal(refusal *stanza.Error) ([]stanza.Node, *stanza.Error) {
	encoded, err := group.MexRefusal(refusal)
	if err != nil {
		w.log.Error().Err(err).Msg("Refusal could not be written")
		return nil, stanza.Refuse(500)
	}
	return mexResult(encoded), nil
}

func mexResult(response []byte) []stanza.Node {
	return []stanza.Node{{Tag: "result", Content: response}}
}

// mexData answers an operation with the same data each time.
func mexData(field string, value any) mexAnswer {
	return func(*World, *call, json.RawMessage) (any, *stanza.Error) {
		return map[string]any{"data": map[string]any{field: value}}, nil
	}
}

// mexMissing answers that what was asked for does not exist, in the form that
// whatsmeow's types.GraphQLError and Baileys' executeWMexQuery read.
func mexMissing(field string) mexAnswer {
	return func(*World, *call, json.RawMessage) (any, *stanza.Error) {
		return map[string]any{
			"data": map[string]any{field: nil},
			"errors": []any{map[string]any{
				"message": "Not Found", "path": []string{field},
				"extensions": map[string]any{"error_code": 404, "is_retryable": false, "severity": "CRITICAL"},
			}},
		}, nil
	}
}

// noChannels is a page of channels with nothing on it.
func noChannels() map[string]any {
	return map[string]any{
		"result":    []any{},
		"page_info": map[string]any{"hasNextPage": false, "hasPreviousPage": false, "startCursor": nil, "endCursor": nil},
	}
}

// mexSetAbout sets the about text: whatsmeow's SetStatusMessage. An emoji and
// a lifetime may come with it; the sandbox keeps the text alone.
func mexSetAbout(w *World, c *call, variables json.RawMessage) (any, *stanza.Error) {
	var in struct {
		Input *struct {
			Text *string `json:"text"`
		} `json:"input"`
	}
	if err := json.Unmarshal(variables, &in); err != nil || in.Input == nil {
		return nil, stanza.Refuse(400)
	}
	text := ""
	if in.Input.Text != nil {
		text = *in.Input.Text
	}
	if refusal := w.setAbout(c, text); refusal != nil {
		return nil, refusal
	}
	w.commit()
	return map[string]any{"data": map[string]any{
		"xwa2_update_text_status": map[string]any{"result": "SUCCESS"},
	}}, nil
}
