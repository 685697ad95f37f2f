package v1

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"muster/internal/address"
	"muster/internal/auth"
	"muster/internal/event"
	"muster/internal/fault"
	"muster/session"
)

const tagEvents = "Events"

// eventLog is the API's side of the log of events.
type eventLog struct {
	log      *event.Log
	sessions *session.Manager
	// patience is that of event.Log.Stream.
	patience int64
}

type eventsInput struct {
	After   string   `query:"after" doc:"The id of the last event that is known, or the next of an earlier answer. With one session it may also be the seq of the last event that is known. 0, or nothing, is the beginning of what is kept; latest is the end." example:"evt_00000000a17k3m9q2xw"`
	Session []string `query:"session,explode" doc:"Only events of these sessions; separated by commas, or repeated."`
	Type    []string `query:"type,explode" doc:"Only events of these types: a name, or a family such as group.*; separated by commas, or repeated."`
	Group   string   `query:"group" doc:"Only events about this group."`
	Limit   int      `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"The most events in one answer."`
}

type eventsPage struct {
	Events []event.Envelope `json:"events" nullable:"false" doc:"The oldest first, in the order in which they became visible."`
	Next   string           `json:"next" doc:"Give this as after to go on from here, now or later. Also when there are no events in this answer."`
	More   bool             `json:"more" doc:"Whether there are newer events already."`
	Gap    bool             `json:"gap,omitempty" doc:"Events that followed after are not kept any more: some may be missing before the first of these."`
}

// RegisterEvents adds the log of events and its streams, and describes every
// type of event in the document's webhooks. patience is how many events may come
// while a stream's reader takes in a hundred.
func RegisterEvents(server Streamer, log *event.Log, sessions *session.Manager, patience int64) {
	e := &eventLog{log: log, sessions: sessions, patience: patience}
	handle(server.Huma(), route{
		Method: http.MethodGet, Path: "/events", ID: "list-events", Tag: tagEvents,
		Summary: "Read the log of events",
		Description: "Everything that happened to the sessions that the token may see, from any point on. Events are kept for a while " +
			"(events.keep_for and events.keep in the configuration). What each type of event carries is under webhooks in this document. " +
			"An event that was read once never changes its place: nothing appears before a next that was given.",
	}, e.list)
	e.mountStreams(server)
	describeEvents(server.Huma())
}

func (e *eventLog) list(ctx context.Context, in *eventsInput) (eventsPage, error) {
	filter, err := e.filter(ctx, in.Session, in.Type, in.Group)
	if err != nil {
		return eventsPage{}, err
	}
	after, err := e.cursor(ctx, "after", in.After, filter)
	if err != nil {
		return eventsPage{}, err
	}
	page, err := e.log.Read(ctx, event.Query{Filter: filter, After: after, Limit: in.Limit})
	if err != nil {
		return eventsPage{}, err
	}
	view := eventsPage{Events: make([]event.Envelope, len(page.Events)), Next: page.Next.String(), More: page.More, Gap: page.Gap}
	for i, ev := range page.Events {
		if view.Events[i], err = ev.Envelope(); err != nil {
			return eventsPage{}, err
		}
	}
	return view, nil
}

// filter reads what is asked for, and keeps a bound token to its sessions.
func (e *eventLog) filter(ctx context.Context, sessions, types []string, group string) (event.Filter, error) {
	var f event.Filter
	caller := auth.From(ctx)
	for _, id := range listed(sessions) {
		if !caller.May(id) {
			return f, fault.New(fault.SessionNotFound, "there is no session named %q", id)
		}
		if _, err := e.sessions.Get(ctx, id); err != nil {
			return f, err
		}
		f.Sessions = append(f.Sessions, id)
	}
	if f.Sessions == nil && !caller.Admin {
		f.Sessions = append([]string{}, caller.Sessions...)
	}
	if patterns := listed(types); len(patterns) > 0 {
		var unknown int
		if f.Types, unknown = event.Expand(patterns); unknown >= 0 {
			return f, fault.Field("type", "%q is not a type of event, nor a family of them such as group.*", patterns[unknown])
		}
	}
	if group == "" {
		return f, nil
	}
	jid, err := address.Group("group", group)
	f.Group = jid.String()
	return f, err
}

// listed splits lists that are separated by commas.
func listed(values []string) (list []string) {
	for _, value := range values {
		for _, one := range strings.Split(value, ",") {
			if one = strings.TrimSpace(one); one != "" && !slices.Contains(list, one) {
				list = append(list, one)
			}
		}
	}
	return list
}

// latest is the cursor's name for the end of the log.
const latest = "latest"

// cursor reads a place in the log; field is how the caller knows it.
func (e *eventLog) cursor(ctx context.Context, field, text string, f event.Filter) (event.Cursor, error) {
	if text == "" || text == "0" {
		return 0, nil
	}
	newest, err := e.log.Newest(ctx)
	if err != nil || text == latest {
		return newest, err
	}
	if seq, err := strconv.ParseInt(text, 10, 64); err == nil {
		if len(f.Sessions) != 1 || seq < 0 {
			return 0, fault.Field(field, "can only be a seq together with one session: give the id of an event, or next")
		}
		return e.log.Locate(ctx, f.Sessions[0], seq)
	}
	after, err := event.ParseCursor(text)
	switch {
	case err != nil:
		return 0, fault.Field(field, "must be the id of an event, or the next of an earlier answer").Because(err)
	case after > newest:
		return 0, fault.Field(field, "is ahead of this log: it comes from another database, or from before this one was restored")
	}
	return after, nil
}
