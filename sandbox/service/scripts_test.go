package service_test

import (
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/media"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

func TestScriptedParticipant(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob, carol)
	a := sandboxtest.Link(t, srv, alice)
	if err := srv.RefuseParticipant("+"+bob, "add", 451, 1); err != nil {
		t.Fatal(err)
	}
	info, err := a.CreateGroup(t.Context(), whatsmeow.ReqCreateGroup{Name: "Group"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{451, 0} {
		results, err := a.UpdateGroupParticipants(t.Context(), info.JID, []types.JID{pn(bob)}, whatsmeow.ParticipantChangeAdd)
		if err != nil || len(results) != 1 || results[0].Error != want {
			t.Errorf("%+v, %v, want %d", results, err, want)
		}
	}
	if err := srv.RefuseParticipant(lid(t, srv, carol).String(), "", 500, 0); err != nil {
		t.Fatal(err)
	}
	results, err := srv.ChangePeople(alice, info.JID, service.ActAdd, []string{carol})
	if err != nil || results[0].Code != 500 {
		t.Errorf("%+v, %v", results, err)
	}
	srv.ClearScripts()
	if results, err = srv.ChangePeople(alice, info.JID, service.ActAdd, []string{carol}); err != nil || results[0].Code != 0 {
		t.Errorf("once it is over: %+v, %v", results, err)
	}
	for field, err := range map[string]error{
		"number": srv.RefuseParticipant("nobody", "", 500, 0),
		"action": srv.RefuseParticipant(bob, "expel", 500, 0),
		"code":   srv.RefuseParticipant(bob, "", 200, 0),
		"count":  srv.RefuseParticipant(bob, "", 500, -1),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestScriptedMedia(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := sandboxtest.Link(t, srv, alice)
	if err := srv.FailMedia(media.Failure{Method: "POST", Kind: "image", Status: 500, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := srv.FailMedia(media.Failure{Status: 200}); err == nil {
		t.Error("a failure of 200 was accepted")
	}
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err == nil {
		t.Error("the upload did not fail")
	}
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err != nil {
		t.Errorf("the next upload: %v", err)
	}
	if err := srv.FailMedia(media.Failure{Status: 503}); err != nil {
		t.Fatal(err)
	}
	srv.ClearScripts()
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err != nil {
		t.Errorf("once it is over: %v", err)
	}
}

// Only what media_conn gave out opens the media host.
func TestMediaAuth(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := sandboxtest.Link(t, srv, alice)
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err != nil {
		t.Fatal(err)
	}
	conn, err := a.DangerousInternals().RefreshMediaConn(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	good := conn.Auth
	conn.Auth = "forged" // whatsmeow hands out what it keeps
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a forged auth: %v", err)
	}
	fresh, err := a.DangerousInternals().RefreshMediaConn(t.Context(), true)
	if err != nil || fresh.Auth == good {
		t.Fatalf("a new auth: %+v, %v", fresh, err)
	}
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err != nil {
		t.Errorf("with a new auth: %v", err)
	}
	fresh.Auth = good
	if _, err := a.Upload(t.Context(), []byte("x"), whatsmeow.MediaImage); err != nil {
		t.Errorf("with the first auth: %v", err)
	}
}

// A refused operation of w:mex is an error in its result.
func TestMexRefusal(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	a := sandboxtest.Link(t, srv, alice)
	group := newGroup(t, srv, "lid", bob, alice)
	ask := func(jid types.JID, mode string) (int, error) {
		_, err := a.DangerousInternals().SendMexIQ(t.Context(), "9418211574894172", map[string]any{
			"group_id": jid.String(), "update": map[string]any{"member_link_mode": mode},
		})
		var refused types.GraphQLErrors
		if errors.As(err, &refused) && len(refused) == 1 {
			return refused[0].Extensions.ErrorCode, nil
		}
		return 0, err
	}
	for _, row := range []struct {
		group types.JID
		mode  string
		want  int
	}{
		{group, "ALL_MEMBER_LINK", 403},
		{group, "NOBODY", 400},
		{types.NewJID("120363000000000000", types.GroupServer), "ADMIN_LINK", 404},
	} {
		if code, err := ask(row.group, row.mode); err != nil || code != row.want {
			t.Errorf("%s %s: code %d, %v, want %d", row.group, row.mode, code, err, row.want)
		}
	}
	if _, err := srv.ChangePeople(bob, group, service.ActPromote, []string{alice}); err != nil {
		t.Fatal(err)
	}
	if code, err := ask(group, "ALL_MEMBER_LINK"); err != nil || code != 0 {
		t.Errorf("an admin: code %d, %v", code, err)
	}
}

// "My contacts except…" lets contacts in, as WhatsApp's help has it.
func TestContactsExcept(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	b := sandboxtest.Link(t, srv, bob)
	if _, err := b.SetPrivacySetting(t.Context(), types.PrivacySettingTypeGroupAdd, types.PrivacySettingContactBlacklist); err != nil {
		t.Fatal(err)
	}
	group := newGroup(t, srv, "lid", alice)
	for _, want := range []int{403, 0} {
		results, err := srv.ChangePeople(alice, group, service.ActAdd, []string{bob})
		if err != nil || results[0].Code != want {
			t.Errorf("%+v, %v, want %d", results, err, want)
		}
		if err := srv.Befriend(bob, alice); err != nil {
			t.Fatal(err)
		}
	}
}
