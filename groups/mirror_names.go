package groups

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

// learnPhone gives members their phone number once a message tells it: in
// groups that hide the numbers it is not known from the beginning.
func (m *Mirror) learnPhone(ctx context.Context, sessionID string, names ...types.JID) error {
	pn, lid := pair(names...)
	if pn.IsEmpty() || lid.IsEmpty() {
		return nil
	}
	rows, err := m.db.Query(ctx, "SELECT DISTINCT group_jid FROM mirror_participants WHERE session_id = $1 AND lid = $2 AND pn = ''", sessionID, lid.String())
	groups, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return fmt.Errorf("look for %s among the members: %w", lid, err)
	}
	if len(groups) == 0 {
		return nil
	}
	w, err := m.begin(ctx, sessionID)
	if err != nil {
		return err
	}
	for _, jid := range groups {
		g, err := w.load(ctx, jid, true)
		if err != nil {
			return err
		}
		if at := g.find(identity(pn, lid)); at >= 0 {
			g.touch(at, g.members[at].learn(identity(pn, lid)))
		}
	}
	return w.finish(ctx)
}

// person makes an identity of up to three of somebody's JIDs, and adds what
// earlier traffic has taught the session.
func (m *Mirror) person(ctx context.Context, sessionID string, jids ...*types.JID) (Identity, error) {
	var pn, lid types.JID
	for _, jid := range jids {
		if jid == nil {
			continue
		}
		p, l := pair(*jid)
		if pn.IsEmpty() {
			pn = p
		}
		if lid.IsEmpty() {
			lid = l
		}
	}
	return m.complete(ctx, sessionID, identity(pn, lid))
}

func (m *Mirror) persons(ctx context.Context, sessionID string, jids []types.JID) ([]Identity, error) {
	people := make([]Identity, len(jids))
	for i := range jids {
		var err error
		if people[i], err = m.person(ctx, sessionID, &jids[i]); err != nil {
			return nil, err
		}
	}
	return people, nil
}

// complete adds the name that is missing, if the session has ever learnt it.
func (m *Mirror) complete(ctx context.Context, sessionID string, who Identity) (Identity, error) {
	switch {
	case who.LID != "" && who.PhoneNumber == "":
		lid, err := types.ParseJID(who.LID)
		if err != nil {
			return who, fmt.Errorf("stored LID %q: %w", who.LID, err)
		}
		pn, err := m.sessions.PNForLID(ctx, sessionID, lid)
		return identity(pn, lid), err
	case who.LID == "" && who.PhoneNumber != "":
		pn := types.NewJID(who.PhoneNumber, types.DefaultUserServer)
		lid, err := m.sessions.LIDForPN(ctx, sessionID, pn)
		return identity(pn, lid), err
	}
	return who, nil
}
