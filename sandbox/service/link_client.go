package service

import (
	"muster/sandbox/fault"
	"muster/sandbox/stanza"
)

// receiveUnlinked takes a stanza of a client that is not signed in: one that is
// being linked, or one that was refused and has not left yet. Anything but
// requests and answers, such as acks and the unified session, needs nothing.
func (w *World) receiveUnlinked(c *connection, node *stanza.Node) {
	if node.Tag != "iq" {
		return
	}
	if kind := stanza.Text(node, "type"); kind == "result" || kind == "error" {
		w.linkAnswer(c, node)
		return
	}
	number := w.linkNumber(c, node)
	effect := w.faults.Match(fault.Stanza{
		Tag: "iq", XMLNS: stanza.Text(node, "xmlns"), Type: stanza.Text(node, "type"), Child: childTag(node),
		Account: number,
	})
	if w.disturb(c, number, effect, func() { w.answerUnlinked(c, node, fault.Effect{}) }) {
		return
	}
	if effect.Delay > 0 {
		w.later(effect.Delay, func() {
			if _, open := w.conns[c]; open {
				w.answerUnlinked(c, node, effect)
			}
		})
		return
	}
	w.answerUnlinked(c, node, effect)
}

func (w *World) answerUnlinked(c *connection, node *stanza.Node, effect fault.Effect) {
	request := &call{iq: node}
	content, refusal := []stanza.Node(nil), stanza.Refuse(effect.Error)
	if effect.Error == 0 {
		content, refusal = w.unlinkedRequest(c, request)
	}
	switch {
	case effect.DropReply, effect.ApplyThenDisconnect:
		// Applied, and never answered.
	case refusal != nil:
		c.send(errorReply(node, refusal))
	default:
		c.send(resultReply(node, content))
	}
	for _, do := range request.after {
		do()
	}
	if effect.ApplyThenDisconnect {
		c.close()
	}
	w.touch()
}

// unlinkedRequest answers a request: what belongs to linking, and the pings of
// a client that waits for its user. What is for devices is refused with 401.
func (w *World) unlinkedRequest(c *connection, request *call) ([]stanza.Node, *stanza.Error) {
	key := stanza.Text(request.iq, "type") + " " + stanza.Text(request.iq, "xmlns")
	switch key {
	case "get w:p", "set w:stats", " w:stats":
		return nil, nil
	case "get md", "set md":
		return w.linkRequest(c, request)
	}
	if w.handlers[key] != nil {
		return nil, stanza.Refuse(401)
	}
	w.stats.unknown(stanzaKey(request.iq))
	w.log.Warn().Str("stanza", stanzaKey(request.iq)).Msg("Request of an unlinked client that the sandbox does not know")
	return nil, stanza.Refuse(400)
}

// linkRequest answers what a client asks while it is being linked.
func (w *World) linkRequest(c *connection, request *call) ([]stanza.Node, *stanza.Error) {
	child := stanza.First(request.iq)
	if child == nil {
		return nil, stanza.Refuse(400)
	}
	switch child.Tag {
	case "link_code_companion_reg":
		return w.linkCodeStage(c, request, child)
	case "ref", "passkey_request_options", "passkey_prologue", "companion_nonce", "encrypted_pairing_request":
		return w.passkeyStage(c, request, child)
	case "remove-companion-device":
		return nil, stanza.Refuse(401)
	}
	w.stats.unknown(stanzaKey(request.iq))
	return nil, stanza.Refuse(501)
}

// linkNumber is the phone number that a client links to, as far as it is known.
func (w *World) linkNumber(c *connection, node *stanza.Node) string {
	if c.linking != nil {
		return c.linking.account.PN.User
	}
	if code := stanza.Child(node, "link_code_companion_reg"); code != nil {
		if jid, ok := stanza.JID(code, "jid"); ok {
			return jid.User
		}
	}
	return ""
}
