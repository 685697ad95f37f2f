package truth_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox"
	"muster/sandbox/service"
)

// act is something that a member can do about a group.
type act struct {
	name   string
	weight int
	phone  func(w *turmoil, m *member, jid types.JID) error
	// call is the same over the API, below the session's path; nil where the
	// API has no such thing.
	call func(w *turmoil, m *member, jid types.JID) (method, path string, body any)
}

// turmoilActs is everything that happens in the turmoil.
var turmoilActs = []act{
	{"subject", 6,
		func(w *turmoil, m *member, jid types.JID) error { return w.wa.SetSubject(m.number, jid, m.words()) },
		func(_ *turmoil, m *member, jid types.JID) (string, string, any) {
			return http.MethodPut, in(jid, "/subject"), object{"subject": m.words()}
		}},
	{"description", 6,
		func(w *turmoil, m *member, jid types.JID) error {
			return w.wa.SetDescription(m.number, jid, m.perhaps())
		},
		func(_ *turmoil, m *member, jid types.JID) (string, string, any) {
			return http.MethodPut, in(jid, "/description"), object{"description": m.perhaps()}
		}},
	{"settings", 12,
		func(w *turmoil, m *member, jid types.JID) error {
			return w.wa.SetSettings(m.number, jid, m.settings())
		},
		func(_ *turmoil, m *member, jid types.JID) (string, string, any) {
			return http.MethodPut, in(jid, "/settings"), m.settings()
		}},
	{"suspend", 2, func(w *turmoil, m *member, jid types.JID) error {
		suspended := m.rng.IntN(10) == 0
		return w.wa.SetSettings(m.number, jid, sandbox.Settings{Suspended: &suspended})
	}, nil},
	peopleAct(service.ActAdd, 10, http.MethodPost, "/participants"),
	peopleAct(service.ActRemove, 4, http.MethodDelete, "/participants"),
	peopleAct(service.ActPromote, 8, http.MethodPost, "/admins"),
	peopleAct(service.ActDemote, 3, http.MethodDelete, "/admins"),
	{"leave", 1, func(w *turmoil, m *member, jid types.JID) error {
		return w.wa.LeaveGroup(w.someone(m), jid)
	}, func(_ *turmoil, _ *member, jid types.JID) (string, string, any) {
		return http.MethodPost, in(jid, "/leave"), nil
	}},
	{"join", 8, func(w *turmoil, m *member, jid types.JID) error {
		_, _, err := w.wa.Join(w.someone(m), w.inviteLink(jid))
		return err
	}, func(w *turmoil, _ *member, jid types.JID) (string, string, any) {
		return http.MethodPost, "/groups/join", object{"link": w.inviteLink(jid)}
	}},
	peopleAct(service.ActApprove, 4, http.MethodPost, "/join-requests/approve"),
	peopleAct(service.ActReject, 2, http.MethodPost, "/join-requests/reject"),
	{"new link", 2, func(w *turmoil, m *member, jid types.JID) error {
		_, err := w.wa.InviteLink(m.number, jid, true)
		return err
	}, func(_ *turmoil, _ *member, jid types.JID) (string, string, any) {
		return http.MethodGet, in(jid, "/invite-link?reset=true"), nil
	}},
}

// peopleAct is a change of up to three people.
func peopleAct(change service.PeopleAct, weight int, method, path string) act {
	return act{string(change), weight,
		func(w *turmoil, m *member, jid types.JID) error {
			_, err := w.wa.ChangePeople(m.number, jid, change, w.people(m))
			return err
		},
		func(w *turmoil, m *member, jid types.JID) (string, string, any) {
			return method, in(jid, path), object{"participants": w.people(m)}
		}}
}

func pickAct(rng *rand.Rand) act {
	total := 0
	for _, a := range turmoilActs {
		total += a.weight
	}
	n := rng.IntN(total)
	for _, a := range turmoilActs {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("the weights do not add up")
}

// in is a path about a group.
func in(jid types.JID, rest string) string { return "/groups/" + jid.String() + rest }

// words is a text that was most likely never used before.
func (m *member) words() string { return fmt.Sprintf("Words of %s %x", m.number[7:], m.rng.Uint32()) }

// perhaps is a text, or sometimes none.
func (m *member) perhaps() string {
	if m.rng.IntN(4) == 0 {
		return ""
	}
	return m.words()
}

// settings changes one of them.
func (m *member) settings() (s sandbox.Settings) {
	on := m.rng.IntN(2) == 0
	choose := func(yes, no string) *string {
		if on {
			return &yes
		}
		return &no
	}
	switch m.rng.IntN(6) {
	case 0:
		s.Announce = &on
	case 1:
		s.Locked = &on
	case 2:
		s.Ephemeral = &[]uint32{0, 86400, 604800, 7776000}[m.rng.IntN(4)]
	case 3:
		s.ApprovalMode = choose("on", "off")
	case 4:
		s.MemberAddMode = choose("all_member_add", "admin_add")
	default:
		s.MemberLinkMode = choose("all_member_link", "admin_link")
	}
	return s
}

// someone is the number of any of the people, strangers included.
func (w *turmoil) someone(m *member) string {
	return turmoilNumber(m.rng.IntN(turmoilMembers + turmoilStrangers))
}

func (w *turmoil) people(m *member) (list []string) {
	for range 1 + m.rng.IntN(3) {
		list = append(list, w.someone(m))
	}
	return list
}

func (w *turmoil) inviteLink(jid types.JID) string {
	truth, err := w.wa.GroupTruth(jid)
	if err != nil {
		w.breach("%v", err)
	}
	return truth.InviteLink
}
