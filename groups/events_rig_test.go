package groups_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"muster/internal/event"
)

// told is an event with its data as the API shows it.
type told struct {
	event.Event
	data map[string]any
}

// heard returns the events of groups after a place in the log.
func (r *rig) heard(after event.Cursor) []told {
	r.t.Helper()
	types, _ := event.Expand([]string{"group.*"})
	page, err := r.events.Read(r.t.Context(), event.Query{After: after, Filter: event.Filter{Types: types}, Limit: event.MaxLimit})
	r.must(err)
	list := make([]told, len(page.Events))
	for i, e := range page.Events {
		list[i] = told{Event: e}
		r.must(e.Decode(&list[i].data))
	}
	return list
}

func (r *rig) newest() event.Cursor {
	r.t.Helper()
	newest, err := r.events.Newest(r.t.Context())
	r.must(err)
	return newest
}

// hears waits until as many events have come, and returns them.
func (r *rig) hears(what string, after event.Cursor, count int) []told {
	r.t.Helper()
	r.eventually(what, func() bool { return len(r.heard(after)) >= count })
	return r.heard(after)
}

// at is a value in the data, by its path: "participants.0.jid".
func (e told) at(path string) string {
	var value any = e.data
	for _, key := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(v) {
				return ""
			}
			value = v[i]
		default:
			return ""
		}
	}
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// String is the event for messages.
func (e told) String() string {
	text, _ := json.Marshal(e.data)
	return fmt.Sprintf("%s request %q offline %v %s", e.Type, e.RequestID, e.Offline, text)
}

// says fails the test unless the event is of the type and its data has what is
// wanted, written "path=value path=value", with + for a space.
func (r *rig) says(what string, e told, kind event.Type, wants string) {
	r.t.Helper()
	bad := e.Type != kind || e.SessionID != mine || e.Group == "" || e.at("group_jid") != e.Group || e.At.IsZero()
	for _, want := range strings.Fields(wants) {
		path, value, _ := strings.Cut(want, "=")
		bad = bad || e.at(path) != strings.ReplaceAll(value, "+", " ")
	}
	if bad {
		r.t.Errorf("%s: %v, want %s with %s", what, e, kind, wants)
	}
}

// What the events of a kind of change are, by others or by us: types, and what
// their data must have.
func expectations() map[string][][2]string {
	person := "participants.0.jid=" + cid + "@s.whatsapp.net participants.0.phone_number=" + cid
	member := person + " participants.0.name=Cid"
	return map[string][][2]string{
		"subject":                  {{"group.subject", "subject=Fly+anglers previous_subject=Anglers"}},
		"description":              {{"group.description", ""}},
		"announce":                 {{"group.settings", ""}},
		"locked":                   {{"group.settings", "settings.locked=true previous.locked=false"}},
		"disappearing_seconds":     {{"group.settings", ""}},
		"member_add_mode":          {{"group.settings", ""}},
		"member_link_mode":         {{"group.settings", ""}},
		"membership_approval_mode": {{"group.settings", ""}},
		"suspended":                {{"group.suspended", ""}},
		"participants_joined":      {{"group.participants", "action=joined reason=invite participant_count=4 " + member}},
		"participants_promoted":    {{"group.participants", "action=promoted participants.0.role=admin participants.0.previous_role=member " + member}},
		"participants_demoted":     {{"group.participants", "action=demoted participants.0.role=member participants.0.previous_role=admin " + member}},
		"participants_left":        {{"group.participants", "action=left participant_count=3 actor.phone_number=" + cid + " " + member}},
		"participants_removed":     {{"group.participants", "action=removed participant_count=3 " + member}},
		"participants_added":       {{"group.participants", "action=added participant_count=4 " + member}},
		"join_requests_created":    {{"group.join_request", "action=created method=invite_link " + person}},
		"join_requests_rejected":   {{"group.join_request", "action=rejected " + person}},
		"join_requests_approved": {
			{"group.join_request", "action=approved " + person},
			{"group.participants", "action=joined reason=request_approved participant_count=4 " + member},
		},
		"invite_link_reset": {{"group.invite_link", ""}},
	}
}

// name tells the session what somebody is called, as a message of theirs would.
func (r *rig) name(number, name string) {
	r.t.Helper()
	s, err := r.manager.Get(r.t.Context(), mine)
	r.must(err)
	_, err = r.db.Exec(r.t.Context(), "INSERT INTO whatsmeow_contacts (our_jid, their_jid, push_name) VALUES ($1, $2, $3)",
		s.JID, number+"@s.whatsapp.net", name)
	r.must(err)
}

// do runs an operation as the API does for a request.
func (r *rig) do(request string, op func(ctx context.Context) error) {
	r.t.Helper()
	if err := op(event.WithRequest(r.t.Context(), request)); err != nil {
		r.t.Fatalf("%s: %v", request, err)
	}
}
