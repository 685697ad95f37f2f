package truth_test

import (
	"net/http"
	"slices"

	"go.mau.fi/whatsmeow/types"
)

// found makes a community of the scene's group; both it and its announcement
// group are compared from then on.
func found(s *scene) answer {
	a := s.call(http.MethodPost, "/communities", object{"name": "All of us", "description": "Everybody", "groups": []string{s.jid.String()}})
	for _, field := range []string{"group_jid", "announcement_group_jid"} {
		if a.status == http.StatusOK {
			jid, err := types.ParseJID(a.text(field))
			s.must(err)
			s.others = append(s.others, jid)
		}
	}
	return a
}

// founded has found done before.
func founded(s *scene) { found(s).ok() }

// inCommunity calls something about the community.
func inCommunity(method, rest string, body func(*scene) any) func(*scene) answer {
	return func(s *scene) answer {
		var content any
		if body != nil {
			content = body(s)
		}
		return s.group(method, s.others[0], rest, content)
	}
}

func thisGroup(s *scene) any { return object{"groups": []string{s.jid.String()}} }

func thisGroupAndItsOrphans(s *scene) any {
	return object{"groups": []string{s.jid.String()}, "remove_orphans": true}
}

// took checks what became of the one group that was linked or unlinked.
func took(status, code string) func(*scene, answer) {
	return func(s *scene, a answer) {
		var body struct {
			Results []struct {
				JID, Status string
				Error       struct{ Code string }
			}
		}
		decode(a, &body)
		if len(body.Results) != 1 || body.Results[0].Status != status || body.Results[0].Error.Code != code {
			s.t.Errorf("%s: %s, want %s %s", a.what, a.raw, status, code)
		}
	}
}

// all compares the scene's group, and the community unless it is known that it
// must be asked about: the group's members are coming into it.
func all(s *scene) {
	s.agrees(s.jid)
	if s.group(http.MethodGet, s.others[0], "", nil).ok().body["stale"] != true {
		s.agrees(s.others[0])
	}
}

// community compares the community alone: of its groups only events tell.
func community(s *scene) { s.agrees(s.others[0]) }

// unlink takes the group out of the community again.
func unlink(s *scene) { inCommunity(http.MethodDelete, "/sub-groups", thisGroup)(s).ok() }

var changesOfCommunities = []operation{
	{name: "make a community", as: owner, do: found, tells: "community_linked", check: took("Linked", ""), soon: all},
	{name: "make a community of another's group", as: ordinary, do: found, check: took("Failed", "not_admin")},
	{name: "make a community without a name", as: owner, refused: 422, code: "invalid", do: func(s *scene) answer {
		return s.call(http.MethodPost, "/communities", object{"name": ""})
	}},
	{name: "link", as: owner, do: inCommunity(http.MethodPost, "/sub-groups", thisGroup), tells: "community_linked",
		before: func(s *scene) { founded(s); unlink(s) }, check: took("Linked", ""), soon: all},
	{name: "link again", as: owner, do: inCommunity(http.MethodPost, "/sub-groups", thisGroup), before: founded, check: took("Failed", "already_linked")},
	{name: "link to what is no community", as: owner, refused: 422, code: "invalid", do: func(s *scene) answer {
		return s.here(http.MethodPost, "/sub-groups", thisGroup(s))
	}},
	{name: "unlink", as: owner, do: inCommunity(http.MethodDelete, "/sub-groups", thisGroup), before: founded, tells: "community_unlinked", check: took("Unlinked", "")},
	{name: "unlink and remove who is nowhere else", as: owner, do: inCommunity(http.MethodDelete, "/sub-groups", thisGroupAndItsOrphans),
		before: founded, tells: "community_unlinked", check: took("Unlinked", "")},
	{name: "sub-groups", as: owner, do: inCommunity(http.MethodGet, "/sub-groups", nil), before: founded, check: hasGroups},
	{name: "participants of a community", as: owner, do: inCommunity(http.MethodGet, "/participants", nil), before: founded, check: hasPeople(me, ann, bob, cid)},
	{name: "groups of a community", as: owner, before: founded, check: hasGroups, do: func(s *scene) answer {
		return s.call(http.MethodGet, "/groups?community="+s.others[0].String(), nil)
	}},
	{name: "dissolve a community", as: owner, do: inCommunity(http.MethodDelete, "", nil), before: founded, soon: community, tells: "community_unlinked"},
	{name: "delete an announcement group", as: owner, before: founded, refused: 409, code: "conflict", do: func(s *scene) answer {
		return s.group(http.MethodDelete, s.others[1], "", nil)
	}},
	{name: "leave a community", as: owner, do: inCommunity(http.MethodPost, "/leave", nil), before: founded, soon: community, tells: "left", watched: "participants_left"},
}

// hasGroups checks that the community has the scene's group and its
// announcement group.
func hasGroups(s *scene, a answer) {
	list, _ := a.body["groups"].([]any)
	var jids []string
	for _, each := range list {
		g, _ := each.(object)
		jid, _ := g["jid"].(string)
		jids = append(jids, jid)
	}
	want := []string{s.jid.String(), s.others[1].String()}
	slices.Sort(jids)
	slices.Sort(want)
	if !slices.Equal(jids, want) {
		s.t.Errorf("%s: %v, want %v", a.what, jids, want)
	}
}

// hasPeople checks who is listed.
func hasPeople(numbers ...string) func(*scene, answer) {
	return func(s *scene, a answer) {
		list, _ := a.body["participants"].([]any)
		var got []string
		for _, each := range list {
			p, _ := each.(object)
			number, _ := p["phone_number"].(string)
			got = append(got, number)
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(numbers))
		if !slices.Equal(got, want) {
			s.t.Errorf("%s: %v, want %v", a.what, got, want)
		}
	}
}
