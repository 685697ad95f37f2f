package event_test

import (
	"slices"
	"strings"
	"testing"

	"muster/internal/event"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		status := event.Event{Type: event.SessionStatus, SessionID: "a", Data: event.Status{Status: "connected"}}
		other := subject("b", "b2")
		other.Group = "2@g.us"
		r.must(r.add(r.t.Context(), subject("a", "a1"), status, subject("b", "b1"), other, subject("c", "c1")))
		for name, c := range map[string]struct {
			filter event.Filter
			want   int
		}{
			"all":            {event.Filter{}, 5},
			"one session":    {event.Filter{Sessions: []string{"b"}}, 2},
			"two sessions":   {event.Filter{Sessions: []string{"b", "c"}}, 3},
			"no session":     {event.Filter{Sessions: []string{}}, 0},
			"a type":         {event.Filter{Types: []event.Type{event.SessionStatus}}, 1},
			"no type":        {event.Filter{Types: []event.Type{}}, 0},
			"a group":        {event.Filter{Group: "1@g.us"}, 3},
			"all three":      {event.Filter{Sessions: []string{"a", "b"}, Types: []event.Type{event.GroupSubject}, Group: "1@g.us"}, 2},
			"another's type": {event.Filter{Sessions: []string{"c"}, Types: []event.Type{event.SessionStatus}}, 0},
		} {
			page := r.read(event.Query{Filter: c.filter})
			if len(page.Events) != c.want || page.More || page.Gap {
				r.t.Errorf("%s: %d events, want %d", name, len(page.Events), c.want)
			}
			if newest, err := r.log.Newest(r.t.Context()); err != nil || page.Next != newest {
				r.t.Errorf("%s: goes on at %s, want the end of the log", name, page.Next)
			}
		}
	})
}

// Pages follow one another without a gap or an overlap, an id is a cursor, and
// so is a session's number.
func TestPages(t *testing.T) {
	t.Parallel()
	everywhere(t, event.Options{}, func(r *rig) {
		var want []string
		for i := range 10 {
			text := string(rune('0' + i))
			r.must(r.add(r.t.Context(), subject("a", text), subject("b", "not this")))
			want = append(want, text)
		}
		q := event.Query{Filter: event.Filter{Sessions: []string{"a"}}, Limit: 3}
		var got []string
		for page := (event.Page{More: true}); page.More; {
			page = r.read(q)
			got = append(got, r.texts(page.Events)...)
			for _, e := range page.Events {
				cursor, err := event.ParseCursor(e.ID)
				r.must(err)
				if next := r.read(event.Query{Filter: q.Filter, After: cursor, Limit: 1}); e.Seq < 10 && next.Events[0].Seq != e.Seq+1 {
					r.t.Errorf("after the id of %d comes %d", e.Seq, next.Events[0].Seq)
				}
				if cursor, err = r.log.Locate(r.t.Context(), "a", e.Seq); err != nil {
					r.t.Fatal(err)
				}
				if next := r.read(event.Query{Filter: q.Filter, After: cursor, Limit: 1}); e.Seq < 10 && next.Events[0].Seq != e.Seq+1 {
					r.t.Errorf("after the number %d comes %d", e.Seq, next.Events[0].Seq)
				}
			}
			q.After = page.Next
		}
		if !slices.Equal(got, want) {
			r.t.Errorf("the pages have %v", got)
		}
		if page := r.read(q); len(page.Events) != 0 || page.Next != q.After {
			r.t.Errorf("after the end come %d events and %s", len(page.Events), page.Next)
		}
	})
}

func TestCursors(t *testing.T) {
	t.Parallel()
	for _, position := range []event.Cursor{0, 1, 35, 36, 1 << 40} {
		if got, err := event.ParseCursor(position.String()); err != nil || got != position {
			t.Errorf("%d is written %s and read %d: %v", position, position, got, err)
		}
	}
	for _, text := range []string{"", "evt_", "evt_1", "12", "evt_00000000-1", "evt_0000000001abc", "EVT_0000000001", "evt_0000000001" + strings.Repeat("x", 11), "evt_000000001é"} {
		if got, err := event.ParseCursor(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for patterns, want := range map[string]int{
		"*": len(event.Kinds()), "group.*": 12, "session.*,session.qr": 3, "message.poll_vote": 1, "group.subject,session.*,session.*": 4,
	} {
		types, unknown := event.Expand(strings.Split(patterns, ","))
		if len(types) != want || unknown >= 0 {
			t.Errorf("%s means %d types, want %d; unknown is %d", patterns, len(types), want, unknown)
		}
	}
	for _, pattern := range []string{"", "group", "group.", "gro*", "group.sub*", "Group.*", "**", "*.subject", "group.nothing"} {
		if types, unknown := event.Expand([]string{"session.qr", pattern}); unknown != 1 || len(types) != 1 {
			t.Errorf("%q means %v", pattern, types)
		}
	}
}
