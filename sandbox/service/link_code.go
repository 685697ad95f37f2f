package service

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/phone"
	"muster/sandbox/stanza"
)

// codeLink is a client that asked to be linked through a code: it shows the
// code, and the phone's user types it.
type codeLink struct {
	conn    *connection
	account *Account
	ref     string
	wrapped []byte // the client's ephemeral key under the code
	// link and outcome are of the code that was typed last, until the client
	// has answered it.
	link    *phone.CodeLink
	outcome chan codeOutcome
}

// codeOutcome is what became of a typed code: a link under way, or an error.
type codeOutcome struct {
	link *linking
	err  error
}

// settle ends the wait of whoever typed the last code.
func (l *codeLink) settle(err error) {
	if l.outcome != nil {
		l.outcome <- codeOutcome{err: err}
	}
	l.link, l.outcome = nil, nil
}

const (
	// helloLimit and helloWindow bound how often codes are asked for one
	// number. That the real service refuses floods with 429 is reported; its
	// limit is not known.
	helloLimit  = 10
	helloWindow = 10 * time.Minute
)

// displayForm is "Browser (OS)". The real service refuses other names with 400,
// and takes common browsers and systems only; which ones is not known.
var displayForm = regexp.MustCompile(`^(Chrome|Chromium|Edge|Firefox|IE|Internet Explorer|Opera|Safari|Brave|Desktop) ` +
	`\((Windows|Mac OS|macOS|Mac OS X|Linux|Ubuntu|Debian|Fedora|Android|iOS|Chrome OS)( [0-9.]+)?\)$`)

// linkCodeStage answers a client that links through a code.
func (w *World) linkCodeStage(c *connection, request *call, node *stanza.Node) ([]stanza.Node, *stanza.Error) {
	switch stanza.Text(node, "stage") {
	case "companion_hello":
		return w.companionHello(c, node)
	case "companion_finish":
		return nil, w.companionFinish(c, request, node)
	}
	return nil, stanza.Refuse(501)
}

// companionHello notes that a client shows a code for a number, and answers
// with the reference of the attempt.
func (w *World) companionHello(c *connection, node *stanza.Node) ([]stanza.Node, *stanza.Error) {
	jid, ok := stanza.JID(node, "jid")
	if !ok || len(c.refs) == 0 {
		return nil, stanza.Refuse(400) // not offered a link, or linking already
	}
	key := contentOf(node, "companion_server_auth_key_pub")
	wrapped := contentOf(node, "link_code_pairing_wrapped_companion_ephemeral_pub")
	static := c.wire.ClientStatic()
	switch {
	case len(wrapped) != wrappedKeySize, string(key) != string(static[:]),
		len(contentOf(node, "companion_platform_id")) == 0,
		!displayForm.Match(contentOf(node, "companion_platform_display")):
		return nil, stanza.Refuse(400)
	case !w.allowHello(jid.User):
		return nil, stanza.Refuse(429)
	}
	a := w.account(jid)
	if a == nil || !a.OnWhatsApp {
		return nil, stanza.Refuse(404)
	}
	if old := w.codeLinks[a.PN.User]; old != nil {
		old.settle(ErrNoCodeAsked) // the newest code counts
	}
	asked := &codeLink{conn: c, account: a, ref: w.newRef(), wrapped: wrapped}
	w.codeLinks[a.PN.User] = asked
	w.touch()
	return []stanza.Node{{Tag: "link_code_companion_reg", Attrs: stanza.Attrs{"stage": "companion_hello"},
		Content: []stanza.Node{{Tag: "link_code_pairing_ref", Content: []byte(asked.ref)}}}}, nil
}

// wrappedKeySize is salt, counter and key of a wrapped ephemeral key.
const wrappedKeySize = 80

// allowHello counts a wish for a code, and tells whether it may be granted.
func (w *World) allowHello(number string) bool {
	now := w.opts.Now()
	var recent []time.Time
	for _, at := range w.hellos[number] {
		if now.Sub(at) < helloWindow {
			recent = append(recent, at)
		}
	}
	allowed := len(recent) < helloLimit
	if allowed {
		recent = append(recent, now)
	}
	w.hellos[number] = recent
	return allowed
}

// EnterCode lets the user of a phone type the code that a client shows, with or
// without its dash, and waits until the client has confirmed the link. It
// returns the new device's phone JID. After ErrWrongCode it may be called
// again while the client waits.
//
// Errors: ErrUnknownPhone, ErrNotOnWhatsApp, ErrNoCodeAsked, ErrBadCode,
// ErrWrongCode, ErrTooManyDevices, ErrLinkRefused, ErrLinkLost,
// ErrLinkUnanswered.
func (w *World) EnterCode(ctx context.Context, number, code string) (types.JID, error) {
	ctx, cancel := withLinkWait(ctx)
	defer cancel()
	outcome, err := w.typeCode(number, code)
	if err != nil {
		return types.EmptyJID, err
	}
	select {
	case answer := <-outcome:
		if answer.err != nil {
			return types.EmptyJID, answer.err
		}
		return w.awaitLink(ctx, answer.link)
	case <-ctx.Done():
		return types.EmptyJID, fmt.Errorf("%w: %w", ErrLinkUnanswered, ctx.Err())
	case <-w.ctx.Done():
		return types.EmptyJID, fmt.Errorf("%w: the sandbox was closed", ErrLinkLost)
	}
}

// typeCode tells the client that a code was typed; its answer shows whether it
// is the right one.
func (w *World) typeCode(number, code string) (<-chan codeOutcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := w.linkable(number)
	if err != nil {
		return nil, err
	}
	asked := w.codeLinks[a.PN.User]
	if asked == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoCodeAsked, a.PN.User)
	}
	link, err := a.Phone.StartCodeLink(code, asked.wrapped)
	if err != nil {
		return nil, err
	}
	asked.settle(ErrLinkUnanswered) // a code typed before and never answered
	outcome := make(chan codeOutcome, 1)
	asked.link, asked.outcome = link, outcome
	wrapped, identity := link.Hello()
	asked.conn.send(stanza.Node{Tag: "notification", Attrs: stanza.Attrs{
		"from": types.ServerJID, "type": "link_code_companion_reg", "id": w.id(), "t": w.opts.Now().Unix(),
	}, Content: []stanza.Node{{
		Tag: "link_code_companion_reg", Attrs: stanza.Attrs{"stage": "primary_hello"},
		Content: []stanza.Node{
			{Tag: "link_code_pairing_wrapped_primary_ephemeral_pub", Content: wrapped},
			{Tag: "primary_identity_pub", Content: identity[:]},
			{Tag: "link_code_pairing_ref", Content: []byte(asked.ref)},
		},
	}}})
	return outcome, nil
}

// companionFinish lets the phone open what the client sealed under the code. A
// wrong code shows here, at the phone, and nowhere else.
func (w *World) companionFinish(c *connection, request *call, node *stanza.Node) *stanza.Error {
	jid, _ := stanza.JID(node, "jid")
	asked := w.codeLinks[jid.User]
	if asked == nil || asked.conn != c || asked.link == nil || string(contentOf(node, "link_code_pairing_ref")) != asked.ref {
		return stanza.Refuse(400)
	}
	identity := c.wire.Payload().GetDevicePairingData().GetEIdent()
	if string(contentOf(node, "companion_identity_public")) != string(identity) {
		asked.settle(fmt.Errorf("%w: it finished with another identity than it registered", ErrLinkRefused))
		return stanza.Refuse(400)
	}
	secret, err := asked.link.Finish([32]byte(identity), contentOf(node, "link_code_pairing_wrapped_key_bundle"))
	if err != nil {
		asked.settle(err)
		return stanza.Refuse(400)
	}
	request.then(func() {
		outcome := asked.outcome
		asked.link, asked.outcome = nil, nil
		l, err := w.beginLink(c, asked.account, secret)
		outcome <- codeOutcome{l, err}
	})
	return nil
}
