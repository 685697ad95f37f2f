package service

import (
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// presence is what a connected client said about itself and about others. It
// ends with the connection, as at the real service: a client that signs in
// again subscribes again.
type presence struct {
	available bool
	// watching maps the LID users it subscribed to onto the address it used,
	// under which it gets to hear of them.
	watching map[string]types.JID
}

// maxWatching bounds the subscriptions of one connection.
const maxWatching = 5000

// maxName is the length of a push name, in bytes, that is taken over.
const maxName = 100

// receivePresence takes a client's own presence, its push name, or a
// subscription to another's presence. A presence with neither type nor
// recipient is how Baileys announces its name.
func (w *World) receivePresence(c *connection, node *stanza.Node) {
	d := c.device
	w.takeName(d.Account, stanza.Text(node, "name"))
	switch kind := stanza.Text(node, "type"); kind {
	case "available", "unavailable":
		w.setAvailable(c, kind == "available")
	case "subscribe":
		w.subscribe(c, node)
	case "unsubscribe":
		if to, ok := stanza.JID(node, "to"); ok {
			if a := w.account(to); a != nil {
				delete(c.presence.watching, a.LID.User)
			}
		}
	case "":
	default:
		w.unknownStanza(node)
	}
}

// unknownStanza records a stanza that the sandbox does not know.
func (w *World) unknownStanza(node *stanza.Node) {
	key := stanzaKey(node)
	w.stats.unknown(key)
	w.log.Warn().Str("stanza", key).Msg("Stanza that the sandbox does not know")
}

// takeName learns an account's push name from what its client announces.
func (w *World) takeName(a *Account, name string) {
	if name == "" || len(name) > maxName || name == a.Name {
		return
	}
	a.Name = name
	a.Phone.SetName(name)
}

// setAvailable notes whether a client is in use, and tells the subscribers
// when that changes whether its account is.
func (w *World) setAvailable(c *connection, available bool) {
	a := c.device.Account
	before := w.available(a)
	c.presence.available = available
	if !available {
		c.device.LastSeen = w.opts.Now()
	}
	if w.available(a) != before {
		w.announcePresence(a)
	}
}

// wentOffline tells the subscribers of an account that the device was the last
// one in use. The connection is gone already.
func (w *World) wentOffline(d *Device) {
	if !w.available(d.Account) {
		w.announcePresence(d.Account)
	}
}

// available tells whether any of an account's devices is in use.
func (w *World) available(a *Account) bool {
	for _, d := range a.companions() {
		if d.online() && d.conn.presence.available {
			return true
		}
	}
	return false
}

// subscribe makes a client hear of somebody's presence from now on, starting
// with what it is. Subscriptions to groups are accepted and come to nothing.
func (w *World) subscribe(c *connection, node *stanza.Node) {
	to, ok := stanza.JID(node, "to")
	if !ok {
		return
	}
	a := w.account(to)
	if a == nil || a == c.device.Account || len(c.presence.watching) >= maxWatching {
		return
	}
	if c.presence.watching == nil {
		c.presence.watching = map[string]types.JID{}
	}
	c.presence.watching[a.LID.User] = to.ToNonAD()
	c.send(w.presenceOf(a, c.device.Account, to.ToNonAD()))
}

// announcePresence tells every subscriber what an account's presence is now.
func (w *World) announcePresence(a *Account) {
	for _, other := range w.people() {
		for _, d := range other.companions() {
			if !d.online() {
				continue
			}
			if as, watches := d.conn.presence.watching[a.LID.User]; watches {
				d.conn.send(w.presenceOf(a, other, as))
			}
		}
	}
}

// presenceOf is an account's presence as its privacy lets a viewer see it.
func (w *World) presenceOf(a, viewer *Account, as types.JID) stanza.Node {
	node := stanza.Node{Tag: "presence", Attrs: stanza.Attrs{"from": as}}
	if w.available(a) && a.showsOnline(viewer) {
		node.Attrs["type"] = "available"
		return node
	}
	node.Attrs["type"] = "unavailable"
	node.Attrs["last"] = "deny"
	if a.shows("last", viewer) {
		if last := a.lastSeen(); !last.IsZero() {
			node.Attrs["last"] = last.Unix()
		}
	}
	return node
}

// showsOnline tells whether a viewer may see that the account is in use.
func (a *Account) showsOnline(viewer *Account) bool {
	if a.Privacy["online"] == "match_last_seen" {
		return a.shows("last", viewer)
	}
	return a.shows("online", viewer)
}

// lastSeen is when a device of the account was in use last.
func (a *Account) lastSeen() time.Time {
	var last time.Time
	for _, d := range a.Devices {
		if d.LastSeen.After(last) {
			last = d.LastSeen
		}
	}
	return last
}
