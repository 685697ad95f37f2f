package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/binary/token"
	"go.mau.fi/whatsmeow/types"
)

// encodeNode makes a frame's plaintext: the flag byte, which is zero because
// nothing is compressed, and the node.
//
// Clients of dictionary 3 get whatsmeow's own encoding. For the others every
// string is spelled out, which needs no dictionary at all.
func encodeNode(node waBinary.Node, version byte) ([]byte, error) {
	if err := checkNode(&node, 0); err != nil {
		return nil, err
	}
	if version == dictionaryOld {
		return appendNode([]byte{0}, &node), nil
	}
	data, err := waBinary.Marshal(node)
	if err != nil {
		return nil, fmt.Errorf("encode <%s>: %w", node.Tag, err)
	}
	return data, nil
}

// checkNode finds what cannot be encoded. whatsmeow's encoder panics on some
// of it and writes nonsense for the rest.
func checkNode(node *waBinary.Node, depth int) error {
	if node.Tag == "" {
		return errNoNode
	}
	if depth > maxDepth {
		return errTooDeep
	}
	if 2*len(node.Attrs)+2 > math.MaxUint16 {
		return fmt.Errorf("<%s>: %d attributes do not fit", node.Tag, len(node.Attrs))
	}
	for name, value := range node.Attrs {
		if name == "" {
			return fmt.Errorf("<%s>: %w", node.Tag, errNoName)
		}
		if err := checkValue(value); err != nil {
			return fmt.Errorf("<%s>: attribute %s: %w", node.Tag, name, err)
		}
	}
	children, ok := node.Content.([]waBinary.Node)
	if !ok {
		if err := checkValue(node.Content); err != nil {
			return fmt.Errorf("<%s>: content: %w", node.Tag, err)
		}
		return nil
	}
	if len(children) > math.MaxUint16 {
		return fmt.Errorf("<%s>: %d children do not fit", node.Tag, len(children))
	}
	for i := range children {
		if err := checkNode(&children[i], depth+1); err != nil {
			return fmt.Errorf("<%s>: %w", node.Tag, err)
		}
	}
	return nil
}

func checkValue(value any) error {
	switch v := value.(type) {
	case nil, string, []byte, bool, int, int32, int64, uint, uint32, uint64:
		return nil
	case types.JID:
		if v.IsEmpty() {
			return errEmptyJID
		}
		return nil
	default:
		return fmt.Errorf("%T cannot be encoded", value)
	}
}

// appendNode appends a checked node. Like whatsmeow it leaves out attributes
// that are nil or "".
func appendNode(data []byte, node *waBinary.Node) []byte {
	names := make([]string, 0, len(node.Attrs))
	for name, value := range node.Attrs {
		if value != nil && value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	size := 1 + 2*len(names)
	if node.Content != nil {
		size++
	}
	data = appendList(data, size)
	data = appendText(data, node.Tag)
	for _, name := range names {
		data = appendText(data, name)
		data = appendValue(data, node.Attrs[name])
	}
	if node.Content == nil {
		return data
	}
	children, ok := node.Content.([]waBinary.Node)
	if !ok {
		return appendValue(data, node.Content)
	}
	data = appendList(data, len(children))
	for i := range children {
		data = appendNode(data, &children[i])
	}
	return data
}

func appendValue(data []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendText(data, v)
	case []byte:
		return append(appendSize(data, len(v)), v...)
	case types.JID:
		return appendJID(data, v)
	case bool:
		return appendText(data, strconv.FormatBool(v))
	default: // the integers that checkValue let through
		return appendText(data, fmt.Sprint(v))
	}
}

// appendJID writes a device of a person as a device JID, and everything else as
// a pair. Old clients know no other kinds, and take the one-byte domain of a
// device JID for "a phone number or else a LID"; a hosted device therefore goes
// as a pair that spells out its device.
func appendJID(data []byte, jid types.JID) []byte {
	personal := jid.Server == types.DefaultUserServer || jid.Server == types.HiddenUserServer
	if personal && jid.Device > 0 && jid.Device <= math.MaxUint8 {
		data = append(data, token.ADJID, jid.ActualAgent(), byte(jid.Device))
		return appendText(data, jid.User)
	}
	data = append(data, token.JIDPair)
	switch {
	case jid.Device > 0:
		data = appendText(data, jid.User+":"+strconv.Itoa(int(jid.Device)))
	case jid.User != "":
		data = appendText(data, jid.User)
	default:
		data = append(data, token.ListEmpty)
	}
	return appendText(data, jid.Server)
}

func appendText(data []byte, text string) []byte {
	return append(appendSize(data, len(text)), text...)
}

// appendSize starts a run of bytes. A run that does not fit the four bytes of
// the largest kind does not fit a frame either, which is checked afterwards.
func appendSize(data []byte, size int) []byte {
	switch {
	case size < 1<<8:
		return append(data, token.Binary8, byte(size))
	case size < 1<<20:
		return append(data, token.Binary20, byte(size>>16), byte(size>>8), byte(size))
	default:
		return binary.BigEndian.AppendUint32(append(data, token.Binary32), uint32(size))
	}
}

func appendList(data []byte, size int) []byte {
	switch {
	case size == 0:
		return append(data, token.ListEmpty)
	case size < 1<<8:
		return append(data, token.List8, byte(size))
	default:
		return binary.BigEndian.AppendUint16(append(data, token.List16), uint16(size))
	}
}
