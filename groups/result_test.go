package groups

import (
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

func TestOutcome(t *testing.T) {
	add, remove := whatsmeow.ParticipantChangeAdd, whatsmeow.ParticipantChangeRemove
	promote, demote := whatsmeow.ParticipantChangePromote, whatsmeow.ParticipantChangeDemote
	tests := []struct {
		change whatsmeow.ParticipantChange
		number int
		status Status
		code   string
	}{
		{add, 0, StatusAdded, ""},
		{add, 401, StatusFailed, "blocked"},
		{add, 403, StatusFailed, "privacy"},
		{add, 404, StatusFailed, "not_on_whatsapp"},
		{add, 408, StatusFailed, "recently_left"},
		{add, 409, StatusFailed, "already_member"},
		{add, 417, StatusFailed, "community_restriction"},
		{add, 419, StatusFailed, "group_full"},
		{add, 421, StatusRequested, ""},
		{add, 451, StatusFailed, "legal"},
		{add, 500, StatusFailed, "unknown_500"},
		{remove, 0, StatusRemoved, ""},
		{remove, 404, StatusFailed, "not_member"},
		{remove, 405, StatusFailed, "creator"},
		{remove, 406, StatusFailed, "not_acceptable"},
		{remove, 499, StatusFailed, "unknown_499"},
		{remove, 421, StatusFailed, "unknown_421"},
		{promote, 0, StatusPromoted, ""},
		{promote, 404, StatusFailed, "not_member"},
		{demote, 0, StatusDemoted, ""},
		{demote, 405, StatusFailed, "creator"},
	}
	for _, test := range tests {
		status, failure := outcome(test.change, test.number)
		if status != test.status {
			t.Errorf("%s %d: status %s, want %s", test.change, test.number, status, test.status)
		}
		switch {
		case test.code == "" && failure != nil:
			t.Errorf("%s %d: failure %+v", test.change, test.number, failure)
		case test.code != "" && (failure == nil || failure.Code != test.code || failure.WhatsAppCode != test.number || failure.Reason == ""):
			t.Errorf("%s %d: failure %+v, want %s", test.change, test.number, failure, test.code)
		}
	}
}

func pn(user string) types.JID  { return types.NewJID(user, types.DefaultUserServer) }
func lid(user string) types.JID { return types.NewJID(user, types.HiddenUserServer) }

func TestSettleFindsEveryoneUnderEitherName(t *testing.T) {
	people := []person{
		{input: "byPhone", pn: pn("62811")},
		{input: "byLID", lid: lid("9002")},
		{input: "both", pn: pn("62813"), lid: lid("9003")},
		{input: "private", pn: pn("62814")},
	}
	expiry := time.Unix(1_700_000_000, 0)
	answer := []types.GroupParticipant{ // in another order, addressed by LID
		{JID: lid("9003"), LID: lid("9003"), Error: 408},
		{JID: lid("9004"), LID: lid("9004"), PhoneNumber: pn("62814"), Error: 403,
			AddRequest: &types.GroupParticipantAddRequest{Code: "CODE", Expiration: expiry}},
		{JID: lid("9001"), LID: lid("9001"), PhoneNumber: pn("62811")},
		{JID: lid("9002"), LID: lid("9002"), Error: 409},
	}
	results := settle(whatsmeow.ParticipantChangeAdd, people, answer)
	want := []struct {
		input, jid, phone, lid string
		status                 Status
		code                   string
	}{
		{"byPhone", "62811@s.whatsapp.net", "62811", "9001@lid", StatusAdded, ""},
		{"byLID", "9002@lid", "", "9002@lid", StatusFailed, "already_member"},
		{"both", "62813@s.whatsapp.net", "62813", "9003@lid", StatusFailed, "recently_left"},
		{"private", "62814@s.whatsapp.net", "62814", "9004@lid", StatusFailed, "privacy"},
	}
	for i, w := range want {
		r := results[i]
		if r.Input != w.input || r.JID != w.jid || r.PhoneNumber != w.phone || r.LID != w.lid || r.Status != w.status {
			t.Errorf("result %d: %+v, want %+v", i, r, w)
		}
		if w.code != "" && (r.Failure == nil || r.Failure.Code != w.code) {
			t.Errorf("result %d: failure %+v, want %s", i, r.Failure, w.code)
		}
	}
	if o := results[3].offer; o == nil || o.to != pn("62814") || o.ticket != (Ticket{"CODE", expiry}) {
		t.Errorf("offer %+v", o)
	}
	if failures(results) != 3 {
		t.Errorf("%d failures, want 3", failures(results))
	}
}

func TestSettleGoesByPositionForStrangers(t *testing.T) {
	people := []person{{input: "a", pn: pn("62811")}, {input: "b", pn: pn("62812")}}
	results := settle(whatsmeow.ParticipantChangeRemove, people, []types.GroupParticipant{
		{JID: lid("9001"), LID: lid("9001")},
		{JID: lid("9002"), LID: lid("9002"), Error: 404},
	})
	if results[0].Status != StatusRemoved || results[0].LID != "9001@lid" || results[1].Failure == nil || results[1].Failure.Code != CodeNotMember {
		t.Errorf("got %+v", results)
	}
}

func TestSettleSaysWhoIsNotMentioned(t *testing.T) {
	people := []person{{input: "a", pn: pn("62811")}, {input: "b", pn: pn("62812")}}
	results := settle(whatsmeow.ParticipantChangeAdd, people, []types.GroupParticipant{
		{JID: pn("62812"), PhoneNumber: pn("62812")},
		{JID: pn("62899"), PhoneNumber: pn("62899"), IsSuperAdmin: true},
		{JID: pn("62898"), PhoneNumber: pn("62898")},
	})
	if results[1].Status != StatusAdded || results[0].Failure == nil || results[0].Failure.Code != CodeNotMentioned {
		t.Errorf("got %+v", results)
	}
}

func TestWithOthersKeepsTheOrder(t *testing.T) {
	people := []person{{input: "gone", pn: pn("62810"), absent: true}, {input: "there"}, {input: "me", pn: pn("62812"), self: true}}
	results := withOthers(people, []Result{{Input: "there", Status: StatusAdded}})
	if len(results) != 3 || results[0].Failure == nil || results[0].Failure.Code != CodeNotOnWhatsApp ||
		results[0].Failure.WhatsAppCode != 0 || results[1].Input != "there" || results[2].Status != StatusAdded {
		t.Errorf("got %+v", results)
	}
}

func TestAddress(t *testing.T) {
	both, phoneOnly, lidOnly := person{pn: pn("1"), lid: lid("2")}, person{pn: pn("1")}, person{lid: lid("2")}
	for _, test := range []struct {
		who  person
		mode types.AddressingMode
		want types.JID
	}{
		{both, types.AddressingModeLID, lid("2")}, {both, types.AddressingModePN, pn("1")}, {both, "", pn("1")},
		{phoneOnly, types.AddressingModeLID, pn("1")}, {lidOnly, types.AddressingModePN, lid("2")},
	} {
		if got := test.who.address(test.mode); got != test.want {
			t.Errorf("%+v in %q: %s, want %s", test.who, test.mode, got, test.want)
		}
	}
}

// TestSettleKeepsPeopleApart: an answer in the place of somebody must not be
// taken for theirs when it names somebody else.
func TestSettleKeepsPeopleApart(t *testing.T) {
	t.Parallel()
	ann := person{input: "ann", pn: types.NewJID("4915100000001", types.DefaultUserServer)}
	bob := person{input: "bob", pn: types.NewJID("4915100000002", types.DefaultUserServer)}
	stranger := types.NewJID("4915100000009", types.DefaultUserServer)
	results := settle(whatsmeow.ParticipantChangeAdd, []person{ann, bob}, []types.GroupParticipant{
		{JID: types.NewJID("9999", types.HiddenUserServer), PhoneNumber: stranger},
		{JID: bob.pn},
	})
	if results[0].Status != StatusFailed || results[0].Failure.Code != CodeNotMentioned || results[0].LID != "" {
		t.Errorf("ann got the stranger's answer: %+v", results[0])
	}
	if results[1].Status != StatusAdded {
		t.Errorf("bob: %+v", results[1])
	}
}
