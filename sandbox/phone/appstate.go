package phone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"google.golang.org/protobuf/proto"
)

// The app state is a set of collections, each a sequence of encrypted patches
// that the server only numbers. The phone writes patches with EncodePatch and
// must see every accepted one, its own included, through ApplyPatch: each
// patch seals the sum of all values before it.

// PushNamePatch makes the patch that tells companions the push name. It is for
// appstate.WAPatchCriticalBlock; without it whatsmeow never becomes available,
// because it has no name to send.
func (p *Phone) PushNamePatch(now time.Time) ([]byte, error) {
	patch := appstate.BuildSettingPushName(p.name)
	return p.EncodePatch(patch.Type, now, patch.Mutations)
}

// EncodePatch makes a serialised SyncdPatch that follows on what the phone has
// seen of the collection. It lacks the version, which the server stamps: one
// more than AppStateVersion. The phone's own state changes in ApplyPatch.
func (p *Phone) EncodePatch(name appstate.WAPatchName, now time.Time, mutations []appstate.MutationInfo) ([]byte, error) {
	if err := checkMutations(name, mutations); err != nil {
		return nil, err
	}
	ctx := context.Background()
	state, err := p.appState(ctx, name)
	if err != nil {
		return nil, err
	}
	var patch []byte
	err = guard(func() (inner error) {
		patch, inner = p.processor.EncodePatch(ctx, p.vault.AppStateKey.ID, state,
			appstate.PatchInfo{Timestamp: now, Type: name, Mutations: mutations})
		return inner
	})
	if err != nil {
		return nil, fmt.Errorf("encode a patch for %s: %w", name, err)
	}
	return patch, nil
}

// checkMutations refuses what whatsmeow's encoder would turn into a patch that
// no decoder accepts.
func checkMutations(name appstate.WAPatchName, mutations []appstate.MutationInfo) error {
	if !slices.Contains(appstate.AllPatchNames[:], name) {
		return fmt.Errorf("there is no app-state collection %q", name)
	}
	if len(mutations) == 0 {
		return errors.New("an app-state patch needs a mutation")
	}
	for i, m := range mutations {
		if len(m.Index) == 0 || m.Value == nil {
			return fmt.Errorf("mutation %d has no index or no value", i)
		}
		for _, earlier := range mutations[:i] {
			if slices.Equal(earlier.Index, m.Index) {
				return fmt.Errorf("mutation %d sets %v a second time", i, m.Index)
			}
		}
	}
	return nil
}

// AppStateVersion is the version of the last patch the phone has applied.
func (p *Phone) AppStateVersion(name appstate.WAPatchName) uint64 {
	if c, ok := p.vault.Collections[string(name)]; ok {
		return c.Version
	}
	return 0
}

// ApplyPatch takes in a serialised SyncdPatch that the server has accepted and
// stamped, the phone's own or a companion's, checks it as companions do and
// returns what it says. A patch that does not follow on AppStateVersion is
// ErrPatchOrder. A failed one changes nothing. A companion that sets the push
// name changes the phone's.
func (p *Phone) ApplyPatch(name appstate.WAPatchName, raw []byte) ([]appstate.Mutation, error) {
	if !slices.Contains(appstate.AllPatchNames[:], name) {
		return nil, fmt.Errorf("there is no app-state collection %q", name)
	}
	patch := new(waServerSync.SyncdPatch)
	if err := proto.Unmarshal(raw, patch); err != nil {
		return nil, fmt.Errorf("parse the patch for %s: %w", name, err)
	}
	if patch.ExternalMutations != nil {
		return nil, fmt.Errorf("the patch for %s keeps its mutations outside", name)
	}
	ctx := context.Background()
	state, err := p.appState(ctx, name)
	if err != nil {
		return nil, err
	}
	if version := patch.GetVersion().GetVersion(); version != state.Version+1 {
		return nil, fmt.Errorf("%w: %s is at version %d, the patch has %d", ErrPatchOrder, name, state.Version, version)
	}
	var mutations []appstate.Mutation
	err = guard(func() (inner error) {
		list := &appstate.PatchList{Name: name, Patches: []*waServerSync.SyncdPatch{patch}}
		mutations, _, inner = p.processor.DecodePatches(ctx, list, state, true)
		return inner
	})
	if err != nil {
		return nil, fmt.Errorf("apply a patch to %s: %w", name, err)
	}
	for _, m := range mutations {
		if len(m.Index) == 1 && m.Index[0] == appstate.IndexSettingPushName &&
			m.Operation == waServerSync.SyncdMutation_SET {
			p.name = m.Action.GetPushNameSetting().GetName()
		}
	}
	return mutations, nil
}

func (p *Phone) appState(ctx context.Context, name appstate.WAPatchName) (appstate.HashState, error) {
	version, hash, err := p.vault.GetAppStateVersion(ctx, string(name))
	if err != nil {
		return appstate.HashState{}, fmt.Errorf("read the state of %s: %w", name, err)
	}
	return appstate.HashState{Version: version, Hash: hash}, nil
}
