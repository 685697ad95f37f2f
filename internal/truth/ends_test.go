package truth_test

import (
	"net/http"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/service"
)

func leave(s *scene) answer { return s.here(http.MethodPost, "/leave", nil) }

func end(s *scene) answer { return s.here(http.MethodDelete, "", nil) }

// create makes a group, which is the scene's from then on.
func create(body object, numbers ...string) func(*scene) answer {
	return func(s *scene) answer {
		order := s.people(numbers...)
		for field, value := range body {
			order[field] = value
		}
		a := s.call(http.MethodPost, "/groups", order)
		if a.status == http.StatusOK {
			var err error
			s.jid, err = types.ParseJID(a.text("group_jid"))
			s.must(err)
		}
		return a
	}
}

// leftBy lets the members go until the acting account is alone.
func leftBy(numbers ...string) func(*scene) {
	return func(s *scene) {
		for _, number := range numbers {
			s.must(s.wa.LeaveGroup(number, s.jid))
		}
	}
}

var (
	leaving = operation{name: "leave", as: ordinary, do: leave, tells: "left", watched: "participants_left"}
	ending  = operation{name: "delete", as: owner, do: end, tells: "participants_removed left|deleted", watched: "removed", check: ended(true)}
)

var changesOfEnds = []operation{
	{name: "create", as: outsider, tells: "created", watched: "created", do: create(object{"name": "New"}, bob, ann)},
	{name: "create alone", as: outsider, tells: "created", watched: nothing, do: create(object{"name": "New"})},
	{name: "create with settings", as: outsider, tells: "created", watched: "created",
		do: create(object{"name": "New", "membership_approval_mode": "on", "member_add_mode": "all_member_add"}, bob)},
	{name: "create with some who cannot come", as: outsider, tells: "created", watched: "created", do: create(object{"name": "New"}, bob, nobody, private)},
	{name: "create with nobody who can come", as: outsider, do: create(object{"name": "New"}, nobody), refused: 422, code: "invalid"},
	{name: "create without a name", as: outsider, do: create(object{"name": ""}, bob), refused: 422, code: "invalid"},

	leaving, strange(leaving), nowhere(leaving),
	{name: "leave as the owner", as: owner, do: leave, tells: "left", watched: "participants_left"},
	{name: "leave last", as: owner, do: leave, tells: "left", watched: nothing, before: leftBy(ann, bob, cid)},
	{name: "leave without an admin", as: owner, do: leave, tells: "left", watched: "participants_left participants_promoted",
		before: func(s *scene) { s.act(me, service.ActDemote, bob) }},
	{name: "leave while suspended", as: ordinary, do: leave, tells: "left", watched: "participants_left", before: func(s *scene) {
		s.must(s.wa.SetSettings(ann, s.jid, sandbox.Settings{Suspended: yes()}))
	}},

	ending, forbidden(ending), strange(ending), nowhere(ending), suspended(ending),
	{name: "delete alone", as: owner, do: end, tells: "left|deleted", watched: nothing, before: leftBy(ann, bob, cid), check: ended(true)},
	{name: "delete against the owner", as: admin, do: end, check: ended(false)},
}

// ended checks whether a group was deleted.
func ended(deleted bool) func(*scene, answer) {
	return func(s *scene, a answer) {
		if a.body["success"] != deleted {
			s.t.Errorf("%s: %s, want deleted %v", a.what, a.raw, deleted)
		}
	}
}
