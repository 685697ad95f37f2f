package service

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// iqGetBlocklist lists whom the account has blocked.
func (w *World) iqGetBlocklist(c *call) ([]stanza.Node, *stanza.Error) {
	return []stanza.Node{blocklist(c.device.Account)}, nil
}

// iqSetBlocklist blocks somebody or lets them through again, and answers with
// the new list. Doing either twice is no error.
func (w *World) iqSetBlocklist(c *call) ([]stanza.Node, *stanza.Error) {
	item := stanza.Child(c.iq, "item")
	if item == nil {
		return nil, stanza.Refuse(501)
	}
	jid, ok := stanza.JID(item, "jid")
	action := stanza.Text(item, "action")
	if !ok || action != "block" && action != "unblock" {
		return nil, stanza.Refuse(400)
	}
	a, other := c.device.Account, w.account(jid)
	switch other {
	case nil:
		return nil, stanza.Refuse(404)
	case a:
		return nil, stanza.Refuse(406)
	}
	before := blocklistHash(a)
	if action == "block" {
		if !a.blocks(other) {
			a.Blocked[other.LID.User] = w.opts.Now()
		}
	} else {
		delete(a.Blocked, other.LID.User)
	}
	if after := blocklistHash(a); after != before {
		c.then(func() {
			w.syncAccount(c.device, stanza.Node{
				Tag:   "blocklist",
				Attrs: stanza.Attrs{"dhash": after, "prev_dhash": before},
				Content: []stanza.Node{{
					Tag: "item", Attrs: stanza.Attrs{"jid": other.LID, "pn_jid": other.PN, "action": action},
				}},
			})
		})
	}
	return []stanza.Node{blocklist(a)}, nil
}

// blocklist is the list as clients read it. whatsmeow wants it even when empty.
func blocklist(a *Account) stanza.Node {
	items := []stanza.Node{}
	for _, user := range slices.Sorted(maps.Keys(a.Blocked)) {
		items = append(items, stanza.Node{
			Tag: "item", Attrs: stanza.Attrs{"jid": types.NewJID(user, types.HiddenUserServer)},
		})
	}
	return stanza.Node{Tag: "list", Attrs: stanza.Attrs{"dhash": blocklistHash(a)}, Content: items}
}

// blocklistHash names a state of the list: two lists of the same people have
// the same hash.
func blocklistHash(a *Account) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(maps.Keys(a.Blocked)), ",")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}
