package service

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// deviceHash is the short hash of a set of devices that clients compare:
// sorted "user.agent:device@server", SHA-256, six bytes (whatsmeow's
// participantListHashV2).
func deviceHash(devices []types.JID) string {
	list := make([]string, len(devices))
	for i, jid := range devices {
		list[i] = jid.ADString()
	}
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(list, "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}

// announceDevice tells everybody concerned that a device was added to its
// account or removed from it: the account's other companions get the whole new
// list, and those who share a group or a chat get the change.
func (w *World) announceDevice(d *Device, change string) {
	a := d.Account
	now := w.opts.Now().Unix()
	pn, lid := a.addresses(false), a.addresses(true)
	w.notifyAccount(a, w.ownDevicesNotification(a, pn, now), d)
	note := stanza.Node{Tag: "notification", Attrs: stanza.Attrs{
		"from": a.PN, "lid": a.LID, "type": "devices", "t": now,
	}, Content: []stanza.Node{{
		Tag:   change,
		Attrs: stanza.Attrs{"device_hash": deviceHash(pn), "device_lid_hash": deviceHash(lid)},
		Content: []stanza.Node{
			{Tag: "device", Attrs: stanza.Attrs{"jid": d.PNJID(), "lid": d.LIDJID(), "key-index": d.KeyIndex}},
			w.keyIndexList(a),
		},
	}}}
	for _, other := range w.acquaintances(a) {
		w.notifyAccount(other, note, nil)
	}
}

// ownDevicesNotification is the form in which an account's companions learn
// their siblings (whatsmeow's handleOwnDevicesNotification).
func (w *World) ownDevicesNotification(a *Account, devices []types.JID, now int64) stanza.Node {
	list := make([]stanza.Node, 0, len(devices)+1)
	for _, jid := range devices {
		entry := stanza.Node{Tag: "device", Attrs: stanza.Attrs{"jid": jid}}
		if d := a.Devices[jid.Device]; d != nil {
			entry.Attrs["key-index"] = d.KeyIndex
		}
		list = append(list, entry)
	}
	list = append(list, w.keyIndexList(a))
	return stanza.Node{Tag: "notification", Attrs: stanza.Attrs{"from": a.PN, "type": "account_sync", "t": now},
		Content: []stanza.Node{{Tag: "devices", Attrs: stanza.Attrs{"dhash": deviceHash(devices)}, Content: list}}}
}

// keyIndexList is the phone's signed list of the companions it vouches for;
// without the signature should signing fail, which is logged.
func (w *World) keyIndexList(a *Account) stanza.Node {
	now := w.opts.Now()
	node := stanza.Node{Tag: "key-index-list", Attrs: stanza.Attrs{"ts": now.Unix()}}
	indexes := make([]uint32, 0, len(a.Devices))
	for _, d := range a.companions() {
		indexes = append(indexes, d.KeyIndex)
	}
	signed, err := a.Phone.KeyIndexList(indexes, now)
	if err != nil {
		w.log.Error().Err(err).Str("number", a.PN.User).Msg("Key index list could not be signed")
		return node
	}
	node.Content = signed
	return node
}

// acquaintances are the accounts that share a group with one or have exchanged
// messages with it, in a stable order.
func (w *World) acquaintances(a *Account) []*Account {
	known := map[string]*Account{}
	for user := range a.Talked {
		known[user] = w.accounts[user]
	}
	for _, jid := range w.groups.GroupsOf(a.LID) {
		g, ok := w.groups.Get(jid)
		if !ok {
			continue
		}
		for _, m := range g.Members() {
			known[m.LID.User] = w.accounts[m.LID.User]
		}
	}
	delete(known, a.LID.User)
	list := make([]*Account, 0, len(known))
	for _, other := range known {
		if other != nil {
			list = append(list, other)
		}
	}
	slices.SortFunc(list, func(x, y *Account) int { return strings.Compare(x.LID.User, y.LID.User) })
	return list
}
