package service_test

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
	"muster/sandbox/service"
)

// These tests ask everything but groups and messages through an unmodified
// whatsmeow client: what it makes of the answers is what counts.

// pair links a client for alice and one for bob, who share a group.
func pair(t *testing.T) (srv *sandbox.Server, a, b *sandboxtest.Client, group types.JID) {
	t.Helper()
	srv = world(t, alice, bob)
	a, b = sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	info, err := a.CreateGroup(t.Context(), whatsmeow.ReqCreateGroup{Name: "Both", Participants: []types.JID{pn(bob)}})
	if err != nil {
		t.Fatal(err)
	}
	return srv, a, b, info.JID
}

// jpegImage is a picture as clients set it.
func jpegImage(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewGray(image.Rect(0, 0, 64, 64)), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestClientLooksPeopleUp(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	if _, err := srv.AddPhone(service.PhoneOptions{Number: carol, Name: "Carol's", Business: true}); err != nil {
		t.Fatal(err)
	}
	a := sandboxtest.Link(t, srv, alice)
	found, err := a.IsOnWhatsApp(t.Context(), []string{"+" + bob, "+4915000000000", "+" + carol})
	if err != nil || len(found) != 3 {
		t.Fatalf("found %+v, %v", found, err)
	}
	for i, want := range []bool{true, false, true} {
		if found[i].IsIn != want {
			t.Errorf("%s is on WhatsApp: %v", found[i].Query, found[i].IsIn)
		}
	}
	if found[0].JID != lid(t, srv, bob) || found[0].PhoneNumber != pn(bob) || found[0].Query != "+"+bob {
		t.Errorf("bob is %+v", found[0])
	}
	if found[2].VerifiedName.Details.GetVerifiedName() != "Carol's" {
		t.Errorf("the business is %+v", found[2])
	}
	info, err := a.GetUserInfo(t.Context(), []types.JID{pn(bob)})
	if err != nil {
		t.Fatal(err)
	}
	if got := info[pn(bob)]; got.LID != lid(t, srv, bob) || got.Status == "" || len(got.Devices) != 1 {
		t.Errorf("bob is %+v", got)
	}
	for _, jid := range []types.JID{pn(alice), lid(t, srv, alice)} {
		devices, err := a.GetUserDevices(t.Context(), []types.JID{jid})
		if err != nil || len(devices) != 2 || devices[0] != jid {
			t.Errorf("alice's devices are %v, %v", devices, err)
		}
	}
	profile, err := a.GetBusinessProfile(t.Context(), pn(carol))
	if err != nil || profile.JID != pn(carol) {
		t.Errorf("the business profile is %+v, %v", profile, err)
	}
}

func TestClientMedia(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	content := bytes.Repeat([]byte("sandbox"), 5000)
	up, err := a.Upload(t.Context(), content, whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	document := &waE2E.DocumentMessage{
		URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileLength: proto.Uint64(up.FileLength),
		FileSHA256: up.FileSHA256, FileEncSHA256: up.FileEncSHA256,
	}
	byPath, ok := proto.Clone(document).(*waE2E.DocumentMessage)
	if !ok {
		t.Fatal("a clone has another type")
	}
	byPath.URL = nil
	for _, message := range []*waE2E.DocumentMessage{document, byPath} {
		if got, err := b.Download(t.Context(), message); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("downloaded %d bytes, %v", len(got), err)
		}
	}
	if err = a.DeleteMedia(t.Context(), whatsmeow.MediaDocument, up.DirectPath, up.FileEncSHA256, up.Handle); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Download(t.Context(), byPath); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) {
		t.Errorf("the deleted document is %v", err)
	}
}

func TestClientPictures(t *testing.T) {
	t.Parallel()
	srv, a, b, group := pair(t)
	id, err := a.SetGroupPhoto(t.Context(), group, jpegImage(t))
	if err != nil {
		t.Fatal(err)
	}
	change := sandboxtest.Wait(t, b, "the picture", func(e *events.Picture) bool { return e.JID == group })
	if change.PictureID != id || change.Author != lid(t, srv, alice) {
		t.Errorf("the change is %+v, want picture %s", change, id)
	}
	info, err := b.GetProfilePictureInfo(t.Context(), group, nil)
	if err != nil || info.ID != id {
		t.Fatalf("the picture is %+v, %v", info, err)
	}
	resp, err := http.Get(info.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err = jpeg.Decode(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s is %s, %v", info.URL, resp.Status, err)
	}
	if data, err := b.DownloadMediaWithOnlyPath(t.Context(), info.DirectPath); err != nil || !bytes.Equal(data, jpegImage(t)) {
		t.Errorf("downloaded %d bytes, %v", len(data), err)
	}
	if same, err := b.GetProfilePictureInfo(t.Context(), group, &whatsmeow.GetProfilePictureParams{ExistingID: id}); same != nil || err != nil {
		t.Errorf("the known picture is %+v, %v", same, err)
	}
	if _, err = a.SetGroupPhoto(t.Context(), group, []byte("text")); !errors.Is(err, whatsmeow.ErrInvalidImageFormat) {
		t.Errorf("text as picture: %v", err)
	}
	if _, err = a.SetGroupPhoto(t.Context(), group, nil); err != nil {
		t.Error(err)
	}
	if _, err = b.GetProfilePictureInfo(t.Context(), group, nil); !errors.Is(err, whatsmeow.ErrProfilePictureNotSet) {
		t.Errorf("the removed picture is %v", err)
	}
}

func TestClientSettings(t *testing.T) {
	t.Parallel()
	srv, a, b, _ := pair(t)
	if _, err := a.SetPrivacySetting(t.Context(), types.PrivacySettingTypeGroupAdd, types.PrivacySettingNone); err != nil {
		t.Fatal(err)
	}
	settings, err := a.TryFetchPrivacySettings(t.Context(), true)
	if err != nil || settings.GroupAdd != types.PrivacySettingNone || settings.Profile != types.PrivacySettingAll {
		t.Errorf("the settings are %+v, %v", settings, err)
	}
	list, err := a.UpdateBlocklist(t.Context(), pn(bob), events.BlocklistChangeActionBlock)
	if err != nil || !slices.Contains(list.JIDs, lid(t, srv, bob)) || list.DHash == "" {
		t.Errorf("the blocklist is %+v, %v", list, err)
	}
	if list, err = a.UpdateBlocklist(t.Context(), lid(t, srv, bob), events.BlocklistChangeActionUnblock); err != nil || len(list.JIDs) != 0 {
		t.Errorf("the blocklist is %+v, %v", list, err)
	}
	if err = a.SetDefaultDisappearingTimer(t.Context(), 24*time.Hour); err != nil {
		t.Error(err)
	}
	busy := "Busy"
	if err = a.SetStatusMessage(t.Context(), types.SetStatusInput{Text: &busy}); err != nil {
		t.Error(err)
	}
	about := sandboxtest.Wait(t, b, "the about text", func(e *events.UserAbout) bool { return e.Status == busy })
	if about.JID != pn(alice) {
		t.Errorf("it is %s who is busy", about.JID)
	}
	if privacy, err := a.GetStatusPrivacy(t.Context()); err != nil || privacy[0].Type != types.StatusPrivacyTypeContacts {
		t.Errorf("the audience of posts is %+v, %v", privacy, err)
	}
	if channels, err := a.GetSubscribedNewsletters(t.Context()); err != nil || len(channels) != 0 {
		t.Errorf("the channels are %v, %v", channels, err)
	}
}

func TestClientPresence(t *testing.T) {
	t.Parallel()
	_, a, b, group := pair(t)
	sandboxtest.Wait(t, b, "the group", func(e *events.JoinedGroup) bool { return e.JID == group })
	for _, c := range []*sandboxtest.Client{a, b} {
		sandboxtest.Wait(t, c, "the push name", func(e *events.AppStateSyncComplete) bool { return e.Name == appstate.WAPatchCriticalBlock })
		if err := c.SendPresence(t.Context(), types.PresenceAvailable); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.SubscribePresence(t.Context(), pn(alice)); err != nil {
		t.Fatal(err)
	}
	sandboxtest.Wait(t, b, "alice", func(e *events.Presence) bool { return e.From == pn(alice) && !e.Unavailable })
	if err := a.SendChatPresence(t.Context(), group, types.ChatPresenceComposing, types.ChatPresenceMediaText); err != nil {
		t.Fatal(err)
	}
	typing := sandboxtest.Wait(t, b, "typing", func(*events.ChatPresence) bool { return true })
	if typing.Chat != group || typing.SenderAlt.ToNonAD() != pn(alice) || typing.State != types.ChatPresenceComposing {
		t.Errorf("typing is %+v", typing)
	}
	a.Disconnect()
	sandboxtest.Wait(t, b, "alice's leaving", func(e *events.Presence) bool {
		return e.From == pn(alice) && e.Unavailable && !e.LastSeen.IsZero()
	})
}

func TestClientAppState(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	first, second := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, alice)
	for _, c := range []*sandboxtest.Client{first, second} {
		for _, name := range appstate.AllPatchNames {
			sandboxtest.Wait(t, c, string(name), func(e *events.AppStateSyncComplete) bool { return e.Name == name })
		}
	}
	if name := first.Store.PushName; name == "" {
		t.Error("the client has no push name")
	}
	if err := first.SendAppState(t.Context(), appstate.BuildPin(pn(alice), true)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first pin", func() bool { return pinned(t, second, pn(alice)) })

	// Untold of the next change, the second client runs into a conflict, takes
	// in what it missed and tries again. (Told of it at that moment, whatsmeow
	// may apply the same patch twice and give up.)
	_, err := srv.Faults().Add(fault.Fault{
		Match: fault.Match{Tag: "notification", Type: "server_sync"}, Effect: fault.Script{DropReply: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err = first.SendAppState(t.Context(), appstate.BuildPin(pn(bob), true)); err != nil {
		t.Fatal(err)
	}
	if err = second.SendAppState(t.Context(), appstate.BuildPin(pn(alice), false)); err != nil {
		t.Fatal(err)
	}
	if err = first.FetchAppState(t.Context(), appstate.WAPatchRegularLow, false, false); err != nil {
		t.Fatal(err)
	}
	for i, c := range []*sandboxtest.Client{first, second} {
		if pinned(t, c, pn(alice)) || !pinned(t, c, pn(bob)) {
			t.Errorf("client %d has other pins", i)
		}
	}
}

// pinned tells whether a client has a chat pinned.
func pinned(t *testing.T, c *sandboxtest.Client, chat types.JID) bool {
	t.Helper()
	settings, err := c.Store.ChatSettings.GetChatSettings(t.Context(), chat)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Pinned
}

func TestClientUploadsKeysWhenFewAreLeft(t *testing.T) {
	t.Parallel()
	srv := world(t, alice, bob)
	a, b := sandboxtest.Link(t, srv, alice), sandboxtest.Link(t, srv, bob)
	count, err := b.DangerousInternals().GetServerPreKeyCount(t.Context())
	if err != nil || count < whatsmeow.WantedPreKeyCount {
		t.Fatalf("bob has %d keys, %v", count, err)
	}
	devices := make([]types.JID, count-whatsmeow.MinPreKeyCount+1)
	for i := range devices {
		devices[i] = *b.Store.ID
	}
	if bundles := a.DangerousInternals().FetchPreKeysNoError(t.Context(), devices); bundles[*b.Store.ID] == nil {
		t.Fatal("no bundle")
	}
	eventually(t, "new keys", func() bool {
		count, err = b.DangerousInternals().GetServerPreKeyCount(t.Context())
		return err == nil && count >= whatsmeow.WantedPreKeyCount
	})
}

func TestClientKnowsOfNoChannels(t *testing.T) {
	t.Parallel()
	srv := world(t, alice)
	a := sandboxtest.Link(t, srv, alice)
	if _, err := a.GetNewsletterInfo(t.Context(), types.NewJID("1", types.NewsletterServer)); err == nil {
		t.Error("a channel was found")
	}
}
