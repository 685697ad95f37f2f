package group

import (
	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// MayEditInfo tells whether the actor may change what describes a group. Its
// picture, which is kept elsewhere, goes by the same right as its subject
// (whatsmeow GroupLocked: only admins can edit group info). The refusals are
// those of SetSubject.
func (r *Registry) MayEditInfo(actor Person, group types.JID) *stanza.Error {
	_, refusal := r.authorize(actor, group, actSubject)
	return refusal
}
