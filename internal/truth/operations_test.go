package truth_test

import (
	"cmp"
	"encoding/json"
	"net/http"
	"testing"

	"muster/sandbox"
)

// operation is one way to use the API on a group.
type operation struct {
	name string
	// as is what the acting account is in the group, and settings how it is.
	as       standing
	settings sandbox.Settings
	// before is what phones do first.
	before func(s *scene)
	do     func(s *scene) answer
	// refused is the status and the code of the refusal; 0 is success.
	refused int
	code    string
	// check looks at the answer.
	check func(s *scene, a answer)
	// soon compares what must be known as soon as the operation has answered;
	// nil is the scene's group, as the acting session knows it.
	soon func(s *scene)
	// tells are the changes that the history of both sessions has afterwards;
	// watched, if it is not empty, those of the session that watches.
	tells, watched string
}

// TestEveryOperation performs every operation on groups of both addressings,
// with success and with each documented refusal. After each, what the session
// knows of the group is the truth: at once, and still when WhatsApp's own
// notification of it has come. Another member's session knows the same, and
// the history of both tells it exactly once.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	w := newStage(t)
	for _, mode := range []string{"lid", "pn"} {
		for _, group := range [][]operation{changesOfTexts, changesOfSettings, changesOfMembers, changesOfEntry, changesOfPhotos, changesOfCommunities, changesOfEnds} {
			for _, o := range group {
				t.Run(mode+"/"+o.name, func(t *testing.T) { o.perform(t, w, mode) })
			}
		}
	}
}

func (o operation) perform(t *testing.T, w stage, mode string) {
	s := w.play(t, mode, o.as, o.settings)
	defer s.clear()
	if o.before != nil {
		o.before(s)
		s.rest()
	}
	mine, theirs := s.latest(s.jid), s.watching.latest(s.jid)
	a := o.do(s)
	switch {
	case o.refused == 0:
		a.ok()
	case a.status != o.refused || a.code() != o.code:
		t.Errorf("%s: %d %s, want %d %s", a.what, a.status, a.raw, o.refused, o.code)
	}
	if o.check != nil {
		o.check(s, a)
	}
	if o.soon != nil {
		o.soon(s)
	} else {
		s.agrees(s.jid)
	}
	s.rest()
	s.agree()
	s.told(s.jid, mine, o.tells)
	s.watching.told(s.jid, theirs, cmp.Or(o.watched, o.tells))
}

// decode reads an answer's body.
func decode(a answer, into any) {
	a.t.Helper()
	if err := json.Unmarshal(a.raw, into); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.raw)
	}
}

func yes() *bool { on := true; return &on }

func mode(text string) *string { return &text }

// forbidden is the refusal of what only admins may do.
func forbidden(o operation) operation {
	o.name += " by a member"
	o.as, o.refused, o.code, o.tells, o.watched, o.check = ordinary, http.StatusForbidden, "not_admin", "", "", nil
	return o
}

// strange is the refusal of what only members may do.
func strange(o operation) operation {
	o.name += " from outside"
	o.as, o.refused, o.code, o.tells, o.watched, o.check = outsider, http.StatusForbidden, "not_in_group", "", "", nil
	return o
}

// nowhere is the refusal of what needs a group that exists.
func nowhere(o operation) operation {
	o.name += " of no group"
	do := o.do
	o.do = func(s *scene) answer {
		real := s.jid
		s.jid.User = "120363999999999999"
		a := do(s)
		s.jid = real
		return a
	}
	o.refused, o.code, o.tells, o.watched, o.check = http.StatusNotFound, "group_not_found", "", "", nil
	return o
}

// suspended is the refusal of what cannot be done in a suspended group.
func suspended(o operation) operation {
	o.name += " while suspended"
	o.settings.Suspended = nil
	before := o.before
	o.before = func(s *scene) {
		if before != nil {
			before(s)
		}
		s.must(s.wa.SetSettings(ann, s.jid, sandbox.Settings{Suspended: yes()}))
	}
	o.refused, o.code, o.tells, o.watched, o.check = http.StatusUnprocessableEntity, "rejected", "", "", nil
	return o
}
