package truth_test

import (
	"fmt"
	"net/http"
	"strings"

	"muster/sandbox"
	"muster/sandbox/service"
)

// Changes of members, as calls.

func add(numbers ...string) func(*scene) answer {
	return people(http.MethodPost, "/participants", numbers...)
}

func remove(numbers ...string) func(*scene) answer {
	return people(http.MethodDelete, "/participants", numbers...)
}

func promote(numbers ...string) func(*scene) answer {
	return people(http.MethodPost, "/admins", numbers...)
}

func demote(numbers ...string) func(*scene) answer {
	return people(http.MethodDelete, "/admins", numbers...)
}

func people(method, rest string, numbers ...string) func(*scene) answer {
	return func(s *scene) answer { return s.here(method, rest, s.people(numbers...)) }
}

var (
	everyoneAdds = sandbox.Settings{MemberAddMode: mode("all_member_add")}
	adminsAdd    = sandbox.Settings{MemberAddMode: mode("admin_add")}
	askFirst     = sandbox.Settings{MemberAddMode: mode("all_member_add"), ApprovalMode: mode("on")}

	adding    = operation{name: "add", as: owner, settings: adminsAdd, do: add(dee, eve), tells: "participants_added", check: became("dee Added, eve Added")}
	removing  = operation{name: "remove", as: owner, do: remove(ann, cid), tells: "participants_removed", check: became("ann Removed, cid Removed")}
	promoting = operation{name: "promote", as: owner, do: promote(ann, cid), tells: "participants_promoted", check: became("ann Promoted, cid Promoted")}
	demoting  = operation{name: "demote", as: owner, do: demote(bob), tells: "participants_demoted", check: became("bob Demoted")}
)

var changesOfMembers = []operation{
	adding, forbidden(adding), strange(adding), nowhere(adding), suspended(adding),
	{name: "add by a member", as: ordinary, settings: everyoneAdds, do: add(dee), tells: "participants_added", check: became("dee Added")},
	{name: "add where an admin must approve", as: ordinary, settings: askFirst, do: add(dee), watched: "join_requests_created", check: became("dee Requested")},
	{name: "add members", as: owner, do: add(ann, dee), tells: "participants_added", check: became("ann Failed/already_member, dee Added")},
	{name: "add nobody there is", as: owner, do: add(nobody), check: became("nobody Failed/not_on_whatsapp")},
	{name: "add against privacy", as: owner, do: add(private, dee), tells: "participants_added", check: became("private Failed/privacy, dee Added")},
	{name: "invite against privacy", as: owner, check: became("private Invited"), do: func(s *scene) answer {
		body := s.people(private)
		body["on_private"] = "invite"
		return s.here(http.MethodPost, "/participants", body)
	}},
	{name: "add who has just left", as: owner, do: add(cid), check: became("cid Failed/recently_left"), before: func(s *scene) {
		s.must(s.wa.LeaveGroup(cid, s.jid))
	}},
	{name: "add who was removed", as: owner, do: add(cid), tells: "participants_added", check: became("cid Added"), before: func(s *scene) {
		s.act(bob, service.ActRemove, cid)
	}},
	{name: "add who has asked", as: owner, settings: askFirst, do: add(dee), tells: "participants_added|join_requests_approved",
		check: became("dee Added"), before: func(s *scene) { s.join(dee) }},
	{name: "add nobody", as: owner, refused: 422, code: "invalid", do: add()},

	removing, forbidden(removing), strange(removing), nowhere(removing), suspended(removing),
	{name: "remove the owner", as: admin, do: remove(ann, cid), tells: "participants_removed", check: became("ann Failed/creator, cid Removed")},
	{name: "remove strangers", as: owner, do: remove(dee), check: became("dee Failed/not_member")},

	promoting, forbidden(promoting), strange(promoting), nowhere(promoting), suspended(promoting),
	{name: "promote an admin", as: owner, do: promote(bob), check: became("bob Promoted")},
	{name: "promote strangers", as: owner, do: promote(dee, cid), tells: "participants_promoted", check: became("dee Failed/not_member, cid Promoted")},
	{name: "promote the owner", as: admin, do: promote(ann), check: became("ann Promoted")},

	demoting, forbidden(demoting), strange(demoting), nowhere(demoting), suspended(demoting),
	{name: "demote the owner", as: admin, do: demote(ann, bob), tells: "participants_demoted", check: became("ann Failed/creator, bob Demoted")},
	{name: "demote a member", as: owner, do: demote(cid), check: became("cid Demoted")},
	{name: "demote strangers", as: owner, do: demote(dee), check: became("dee Failed/not_member")},
}

// names of the people in the tables.
var names = map[string]string{
	me: "me", ann: "ann", bob: "bob", cid: "cid", dee: "dee", eve: "eve", private: "private", nobody: "nobody",
}

// became checks what became of each person.
func became(want string) func(*scene, answer) {
	return func(s *scene, a answer) {
		var body struct {
			Results []struct {
				PhoneNumber string `json:"phone_number"`
				Status      string
				Error       struct{ Code string }
				Invite      *struct {
					Code      string
					ExpiresAt int64 `json:"expires_at"`
				}
			}
		}
		decode(a, &body)
		var got []string
		for _, r := range body.Results {
			text := names[r.PhoneNumber] + " " + r.Status
			if r.Error.Code != "" {
				text += "/" + r.Error.Code
			}
			if r.Status == "Invited" && (r.Invite == nil || r.Invite.Code == "" || r.Invite.ExpiresAt == 0) {
				text += fmt.Sprintf(" without an invitation: %+v", r.Invite)
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != want {
			s.t.Errorf("%s: %s, want %s", a.what, a.raw, want)
		}
	}
}
