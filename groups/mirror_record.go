package groups

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"muster/internal/event"
	"muster/store"
)

// record applies changes in one transaction, see Service.record. Inside an
// event's transaction it is part of that.
func (m *Mirror) record(ctx context.Context, changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	return store.Txn(ctx, m.db, func(ctx context.Context) error {
		for len(changes) > 0 {
			n := 1
			for n < len(changes) && changes[n].SessionID == changes[0].SessionID {
				n++
			}
			w, err := m.begin(ctx, changes[0].SessionID)
			if err != nil {
				return err
			}
			for _, c := range changes[:n] {
				if err = w.take(ctx, c); err != nil {
					return err
				}
			}
			if err = w.finish(ctx); err != nil {
				return err
			}
			changes = changes[n:]
		}
		return nil
	})
}

// writing is one transaction's work on the mirror of one session.
type writing struct {
	*Mirror
	session string
	me      Identity
	now     time.Time
	state   mirrorState
	was     mirrorState
	groups  map[string]*mirrored
	order   []*mirrored
	listed  map[string]bool   // whose members are loaded
	hints   map[string][]hint // to be asked about after the commit

	// When comparing with WhatsApp:
	asked   map[string][]hint // what events have told of the groups
	found   map[string]int    // repairs, by kind
	seeding bool              // there was nothing before, so that nothing is news
}

// begin keeps other writers of the session's mirror out.
func (m *Mirror) begin(ctx context.Context, sessionID string) (*writing, error) {
	state, err := m.lockState(ctx, sessionID)
	if err != nil {
		return nil, err
	}
	return &writing{
		Mirror: m, session: sessionID, me: m.account(sessionID), now: m.now(), state: state, was: state,
		groups: map[string]*mirrored{}, listed: map[string]bool{}, hints: map[string][]hint{},
		found: map[string]int{},
	}, nil
}

// load returns a group of the session, with its members if they are wanted.
func (w *writing) load(ctx context.Context, jid string, members bool) (*mirrored, error) {
	g := w.groups[jid]
	if g == nil {
		var err error
		if g, err = w.readGroup(ctx, w.session, jid); err != nil {
			return nil, err
		}
		w.groups[jid] = g
		w.order = append(w.order, g)
	}
	if members && !w.listed[jid] {
		w.listed[jid] = true
		if err := w.readMembers(ctx, g); err != nil {
			return nil, err
		}
		if err := w.readRequests(ctx, g); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func (w *writing) take(ctx context.Context, c Change) error {
	c = w.recognise(c)
	g, err := w.load(ctx, c.Group.String(), c.Kind.aboutPeople())
	if err != nil {
		return err
	}
	c, late := w.collect(ctx, g, c)
	if late {
		return nil
	}
	effects := g.take(c, w.me, w.now)
	w.owe(ctx, c, effects, event.RequestOf(ctx))
	for _, e := range effects {
		if err = w.remember(ctx, g, c, e); err != nil {
			return err
		}
	}
	return nil
}

// aboutPeople tells whether the kind needs the members.
func (k ChangeKind) aboutPeople() bool {
	switch k {
	case ChangeAdded, ChangeArrived, ChangeExpelled, ChangeDeparted, ChangePromoted, ChangeDemoted,
		ChangeRequested, ChangeWithdrawn, ChangeApproved, ChangeRejected:
		return true
	}
	return false
}

// repeatWindow is how far apart an operation and its echo can be.
const repeatWindow = 10 * time.Minute

// remember writes an effect to the history, and to the log of events.
func (w *writing) remember(ctx context.Context, g *mirrored, c Change, e effect) error {
	before, err := json.Marshal(e.before)
	if err != nil {
		return fmt.Errorf("write the history of group %s: %w", c.Group, err)
	}
	after, err := json.Marshal(e.after)
	if err != nil {
		return fmt.Errorf("write the history of group %s: %w", c.Group, err)
	}
	if e.stateless {
		if known, err := w.repeated(ctx, c, e.kind, string(before), string(after)); err != nil || known {
			return err
		}
	}
	w.state.seq++
	_, err = w.db.Exec(ctx, `INSERT INTO group_changes (session_id, seq, group_jid, at, recorded_at, kind, actor_pn, actor_lid, source, before, after)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		w.session, w.state.seq, c.Group.String(), unixOf(c.At), w.now.Unix(), string(e.kind),
		c.Actor.phoneJID(), c.Actor.LID, string(c.Source), string(before), string(after))
	if err != nil {
		return fmt.Errorf("write the history of group %s: %w", c.Group, err)
	}
	return w.publish(ctx, g, c, e)
}

// repeated tells whether the history has a stateless effect already.
func (w *writing) repeated(ctx context.Context, c Change, kind ChangeKind, before, after string) (bool, error) {
	if kind.ending() {
		// The group is not in the mirror: either it has ended already, or it was
		// never there.
		last, err := w.lastEnding(ctx, w.session, c.Group.String())
		return last, err
	}
	var count int
	err := w.db.QueryRow(ctx, `SELECT COUNT(*) FROM group_changes WHERE session_id = $1 AND group_jid = $2 AND kind = $3
		AND before = $4 AND after = $5 AND recorded_at >= $6`,
		w.session, c.Group.String(), string(kind), before, after, w.now.Add(-repeatWindow).Unix()).Scan(&count)
	if err != nil {
		return false, fmt.Errorf("look for a repetition in the history of group %s: %w", c.Group, err)
	}
	return count > 0, nil
}

// ending tells whether after a change of this kind the account is not in the group.
func (k ChangeKind) ending() bool {
	return k == ChangeLeft || k == ChangeRemoved || k == ChangeDeleted || k == ChangeGone
}

// lastEnding tells whether the newest entry about a group is that of its end.
func (m *Mirror) lastEnding(ctx context.Context, sessionID string, group string) (bool, error) {
	entries, err := m.latest(ctx, sessionID, group)
	return err == nil && len(entries) > 0 && entries[0].Kind.ending(), err
}

// finish writes what has changed, and tells this process of it.
func (w *writing) finish(ctx context.Context) error {
	for _, g := range w.order {
		if g.ask {
			w.hints[g.JID] = append([]hint{}, w.hints[g.JID]...)
		}
		if !g.dirty && !g.ended && !g.dated {
			continue
		}
		if g.dirty || g.ended {
			w.state.seq++
			g.rev = w.state.seq
		}
		w.announce(ctx, w.session, g.JID)
		if err := w.save(ctx, g); err != nil {
			return err
		}
	}
	if w.state != w.was {
		if err := w.saveState(ctx, w.session, w.state); err != nil {
			return err
		}
	}
	store.AfterCommit(ctx, func() {
		for jid, hints := range w.hints {
			w.worker.refresh(w.session, jid, hints...)
		}
	})
	return nil
}
