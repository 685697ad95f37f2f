package group

import (
	"io"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/sandbox/stanza"
)

// Attempt is one change to one participant, before it is decided.
type Attempt struct {
	Action string // create, add, remove, promote, demote, approve or reject
	Group  types.JID
	Actor  Person
	Target Person
}

// Registry holds every group. It is not safe for concurrent use.
type Registry struct {
	dir       Directory
	now       func() time.Time
	random    io.Reader
	limits    []Limit
	interpose func(Attempt) int
	refusals  []Refusal

	groups  map[types.JID]*Group
	order   []types.JID           // of creation
	codes   map[string]inviteCode // every invite code ever issued
	version int64                 // last version id issued

	serviceRequests, groupRequests map[string]handler
}

// inviteCode is what became of a code.
type inviteCode struct {
	Group   types.JID `json:"group"`
	Revoked bool      `json:"revoked,omitempty"`
}

// NewRegistry makes an empty registry. The clock dates everything and expires
// what expires; the random source makes ids and codes.
func NewRegistry(dir Directory, now func() time.Time, random io.Reader) *Registry {
	r := &Registry{dir: dir, now: now, random: random}
	r.serviceRequests, r.groupRequests = serviceTable(), groupTable()
	r.Reset()
	return r
}

// Reset drops every group and every refusal and restores the limits. The hook
// of Interpose stays.
func (r *Registry) Reset() {
	r.groups = map[types.JID]*Group{}
	r.order = nil
	r.codes = map[string]inviteCode{}
	r.version = 0
	r.limits = DefaultLimits()
	r.refusals = nil
}

// Interpose sets a hook that is asked before each change to a participant. A
// code other than 0 becomes that participant's outcome (451 and 500, say, which
// nothing in the model leads to); 0 lets the model decide. Nil removes it.
func (r *Registry) Interpose(hook func(Attempt) int) { r.interpose = hook }

// Get finds a group that exists, with or without members.
func (r *Registry) Get(jid types.JID) (*Group, bool) {
	g, ok := r.groups[bare(jid)]
	return g, ok
}

// All lists every group in the order of creation.
func (r *Registry) All() []*Group {
	list := make([]*Group, 0, len(r.order))
	for _, jid := range r.order {
		list = append(list, r.groups[jid])
	}
	return list
}

// GroupsOf lists the groups a person is in, in the order of creation.
func (r *Registry) GroupsOf(lid types.JID) []types.JID {
	lid = bare(lid)
	var list []types.JID
	for _, g := range r.All() {
		if g.has(lid) {
			list = append(list, g.JID)
		}
	}
	return list
}

// person refreshes what a group remembers of somebody.
func (r *Registry) person(p Person) Person {
	if known, ok := r.dir.Lookup(p.LID); ok && known.LID == p.LID {
		return known
	}
	return p
}

// find resolves a requested JID: first among the members, since those stay
// members even if they vanish from the directory.
func (r *Registry) find(g *Group, jid types.JID) (Person, bool) {
	if g != nil {
		if m, ok := g.Member(jid); ok {
			return m.Person, true
		}
	}
	p, ok := r.dir.Lookup(bare(jid))
	return p, ok && !p.LID.IsEmpty()
}

// stamp is the clock in the precision that stanzas have.
func (r *Registry) stamp() time.Time { return r.now().UTC().Truncate(time.Second) }

// nextVersion issues a version id: microseconds, as the real ones look, and
// always larger than the one before.
func (r *Registry) nextVersion() int64 {
	r.version = max(r.version+1, r.now().UnixMicro())
	return r.version
}

// draw makes a random text over an alphabet. Two bytes a letter keep the bias
// of the remainder irrelevant.
func (r *Registry) draw(length int, alphabet string) (string, *stanza.Error) {
	raw := make([]byte, 2*length)
	if _, err := io.ReadFull(r.random, raw); err != nil {
		return "", stanza.Refuse(500)
	}
	out := make([]byte, length)
	for i := range out {
		out[i] = alphabet[(int(raw[2*i])<<8|int(raw[2*i+1]))%len(alphabet)]
	}
	return string(out), nil
}

// drawUnique draws until the text is new; a random source that keeps repeating
// itself is an internal error.
func (r *Registry) drawUnique(length int, alphabet string, taken func(string) bool) (string, *stanza.Error) {
	for range 64 {
		text, refusal := r.draw(length, alphabet)
		if refusal != nil {
			return "", refusal
		}
		if !taken(text) {
			return text, nil
		}
	}
	return "", stanza.Refuse(500)
}

// newJID draws the address of a new group.
func (r *Registry) newJID() (types.JID, *stanza.Error) {
	digits, refusal := r.drawUnique(groupIDDigits, "0123456789", func(s string) bool {
		return r.groups[types.NewJID(groupIDPrefix+s, types.GroupServer)] != nil
	})
	return types.NewJID(groupIDPrefix+digits, types.GroupServer), refusal
}

// renewInvite gives the group a new invite code and revokes the one it had.
func (r *Registry) renewInvite(g *Group) *stanza.Error {
	code, refusal := r.drawUnique(inviteCodeLength, base62, func(s string) bool {
		_, taken := r.codes[s]
		return taken
	})
	if refusal != nil {
		return refusal
	}
	r.revokeInvite(g)
	g.InviteCode = code
	r.codes[code] = inviteCode{Group: g.JID}
	return nil
}

func (r *Registry) revokeInvite(g *Group) {
	if g.InviteCode != "" {
		r.codes[g.InviteCode] = inviteCode{Group: g.JID, Revoked: true}
	}
}

// register makes the group known.
func (r *Registry) register(g *Group) {
	r.groups[g.JID] = g
	r.order = append(r.order, g.JID)
}

// forget removes the group; its invite code counts as revoked.
func (r *Registry) forget(g *Group) {
	r.revokeInvite(g)
	delete(r.groups, g.JID)
	r.order = slices.DeleteFunc(r.order, func(jid types.JID) bool { return jid == g.JID })
}
