package service

import "muster/sandbox/stanza"

// ibNotices are what clients say about their stream without wanting an answer:
// the id of an app session, how much backlog they take at once, dirty bits
// they are done with.
var ibNotices = map[string]bool{"unified_session": true, "offline_batch": true, "clean": true}

// receiveIB takes a word from the client about its stream.
func (w *World) receiveIB(_ *connection, node *stanza.Node, key string) {
	child := stanza.First(node)
	if child != nil && ibNotices[child.Tag] {
		return
	}
	w.stats.unknown(key)
	w.log.Warn().Str("stanza", key).Msg("Stanza that the sandbox does not know")
}
