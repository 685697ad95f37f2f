package service

import (
	"strconv"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

// login answers a client that says it is a linked device.
func (w *World) login(c *connection) {
	number := strconv.FormatUint(c.wire.Payload().GetUsername(), 10)
	effect := w.faults.Match(fault.Stanza{Tag: "login", Account: number})
	if effect.Delay == 0 {
		w.signIn(c, number, effect)
		return
	}
	w.later(effect.Delay, func() {
		if _, open := w.conns[c]; open {
			w.signIn(c, number, effect)
		}
	})
}

// signIn lets the device in, or refuses it for what it is or by a fault.
func (w *World) signIn(c *connection, number string, effect fault.Effect) {
	if reason := max(effect.LoginFailure, effect.Error); reason != 0 {
		c.finish(w.loginFailure(reason))
		return
	}
	if w.disturb(c, number, effect, func() { w.signIn(c, number, fault.Effect{}) }) {
		return
	}
	if effect.DropReply {
		c.mute() // signed in, but it never hears of it, nor of anything else
	}
	d := w.credential(number, uint16(c.wire.Payload().GetDevice()), c.wire.ClientStatic())
	if d == nil {
		c.finish(w.loginFailure(401))
		return
	}
	w.replace(d)
	c.device, d.conn = d, c
	d.held = nil // the backlog brings it in order
	d.LastSeen = w.opts.Now()
	c.send(w.loginSuccess(d))
	w.sendBacklog(d)
	w.introduce(d)
	w.touch()
	if effect.ApplyThenDisconnect {
		c.close()
	}
}

// credential finds the device that may sign in with a Noise key, or nil. A
// device whose link was never confirmed is taken for linked now: that it signs
// in proves that its confirmation was sent and got lost.
func (w *World) credential(number string, id uint16, static [32]byte) *Device {
	a := w.byNumber[number]
	if a == nil || id == 0 {
		return nil // Baileys signs in without a device when it was cut off while linking
	}
	if d := a.Devices[id]; d != nil {
		if d.Noise != static {
			return nil
		}
		return d
	}
	w.forgetUnconfirmed(a)
	d := a.Unconfirmed[id]
	if d == nil || d.Noise != static || w.adopt(d) != nil {
		return nil
	}
	return d
}

// replace ends the connection that a device already has.
func (w *World) replace(d *Device) {
	if d.conn == nil {
		return
	}
	d.conn.finish(stanza.Node{Tag: "stream:error", Content: []stanza.Node{
		{Tag: "conflict", Attrs: stanza.Attrs{"type": "replaced"}},
	}})
	d.conn = nil
	w.wentOffline(d)
}

// loginSuccess tells a client that it is in. The set of attributes follows what
// whatsapp-rust's fixtures show; whatsmeow reads t and lid, and compares lid,
// device number included, with the one it was linked as.
func (w *World) loginSuccess(d *Device) stanza.Node {
	return stanza.Node{Tag: "success", Attrs: stanza.Attrs{
		"t": w.opts.Now().Unix(), "lid": d.LIDJID(), "props": 27, "abprops": 8, "group_abprops": 8,
		"location": "sbx", "creation": d.Account.Created.Unix(), "display_name": d.Account.Name,
	}}
}

// What the refusals that carry more than a reason say.
const (
	banCode   = 101  // sent to too many people: whatsmeow's TempBanSentToTooManyPeople
	banExpire = 3600 // seconds
)

// loginFailure refuses a login. The reasons are whatsmeow's ConnectFailureReason.
func (w *World) loginFailure(reason int) stanza.Node {
	node := stanza.Node{Tag: "failure", Attrs: stanza.Attrs{"reason": reason, "location": "sbx"}}
	switch reason {
	case 402:
		node.Attrs["code"], node.Attrs["expire"] = banCode, banExpire
	case 403:
		node.Attrs["logout_message_header"] = "Logged out"
		node.Attrs["logout_message_subtext"] = "This account can no longer use WhatsApp"
	}
	return node
}

// sendBacklog gives a device that just signed in all it has not acknowledged,
// oldest first, between a preview and the end mark. Baileys hands its
// application nothing before the mark, so it is sent even when there was none.
// However long it is, it does not count towards the limit of the outbox.
func (w *World) sendBacklog(d *Device) {
	count := map[string]int{}
	for _, q := range d.Queue {
		count[q.Class]++
	}
	total := len(d.Queue)
	backlog := make([]stanza.Node, 0, total+2)
	backlog = append(backlog, ib(stanza.Node{Tag: "offline_preview", Attrs: stanza.Attrs{
		"count": total, "message": count["message"], "notification": count["notification"],
		"receipt": count["receipt"], "appdata": 0, "call": count["call"],
	}}))
	for i, q := range d.Queue {
		node := q.Node
		node.Attrs = with(node.Attrs, "offline", i+1)
		backlog = append(backlog, node)
	}
	backlog = append(backlog, ib(stanza.Node{Tag: "offline", Attrs: stanza.Attrs{"count": total}}))
	d.conn.sendBacklog(backlog)
}

// ib is a word from the service about the stream.
func ib(child stanza.Node) stanza.Node {
	return stanza.Node{Tag: "ib", Attrs: stanza.Attrs{"from": types.ServerJID}, Content: []stanza.Node{child}}
}

// with copies attributes and sets one more; stanzas share their maps.
func with(attrs stanza.Attrs, name string, value any) stanza.Attrs {
	more := make(stanza.Attrs, len(attrs)+1)
	for k, v := range attrs {
		more[k] = v
	}
	more[name] = value
	return more
}
