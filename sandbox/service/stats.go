package service

import (
	"maps"
	"slices"
	"strings"

	"muster/sandbox/stanza"
)

// Stats counts what clients sent. Its keys read like "iq:w:g2:get:participating",
// "message", "receipt:read", "presence".
type Stats struct {
	Stanzas   map[string]int            `json:"stanzas"`
	ByAccount map[string]map[string]int `json:"by_account"` // by phone number
	Unknown   []string                  `json:"unknown_stanzas"`
	Connected int                       `json:"connected_devices"`
	// unexpected is Unknown of all times: it outlives a Reset.
	unexpected []string
}

func newStats() *Stats {
	return &Stats{Stanzas: map[string]int{}, ByAccount: map[string]map[string]int{}, Unknown: []string{}}
}

// Stats returns a copy of the counts so far.
func (w *World) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := Stats{
		Stanzas: maps.Clone(w.stats.Stanzas), ByAccount: map[string]map[string]int{},
		Unknown: slices.Clone(w.stats.Unknown),
	}
	for number, counts := range w.stats.ByAccount {
		out.ByAccount[number] = maps.Clone(counts)
	}
	for c := range w.conns {
		if c.device != nil && c.device.conn == c {
			out.Connected++
		}
	}
	return out
}

// count adds one stanza and returns its key.
func (s *Stats) count(c *connection, node *stanza.Node) string {
	key := stanzaKey(node)
	s.Stanzas[key]++
	if c.device != nil {
		number := c.device.Account.PN.User
		if s.ByAccount[number] == nil {
			s.ByAccount[number] = map[string]int{}
		}
		s.ByAccount[number][key]++
	}
	return key
}

// unknown records a stanza the service could not handle.
func (s *Stats) unknown(key string) {
	if !slices.Contains(s.Unknown, key) {
		s.Unknown = append(s.Unknown, key)
	}
	if !slices.Contains(s.unexpected, key) {
		s.unexpected = append(s.unexpected, key)
	}
}

// Unexpected lists the kinds of stanza that were not known, as Stats.Unknown
// does, but since the world was made: Reset does not shorten it, so that a
// harness can still tell at the end. Kinds that were forgiven are left out.
func (w *World) Unexpected() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.stats.unexpected)
}

// Forgive takes a kind of stanza off the list of unexpected ones; it tells
// whether it was on it.
func (w *World) Forgive(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.stats.unexpected)
	w.stats.unexpected = slices.DeleteFunc(w.stats.unexpected, func(k string) bool { return k == key })
	return len(w.stats.unexpected) < before
}

// stanzaKey names a kind of stanza.
func stanzaKey(node *stanza.Node) string {
	parts := []string{node.Tag}
	switch node.Tag {
	case "iq":
		parts = append(parts, stanza.Text(node, "xmlns"), stanza.Text(node, "type"))
		if child := childTag(node); child != "" {
			parts = append(parts, child)
		}
	case "receipt", "presence":
		if kind := stanza.Text(node, "type"); kind != "" {
			parts = append(parts, kind)
		}
	case "ack":
		parts = append(parts, stanza.Text(node, "class"))
	case "ib":
		parts = append(parts, childTag(node))
	}
	return strings.Join(parts, ":")
}
