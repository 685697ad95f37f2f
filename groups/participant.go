package groups

import (
	"context"
	"fmt"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// Role is what a member may do. The creator is the superadmin, and cannot be
// removed or demoted by others.
type Role string

// The roles, from most to least.
const (
	RoleSuperAdmin Role = "superadmin"
	RoleAdmin      Role = "admin"
	RoleMember     Role = "member"
)

// Admin tells whether the role may change the group.
func (r Role) Admin() bool { return r == RoleSuperAdmin || r == RoleAdmin }

// Identity is a person under the two names that WhatsApp knows them by. What
// is not known is empty: a LID never stands in for a phone number.
type Identity struct {
	// JID is the phone JID where the phone is known, else the LID.
	JID string
	// PhoneNumber has digits only, the country code first.
	PhoneNumber string
	// LID is "…@lid", the same for everyone who meets this person.
	LID string
}

// Participant is a member of a group.
type Participant struct {
	Identity
	Role Role
}

// identity makes an Identity of what is known; both may be empty.
func identity(pn, lid types.JID) Identity {
	var id Identity
	if !lid.IsEmpty() {
		id.LID = lid.ToNonAD().String()
		id.JID = id.LID
	}
	if !pn.IsEmpty() {
		id.PhoneNumber = pn.User
		id.JID = pn.ToNonAD().String()
	}
	return id
}

// pair sorts up to two JIDs of one person into phone and LID.
func pair(jids ...types.JID) (pn, lid types.JID) {
	for _, jid := range jids {
		switch jid.Server {
		case types.DefaultUserServer:
			pn = jid.ToNonAD()
		case types.HiddenUserServer:
			lid = jid.ToNonAD()
		}
	}
	return pn, lid
}

// complete adds the half of a pair that earlier traffic has taught the session.
func complete(ctx context.Context, known store.LIDStore, pn, lid types.JID) (types.JID, types.JID, error) {
	var err error
	switch {
	case pn.IsEmpty() && !lid.IsEmpty():
		pn, err = known.GetPNForLID(ctx, lid)
	case lid.IsEmpty() && !pn.IsEmpty():
		lid, err = known.GetLIDForPN(ctx, pn)
	}
	if err != nil {
		return pn, lid, fmt.Errorf("look up the other name of %s%s: %w", pn, lid, err)
	}
	return pn, lid, nil
}

func roleOf(p types.GroupParticipant) Role {
	switch {
	case p.IsSuperAdmin:
		return RoleSuperAdmin
	case p.IsAdmin:
		return RoleAdmin
	}
	return RoleMember
}
