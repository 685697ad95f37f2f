package service

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/group"
	"muster/sandbox/stanza"
)

// party is one end of a message: a companion, or as device 0 the phone.
type party struct {
	account *Account
	device  uint16
}

// jid is the party's address in one of the two addressings.
func (p party) jid(lid bool) types.JID {
	jid := p.account.PN
	if lid {
		jid = p.account.LID
	}
	jid.Device = p.device
	return jid
}

// party finds who a device JID belongs to; ok is false when the account is not
// on WhatsApp or has no such device.
func (w *World) party(jid types.JID) (p party, ok bool) {
	a := w.account(jid)
	if a == nil || !a.OnWhatsApp {
		return party{}, false
	}
	return party{a, jid.Device}, jid.Device == 0 || a.Devices[jid.Device] != nil
}

// parties lists every device of an account, the phone first.
func (a *Account) parties() []party {
	list := []party{{a, 0}}
	for _, d := range a.companions() {
		list = append(list, party{a, d.ID})
	}
	return list
}

// hand gives a stanza to one device, wherever it lives.
func (w *World) hand(to party, node stanza.Node) {
	if to.device == 0 {
		w.phoneReceives(to.account, node)
		return
	}
	if d := to.account.Devices[to.device]; d != nil {
		w.push(d, node)
	}
}

// receiveMessage routes a companion's message and answers with an ack.
func (w *World) receiveMessage(c *connection, node *stanza.Node, effect fault.Effect) {
	d := c.device
	if effect.Delay == 0 {
		w.acceptMessage(d, node, effect)
		return
	}
	w.later(effect.Delay, func() {
		if d.linked() {
			w.acceptMessage(d, node, effect)
		}
	})
}

// acceptMessage routes a message and acknowledges it, to the connection that
// the device has by now. The phones that got it answer after that.
func (w *World) acceptMessage(d *Device, node *stanza.Node, effect fault.Effect) {
	result := delivery{code: effect.Error}
	if effect.Error == 0 {
		if earlier, again := d.sentBefore(node); again {
			result = earlier
		} else {
			result = w.routeMessage(party{d.Account, d.ID}, node)
			d.noteSent(node, result)
		}
	}
	w.commit()
	if d.online() && !effect.DropReply && !effect.ApplyThenDisconnect {
		d.conn.send(w.messageAck(node, result))
	}
	w.phonesAnswer()
}

// delivery is what became of a message: refused with a code, or accepted, with
// the hash of the devices it should have been encrypted for when the sender's
// list was another.
type delivery struct {
	code int
	hash string
}

func (w *World) messageAck(node *stanza.Node, result delivery) stanza.Node {
	ack := stanza.Node{Tag: "ack", Attrs: stanza.Attrs{
		"class": "message", "id": stanza.Text(node, "id"), "t": w.opts.Now().Unix(),
	}}
	if to, ok := stanza.JID(node, "to"); ok {
		ack.Attrs["from"] = to
	}
	if result.code != 0 {
		ack.Attrs["error"] = result.code
	}
	if result.hash != "" {
		ack.Attrs["phash"] = result.hash
	}
	return ack
}

// invalidMessage refuses a message that is not built as messages are: "invalid
// stanza sent (smax-invalid)", says whatsmeow of this code.
const invalidMessage = 479

// routeMessage delivers a message, or refuses it: 400 for one without an id or
// an address, 404 for an unknown chat, 405 for a kind of chat the sandbox has
// none of (status broadcasts and newsletters), 479 for one without a type or
// without any ciphertext.
func (w *World) routeMessage(sender party, node *stanza.Node) delivery {
	to, ok := stanza.JID(node, "to")
	if !ok || stanza.Text(node, "id") == "" {
		return delivery{code: 400}
	}
	route := w.routeToPerson
	switch to.Server {
	case types.GroupServer:
		route = w.routeToGroup
	case types.DefaultUserServer, types.LegacyUserServer, types.HiddenUserServer:
	default:
		return delivery{code: 405}
	}
	if stanza.Text(node, "type") == "" || !encrypted(node) {
		return delivery{code: invalidMessage}
	}
	return route(sender, to, node)
}

// encrypted tells whether a message holds any ciphertext: one for all, or one
// for a device at least.
func encrypted(node *stanza.Node) bool {
	if enc := stanza.Child(node, "enc"); enc != nil && len(stanza.Bytes(enc)) > 0 {
		return true
	}
	participants := stanza.Child(node, "participants")
	if participants == nil {
		return false
	}
	return slices.ContainsFunc(stanza.Children(participants, "to"), func(to stanza.Node) bool {
		return len(contentOf(&to, "enc")) > 0
	})
}

// parcel is a message taken apart: who gets which ciphertext.
type parcel struct {
	direct map[party]stanza.Node // <enc> for one device each
	known  []party               // whom the sender encrypted for, or tried to
	stale  bool                  // it tried a device that does not exist
	single *stanza.Node          // <enc> for the one device the message is addressed to
	shared *stanza.Node          // <enc> under the group's sender key
	proof  *stanza.Node          // <device-identity>, for those who start a session
	extra  []stanza.Node         // what goes to everybody as it is
}

// unpack takes a message apart. Devices that do not exist are left out.
func (w *World) unpack(node *stanza.Node) parcel {
	p := parcel{direct: map[party]stanza.Node{}}
	children := stanza.Children(node)
	for i := range children {
		child := &children[i]
		switch child.Tag {
		case "participants":
			w.unpackDirect(&p, child)
		case "enc":
			if stanza.Text(child, "type") == "skmsg" {
				p.shared = child
			} else {
				p.single = child
			}
		case "device-identity":
			p.proof = child
		case "tctoken", "cstoken":
			// For the service: it vouches that the sender knows the receiver.
		default:
			p.extra = append(p.extra, *child)
		}
	}
	return p
}

func (w *World) unpackDirect(p *parcel, participants *stanza.Node) {
	for _, to := range stanza.Children(participants, "to") {
		jid, ok := stanza.JID(&to, "jid")
		if !ok {
			continue
		}
		target, ok := w.party(jid)
		if !ok {
			p.stale = true
			continue
		}
		p.known = append(p.known, target)
		if enc := stanza.Child(&to, "enc"); enc != nil {
			p.direct[target] = *enc
		}
	}
}

// contents is what one device gets of the message: first what is for it alone,
// because that may bring the key for what is shared. It is nil when there is
// no ciphertext for the device.
func (p *parcel) contents(own *stanza.Node) []stanza.Node {
	var list []stanza.Node
	if own != nil {
		list = append(list, *own)
	}
	if p.shared != nil {
		list = append(list, *p.shared)
	}
	if len(list) == 0 {
		return nil
	}
	if own != nil && stanza.Text(own, "type") == "pkmsg" && p.proof != nil {
		list = append(list, *p.proof)
	}
	return append(list, p.extra...)
}

// enc is the ciphertext for one device, or nil.
func (p *parcel) enc(target party) *stanza.Node {
	if enc, ok := p.direct[target]; ok {
		return &enc
	}
	return nil
}

// routeToGroup fans a message out to every device of every member but the
// sending one. Refusals: 403 not a member, or only admins may write; 404 no
// such group; 421 addressed in the other way than the group's.
func (w *World) routeToGroup(sender party, to types.JID, node *stanza.Node) delivery {
	g, ok := w.groups.Get(to)
	if !ok {
		return delivery{code: 404}
	}
	if code := g.MayPost(sender.account.LID); code != 0 {
		return delivery{code: code}
	}
	lid := byLID(g)
	if mode := stanza.Text(node, "addressing_mode"); mode != "" && (mode == string(types.AddressingModeLID)) != lid {
		return delivery{code: 421}
	}
	p := w.unpack(node)
	attrs := w.groupMessageAttrs(sender, to, lid, node)
	if jid, again := stanza.JID(node, "participant"); again {
		return w.resendToMember(g, jid, p, attrs)
	}
	var devices []types.JID
	for _, member := range g.Members() {
		a := w.account(member.LID)
		if a == nil {
			continue
		}
		for _, target := range a.parties() {
			devices = append(devices, target.jid(lid))
			if target == sender {
				continue
			}
			if contents := p.contents(p.enc(target)); contents != nil {
				w.hand(target, stanza.Node{Tag: "message", Attrs: attrs, Content: contents})
			}
		}
	}
	hash := deviceHash(devices)
	if claimed := stanza.Text(node, "phash"); claimed == "" || claimed == hash {
		hash = ""
	}
	return delivery{hash: hash}
}

// resendToMember answers one device's retry: nobody else gets the message.
func (w *World) resendToMember(g *group.Group, jid types.JID, p parcel, attrs stanza.Attrs) delivery {
	target, ok := w.party(jid)
	if !ok || !isMember(g, target.account) {
		return delivery{code: 404}
	}
	own := p.single
	if own == nil {
		own = p.enc(target) // Baileys 6 lists the one device under <participants>
	}
	p.shared = nil
	if contents := p.contents(own); contents != nil {
		w.hand(target, stanza.Node{Tag: "message", Attrs: attrs, Content: contents})
	}
	return delivery{}
}

func (w *World) groupMessageAttrs(sender party, to types.JID, lid bool, node *stanza.Node) stanza.Attrs {
	attrs := w.messageAttrs(sender, node)
	attrs["from"] = to
	attrs["participant"] = sender.jid(lid)
	if lid {
		attrs["participant_pn"], attrs["addressing_mode"] = sender.account.PN, string(types.AddressingModeLID)
	} else {
		attrs["participant_lid"], attrs["addressing_mode"] = sender.account.LID, string(types.AddressingModePN)
	}
	return attrs
}

// messageAttrs are the attributes that every copy of a message has.
func (w *World) messageAttrs(sender party, node *stanza.Node) stanza.Attrs {
	attrs := stanza.Attrs{
		"id": stanza.Text(node, "id"), "type": stanza.Text(node, "type"),
		"t": w.opts.Now().Unix(), "notify": sender.account.Name,
	}
	for _, name := range []string{"edit", "category"} {
		if value := stanza.Text(node, name); value != "" {
			attrs[name] = value
		}
	}
	return attrs
}

// byLID tells whether a group addresses its members by LID.
func byLID(g *group.Group) bool { return string(g.AddressingMode) != string(types.AddressingModePN) }

func isMember(g *group.Group, a *Account) bool {
	return slices.ContainsFunc(g.Members(), func(m group.Member) bool { return m.LID == a.LID })
}

// resendMemory is how many of its last messages a device may repeat without
// their being delivered again.
const resendMemory = 64

// sentMessage remembers a message by its id and ciphertexts. A client that lost
// its connection before the ack sends the very same stanza again; a retry has
// the same id but other ciphertexts.
type sentMessage struct {
	id     string
	digest [32]byte
	result delivery
}

func (d *Device) sentBefore(node *stanza.Node) (delivery, bool) {
	id, digest := stanza.Text(node, "id"), ciphertextDigest(node)
	for _, s := range d.sent {
		if s.id == id && s.digest == digest {
			return s.result, true
		}
	}
	return delivery{}, false
}

func (d *Device) noteSent(node *stanza.Node, result delivery) {
	if result.code != 0 {
		return // refused: it may be tried again
	}
	if len(d.sent) >= resendMemory {
		d.sent = slices.Delete(d.sent, 0, len(d.sent)-resendMemory+1)
	}
	d.sent = append(d.sent, sentMessage{stanza.Text(node, "id"), ciphertextDigest(node), result})
}

// ciphertextDigest hashes all ciphertexts of a message, in order.
func ciphertextDigest(node *stanza.Node) [32]byte {
	var all bytes.Buffer
	var walk func(n *stanza.Node)
	walk = func(n *stanza.Node) {
		if n.Tag == "enc" {
			all.Write(stanza.Bytes(n))
		}
		children := stanza.Children(n)
		for i := range children {
			walk(&children[i])
		}
	}
	walk(node)
	return sha256.Sum256(all.Bytes())
}
