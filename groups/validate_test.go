package groups

import (
	"strings"
	"testing"

	"muster/internal/fault"
)

const aGroup = "120363012345678901@g.us"

func TestRequestsValidateThemselves(t *testing.T) {
	target := Target{SessionID: "s", GroupJID: aGroup}
	person := []string{"628123456789"}
	long := func(n int) string { return strings.Repeat("é", n) }
	text := func(s string) *string { return &s }
	members := func(participants ...string) MembershipRequest {
		return MembershipRequest{Target: target, Participants: participants}
	}
	tests := []struct {
		name  string
		req   interface{ Validate() error }
		field string // the one that is named; "-" is a refusal without one, "" is acceptance
	}{
		{"target", target, ""},
		{"target, bare", Target{GroupJID: "123456789-1234567890"}, ""},
		{"target, a person", Target{GroupJID: "628123456789@s.whatsapp.net"}, "group_jid"},
		{"target, empty", Target{}, "group_jid"},

		{"list", ListRequest{}, ""},
		{"list, page", ListRequest{Limit: MaxPage}, ""},
		{"list, page too large", ListRequest{Limit: MaxPage + 1}, "limit"},
		{"list, page negative", ListRequest{Limit: -1}, "limit"},
		{"list, cursor", ListRequest{Cursor: "MTIzNDVAZy51cw"}, ""},
		{"list, cursor of nothing", ListRequest{Cursor: "MTIz"}, "cursor"},
		{"list, cursor broken", ListRequest{Cursor: "%"}, "cursor"},

		{"create", CreateRequest{Name: "x", Participants: person}, ""},
		{"create, alone", CreateRequest{Name: "x", Participants: []string{}}, ""},
		{"create, all modes", CreateRequest{Name: "x", Participants: person, OnPrivate: OnPrivateInvite,
			Settings: Settings{ApprovalOn, AddByAll, LinkByAll}}, ""},
		{"create, longest name", CreateRequest{Name: long(MaxSubject), Participants: person}, ""},
		{"create, name too long", CreateRequest{Name: long(MaxSubject + 1), Participants: person}, "name"},
		{"create, no name", CreateRequest{Participants: person}, "name"},
		{"create, blank name", CreateRequest{Name: " \n", Participants: person}, "name"},
		{"create, no participants", CreateRequest{Name: "x"}, "participants"},
		{"create, too many", CreateRequest{Name: "x", Participants: make([]string, MaxParticipants+1)}, "participants"},
		{"create, bad participant", CreateRequest{Name: "x", Participants: []string{"628123456789", "no"}}, "participants[1]"},
		{"create, bad approval", CreateRequest{Name: "x", Participants: person, Settings: Settings{MembershipApproval: "yes"}}, "membership_approval_mode"},
		{"create, bad add", CreateRequest{Name: "x", Participants: person, Settings: Settings{MemberAdd: "all"}}, "member_add_mode"},
		{"create, bad link", CreateRequest{Name: "x", Participants: person, Settings: Settings{MemberLink: "all"}}, "member_link_mode"},
		{"create, bad on_private", CreateRequest{Name: "x", Participants: person, OnPrivate: "beg"}, "on_private"},

		{"subject", SubjectRequest{target, "x"}, ""},
		{"subject, longest", SubjectRequest{target, long(MaxSubject)}, ""},
		{"subject, too long", SubjectRequest{target, long(MaxSubject + 1)}, "subject"},
		{"subject, empty", SubjectRequest{target, ""}, "subject"},
		{"subject, no group", SubjectRequest{Target{}, "x"}, "group_jid"},

		{"description", DescriptionRequest{target, text("x"), nil}, ""},
		{"description, deleted", DescriptionRequest{target, nil, text("ABC")}, ""},
		{"description, longest", DescriptionRequest{target, text(long(MaxDescription)), nil}, ""},
		{"description, too long", DescriptionRequest{target, text(long(MaxDescription + 1)), nil}, "description"},
		{"description, no group", DescriptionRequest{Target{}, nil, nil}, "group_jid"},

		{"settings, one", SettingsRequest{target, Settings{MemberLink: LinkByAdmins}}, ""},
		{"settings, none", SettingsRequest{target, Settings{}}, ""},
		{"settings, wrong", SettingsRequest{target, Settings{MemberAdd: "nobody"}}, "member_add_mode"},
		{"settings, no group", SettingsRequest{Target{}, Settings{MemberLink: LinkByAdmins}}, "group_jid"},

		{"members", members("628123456789", "98765432109876@lid"), ""},
		{"members, none", members(), "participants"},
		{"members, bad", members("628123456789", "+62812345678", "x"), "participants[2]"},
		{"members, too many", members(make([]string, MaxParticipants+1)...), "participants"},
		{"add", AddRequest{members("628123456789"), OnPrivateFail}, ""},
		{"add, bad on_private", AddRequest{members("628123456789"), "x"}, "on_private"},
		{"add, no group", AddRequest{MembershipRequest{Participants: person}, ""}, "group_jid"},
		{"leave", LeaveRequest{target}, ""},
		{"leave, no group", LeaveRequest{}, "group_jid"},
		{"invite link, no group", InviteLinkRequest{Reset: true}, "group_jid"},
		{"get, no group", GetRequest{}, "group_jid"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.req.Validate()
			switch {
			case test.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.field != "" && !fault.Is(err, fault.Invalid):
				t.Errorf("got %v, want a refusal", err)
			case test.field != "" && fault.From(err).Field != strings.TrimPrefix(test.field, "-"):
				t.Errorf("names %q, want %q", fault.From(err).Field, test.field)
			}
		})
	}
}

func codeOf(err error) string { return string(fault.From(err).Code) }
