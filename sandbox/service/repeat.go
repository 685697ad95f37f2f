package service

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"

	"muster/sandbox/stanza"
)

// A client that loses its connection before the answer sends the very same
// stanza once more, under the same id, as soon as it is connected again
// (whatsmeow's retryFrame). What was applied must not be applied twice then, so
// a device's last answers are kept and given again. Like connections they do
// not outlive the process.

// answerMemory is how many answers are kept for a device.
const answerMemory = 64

// answered is a request that was granted, and the answer.
type answered struct {
	digest [32]byte
	reply  stanza.Node
}

// repeatable tells whether answering a request twice would differ from
// answering it once. Most that only ask are answered anew instead, because
// their answers are large; but fetching keys uses them up, and what is asked
// through w:mex may be a change.
func repeatable(iq *stanza.Node) bool {
	if stanza.Text(iq, "id") == "" {
		return false
	}
	switch stanza.Text(iq, "xmlns") {
	case "encrypt", "w:mex":
		return true
	}
	return stanza.Text(iq, "type") != "get"
}

// answeredBefore finds the answer that a repeated request had.
func (d *Device) answeredBefore(digest [32]byte) (reply stanza.Node, again bool) {
	at := slices.IndexFunc(d.answered, func(a answered) bool { return a.digest == digest })
	if at < 0 {
		return stanza.Node{}, false
	}
	return d.answered[at].reply, true
}

// noteAnswer keeps an answer, in place of the oldest one when there are many.
func (d *Device) noteAnswer(digest [32]byte, reply stanza.Node) {
	if over := len(d.answered) - answerMemory + 1; over > 0 {
		d.answered = slices.Delete(d.answered, 0, over)
	}
	d.answered = append(d.answered, answered{digest, reply})
}

// stanzaDigest hashes a stanza as it was read: tag, attributes, content.
func stanzaDigest(node *stanza.Node) [32]byte {
	sum := sha256.New()
	digestNode(sum, node)
	return [32]byte(sum.Sum(nil))
}

func digestNode(sum hash.Hash, node *stanza.Node) {
	digestText(sum, node.Tag)
	digestSize(sum, len(node.Attrs))
	for _, name := range slices.Sorted(maps.Keys(node.Attrs)) {
		digestText(sum, name)
		digestText(sum, stanza.Text(node, name))
	}
	switch content := node.Content.(type) {
	case []stanza.Node:
		digestSize(sum, len(content))
		for i := range content {
			digestNode(sum, &content[i])
		}
	case []byte:
		digestText(sum, string(content))
	default:
		digestText(sum, fmt.Sprint(content))
	}
}

// digestText hashes text behind its length, so that no two lists of texts run
// together into the same bytes.
func digestText(sum hash.Hash, text string) {
	digestSize(sum, len(text))
	sum.Write([]byte(text)) // a hash never fails to write
}

func digestSize(sum hash.Hash, size int) {
	sum.Write(binary.BigEndian.AppendUint64(nil, uint64(size)))
}
