package groups

import (
	"strings"
	"testing"
	"time"

	"muster/internal/fault"
)

const aGroup = "120363012345678901@g.us"

func TestRequestsValidateThemselves(t *testing.T) {
	target := Target{SessionID: "s", GroupJID: aGroup}
	person := []string{"628123456789"}
	long := func(n int) string { return strings.Repeat("é", n) }
	text := func(s string) *string { return &s }
	timer := func(seconds uint32) *uint32 { return &seconds }
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
			Settings: SettingsChange{Settings: Settings{ApprovalOn, AddByAll, LinkByAll}}}, ""},
		{"create, longest name", CreateRequest{Name: long(MaxSubject), Participants: person}, ""},
		{"create, name too long", CreateRequest{Name: long(MaxSubject + 1), Participants: person}, "name"},
		{"create, no name", CreateRequest{Participants: person}, "name"},
		{"create, blank name", CreateRequest{Name: " \n", Participants: person}, "name"},
		{"create, no participants", CreateRequest{Name: "x"}, "participants"},
		{"create, too many", CreateRequest{Name: "x", Participants: make([]string, MaxParticipants+1)}, "participants"},
		{"create, bad participant", CreateRequest{Name: "x", Participants: []string{"628123456789", "no"}}, "participants[1]"},
		{"create, bad approval", CreateRequest{Name: "x", Participants: person, Settings: SettingsChange{Settings: Settings{MembershipApproval: "yes"}}}, "membership_approval_mode"},
		{"create, bad add", CreateRequest{Name: "x", Participants: person, Settings: SettingsChange{Settings: Settings{MemberAdd: "all"}}}, "member_add_mode"},
		{"create, bad link", CreateRequest{Name: "x", Participants: person, Settings: SettingsChange{Settings: Settings{MemberLink: "all"}}}, "member_link_mode"},
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

		{"settings, one", SettingsRequest{target, SettingsChange{Settings: Settings{MemberLink: LinkByAdmins}}}, ""},
		{"settings, none", SettingsRequest{target, SettingsChange{}}, ""},
		{"settings, wrong", SettingsRequest{target, SettingsChange{Settings: Settings{MemberAdd: "nobody"}}}, "member_add_mode"},
		{"settings, no group", SettingsRequest{Target{}, SettingsChange{Settings: Settings{MemberLink: LinkByAdmins}}}, "group_jid"},

		{"settings, all others", SettingsRequest{target, SettingsChange{Announce: new(bool), Locked: new(bool), DisappearingSeconds: new(uint32)}}, ""},
		{"settings, timer", SettingsRequest{target, SettingsChange{DisappearingSeconds: timer(60)}}, "disappearing_seconds"},

		{"patch", PatchRequest{Target: target, Subject: text("x"), Description: text(""), Settings: SettingsChange{Locked: new(bool)}}, ""},
		{"patch, none", PatchRequest{Target: target}, "-"},
		{"patch, subject", PatchRequest{Target: target, Subject: text("")}, "subject"},
		{"patch, description", PatchRequest{Target: target, Description: text(long(MaxDescription + 1))}, "description"},
		{"patch, nothing to replace", PatchRequest{Target: target, Subject: text("x"), PrevID: text("A")}, "prev_id"},
		{"patch, timer", PatchRequest{Target: target, Settings: SettingsChange{DisappearingSeconds: timer(1)}}, "disappearing_seconds"},

		{"create in a community", CreateRequest{Name: "x", Participants: person, Community: aGroup}, ""},
		{"create in somebody", CreateRequest{Name: "x", Participants: person, Community: "1@lid"}, "community"},
		{"community", CommunityRequest{Name: "x", Description: long(MaxDescription), Groups: []string{aGroup}}, ""},
		{"community, no name", CommunityRequest{}, "name"},
		{"community, description", CommunityRequest{Name: "x", Description: long(MaxDescription + 1)}, "description"},
		{"community, groups", CommunityRequest{Name: "x", Groups: []string{aGroup, "x"}}, "groups[1]"},
		{"link", LinkGroupsRequest{Target: target, Groups: []string{aGroup}}, ""},
		{"link, none", LinkGroupsRequest{Target: target}, "groups"},
		{"link, too many", LinkGroupsRequest{Target: target, Groups: make([]string, MaxSubGroups+1)}, "groups"},

		{"accept", AcceptRequest{target, "CODE", time.Unix(1700000000, 0), "628123456789"}, ""},
		{"accept, no group", AcceptRequest{Target{}, "CODE", time.Unix(1700000000, 0), "628123456789"}, "group_jid"},
		{"accept, no code", AcceptRequest{target, "", time.Unix(1700000000, 0), "628123456789"}, "code"},
		{"accept, no time", AcceptRequest{target, "CODE", time.Time{}, "628123456789"}, "expiration"},
		{"accept, nobody", AcceptRequest{target, "CODE", time.Unix(1700000000, 0), ""}, "inviter"},

		{"photo, none", SetPhotoRequest{Target: target}, "image"},
		{"photo, no group", SetPhotoRequest{}, "group_jid"},

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
