package service

import (
	"unicode/utf8"

	"muster/sandbox/stanza"
)

// maxAbout is the length of an about text, in characters: what the phone's
// editor allows.
const maxAbout = 139

// iqGetStatus tells who gets the account's status posts. There are no lists in
// the sandbox, so it is always all contacts.
func (w *World) iqGetStatus(c *call) ([]stanza.Node, *stanza.Error) {
	if stanza.Child(c.iq, "privacy") == nil {
		return nil, stanza.Refuse(501)
	}
	return []stanza.Node{{Tag: "privacy", Content: []stanza.Node{
		{Tag: "list", Attrs: stanza.Attrs{"type": "contacts", "default": true}},
	}}}, nil
}

// iqSetStatus sets the about text.
func (w *World) iqSetStatus(c *call) ([]stanza.Node, *stanza.Error) {
	status := stanza.Child(c.iq, "status")
	if status == nil {
		return nil, stanza.Refuse(501)
	}
	return nil, w.setAbout(c, string(stanza.Bytes(status)))
}

// setAbout changes the account's about text and tells its other companions and
// the acquaintances who may see it.
func (w *World) setAbout(c *call, text string) *stanza.Error {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxAbout {
		return stanza.Refuse(406)
	}
	a := c.device.Account
	a.About, a.AboutAt = text, w.opts.Now()
	note := stanza.Node{
		Tag:     "notification",
		Attrs:   stanza.Attrs{"from": a.PN, "type": "status", "t": a.AboutAt.Unix()},
		Content: []stanza.Node{{Tag: "set", Content: []byte(text)}},
	}
	c.then(func() {
		w.notifyAccount(a, note, c.device)
		for _, other := range w.acquaintances(a) {
			if a.shows("status", other) {
				w.notifyAccount(other, note, nil)
			}
		}
	})
	return nil
}
