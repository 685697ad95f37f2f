package truth_test

import (
	"net/http"
	"strings"

	"muster/sandbox"
)

func rename(s *scene) answer { return s.here(http.MethodPut, "/subject", object{"subject": "After"}) }

func describe(s *scene) answer {
	return s.here(http.MethodPut, "/description", object{"description": "As it is"})
}

func patch(s *scene) answer {
	return s.here(http.MethodPatch, "", object{"subject": "After", "description": "As it is", "announce": true})
}

// described gives the description another version, and the text of the last.
func described(s *scene) { s.must(s.wa.SetDescription(ann, s.jid, "As it was meanwhile")) }

var (
	renaming   = operation{name: "subject", as: owner, do: rename, tells: "subject"}
	describing = operation{name: "description", as: owner, do: describe, tells: "description"}
	patching   = operation{name: "patch", as: owner, do: patch, tells: "subject description announce", check: patched("Changed", "Changed", "Changed")}
	closed     = sandbox.Settings{Locked: yes()}
)

var changesOfTexts = []operation{
	renaming,
	{name: "subject by a member", as: ordinary, do: rename, tells: "subject"},
	locked(forbidden(renaming)), strange(renaming), nowhere(renaming), suspended(renaming),
	{name: "subject of nothing", as: owner, refused: 422, code: "invalid", do: func(s *scene) answer {
		return s.here(http.MethodPut, "/subject", object{"subject": " "})
	}},
	{name: "subject as it is", as: owner, do: func(s *scene) answer {
		return s.here(http.MethodPut, "/subject", object{"subject": "Before"})
	}},

	describing,
	{name: "description by a member", as: ordinary, do: describe, tells: "description"},
	{name: "description deleted", as: owner, tells: "description", do: func(s *scene) answer {
		return s.here(http.MethodPut, "/description", object{"description": nil})
	}},
	{name: "description given anew", as: owner, tells: "description", do: describe, before: func(s *scene) {
		s.must(s.wa.SetDescription(ann, s.jid, ""))
	}},
	{name: "description replaced knowingly", as: owner, tells: "description", do: func(s *scene) answer {
		known := s.here(http.MethodGet, "", nil).ok().text("topic_id")
		return s.here(http.MethodPut, "/description", object{"description": "As it is", "prev_id": known})
	}},
	{name: "description replaced unknowingly", as: owner, refused: 409, code: "description_conflict", do: func(s *scene) answer {
		return s.here(http.MethodPut, "/description", object{"description": "As it is", "prev_id": "0123456789"})
	}, before: described},
	{name: "description too long", as: owner, refused: 422, code: "invalid", do: func(s *scene) answer {
		return s.here(http.MethodPut, "/description", object{"description": strings.Repeat("é", 2049)})
	}},
	locked(forbidden(describing)), strange(describing), nowhere(describing), suspended(describing),

	patching, strange(patching), nowhere(patching), suspended(patching), locked(forbidden(patching)),
	{name: "patch in part", as: ordinary, do: patch, tells: "subject description", check: patched("Changed", "Changed", "Failed")},
	{name: "patch of nothing", as: owner, refused: 422, code: "invalid", do: func(s *scene) answer {
		return s.here(http.MethodPatch, "", object{})
	}},
}

// locked is an operation in a group whose information only admins may change.
func locked(o operation) operation {
	o.settings = closed
	return o
}

// patched checks what became of subject, description and announce.
func patched(want ...string) func(*scene, answer) {
	return func(s *scene, a answer) {
		var body struct {
			Results []struct{ Field, Status string }
		}
		decode(a, &body)
		for i, field := range []string{"subject", "description", "announce"} {
			if len(body.Results) != len(want) || body.Results[i].Field != field || body.Results[i].Status != want[i] {
				s.t.Errorf("%s: %s, want %v", a.what, a.raw, want)
				return
			}
		}
	}
}
