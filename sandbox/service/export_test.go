package service

import "muster/sandbox/stanza"

// Push gives a stanza to every companion of a phone.
func (w *World) Push(number string, node stanza.Node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.byNumber[number].companions() {
		w.push(d, node)
	}
}

// Connections counts the sockets whose goroutines have not ended.
func (w *World) Connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}
