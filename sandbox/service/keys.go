package service

import (
	"crypto/sha1"
	"encoding/binary"
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

const (
	// fewKeys is the stock of one-time keys below which a device is told to
	// upload more: both whatsmeow (MinPreKeyCount) and Baileys (MIN_PREKEY_COUNT)
	// upload only under 5.
	fewKeys = 5
	// maxKeys bounds what a device may have in stock. Clients upload 812 at first.
	maxKeys = 5000
	// keyType is the only type of Signal key there is (DJB).
	keyType = 5
)

// iqGetKeys answers what a device asks about pre-keys: how many of its own are
// left, a digest of its own, or those of other devices.
func (w *World) iqGetKeys(c *call) ([]stanza.Node, *stanza.Error) {
	child := stanza.First(c.iq)
	if child == nil {
		return nil, stanza.Refuse(400)
	}
	switch child.Tag {
	case "count":
		return []stanza.Node{keyCount(c.device)}, nil
	case "digest":
		return keyDigest(c.device)
	case "key":
		return w.keyBundles(c, child)
	}
	return nil, stanza.Refuse(501)
}

// iqSetKeys takes new pre-keys, or a new signed pre-key alone.
func (w *World) iqSetKeys(c *call) ([]stanza.Node, *stanza.Error) {
	if rotate := stanza.Child(c.iq, "rotate"); rotate != nil {
		return nil, rotateKey(c.device, rotate)
	}
	if stanza.Child(c.iq, "identity") == nil {
		return nil, stanza.Refuse(501)
	}
	before := c.device.Keys.Identity
	if refusal := uploadKeys(c.device, c.iq); refusal != nil {
		return nil, refusal
	}
	if before != [32]byte{} && before != c.device.Keys.Identity {
		c.then(func() { w.announceIdentity(c.device.Account) })
	}
	return nil, nil
}

// uploadKeys replaces a device's identity and signed key and appends its
// one-time keys; one with an id that is in stock takes its place. Nothing changes when any part is malformed.
func uploadKeys(d *Device, iq *stanza.Node) *stanza.Error {
	// phone.ParseBundle reads the same children; the list of keys is our own.
	bundle, err := phone.ParseBundle(iq)
	if err != nil {
		return stanza.Refuse(400)
	}
	list := stanza.Child(iq, "list")
	if list == nil {
		return stanza.Refuse(400)
	}
	var fresh []PreKey
	for _, node := range stanza.Children(list, "key") {
		key, ok := parsePreKey(&node)
		if !ok {
			return stanza.Refuse(400)
		}
		fresh = append(fresh, key)
	}
	stock := slices.DeleteFunc(slices.Clone(d.Keys.OneTime), func(old PreKey) bool {
		return slices.ContainsFunc(fresh, func(key PreKey) bool { return key.ID == old.ID })
	})
	if len(stock)+len(fresh) > maxKeys {
		return stanza.Refuse(419)
	}
	d.Keys = DeviceKeys{
		Registration: bundle.RegistrationID, Type: keyType, Identity: bundle.Identity,
		SignedID: bundle.SignedID, SignedKey: bundle.SignedKey, SignedSig: bundle.SignedSignature,
		OneTime: append(stock, fresh...),
	}
	return nil
}

// rotateKey replaces a device's signed pre-key.
func rotateKey(d *Device, rotate *stanza.Node) *stanza.Error {
	skey := stanza.Child(rotate, "skey")
	if skey == nil {
		return stanza.Refuse(400)
	}
	key, ok := parsePreKey(skey)
	signature := contentOf(skey, "signature")
	if !ok || len(signature) != 64 {
		return stanza.Refuse(400)
	}
	d.Keys.SignedID, d.Keys.SignedKey, d.Keys.SignedSig = key.ID, key.Key, [64]byte(signature)
	return nil
}

// parsePreKey reads <id> (3 bytes) and <value> (32 bytes) of a <key> or <skey>.
func parsePreKey(node *stanza.Node) (key PreKey, ok bool) {
	id, value := contentOf(node, "id"), contentOf(node, "value")
	if len(id) != 3 || len(value) != 32 {
		return PreKey{}, false
	}
	return PreKey{ID: binary.BigEndian.Uint32(append([]byte{0}, id...)), Key: [32]byte(value)}, true
}

// contentOf is the content of the child with a tag, or nil.
func contentOf(node *stanza.Node, tag string) []byte {
	child := stanza.Child(node, tag)
	if child == nil {
		return nil
	}
	return stanza.Bytes(child)
}

func keyCount(d *Device) stanza.Node {
	return stanza.Node{Tag: "count", Attrs: stanza.Attrs{"value": len(d.Keys.OneTime)}}
}

// keyDigest lets a device compare what the service has with what it believes
// to have uploaded. Baileys 7 uploads again on 404.
func keyDigest(d *Device) ([]stanza.Node, *stanza.Error) {
	if d.Keys.Identity == [32]byte{} {
		return nil, stanza.Refuse(404)
	}
	nodes := d.Keys.bundle(nil).Nodes()
	hash := sha1.New()
	hash.Write(d.Keys.Identity[:])
	hash.Write(d.Keys.SignedKey[:])
	hash.Write(d.Keys.SignedSig[:])
	ids := make([]stanza.Node, 0, len(d.Keys.OneTime))
	for _, key := range d.Keys.OneTime {
		id := binary.BigEndian.AppendUint32(nil, key.ID)[1:]
		ids = append(ids, stanza.Node{Tag: "id", Content: id})
		hash.Write(id)
	}
	nodes = append(nodes, stanza.Node{Tag: "list", Content: ids}, stanza.Node{Tag: "hash", Content: hash.Sum(nil)})
	return []stanza.Node{{Tag: "digest", Content: nodes}}, nil
}

// bundle is what others need for a session with the device, with a one-time
// key or without.
func (k *DeviceKeys) bundle(oneTime *PreKey) phone.Bundle {
	b := phone.Bundle{
		RegistrationID: k.Registration, Identity: k.Identity,
		SignedID: k.SignedID, SignedKey: k.SignedKey, SignedSignature: k.SignedSig,
	}
	if oneTime != nil {
		b.PreKeyID, b.PreKey = oneTime.ID, &oneTime.Key
	}
	return b
}

// keyBundles answers with a bundle for every device asked for, under the very
// JID it was asked by: whatsmeow looks its answers up by that.
func (w *World) keyBundles(c *call, request *stanza.Node) ([]stanza.Node, *stanza.Error) {
	var list []stanza.Node
	for _, user := range stanza.Children(request, "user") {
		jid, ok := stanza.JID(&user, "jid")
		if !ok {
			return nil, stanza.Refuse(400)
		}
		list = append(list, w.keyBundle(c, jid))
	}
	if len(list) == 0 {
		return nil, stanza.Refuse(400)
	}
	return []stanza.Node{{Tag: "list", Content: list}}, nil
}

// keyBundle is one <user> of the answer. It takes a one-time key out of stock.
func (w *World) keyBundle(c *call, jid types.JID) stanza.Node {
	node := stanza.Node{Tag: "user", Attrs: stanza.Attrs{"jid": jid}}
	bundle, ok := w.takeBundle(c, jid)
	if !ok {
		node.Content = []stanza.Node{errorNode(stanza.Refuse(404))}
		return node
	}
	node.Attrs["t"] = w.opts.Now().Unix()
	node.Content = bundle.Nodes()
	return node
}

// takeBundle finds a device's bundle; a companion's first one-time key goes
// with it, and the device is told when few are left.
func (w *World) takeBundle(c *call, jid types.JID) (phone.Bundle, bool) {
	a := w.account(jid)
	if a == nil || !a.OnWhatsApp {
		return phone.Bundle{}, false
	}
	if jid.Device == 0 {
		return a.Phone.Bundle(), true
	}
	d := a.Devices[jid.Device]
	if d == nil || d.Keys.Identity == [32]byte{} {
		return phone.Bundle{}, false
	}
	if len(d.Keys.OneTime) == 0 {
		c.then(func() { w.warnFewKeys(d) })
		return d.Keys.bundle(nil), true
	}
	key := d.Keys.OneTime[0]
	d.Keys.OneTime = d.Keys.OneTime[1:]
	if len(d.Keys.OneTime) < fewKeys {
		c.then(func() { w.warnFewKeys(d) })
	}
	return d.Keys.bundle(&key), true
}

// warnFewKeys asks a device to upload more one-time keys, unless such a call
// still waits for its acknowledgement.
func (w *World) warnFewKeys(d *Device) {
	for _, q := range d.Queue {
		if q.Class == "notification" && stanza.Text(&q.Node, "type") == "encrypt" && stanza.Child(&q.Node, "count") != nil {
			return
		}
	}
	w.notify(d, stanza.Node{
		Tag:     "notification",
		Attrs:   stanza.Attrs{"from": types.ServerJID, "type": "encrypt", "t": w.opts.Now().Unix()},
		Content: []stanza.Node{keyCount(d)},
	})
}

// announceIdentity tells everybody who may have a session with an account that
// its identity changed, so that they drop those sessions.
func (w *World) announceIdentity(a *Account) {
	note := stanza.Node{
		Tag: "notification",
		Attrs: stanza.Attrs{
			"from": a.PN, "lid": a.LID, "display_name": a.Name, "type": "encrypt", "t": w.opts.Now().Unix(),
		},
		Content: []stanza.Node{{Tag: "identity"}},
	}
	for _, other := range w.acquaintances(a) {
		w.notifyAccount(other, note, nil)
	}
}
