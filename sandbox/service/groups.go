package service

import (
	"muster/sandbox/stanza"
)

// iqGroup answers w:g2, for a group or for the group service as a whole.
func (w *World) iqGroup(c *call) ([]stanza.Node, *stanza.Error) {
	if pictures := stanza.Child(c.iq, "pictures"); pictures != nil {
		return w.communityPictures(c, pictures)
	}
	reply, pushes, refusal := w.groups.HandleIQ(c.device.Account.person(), c.iq)
	c.then(func() { w.deliverPushes(pushes) })
	return reply, refusal
}
