package truth_test

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/service"
)

func join(s *scene) answer { return s.call(http.MethodPost, "/groups/join", object{"link": s.link}) }

func info(s *scene) answer {
	return s.call(http.MethodGet, "/groups/invite-info?link="+url.QueryEscape(s.link), nil)
}

func inviteLink(s *scene) answer { return s.here(http.MethodGet, "/invite-link", nil) }

func newLink(s *scene) answer { return s.here(http.MethodGet, "/invite-link?reset=true", nil) }

func requests(s *scene) answer { return s.here(http.MethodGet, "/join-requests", nil) }

func decide(decision string, numbers ...string) func(*scene) answer {
	return people(http.MethodPost, "/join-requests/"+decision, numbers...)
}

// ask lets two people ask to be let in.
func ask(s *scene) {
	s.join(dee)
	s.join(eve)
}

// withdraw lets one of them think better of it, with a client that knows no
// more of this than how to send a stanza.
func withdraw(s *scene) answer {
	who, err := s.wa.Phone(dee)
	s.must(err)
	lid, err := types.ParseJID(who.LID)
	s.must(err)
	_, err = s.stranger.DangerousInternals().SendGroupIQ(s.t.Context(), "set", s.jid, waBinary.Node{
		Tag: "cancel_membership_requests", Content: []waBinary.Node{{Tag: "participant", Attrs: waBinary.Attrs{"jid": lid}}},
	})
	s.must(err)
	s.rest()
	return requests(s)
}

var (
	adminsLink = sandbox.Settings{MemberLinkMode: mode("admin_link")}
	everyLink  = sandbox.Settings{MemberLinkMode: mode("all_member_link")}
	guarded    = sandbox.Settings{ApprovalMode: mode("on")}

	linking   = operation{name: "invite link", as: owner, settings: adminsLink, do: inviteLink, check: answers("invite_link", func(s *scene) string { return s.link })}
	resetting = operation{name: "new invite link", as: owner, settings: adminsLink, do: newLink, tells: "invite_link_reset",
		check: answers("invite_link", func(s *scene) string { link, _ := s.wa.InviteLink(bob, s.jid, false); return link })}
	listing   = operation{name: "join requests", as: owner, settings: guarded, before: ask, do: requests, check: asking(dee, eve)}
	approving = operation{name: "approve", as: owner, settings: guarded, before: ask, do: decide("approve", dee, eve, cid),
		tells: "join_requests_approved", check: became("dee Approved, eve Approved, cid Failed/already_member")}
	rejecting = operation{name: "reject", as: owner, settings: guarded, before: ask, do: decide("reject", dee, cid),
		tells: "join_requests_rejected", check: became("dee Rejected, cid Failed/already_member")}
)

var changesOfEntry = []operation{
	linking, forbidden(linking), strange(linking), nowhere(linking),
	{name: "invite link by a member", as: ordinary, settings: everyLink, do: inviteLink},
	resetting, forbidden(resetting), strange(resetting), nowhere(resetting), suspended(resetting),

	listing, forbidden(listing), strange(listing), nowhere(listing),
	{name: "no join requests", as: admin, do: requests, check: asking()},
	approving, forbidden(approving), strange(approving), nowhere(approving), suspended(approving),
	{name: "approve who has not asked", as: owner, do: decide("approve", dee), check: became("dee Failed/no_request")},
	rejecting, forbidden(rejecting), strange(rejecting), nowhere(rejecting), suspended(rejecting),

	{name: "withdraw a request", as: owner, settings: guarded, before: ask, do: withdraw, tells: "join_requests_revoked", check: asking(eve)},

	{name: "join", as: outsider, do: join, tells: "joined", watched: "participants_joined", check: entered("joined")},
	{name: "join where an admin must approve", as: outsider, settings: guarded, do: join, watched: "join_requests_created", check: entered("requested")},
	{name: "join again", as: ordinary, do: join, refused: 409, code: "already_member"},
	{name: "join by a revoked link", as: outsider, do: join, refused: 410, code: "invite_revoked", before: func(s *scene) {
		_, err := s.wa.InviteLink(bob, s.jid, true)
		s.must(err)
	}},
	{name: "join by a link that is none", as: outsider, refused: 422, code: "invite_invalid", do: func(s *scene) answer {
		return s.call(http.MethodPost, "/groups/join", object{"link": "https://chat.whatsapp.com/" + strings.Repeat("x", 22)})
	}},
	{name: "join after being removed", as: ordinary, do: join, refused: 422, code: "rejected", before: func(s *scene) {
		s.act(bob, service.ActRemove, me)
	}},
	{name: "invite info", as: outsider, do: info, check: answers("jid", func(s *scene) string { return s.jid.String() })},
	{name: "invite info of a revoked link", as: outsider, do: info, refused: 410, code: "invite_revoked", before: func(s *scene) {
		_, err := s.wa.InviteLink(bob, s.jid, true)
		s.must(err)
	}},

	{name: "accept an invite message", as: ordinary, tells: "participants_joined", before: inviteGuest, do: accept(""), check: entered("joined"),
		soon: func(s *scene) { s.guest.agrees(s.jid) }},
	{name: "accept an invite message of nobody", as: ordinary, refused: 410, code: "invite_revoked", before: inviteGuest, do: accept("wrong")},
}

// answers checks one field.
func answers(field string, want func(*scene) string) func(*scene, answer) {
	return func(s *scene, a answer) {
		if got := a.text(field); got == "" || got != want(s) {
			s.t.Errorf("%s: %s, want %s", a.what, a.raw, want(s))
		}
	}
}

// entered checks what came of joining.
func entered(status string) func(*scene, answer) {
	return func(s *scene, a answer) {
		if a.text("status") != status || a.text("group_jid") != s.jid.String() {
			s.t.Errorf("%s: %s, want %s", a.what, a.raw, status)
		}
	}
}

// asking checks who waits to be let in.
func asking(numbers ...string) func(*scene, answer) {
	return func(s *scene, a answer) {
		var body struct {
			Requests []struct {
				PhoneNumber string `json:"phone_number"`
				LID         string
				RequestedAt int64 `json:"requested_at"`
			} `json:"join_requests"`
		}
		decode(a, &body)
		if len(body.Requests) != len(numbers) {
			s.t.Fatalf("%s: %s, want %v", a.what, a.raw, numbers)
		}
		for i, r := range body.Requests {
			info, err := s.wa.Phone(numbers[i])
			s.must(err)
			if r.PhoneNumber != numbers[i] || r.LID != info.LID || time.Since(time.Unix(r.RequestedAt, 0)) > time.Hour {
				s.t.Errorf("%s: %s, want %v", a.what, a.raw, numbers)
			}
		}
	}
}

// inviteGuest lets an admin try in vain to add somebody who lets nobody do so,
// which makes an invitation.
func inviteGuest(s *scene) {
	results, err := s.wa.ChangePeople(bob, s.jid, service.ActAdd, []string{private})
	s.must(err)
	if len(results) != 1 || results[0].Code != http.StatusForbidden {
		s.t.Fatalf("adding somebody who lets nobody do so: %+v", results)
	}
}

// accept lets the guest accept the invitation. A code, if given, replaces its own.
func accept(code string) func(*scene) answer {
	return func(s *scene) answer {
		truth, err := s.wa.GroupTruth(s.jid)
		s.must(err)
		if len(truth.AddRequests) != 1 {
			s.t.Fatalf("the invitations are %+v", truth.AddRequests)
		}
		invitation := truth.AddRequests[0]
		return s.guest.call(http.MethodPost, "/groups/accept-invite", object{
			"group_jid": s.jid.String(), "code": cmp.Or(code, invitation.Code),
			"expiration": invitation.ExpiresAt, "inviter": invitation.By.JID.String(),
		})
	}
}
