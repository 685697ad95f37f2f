package groups

import (
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the store of the client that parses
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// offlineClient is a client with a store that has never been connected.
func offlineClient(t *testing.T, own types.JID, ownLID types.JID) *whatsmeow.Client {
	t.Helper()
	container, err := sqlstore.New(t.Context(), "sqlite3", "file:"+filepath.Join(t.TempDir(), "c.db")+"?_foreign_keys=on", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := container.Close(); err != nil {
			t.Error(err)
		}
	})
	return whatsmeow.NewClient(&store.Device{ID: &own, LID: ownLID, LIDs: container.LIDMap, Contacts: &store.NoopStore{}}, nil)
}

func read(t *testing.T, client *whatsmeow.Client, node waBinary.Node) Group {
	t.Helper()
	info, err := client.DangerousInternals().ParseGroupNode(&node)
	if err != nil {
		t.Fatal(err)
	}
	learn(t.Context(), client, info)
	group, err := readGroup(t.Context(), client, info, &node)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func groupNode(children ...waBinary.Node) waBinary.Node {
	return waBinary.Node{
		Tag: "group",
		Attrs: waBinary.Attrs{
			"id": "120363012345678901", "subject": "Anglers", "s_t": "1700000001", "creation": "1700000000",
			"creator": lid("9001"), "addressing_mode": "lid", "size": "3",
		},
		Content: children,
	}
}

func member(attrs waBinary.Attrs) waBinary.Node {
	return waBinary.Node{Tag: "participant", Attrs: attrs}
}

func TestReadGroup(t *testing.T) {
	own := types.JID{User: "62812", Device: 7, Server: types.DefaultUserServer}
	client := offlineClient(t, own, lid("9002"))
	if err := client.Store.LIDs.PutLIDMapping(t.Context(), lid("9004"), pn("62814")); err != nil {
		t.Fatal(err)
	}
	group := read(t, client, groupNode(
		member(waBinary.Attrs{"jid": lid("9001"), "phone_number": pn("62811"), "type": "superadmin"}),
		member(waBinary.Attrs{"jid": lid("9002"), "phone_number": pn("62812"), "type": "admin"}),
		member(waBinary.Attrs{"jid": lid("9003")}),
		member(waBinary.Attrs{"jid": lid("9004")}),
		waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": "D1", "t": "1700000002", "participant": lid("9001")},
			Content: []waBinary.Node{{Tag: "body", Content: []byte("Fish & more")}}},
		waBinary.Node{Tag: "announcement"}, waBinary.Node{Tag: "locked"}, waBinary.Node{Tag: "suspended"},
		waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": "86400"}},
		waBinary.Node{Tag: "linked_parent", Attrs: waBinary.Attrs{"jid": types.NewJID("120363000000000001", types.GroupServer)}},
		waBinary.Node{Tag: "default_sub_group"},
		waBinary.Node{Tag: "member_add_mode", Content: []byte("admin_add")},
		waBinary.Node{Tag: "member_link_mode", Content: "all_member_link"},
		waBinary.Node{Tag: "membership_approval_mode", Content: []waBinary.Node{{Tag: "group_join", Attrs: waBinary.Attrs{"state": "on"}}}},
	))
	want := Group{
		JID: aGroup, Subject: "Anglers", Topic: "Fish & more", TopicID: "D1", TopicSetAt: time.Unix(1_700_000_002, 0),
		Owner: "62811@s.whatsapp.net", CreatedAt: time.Unix(1_700_000_000, 0), AddressingMode: "lid", ParticipantCount: 4,
		Participants: []Participant{
			{Identity{"62811@s.whatsapp.net", "62811", "9001@lid"}, RoleSuperAdmin},
			{Identity{"62812@s.whatsapp.net", "62812", "9002@lid"}, RoleAdmin},
			{Identity{"9003@lid", "", "9003@lid"}, RoleMember}, // the phone is not known, and nothing pretends to be it
			{Identity{"62814@s.whatsapp.net", "62814", "9004@lid"}, RoleMember},
		},
		Settings: Settings{ApprovalOn, AddByAdmins, LinkByAll},
		Announce: true, Locked: true, Suspended: true, DisappearingSeconds: 86400,
		Community: Community{Parent: "120363000000000001@g.us", IsAnnouncementGroup: true},
		MyRole:    RoleAdmin,
	}
	if !reflect.DeepEqual(group, want) {
		t.Errorf("got  %+v\nwant %+v", group, want)
	}
	// What the stanza said of phones and LIDs stays known.
	if known, err := client.Store.LIDs.GetPNForLID(context.Background(), lid("9001")); err != nil || known != pn("62811") {
		t.Errorf("the phone of 9001 is %s, %v", known, err)
	}
}

func TestReadGroupAddressedByPhone(t *testing.T) {
	client := offlineClient(t, pn("62899"), lid("9099"))
	node := groupNode(
		member(waBinary.Attrs{"jid": pn("62811"), "lid": lid("9001"), "type": "superadmin"}),
		member(waBinary.Attrs{"jid": pn("62812")}),
	)
	delete(node.Attrs, "addressing_mode")
	node.Attrs["creator"] = pn("62811")
	group := read(t, client, node)
	if group.AddressingMode != "pn" || group.Owner != "62811@s.whatsapp.net" || group.MyRole != "" {
		t.Errorf("got %+v", group)
	}
	want := []Participant{
		{Identity{"62811@s.whatsapp.net", "62811", "9001@lid"}, RoleSuperAdmin},
		{Identity{"62812@s.whatsapp.net", "62812", ""}, RoleMember},
	}
	if !reflect.DeepEqual(group.Participants, want) {
		t.Errorf("got %+v", group.Participants)
	}
}

func TestSettingsOf(t *testing.T) {
	approval := func(children ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "membership_approval_mode", Content: children}
	}
	state := func(s string) waBinary.Node {
		return waBinary.Node{Tag: "group_join", Attrs: waBinary.Attrs{"state": s}}
	}
	tests := []struct {
		children []waBinary.Node
		want     Settings
	}{
		{nil, Settings{ApprovalOff, "", ""}},
		{[]waBinary.Node{approval()}, Settings{ApprovalOn, "", ""}},
		{[]waBinary.Node{approval(state("on"))}, Settings{ApprovalOn, "", ""}},
		{[]waBinary.Node{approval(state("off"))}, Settings{ApprovalOff, "", ""}},
		{[]waBinary.Node{{Tag: "member_add_mode", Content: "all_member_add"}}, Settings{ApprovalOff, AddByAll, ""}},
		{[]waBinary.Node{{Tag: "member_add_mode", Content: []byte("admin_add")}}, Settings{ApprovalOff, AddByAdmins, ""}},
		{[]waBinary.Node{{Tag: "member_link_mode", Content: []byte("admin_link")}}, Settings{ApprovalOff, "", LinkByAdmins}},
		{[]waBinary.Node{{Tag: "member_link_mode"}}, Settings{ApprovalOff, "", ""}},
	}
	for _, test := range tests {
		node := groupNode(test.children...)
		if got := settingsOf(&node); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.children, got, test.want)
		}
	}
}

func TestADeletedDescriptionKeepsItsID(t *testing.T) {
	client := offlineClient(t, pn("62899"), lid("9099"))
	group := read(t, client, groupNode(waBinary.Node{Tag: "description", Attrs: waBinary.Attrs{"id": "D2", "t": "1700000002"}}))
	if group.Topic != "" || group.TopicID != "D2" || !group.TopicSetAt.IsZero() {
		t.Errorf("got topic %q, id %q, set at %v", group.Topic, group.TopicID, group.TopicSetAt)
	}
}

func TestANewGroupIsNotDisappearing(t *testing.T) {
	client := offlineClient(t, pn("62899"), lid("9099"))
	group := read(t, client, groupNode(waBinary.Node{Tag: "ephemeral", Attrs: waBinary.Attrs{"expiration": "0"}}))
	if group.DisappearingSeconds != 0 {
		t.Errorf("got %d", group.DisappearingSeconds)
	}
	if group.ParticipantCount != 3 {
		t.Errorf("without a list of members the size is %d, want that of the stanza", group.ParticipantCount)
	}
}

func TestLeaveRefusal(t *testing.T) {
	answer := func(number string) *waBinary.Node {
		group := waBinary.Node{Tag: "group", Attrs: waBinary.Attrs{"id": aGroup}}
		if number != "" {
			group.Attrs["error"] = number
		}
		return &waBinary.Node{Tag: "iq", Content: []waBinary.Node{{Tag: "leave", Content: []waBinary.Node{group}}}}
	}
	for number, want := range map[string]string{
		"": "", "200": "", "403": "not_in_group", "404": "group_not_found", "406": "rejected",
	} {
		err := leaveRefusal(answer(number))
		if want == "" && err != nil || want != "" && (err == nil || codeOf(err) != want) {
			t.Errorf("%q: %v, want %q", number, err, want)
		}
	}
	if err := leaveRefusal(&waBinary.Node{Tag: "iq"}); err != nil {
		t.Errorf("an empty result: %v", err)
	}
}

func TestPage(t *testing.T) {
	var all []*mirrored
	named := func(n int) *mirrored {
		return &mirrored{Group: Group{JID: fmt.Sprintf("12036300000000000%d@g.us", n)}}
	}
	for n := 1; n <= 5; n++ {
		all = append(all, named(n))
	}
	var seen []string
	req := ListRequest{Limit: 2}
	for pages := 0; ; pages++ {
		if pages > 3 {
			t.Fatal("the list does not end")
		}
		after, err := req.after()
		if err != nil {
			t.Fatal(err)
		}
		list := page(all, after, req.Limit, true)
		if list.Total != 5 {
			t.Errorf("total %d", list.Total)
		}
		for _, g := range list.Groups {
			seen = append(seen, g.JID[17:18])
		}
		if list.NextCursor == "" {
			break
		}
		req.Cursor = list.NextCursor
		if pages == 0 {
			// The group that the cursor names may be gone by then.
			all = append(all[:1:1], all[2:]...)
			all = append(all, named(9))
		}
	}
	if got := fmt.Sprint(seen); got != "[1 2 3 4 5 9]" {
		t.Errorf("pages hold %s", got)
	}
}
