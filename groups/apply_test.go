package groups

import (
	"fmt"
	"testing"
	"time"
)

func someone(n int) Identity {
	return Identity{JID: fmt.Sprintf("62811%d@s.whatsapp.net", n), PhoneNumber: fmt.Sprintf("62811%d", n), LID: fmt.Sprintf("%d@lid", n)}
}

// aMirrored is a group of persons 0 (the account), 1 (an admin) and 2.
func aMirrored() *mirrored {
	g := &mirrored{Group: Group{JID: aGroup, Subject: "A", version: "10"}, known: true}
	for n, role := range []Role{RoleMember, RoleSuperAdmin, RoleMember} {
		g.members = append(g.members, memberRow{Participant: Participant{someone(n), role}, position: int64(n)})
	}
	g.count(someone(0))
	return g
}

// at is a moment by WhatsApp's clock.
func at(second int64) time.Time { return time.Unix(1_700_000_000+second, 0) }

func (g *mirrored) run(c Change) []effect {
	if c.Source == "" {
		c.Source = SourceEvent
	}
	return g.take(c, someone(0), at(1000))
}

func TestLateAndRepeatedValues(t *testing.T) {
	t.Parallel()
	subject := func(text string, second int64) Change { return Change{Kind: ChangeSubject, Text: text, At: at(second)} }
	for name, test := range map[string]struct {
		changes []Change
		want    string
		doubt   bool
		entries int
	}{
		"in order":            {[]Change{subject("B", 1), subject("C", 2)}, "C", false, 2},
		"repeated":            {[]Change{subject("B", 1), subject("B", 1)}, "B", false, 1},
		"swapped":             {[]Change{subject("C", 2), subject("B", 1)}, "C", true, 1},
		"late repetition":     {[]Change{subject("B", 1), subject("C", 2), subject("B", 1)}, "C", true, 2},
		"of one second":       {[]Change{subject("B", 1), subject("C", 1)}, "C", true, 2},
		"echo of our own":     {[]Change{{Kind: ChangeSubject, Text: "B", At: at(990), Source: SourceAPI}, subject("B", 3)}, "B", false, 1},
		"our clock is behind": {[]Change{subject("B", 500), {Kind: ChangeSubject, Text: "C", At: at(1010), Source: SourceAPI}, subject("C", 501)}, "C", false, 2},
		"late echo of our own": {[]Change{
			{Kind: ChangeSubject, Text: "B", At: at(999), Source: SourceAPI}, {Kind: ChangeSubject, Text: "C", At: at(1000), Source: SourceAPI},
			{Kind: ChangeSubject, Text: "B", At: at(999), Actor: someone(0), overtaken: true},
		}, "C", true, 2},
		"of the account's phone, after our own": {[]Change{
			{Kind: ChangeSubject, Text: "B", At: at(1000), Source: SourceAPI}, {Kind: ChangeSubject, Text: "C", At: at(1000), Actor: someone(0)},
		}, "C", false, 2},
		"after our own":     {[]Change{{Kind: ChangeSubject, Text: "B", At: at(1000), Source: SourceAPI}, {Kind: ChangeSubject, Text: "C", At: at(1000), Actor: someone(1)}}, "C", false, 2},
		"written down late": {[]Change{subject("B", 500), {Kind: ChangeSubject, Text: "C", At: at(1000), Source: SourceAPI}}, "C", true, 2},
	} {
		g, entries := aMirrored(), 0
		for _, c := range test.changes {
			entries += len(g.run(c))
		}
		if g.Subject != test.want || g.stale != test.doubt || entries != test.entries {
			t.Errorf("%s: %q, doubt %v, %d entries; want %q, %v, %d", name, g.Subject, g.stale, entries, test.want, test.doubt, test.entries)
		}
	}
}

// Two descriptions of the same text, or two deletions, differ by their ids.
func TestDescriptionsOfOneText(t *testing.T) {
	t.Parallel()
	theirs := Change{Kind: ChangeDescription, TopicID: "THEIRS", At: at(500)}
	ours := Change{Kind: ChangeDescription, TopicID: "OURS", At: at(1000), Source: SourceAPI}
	echo := Change{Kind: ChangeDescription, TopicID: "OURS", At: at(501)}
	for name, test := range map[string]struct {
		changes []Change
		doubt   bool
	}{
		"written down late":           {[]Change{theirs, ours}, true},
		"echo of our own":             {[]Change{ours, echo}, false},
		"the echo is faster":          {[]Change{echo, ours}, false},
		"ours replaces an older one":  {[]Change{theirs, echo, ours}, false},
		"theirs came a second before": {[]Change{theirs, echo}, false},
	} {
		g := aMirrored()
		for _, c := range test.changes {
			g.run(c)
		}
		if g.TopicID != "OURS" || g.stale != test.doubt {
			t.Errorf("%s: %s, doubt %v", name, g.TopicID, g.stale)
		}
	}
}

func TestLateAndRepeatedMembers(t *testing.T) {
	t.Parallel()
	people := func(kind ChangeKind, prev, version string, who ...int) Change {
		c := Change{Kind: kind, PrevVersion: prev, Version: version, At: at(1), Actor: someone(1)}
		for _, n := range who {
			c.People = append(c.People, someone(n))
		}
		return c
	}
	own := people(ChangeAdded, "", "", 3)
	own.Source = SourceAPI
	for name, test := range map[string]struct {
		changes []Change
		want    string
		version string
		doubt   bool
		entries int
	}{
		"in order":                     {[]Change{people(ChangeAdded, "10", "11", 3), people(ChangeExpelled, "11", "12", 3)}, "0 1 2", "12", false, 2},
		"repeated":                     {[]Change{people(ChangeAdded, "10", "11", 3), people(ChangeAdded, "10", "11", 3)}, "0 1 2 3", "11", false, 1},
		"swapped":                      {[]Change{people(ChangeExpelled, "11", "12", 3), people(ChangeAdded, "10", "11", 3)}, "0 1 2", "12", true, 0},
		"one is missing":               {[]Change{people(ChangeAdded, "11", "12", 4)}, "0 1 2 4", "12", true, 1},
		"echo":                         {[]Change{own, people(ChangeAdded, "10", "11", 3)}, "0 1 2 3", "11", false, 1},
		"before an answer that has it": {[]Change{people(ChangeAdded, "8", "9", 3)}, "0 1 2", "10", false, 0},
		"promoted, the creator too":    {[]Change{people(ChangePromoted, "10", "11", 1, 2)}, "0 1 2", "11", false, 1},
	} {
		g, entries := aMirrored(), 0
		for _, c := range test.changes {
			entries += len(g.run(c))
		}
		members := ""
		for _, m := range g.members {
			members += " " + m.LID[:1]
		}
		if members != " "+test.want || g.version != test.version || g.stale != test.doubt || entries != test.entries || g.ParticipantCount != len(g.members) {
			t.Errorf("%s: members%s of version %s, doubt %v, %d entries", name, members, g.version, g.stale, entries)
		}
		if g.members[1].Role != RoleSuperAdmin {
			t.Errorf("%s: the creator is %s", name, g.members[1].Role)
		}
	}
}

// The account's own departure ends the group, unless it is older than its return.
func TestOwnDeparture(t *testing.T) {
	t.Parallel()
	removed := Change{Kind: ChangeExpelled, People: []Identity{someone(2), someone(0)}, PrevVersion: "10", Version: "11"}
	g := aMirrored()
	if done := g.run(removed); len(done) != 1 || done[0].kind != ChangeRemoved || g.known {
		t.Errorf("being removed: %+v", done)
	}
	if done := g.run(removed); len(done) != 1 || !done[0].stateless {
		t.Errorf("being removed again: %+v", done)
	}
	g = aMirrored()
	g.version = "12"
	if done := g.run(removed); len(done) != 0 || !g.known {
		t.Errorf("being removed before coming back: %+v", done)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	g := aMirrored()
	asks := Change{Kind: ChangeRequested, People: []Identity{someone(3), someone(4)}, Text: "invite_link", At: at(1), Actor: someone(3)}
	if done := g.run(asks); len(done) != 1 || len(g.requests) != 2 {
		t.Fatalf("asking: %+v", done)
	}
	if done := g.run(asks); len(done) != 0 {
		t.Errorf("asking twice: %+v", done)
	}
	approved := Change{Kind: ChangeArrived, People: []Identity{someone(3)}, PrevVersion: "10", Version: "11", At: at(2), Actor: someone(1)}
	if done := g.run(approved); len(done) != 1 || done[0].kind != ChangeApproved || len(g.requests) != 1 || g.find(someone(3)) < 0 {
		t.Errorf("an approval: %+v", done)
	}
	rejected := Change{Kind: ChangeRejected, People: []Identity{someone(4)}, At: at(3), Actor: someone(1)}
	if done := g.run(rejected); len(done) != 1 || done[0].stateless || len(g.requests) != 0 {
		t.Errorf("a rejection: %+v", done)
	}
	if done := g.run(rejected); len(done) != 1 || !done[0].stateless {
		t.Errorf("a rejection again: %+v", done)
	}
}
