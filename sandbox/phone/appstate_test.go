package phone

import (
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"google.golang.org/protobuf/proto"
)

// collectionServer numbers patches, as the service does.
type collectionServer struct {
	name    appstate.WAPatchName
	patches []*waServerSync.SyncdPatch
}

// accept stamps a patch and returns it as the devices get it.
func (s *collectionServer) accept(t testing.TB, raw []byte) []byte {
	t.Helper()
	patch := new(waServerSync.SyncdPatch)
	must(t, proto.Unmarshal(raw, patch))
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(uint64(len(s.patches) + 1))}
	s.patches = append(s.patches, patch)
	stamped, err := proto.Marshal(patch)
	must(t, err)
	return stamped
}

// fetch has whatsmeow read everything from the start, checking all MACs.
func (s *collectionServer) fetch(t testing.TB, c *companion) ([]appstate.Mutation, appstate.HashState) {
	t.Helper()
	list := &appstate.PatchList{Name: s.name, Patches: s.patches}
	mutations, state, err := appstate.NewProcessor(c.Store, nil).DecodePatches(t.Context(), list, appstate.HashState{}, true)
	must(t, err)
	return mutations, state
}

func TestPushNameReachesWhatsmeow(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	c.welcome(t, p)
	server := &collectionServer{name: appstate.WAPatchCriticalBlock}
	for i, name := range []string{"Ada", "Ada Lovelace", ""} {
		p.SetName(name)
		patch, err := p.PushNamePatch(testTime)
		must(t, err)
		if p.AppStateVersion(server.name) != uint64(i) {
			t.Fatalf("encoding has changed the version to %d", p.AppStateVersion(server.name))
		}
		_, err = p.ApplyPatch(server.name, server.accept(t, patch))
		must(t, err)
		if p.AppStateVersion(server.name) != uint64(i+1) {
			t.Fatalf("applied patch %d, version is %d", i+1, p.AppStateVersion(server.name))
		}
	}
	mutations, state := server.fetch(t, c)
	if len(mutations) != 3 || state.Version != 3 {
		t.Fatalf("whatsmeow read %d mutations up to version %d", len(mutations), state.Version)
	}
	for i, name := range []string{"Ada", "Ada Lovelace", ""} {
		m := mutations[i]
		if m.Index[0] != appstate.IndexSettingPushName || m.Action.GetPushNameSetting().GetName() != name ||
			m.Action.GetTimestamp() != testTime.UnixMilli() {
			t.Errorf("mutation %d is %v: %v", i, m.Index, m.Action)
		}
	}
}

// Phone and companion write in turns: each patch seals what the other wrote.
func TestPatchesOfBothSides(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	c.welcome(t, p)
	processor := appstate.NewProcessor(c.Store, nil)
	server := &collectionServer{name: appstate.WAPatchCriticalBlock}
	state := appstate.HashState{}
	take := func(raw []byte) {
		t.Helper()
		list := &appstate.PatchList{Name: server.name, Patches: server.patches[len(server.patches)-1:]}
		var err error
		_, state, err = processor.DecodePatches(t.Context(), list, state, true)
		must(t, err)
		_, err = p.ApplyPatch(server.name, raw)
		must(t, err)
	}
	patch, err := p.PushNamePatch(testTime)
	must(t, err)
	take(server.accept(t, patch))

	patch, err = processor.EncodePatch(t.Context(), p.vault.AppStateKey.ID, state, appstate.BuildSettingPushName("Countess"))
	must(t, err)
	take(server.accept(t, patch))
	if p.Name() != "Countess" {
		t.Errorf("the phone is called %q after the companion renamed it", p.Name())
	}
	patch, err = p.PushNamePatch(testTime)
	must(t, err)
	take(server.accept(t, patch))
	if state.Version != 3 || p.AppStateVersion(server.name) != 3 {
		t.Errorf("companion at version %d, phone at %d", state.Version, p.AppStateVersion(server.name))
	}
}

func TestEncodePatchOfOtherCollection(t *testing.T) {
	p := newPhone(t)
	c := linked(t, p, 1)
	c.welcome(t, p)
	server := &collectionServer{name: appstate.WAPatchRegularHigh}
	mute := appstate.BuildMute(testGroup, true, time.Hour)
	patch, err := p.EncodePatch(server.name, testTime, mute.Mutations)
	must(t, err)
	server.accept(t, patch)
	mutations, _ := server.fetch(t, c)
	if len(mutations) != 1 || !mutations[0].Action.GetMuteAction().GetMuted() {
		t.Errorf("whatsmeow read %v", mutations)
	}
}

func TestEncodePatchRefuses(t *testing.T) {
	p := newPhone(t)
	name := appstate.BuildSettingPushName("x")
	for complaint, tc := range map[string]struct {
		collection appstate.WAPatchName
		mutations  []appstate.MutationInfo
	}{
		"collection":   {"critical", name.Mutations},
		"no mutations": {name.Type, nil},
		"twice":        {name.Type, append(name.Mutations, appstate.BuildSettingPushName("y").Mutations...)},
		"no value":     {name.Type, []appstate.MutationInfo{{Index: []string{"x"}}}},
		"no index":     {name.Type, []appstate.MutationInfo{{Value: name.Mutations[0].Value}}},
	} {
		t.Run(complaint, func(t *testing.T) {
			if _, err := p.EncodePatch(tc.collection, testTime, tc.mutations); err == nil {
				t.Error("the patch was made")
			}
		})
	}
}

func TestApplyPatchRefuses(t *testing.T) {
	p := newPhone(t)
	server := &collectionServer{name: appstate.WAPatchCriticalBlock}
	raw, err := p.PushNamePatch(testTime)
	must(t, err)
	stamped := server.accept(t, raw)
	changed := func(change func(*waServerSync.SyncdPatch)) []byte {
		patch := new(waServerSync.SyncdPatch)
		must(t, proto.Unmarshal(stamped, patch))
		change(patch)
		out, err := proto.Marshal(patch)
		must(t, err)
		return out
	}
	for complaint, tc := range map[string]struct {
		name appstate.WAPatchName
		raw  []byte
		want error
	}{
		"unstamped":        {server.name, raw, ErrPatchOrder},
		"gap":              {server.name, changed(func(p *waServerSync.SyncdPatch) { p.Version.Version = proto.Uint64(2) }), ErrPatchOrder},
		"not proto":        {server.name, []byte{0xff}, nil},
		"collection":       {"critical", stamped, nil},
		"other collection": {appstate.WAPatchRegular, stamped, appstate.ErrMismatchingLTHash},
		"bad MAC":          {server.name, changed(func(p *waServerSync.SyncdPatch) { p.PatchMAC[0] ^= 1 }), appstate.ErrMismatchingPatchMAC},
		"other key":        {server.name, changed(func(p *waServerSync.SyncdPatch) { p.KeyID.ID = []byte("other") }), appstate.ErrKeyNotFound},
		"short value":      {server.name, changed(func(p *waServerSync.SyncdPatch) { p.Mutations[0].Record.Value.Blob = []byte{1} }), errPanic},
		"outside": {server.name, changed(func(p *waServerSync.SyncdPatch) {
			p.ExternalMutations = &waServerSync.ExternalBlobReference{}
		}), nil},
	} {
		t.Run(complaint, func(t *testing.T) {
			_, err := p.ApplyPatch(tc.name, tc.raw)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if p.AppStateVersion(tc.name) != 0 {
				t.Error("the refused patch counts")
			}
		})
	}
	_, err = p.ApplyPatch(server.name, stamped)
	must(t, err)
	if _, err = p.ApplyPatch(server.name, stamped); !errors.Is(err, ErrPatchOrder) {
		t.Errorf("second time: error %v, want ErrPatchOrder", err)
	}
}
