package service

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

// call is one iq from a logged-in device.
type call struct {
	device *Device
	iq     *stanza.Node
	// after runs once the reply is queued: pushes that follow from the request.
	after []func()
}

// then adds something to do once the reply is queued.
func (c *call) then(do func()) { c.after = append(c.after, do) }

// iqHandler answers one kind of iq: the reply's children, or the refusal.
type iqHandler func(c *call) ([]stanza.Node, *stanza.Error)

// iqTable names the handler of each "type xmlns". A handler that finds a child
// it does not know refuses with 501, and the stanza is recorded as unknown.
func (w *World) iqTable() map[string]iqHandler {
	return map[string]iqHandler{
		"get w:p":                     w.iqPing,
		"get encrypt":                 w.iqGetKeys,
		"set encrypt":                 w.iqSetKeys,
		"set passive":                 w.iqPassive,
		"get usync":                   w.iqUsync,
		"get privacy":                 w.iqGetPrivacy,
		"set privacy":                 w.iqSetPrivacy,
		"get blocklist":               w.iqGetBlocklist,
		"set blocklist":               w.iqSetBlocklist,
		"set w:m":                     w.iqMediaConn,
		"get w:m":                     w.iqMediaConn,
		"set w:sync:app:state":        w.iqAppState,
		"get abt":                     w.iqProps,
		"get w":                       w.iqProps,
		"set urn:xmpp:whatsapp:push":  w.iqAccept,
		"get urn:xmpp:whatsapp:push":  w.iqAccept,
		"set urn:xmpp:whatsapp:dirty": w.iqAccept,
		"set w:stats":                 w.iqAccept,
		" w:stats":                    w.iqAccept, // Baileys sends these without a type
		"set disappearing_mode":       w.iqDisappearingMode,
		"get status":                  w.iqGetStatus,
		"set status":                  w.iqSetStatus,
		"get w:profile:picture":       w.iqGetPicture,
		"set w:profile:picture":       w.iqSetPicture,
		"get w:biz":                   w.iqBusiness,
		"get w:mex":                   w.iqMex,
		"set md":                      w.iqRemoveCompanion,
		"get w:g2":                    w.iqGroup,
		"set w:g2":                    w.iqGroup,
	}
}

// receive takes one stanza into the world, in its turn.
func (w *World) receive(c *connection, node *stanza.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.epoch != w.epoch {
		return // said to a world that is gone
	}
	key := w.stats.count(c, node)
	if c.isStalled() {
		c.park(func() { w.handle(c, node, key) })
		return
	}
	w.handle(c, node, key)
}

// handle lets a scripted fault have its way with a stanza, or routes it.
func (w *World) handle(c *connection, node *stanza.Node, key string) {
	if c.device == nil {
		w.receiveUnlinked(c, node)
		return
	}
	if c.device.conn != c {
		return // replaced: what an old socket still says no longer counts
	}
	effect := w.faults.Match(fault.Stanza{
		Tag: node.Tag, XMLNS: stanza.Text(node, "xmlns"), Type: stanza.Text(node, "type"),
		Child: childTag(node), Group: groupOf(node), Account: c.device.Account.PN.User,
	})
	w.route(c, node, key, effect)
	w.touch()
}

// route hands a stanza of a logged-in device to its handler.
func (w *World) route(c *connection, node *stanza.Node, key string, effect fault.Effect) {
	resume := func() { w.route(c, node, key, fault.Effect{}) }
	if w.disturb(c, c.device.Account.PN.User, effect, resume) {
		return
	}
	switch node.Tag {
	case "iq":
		w.receiveIQ(c, node, key, effect)
	case "message":
		w.receiveMessage(c, node, effect)
	case "receipt":
		w.receiveReceipt(c, node)
	case "ack":
		w.receiveAck(c, node)
	case "presence":
		w.receivePresence(c, node)
	case "chatstate":
		w.receiveChatState(c, node)
	case "ib":
		w.receiveIB(c, node, key)
	case "call":
		w.receiveCall(c, node)
	default:
		w.stats.unknown(key)
		w.log.Warn().Str("stanza", key).Msg("Stanza that the sandbox does not know")
	}
	if effect.ApplyThenDisconnect {
		c.close()
	}
}

// disturb carries out a fault that replaces the handling of what a client of
// the account with a number did; it tells whether there is nothing more to do.
// A stall puts the handling off: resume is run when it ends.
func (w *World) disturb(c *connection, number string, effect fault.Effect, resume func()) bool {
	switch {
	case effect.StreamError != 0:
		c.finish(streamError(effect.StreamError))
	case effect.Close:
		c.close()
	case effect.Stall:
		c.stall(number)
		c.park(resume)
	default:
		return false
	}
	return true
}

// receiveIQ answers an iq, or notes the client's answer to one of ours.
func (w *World) receiveIQ(c *connection, iq *stanza.Node, key string, effect fault.Effect) {
	kind := stanza.Text(iq, "type")
	if kind == "result" || kind == "error" {
		return // answers to the service's own requests need nothing once linked
	}
	do := func() { w.answer(c, iq, key, effect) }
	if effect.Delay > 0 {
		w.later(effect.Delay, do)
		return
	}
	do()
}

func (w *World) answer(c *connection, iq *stanza.Node, key string, effect fault.Effect) {
	if effect.Error != 0 {
		c.send(errorReply(iq, stanza.Refuse(effect.Error)))
		return
	}
	if !c.device.linked() {
		return // removed while the request was delayed
	}
	request := &call{device: c.device, iq: iq}
	reply := w.answerOnce(request, key)
	if !effect.DropReply && !effect.ApplyThenDisconnect {
		c.send(reply)
	}
	for _, do := range request.after {
		do()
	}
}

// answerOnce applies a request, or finds the answer it had when the client
// repeats it.
func (w *World) answerOnce(request *call, key string) stanza.Node {
	if !repeatable(request.iq) {
		reply, _ := w.apply(request, key)
		return reply
	}
	digest := stanzaDigest(request.iq)
	if reply, again := request.device.answeredBefore(digest); again {
		return reply
	}
	reply, granted := w.apply(request, key)
	if granted {
		request.device.noteAnswer(digest, reply)
	}
	return reply
}

// apply carries out a request and makes the answer; it tells whether the
// request was granted.
func (w *World) apply(request *call, key string) (reply stanza.Node, granted bool) {
	iq := request.iq
	handler := w.handlers[stanza.Text(iq, "type")+" "+stanza.Text(iq, "xmlns")]
	var content []stanza.Node
	refusal := stanza.Refuse(501)
	if handler != nil {
		content, refusal = handler(request)
	}
	if refusal != nil && refusal.Code == 501 {
		w.stats.unknown(key)
		w.log.Warn().Str("stanza", key).Msg("Request that the sandbox does not know")
	}
	if refusal != nil {
		return errorReply(iq, refusal), false
	}
	if stanza.Text(iq, "type") == "set" {
		w.commit()
	}
	return resultReply(iq, content), true
}

// resultReply answers an iq from whom it was sent to.
func resultReply(iq *stanza.Node, content []stanza.Node) stanza.Node {
	reply := stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
		"type": "result", "id": stanza.Text(iq, "id"), "from": replyFrom(iq),
	}}
	if len(content) > 0 {
		reply.Content = content
	}
	return reply
}

func errorReply(iq *stanza.Node, refusal *stanza.Error) stanza.Node {
	return stanza.Node{Tag: "iq", Attrs: stanza.Attrs{
		"type": "error", "id": stanza.Text(iq, "id"), "from": replyFrom(iq),
	}, Content: []stanza.Node{errorNode(refusal)}}
}

func errorNode(refusal *stanza.Error) stanza.Node {
	return stanza.Node{Tag: "error", Attrs: stanza.Attrs{"code": refusal.Code, "text": refusal.Text}}
}

func replyFrom(iq *stanza.Node) types.JID {
	if to, ok := stanza.JID(iq, "to"); ok {
		return to
	}
	return types.ServerJID
}

// streamError is the stanza that ends a stream with a code.
func streamError(code int) stanza.Node {
	return stanza.Node{Tag: "stream:error", Attrs: stanza.Attrs{"code": code}}
}

// childTag is the tag of a stanza's first child, or "".
func childTag(node *stanza.Node) string {
	if child := stanza.First(node); child != nil {
		return child.Tag
	}
	return ""
}

// groupOf is the group a stanza is addressed to, or "".
func groupOf(node *stanza.Node) string {
	if to, ok := stanza.JID(node, "to"); ok && to.Server == types.GroupServer && to.User != "" {
		return to.String()
	}
	return ""
}
