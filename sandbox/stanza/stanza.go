// Package stanza has the small vocabulary that every part of the sandbox uses
// to read and build binary nodes: tolerant readers for what clients send, and
// the error that an iq is refused with.
package stanza

import (
	"fmt"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Node and Attrs are whatsmeow's own types, shortened.
type (
	Node  = waBinary.Node
	Attrs = waBinary.Attrs
)

// Error is a refusal as WhatsApp words it: clients compare code and text.
type Error struct {
	Code int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Text) }

// Refuse makes the error with the text that belongs to the code (whatsmeow's
// ErrIQ… variables hold the same pairs; errors.Is compares both).
func Refuse(code int) *Error {
	text, ok := refusals[code]
	if !ok {
		text = "error"
	}
	return &Error{Code: code, Text: text}
}

var refusals = map[int]string{
	304: "not-modified",
	400: "bad-request",
	401: "not-authorized",
	403: "forbidden",
	404: "item-not-found",
	405: "not-allowed",
	406: "not-acceptable",
	409: "conflict",
	410: "gone",
	412: "precondition-failed",
	419: "resource-limit",
	423: "locked",
	429: "rate-overlimit",
	500: "internal-server-error",
	501: "feature-not-implemented",
	503: "service-unavailable",
	530: "partial-server-error",
}

// Text reads an attribute as text, whatever type the decoder gave it; "" when
// absent or null.
func Text(n *Node, name string) string {
	switch v := n.Attrs[name].(type) {
	case nil:
		return ""
	case string:
		return v
	case types.JID:
		return v.String()
	default:
		return fmt.Sprint(v)
	}
}

// JID reads an attribute as a JID; ok is false when it is absent or is none.
func JID(n *Node, name string) (jid types.JID, ok bool) {
	switch v := n.Attrs[name].(type) {
	case types.JID:
		return v, !v.IsEmpty()
	case string:
		parsed, err := types.ParseJID(v)
		return parsed, err == nil && !parsed.IsEmpty() && v != ""
	}
	return types.EmptyJID, false
}

// Int reads an attribute as a decimal number; ok is false when it is none.
func Int(n *Node, name string) (value int64, ok bool) {
	value, err := strconv.ParseInt(Text(n, name), 10, 64)
	return value, err == nil
}

// Bytes reads a node's content. Clients send short content as tokens or packed
// digits, which the decoder hands over as a string.
func Bytes(n *Node) []byte {
	switch v := n.Content.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

// Child returns the first child with the tag, or nil. whatsmeow's
// GetChildByTag returns the parent when nothing matches.
func Child(n *Node, tag string) *Node {
	children, _ := n.Content.([]Node)
	for i := range children {
		if children[i].Tag == tag {
			return &children[i]
		}
	}
	return nil
}

// Path follows child tags and returns the last node, or nil.
func Path(n *Node, tags ...string) *Node {
	for _, tag := range tags {
		if n == nil {
			return nil
		}
		n = Child(n, tag)
	}
	return n
}

// Children returns the child nodes, all of them or only those with one of the tags.
func Children(n *Node, tags ...string) []Node {
	children, _ := n.Content.([]Node)
	if len(tags) == 0 {
		return children
	}
	var some []Node
	for _, child := range children {
		for _, tag := range tags {
			if child.Tag == tag {
				some = append(some, child)
			}
		}
	}
	return some
}

// First returns the first child node, or nil.
func First(n *Node) *Node {
	children, _ := n.Content.([]Node)
	if len(children) == 0 {
		return nil
	}
	return &children[0]
}
