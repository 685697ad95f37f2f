package service

import (
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"google.golang.org/protobuf/proto"

	"muster/sandbox/stanza"
)

const (
	// patchPage is how many patches one answer carries; clients ask on while
	// has_more_patches is set.
	patchPage = 50
	// maxPatches bounds a collection. The sandbox makes no snapshots, so it
	// keeps every patch for clients that start from nothing.
	maxPatches = 10000
	// maxPatchSize bounds one patch, in bytes.
	maxPatchSize = 1 << 20
)

// Collection is one part of an account's app state: an ordered log of patches
// that only the account's devices can read.
type Collection struct {
	// Patches are serialised SyncdPatch messages, each with its version: the
	// first has version 1.
	Patches [][]byte `json:"patches,omitempty"`
}

// version is the number of the last patch.
func (col *Collection) version() uint64 { return uint64(len(col.Patches)) }

// since returns up to a page of the patches after a version, and whether there
// are more.
func (col *Collection) since(version uint64) (patches []stanza.Node, more bool) {
	for v := version; v < col.version(); v++ {
		if len(patches) == patchPage {
			return patches, true
		}
		patches = append(patches, stanza.Node{Tag: "patch", Content: col.Patches[v]})
	}
	return patches, false
}

// append stamps a patch with the next version and adds it. Devices leave the
// version out, because only the service knows the order.
func (col *Collection) append(raw []byte) error {
	var patch waServerSync.SyncdPatch
	if err := proto.Unmarshal(raw, &patch); err != nil {
		return fmt.Errorf("read patch: %w", err)
	}
	if len(patch.GetSnapshotMAC()) == 0 || len(patch.GetPatchMAC()) == 0 || patch.GetKeyID() == nil {
		return errors.New("patch lacks its MACs or its key id")
	}
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(col.version() + 1)}
	stamped, err := proto.Marshal(&patch)
	if err != nil {
		return fmt.Errorf("write patch: %w", err)
	}
	col.Patches = append(col.Patches, stamped)
	return nil
}

// collection returns an account's collection, made on first use, or nil when
// there is none of that name.
func (a *Account) collection(name string) *Collection {
	for _, known := range appstate.AllPatchNames {
		if string(known) != name {
			continue
		}
		if a.AppState[name] == nil {
			a.AppState[name] = &Collection{}
		}
		return a.AppState[name]
	}
	return nil
}

// iqAppState answers a sync of any number of collections: each may bring a
// patch, and each is answered on its own, refusals included.
func (w *World) iqAppState(c *call) ([]stanza.Node, *stanza.Error) {
	sync := stanza.Child(c.iq, "sync")
	if sync == nil {
		return nil, stanza.Refuse(501)
	}
	var answers, changed []stanza.Node
	for _, asked := range stanza.Children(sync, "collection") {
		answer, accepted := w.syncCollection(c.device.Account, &asked)
		answers = append(answers, answer)
		if accepted {
			changed = append(changed, stanza.Node{Tag: "collection", Attrs: answer.Attrs})
		}
	}
	if len(answers) == 0 {
		return nil, stanza.Refuse(400)
	}
	if len(changed) > 0 {
		c.then(func() { w.announceAppState(c.device.Account, changed, c.device) })
	}
	return []stanza.Node{{Tag: "sync", Content: answers}}, nil
}

// syncCollection answers one <collection>, and tells whether a patch was taken.
//
// A request for a snapshot is answered with patches from the client's version
// on, which is 0 when it starts from nothing: clients take patches just as well.
func (w *World) syncCollection(a *Account, asked *stanza.Node) (answer stanza.Node, accepted bool) {
	name := stanza.Text(asked, "name")
	col := a.collection(name)
	if col == nil {
		return collectionRefusal(name, 404), false
	}
	version, ok := stanza.Int(asked, "version")
	if !ok && stanza.Text(asked, "version") != "" || version < 0 {
		return collectionRefusal(name, 400), false
	}
	if uint64(version) > col.version() {
		return col.fromStart(name, asked), false
	}
	patch := stanza.Child(asked, "patch")
	if patch == nil {
		return col.page(name, uint64(version)), false
	}
	if uint64(version) != col.version() {
		return conflict(col.page(name, uint64(version))), false
	}
	if code := w.takePatch(a, name, stanza.Bytes(patch)); code != 0 {
		return collectionRefusal(name, code), false
	}
	return stanza.Node{Tag: "collection", Attrs: stanza.Attrs{"name": name, "version": col.version()}}, true
}

// fromStart answers a client that is ahead of the service, which was set back
// to an older state: with every patch there is. They do not fit on what the
// client has, which tells it to begin anew. Baileys does so by itself, whatsmeow
// leaves it to the program: events.AppStateSyncError, and then a full sync.
func (col *Collection) fromStart(name string, asked *stanza.Node) stanza.Node {
	all := col.page(name, 0)
	if stanza.Child(asked, "patch") == nil {
		return all
	}
	return conflict(all)
}

// conflict refuses a patch and shows those that it does not follow on.
func conflict(page stanza.Node) stanza.Node {
	page.Attrs["type"] = "error"
	page.Content = append([]stanza.Node{errorNode(stanza.Refuse(409))}, stanza.Children(&page)...)
	return page
}

// takePatch adds a patch to a collection and shows it to the phone, which has
// to follow the log to write patches of its own. It returns 0 or an error code.
func (w *World) takePatch(a *Account, name string, raw []byte) int {
	col := a.collection(name)
	switch {
	case col == nil:
		return 404
	case len(raw) > maxPatchSize || len(col.Patches) >= maxPatches:
		return 419
	}
	if err := col.append(raw); err != nil {
		w.log.Warn().Err(err).Str("collection", name).Msg("App state patch refused")
		return 400
	}
	_, err := a.Phone.ApplyPatch(appstate.WAPatchName(name), col.Patches[col.version()-1])
	if err != nil {
		// A real service cannot read patches and takes what it gets; it is the
		// phone that is at a loss then, and so is this one.
		w.log.Warn().Err(err).Str("collection", name).Uint64("version", col.version()).
			Msg("The simulated phone cannot read an app state patch")
	}
	a.Name = a.Phone.Name()
	return 0
}

// page is the answer with the patches after a version.
func (col *Collection) page(name string, version uint64) stanza.Node {
	patches, more := col.since(version)
	node := stanza.Node{Tag: "collection", Attrs: stanza.Attrs{"name": name, "version": col.version()}}
	if more {
		node.Attrs["has_more_patches"] = true
	}
	if len(patches) > 0 {
		node.Content = []stanza.Node{{Tag: "patches", Content: patches}}
	}
	return node
}

func collectionRefusal(name string, code int) stanza.Node {
	return stanza.Node{
		Tag:     "collection",
		Attrs:   stanza.Attrs{"name": name, "type": "error"},
		Content: []stanza.Node{errorNode(stanza.Refuse(code))},
	}
}

// announceAppState tells an account's companions, but for one, that
// collections have new patches.
func (w *World) announceAppState(a *Account, changed []stanza.Node, except *Device) {
	w.notifyAccount(a, stanza.Node{
		Tag:     "notification",
		Attrs:   stanza.Attrs{"from": a.PN, "type": "server_sync", "t": w.opts.Now().Unix()},
		Content: changed,
	}, except)
}

// seedAppState writes what a linked device must find in the app state: the
// push name, without which whatsmeow refuses to send presence. It does nothing
// when the name is there already.
func (w *World) seedAppState(a *Account) {
	name := string(appstate.WAPatchCriticalBlock)
	if a.collection(name).version() > 0 {
		return
	}
	if err := w.writePushName(a); err != nil {
		w.log.Error().Err(err).Str("number", a.PN.User).Msg("Push name could not be put into the app state")
	}
}

// writePushName puts the phone's push name into the app state and tells the
// account's companions.
func (w *World) writePushName(a *Account) error {
	name := string(appstate.WAPatchCriticalBlock)
	if seen, there := a.Phone.AppStateVersion(appstate.WAPatchCriticalBlock), a.collection(name).version(); seen != there {
		return fmt.Errorf("the phone has read %s up to version %d of %d and cannot write to it", name, seen, there)
	}
	patch, err := a.Phone.PushNamePatch(w.opts.Now())
	if err != nil {
		return fmt.Errorf("encode the push name: %w", err)
	}
	if code := w.takePatch(a, name, patch); code != 0 {
		return fmt.Errorf("write the push name: %w", stanza.Refuse(code))
	}
	w.announceAppState(a, []stanza.Node{{
		Tag: "collection", Attrs: stanza.Attrs{"name": name, "version": a.collection(name).version()},
	}}, nil)
	return nil
}
