package service

import "muster/sandbox/stanza"

// iqPing answers a keepalive.
func (w *World) iqPing(*call) ([]stanza.Node, *stanza.Error) { return nil, nil }

// iqAccept answers requests that ask for nothing but to be heard: push
// registrations, "I am no longer dirty", statistics.
func (w *World) iqAccept(*call) ([]stanza.Node, *stanza.Error) { return nil, nil }

// iqPassive takes note that a client wants traffic or does not. The sandbox
// delivers either way, as clients that never say "active" expect.
func (w *World) iqPassive(c *call) ([]stanza.Node, *stanza.Error) {
	if stanza.Child(c.iq, "active") == nil && stanza.Child(c.iq, "passive") == nil {
		return nil, stanza.Refuse(501)
	}
	return nil, nil
}
