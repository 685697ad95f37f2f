package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/binary/token"
	"go.mau.fi/whatsmeow/types"
)

const (
	// maxDepth bounds the nesting of nodes; real ones nest less than ten deep.
	maxDepth = 64
	// maxElements bounds the nodes and attributes of one stanza together: in
	// memory each is many times the few bytes it takes on the wire. A full
	// upload of pre-keys has some four thousand.
	maxElements = 1 << 18
	// maxAttributes bounds those of one node; real ones have less than thirty.
	maxAttributes = 1 << 10
)

var (
	errNotText  = errors.New("expected text")
	errNoNode   = errors.New("node without a tag")
	errNoName   = errors.New("attribute without a name")
	errEmptyJID = errors.New("a JID without a server")
	errManyAttr = fmt.Errorf("more than %d attributes", maxAttributes)
	errTooDeep  = fmt.Errorf("nodes nested more than %d deep", maxDepth)
	errTooLarge = fmt.Errorf("more than %d nodes and attributes", maxElements)
)

// decodeNode reads one node, and nothing behind it, in the shape of whatsmeow's
// own decoder: attributes are string, types.JID or nil; content is nil, a
// string (it was a token or packed digits), a types.JID, []byte or []Node.
// Byte content points into data.
//
// whatsmeow's decoder is not used because it trusts its input: it panics on
// some malformed nodes and overflows the stack on deeply nested ones, and it
// knows one dictionary only. Nor may a node be read that could not be written:
// much of what one client sends is passed on to others.
func decodeNode(data []byte, dict *dictionary) (*waBinary.Node, error) {
	d := &decoder{data: data, dict: dict}
	node, err := d.node(0)
	if err != nil {
		return nil, fmt.Errorf("at byte %d of %d: %w", len(data)-len(d.data), len(data), err)
	}
	if len(d.data) > 0 {
		return nil, fmt.Errorf("%d bytes left over behind <%s>", len(d.data), node.Tag)
	}
	return &node, nil
}

type decoder struct {
	data     []byte // what is still to be read
	dict     *dictionary
	elements int
}

func (d *decoder) node(depth int) (waBinary.Node, error) {
	var node waBinary.Node
	if depth > maxDepth {
		return node, errTooDeep
	}
	kind, err := d.byte()
	if err != nil {
		return node, err
	}
	size, err := d.listSize(kind)
	if err != nil {
		return node, err
	}
	if size == 0 {
		return node, errNoNode
	}
	if err := d.count(1 + (size-1)/2); err != nil {
		return node, err
	}
	if node.Tag, err = d.text(); err != nil {
		return node, fmt.Errorf("tag: %w", err)
	}
	if node.Tag == "" {
		return node, errNoNode
	}
	if node.Attrs, err = d.attributes((size - 1) / 2); err != nil {
		return node, fmt.Errorf("<%s>: %w", node.Tag, err)
	}
	if size%2 == 0 {
		if node.Content, err = d.content(depth); err != nil {
			return node, fmt.Errorf("<%s>: %w", node.Tag, err)
		}
	}
	return node, nil
}

func (d *decoder) attributes(n int) (waBinary.Attrs, error) {
	if n == 0 {
		return nil, nil
	}
	if n > maxAttributes {
		return nil, errManyAttr
	}
	attrs := make(waBinary.Attrs, n)
	for range n {
		name, err := d.text()
		if err != nil {
			return nil, fmt.Errorf("attribute name: %w", err)
		}
		if name == "" {
			return nil, errNoName
		}
		if attrs[name], err = d.value(); err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
	}
	return attrs, nil
}

// content reads what follows a node's attributes: child nodes, bytes, or any
// value an attribute could have.
func (d *decoder) content(depth int) (any, error) {
	kind, err := d.byte()
	if err != nil {
		return nil, err
	}
	switch kind {
	case token.List8, token.List16:
		return d.children(kind, depth)
	case token.Binary8, token.Binary20, token.Binary32:
		return d.bytes(kind)
	default:
		return d.valueOf(kind)
	}
}

func (d *decoder) children(kind byte, depth int) ([]waBinary.Node, error) {
	size, err := d.listSize(kind)
	if err != nil {
		return nil, err
	}
	// A node takes three bytes at the least, so a list cannot be longer than
	// that, whatever its size says.
	if size > len(d.data)/3 {
		return nil, io.ErrUnexpectedEOF
	}
	nodes := make([]waBinary.Node, size)
	for i := range nodes {
		if nodes[i], err = d.node(depth + 1); err != nil {
			return nil, err
		}
	}
	return nodes, nil
}

// text reads a value that must be a string.
func (d *decoder) text() (string, error) {
	value, err := d.value()
	if err != nil {
		return "", err
	}
	s, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%w, got %T", errNotText, value)
	}
	return s, nil
}

func (d *decoder) value() (any, error) {
	kind, err := d.byte()
	if err != nil {
		return nil, err
	}
	return d.valueOf(kind)
}

// valueOf reads the string, the JID or the nothing that kind announces.
func (d *decoder) valueOf(kind byte) (any, error) {
	switch kind {
	case token.ListEmpty:
		return nil, nil
	case token.Binary8, token.Binary20, token.Binary32:
		raw, err := d.bytes(kind)
		return string(raw), err
	case token.Dictionary0, token.Dictionary1, token.Dictionary2, token.Dictionary3:
		return d.doubleToken(kind - token.Dictionary0)
	case token.Nibble8:
		return d.packed("0123456789-.\xff\xff\xff\x00")
	case token.Hex8:
		return d.packed("0123456789ABCDEF")
	case token.JIDPair:
		return d.jidPair()
	case token.ADJID:
		return d.deviceJID()
	case token.FBJID:
		return d.messengerJID()
	case token.InteropJID:
		return d.interopJID()
	default:
		if int(kind) < len(d.dict.single) {
			return d.dict.single[kind], nil
		}
		return nil, fmt.Errorf("unknown token %d", kind)
	}
}

func (d *decoder) doubleToken(list byte) (string, error) {
	index, err := d.byte()
	if err != nil {
		return "", err
	}
	if int(index) >= len(d.dict.double[list]) {
		return "", fmt.Errorf("unknown token %d of list %d", index, list)
	}
	return d.dict.double[list][index], nil
}

// packed reads text of two characters a byte. The alphabet has the character
// of every half byte, 0xff where there is none.
func (d *decoder) packed(alphabet string) (string, error) {
	size, err := d.byte()
	if err != nil {
		return "", err
	}
	raw, err := d.take(int(size & 0x7f))
	if err != nil {
		return "", err
	}
	text := make([]byte, 0, 2*len(raw))
	for _, b := range raw {
		high, low := alphabet[b>>4], alphabet[b&0xf]
		if high == 0xff || low == 0xff {
			return "", fmt.Errorf("packed byte %#02x stands for no text", b)
		}
		text = append(text, high, low)
	}
	if size&0x80 != 0 { // an odd number of characters: the last is padding
		text = text[:max(len(text)-1, 0)]
	}
	return string(text), nil
}

func (d *decoder) jidPair() (types.JID, error) {
	user, err := d.value()
	if err != nil {
		return types.EmptyJID, fmt.Errorf("user of a JID: %w", err)
	}
	name, ok := user.(string)
	if !ok && user != nil { // nothing stands for "no user", as in a server's own JID
		return types.EmptyJID, fmt.Errorf("user of a JID: %w, got %T", errNotText, user)
	}
	server, err := d.text()
	if err != nil {
		return types.EmptyJID, fmt.Errorf("server of a JID: %w", err)
	}
	if server == "" {
		return types.EmptyJID, errEmptyJID
	}
	return types.NewJID(name, server), nil
}

func (d *decoder) deviceJID() (types.JID, error) {
	raw, err := d.take(2)
	if err != nil {
		return types.EmptyJID, err
	}
	user, err := d.text()
	if err != nil {
		return types.EmptyJID, fmt.Errorf("user of a device JID: %w", err)
	}
	return types.NewADJID(user, raw[0], raw[1]), nil
}

func (d *decoder) messengerJID() (types.JID, error) {
	user, err := d.text()
	if err != nil {
		return types.EmptyJID, fmt.Errorf("user of a JID: %w", err)
	}
	device, err := d.take(2)
	if err != nil {
		return types.EmptyJID, err
	}
	jid := types.JID{User: user, Device: binary.BigEndian.Uint16(device), Server: types.MessengerServer}
	return jid, d.server(types.MessengerServer)
}

func (d *decoder) interopJID() (types.JID, error) {
	user, err := d.text()
	if err != nil {
		return types.EmptyJID, fmt.Errorf("user of a JID: %w", err)
	}
	raw, err := d.take(4)
	if err != nil {
		return types.EmptyJID, err
	}
	jid := types.JID{
		User: user, Server: types.InteropServer,
		Device: binary.BigEndian.Uint16(raw), Integrator: binary.BigEndian.Uint16(raw[2:]),
	}
	return jid, d.server(types.InteropServer)
}

// server reads the server of a JID whose kind allows only one.
func (d *decoder) server(want string) error {
	got, err := d.text()
	if err != nil {
		return fmt.Errorf("server of a JID: %w", err)
	}
	if got != want {
		return fmt.Errorf("server of a JID: got %q, want %q", got, want)
	}
	return nil
}

func (d *decoder) listSize(kind byte) (int, error) {
	switch kind {
	case token.ListEmpty:
		return 0, nil
	case token.List8:
		return d.integer(1)
	case token.List16:
		return d.integer(2)
	default:
		return 0, fmt.Errorf("expected a list, got token %d", kind)
	}
}

func (d *decoder) bytes(kind byte) ([]byte, error) {
	width := 4
	switch kind {
	case token.Binary8:
		width = 1
	case token.Binary20:
		width = 3
	}
	size, err := d.integer(width)
	if err != nil {
		return nil, err
	}
	if kind == token.Binary20 {
		size &= 1<<20 - 1
	}
	return d.take(size)
}

func (d *decoder) integer(width int) (int, error) {
	raw, err := d.take(width)
	if err != nil {
		return 0, err
	}
	value := 0
	for _, b := range raw {
		value = value<<8 | int(b)
	}
	return value, nil
}

func (d *decoder) byte() (byte, error) {
	raw, err := d.take(1)
	if err != nil {
		return 0, err
	}
	return raw[0], nil
}

func (d *decoder) take(n int) ([]byte, error) {
	if n > len(d.data) {
		return nil, io.ErrUnexpectedEOF
	}
	raw := d.data[:n:n]
	d.data = d.data[n:]
	return raw, nil
}

func (d *decoder) count(n int) error {
	d.elements += n
	if d.elements > maxElements {
		return errTooLarge
	}
	return nil
}
