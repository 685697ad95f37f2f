package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/session"
	"muster/store"
)

const (
	// fetchAttempts bounds how often a group is asked about that changes while
	// the answer is on its way.
	fetchAttempts = 3
	// batchWeight is how many members are written in one transaction, so that a
	// thousand large groups never hold the write lock for long.
	batchWeight = 4000
)

// fetch asks WhatsApp for a group, repairs the mirror and returns the group. It
// asks each time; refreshGroup lets simultaneous callers share.
func (m *Mirror) fetch(ctx context.Context, sessionID string, jid types.JID, reason string, hints []hint) (Group, error) {
	var fresh Group
	for range fetchAttempts {
		before, err := m.readGroup(ctx, sessionID, jid.String())
		if err != nil {
			return Group{}, err
		}
		err = m.sessions.Do(ctx, sessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
			if fresh, err = queryGroup(ctx, client, jid); err != nil {
				return err
			}
			return session.LetEventsPass(ctx)
		})
		if err != nil {
			if isAbsent(err) && before.known {
				err = errors.Join(err, m.vanished(ctx, before, reason))
			}
			return Group{}, err
		}
		if err = m.letEventsPass(ctx, sessionID, []Group{fresh}, hints); err != nil {
			return Group{}, err
		}
		settled, err := m.settleGroup(ctx, before, fresh, reason, hints)
		if err != nil || settled {
			return fresh, err
		}
	}
	m.worker.refresh(sessionID, jid.String(), hints...)
	return fresh, nil
}

// eventWait is how long after an answer events may come that tell what it shows.
const eventWait = 250 * time.Millisecond

// letEventsPass waits a moment when an answer differs from the mirror. What was
// received before the answer has been written, see session.LetEventsPass, but
// what it shows may be told a moment after it. Events tell who did it, and a
// repair could not. An answer that they overtake is asked for again.
func (m *Mirror) letEventsPass(ctx context.Context, sessionID string, answer []Group, hints []hint) error {
	for _, fresh := range answer {
		g, err := m.readGroup(ctx, sessionID, fresh.JID)
		if err != nil {
			return err
		}
		if g.known && g.version == fresh.version && !g.surprises(fresh, slices.Concat(hints, m.worker.hintsOf(sessionID, g.JID))) {
			continue
		}
		timer := time.NewTimer(eventWait)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// surprises tells whether a group differs in what no event has announced.
func (g *mirrored) surprises(fresh Group, hints []hint) bool {
	return slices.ContainsFunc(g.differences(fresh, false), func(c Change) bool {
		announced := slices.ContainsFunc(hints, func(h hint) bool { return h.kind == c.Kind })
		return !announced && (g.value(c.Kind) != "" || !c.Kind.mode())
	})
}

// settleGroup makes the mirror's group like the fresh one, unless it has
// changed since the question: the answer may be older than the change.
func (m *Mirror) settleGroup(ctx context.Context, before *mirrored, fresh Group, reason string, hints []hint) (settled bool, err error) {
	err = store.Txn(ctx, m.db, func(ctx context.Context) error {
		w, err := m.begin(ctx, before.session)
		if err != nil {
			return err
		}
		w.asked = map[string][]hint{before.JID: hints}
		g, err := w.load(ctx, before.JID, false)
		if err != nil {
			return err
		}
		if settled = g.known == before.known && g.rev == before.rev; !settled {
			return nil
		}
		if err = w.settle(ctx, g, fresh); err != nil {
			return err
		}
		g.syncedAt, g.dated = w.now, !g.ended
		store.AfterCommit(ctx, func() { w.report(reason) })
		return w.finish(ctx)
	})
	return settled, err
}

// vanished takes a group out of the mirror that WhatsApp no longer shows.
func (m *Mirror) vanished(ctx context.Context, before *mirrored, reason string) error {
	return store.Txn(ctx, m.db, func(ctx context.Context) error {
		w, err := m.begin(ctx, before.session)
		if err != nil {
			return err
		}
		g, err := w.load(ctx, before.JID, false)
		if err != nil || !g.known || g.rev != before.rev {
			return err
		}
		if err = w.repair(ctx, g, Change{Kind: ChangeGone}); err != nil {
			return err
		}
		store.AfterCommit(ctx, func() { w.report(reason) })
		return w.finish(ctx)
	})
}

// reconcile asks WhatsApp for all groups and repairs the mirror. The hints are
// by group.
func (m *Mirror) reconcile(ctx context.Context, sessionID, reason string, hints map[string][]hint) (err error) {
	defer func() {
		result := "done"
		if err != nil {
			result = "failed"
		}
		m.metrics.runs.WithLabelValues(reason, result).Inc()
	}()
	before, err := m.readState(ctx, sessionID)
	if err != nil {
		return err
	}
	var fresh []Group
	err = m.sessions.Do(ctx, sessionID, session.Read, func(ctx context.Context, client *whatsmeow.Client) error {
		if fresh, err = queryGroups(ctx, client); err != nil {
			return err
		}
		return session.LetEventsPass(ctx)
	})
	if err != nil {
		return err
	}
	return m.takeList(ctx, sessionID, reason, before, fresh, hints)
}

// takeList makes the mirror like the list, which was asked for when the mirror
// was as before.
func (m *Mirror) takeList(ctx context.Context, sessionID, reason string, before mirrorState, fresh []Group, hints map[string][]hint) error {
	if !before.complete {
		reason = reasonSeed
	}
	if before.complete {
		if err := m.letEventsPass(ctx, sessionID, fresh, nil); err != nil {
			return err
		}
	}
	found := map[string]int{}
	listed := make(map[string]bool, len(fresh))
	for rest := fresh; len(rest) > 0; {
		n, weight := 0, 0
		for n < len(rest) && weight < batchWeight {
			listed[rest[n].JID] = true
			weight += len(rest[n].Participants) + 20
			n++
		}
		if err := m.reconcileBatch(ctx, sessionID, before, rest[:n], hints, found); err != nil {
			return err
		}
		rest = rest[n:]
	}
	missing, err := m.completeList(ctx, sessionID, before, listed)
	if err != nil {
		return err
	}
	m.log.Debug().Str("session", sessionID).Str("reason", reason).Int("groups", len(fresh)).Msg("the groups were compared with WhatsApp")
	m.reportRepairs(sessionID, reason, found)
	return m.confirmMissing(ctx, sessionID, reason, missing)
}

// reconcileBatch compares some groups in one transaction.
func (m *Mirror) reconcileBatch(ctx context.Context, sessionID string, before mirrorState, batch []Group, hints map[string][]hint, found map[string]int) error {
	var w *writing
	err := store.Txn(ctx, m.db, func(ctx context.Context) (err error) {
		if w, err = m.begin(ctx, sessionID); err != nil {
			return err
		}
		w.asked, w.seeding = hints, !before.complete
		for _, fresh := range batch {
			g, err := w.load(ctx, fresh.JID, false)
			if err != nil {
				return err
			}
			moved, err := w.movedSince(ctx, g, before.seq)
			if err != nil {
				return err
			}
			if moved {
				w.hints[g.JID] = hints[g.JID] // asked again, alone
				continue
			}
			if err = w.settle(ctx, g, fresh); err != nil {
				return err
			}
		}
		return w.finish(ctx)
	})
	if err != nil {
		return err
	}
	for kind, n := range w.found {
		found[kind] += n
	}
	return nil
}

// movedSince tells whether a group has changed since the number was the
// session's, so that an answer to a question of then may be out of date.
func (w *writing) movedSince(ctx context.Context, g *mirrored, seq int64) (bool, error) {
	if g.known {
		return g.rev > seq, nil
	}
	latest, err := w.latest(ctx, w.session, g.JID)
	return len(latest) > 0 && latest[0].Seq > seq, err
}

// completeList notes that the list is complete, and finds the groups that the
// mirror has and WhatsApp did not list.
func (m *Mirror) completeList(ctx context.Context, sessionID string, before mirrorState, listed map[string]bool) (missing []string, err error) {
	err = store.Txn(ctx, m.db, func(ctx context.Context) error {
		w, err := m.begin(ctx, sessionID)
		if err != nil {
			return err
		}
		w.state.complete, w.state.syncedAt = true, w.now
		m.announce(ctx, sessionID, "")
		rows, err := m.db.Query(ctx, "SELECT jid, rev FROM mirror_groups WHERE session_id = $1", sessionID)
		if err != nil {
			return fmt.Errorf("list the groups of the mirror: %w", err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var jid string
			var rev int64
			if err = rows.Scan(&jid, &rev); err != nil {
				return fmt.Errorf("list the groups of the mirror: %w", err)
			}
			if !listed[jid] && rev <= before.seq {
				missing = append(missing, jid)
			}
		}
		if err = rows.Err(); err != nil {
			return fmt.Errorf("list the groups of the mirror: %w", err)
		}
		_, err = m.db.Exec(ctx, "UPDATE mirror_groups SET synced_at = $2 WHERE session_id = $1 AND NOT stale", sessionID, w.now.Unix())
		if err != nil {
			return fmt.Errorf("date the groups of the mirror: %w", err)
		}
		return w.finish(ctx)
	})
	return missing, err
}

// confirmMissing asks about each group that was not listed: lists have been
// seen that were cut short, and one such would empty the mirror.
func (m *Mirror) confirmMissing(ctx context.Context, sessionID, reason string, missing []string) error {
	var failures []error
	for _, text := range missing {
		jid, err := types.ParseJID(text)
		if err == nil {
			_, err = m.fetch(ctx, sessionID, jid, reason, nil)
		}
		if err != nil && !isAbsent(err) {
			failures = append(failures, fmt.Errorf("ask about group %s, which was not listed: %w", text, err))
		}
	}
	return errors.Join(failures...)
}

// settle makes the mirror's group like WhatsApp's, writes what that has changed
// to the history and counts it.
func (w *writing) settle(ctx context.Context, g *mirrored, fresh Group) error {
	if !g.known {
		return w.discover(ctx, g, fresh)
	}
	if behind, _ := w.worker.isBehind(w.session); !behind {
		g.keepTopicID(&fresh)
	}
	// Of a group in doubt the version does not tell: it is that of the newest
	// event, and one before it may be missing.
	if g.stale || fresh.version == "" || fresh.version != g.version || len(fresh.Participants) > 0 && len(fresh.Participants) != g.ParticipantCount {
		if _, err := w.load(ctx, g.JID, true); err != nil {
			return err
		}
	}
	for _, c := range g.differences(fresh, w.listed[g.JID]) {
		if err := w.repair(ctx, g, c); err != nil {
			return err
		}
	}
	g.settleRest(fresh, w.listed[g.JID], w.me)
	return nil
}

// discover takes over a group that the mirror does not have.
func (w *writing) discover(ctx context.Context, g *mirrored, fresh Group) error {
	w.listed[g.JID] = true
	if w.seeding {
		g.replace(fresh, w.me)
		g.known, g.ended, g.syncedAt = true, false, w.now
		return nil
	}
	return w.repair(ctx, g, Change{Kind: ChangeJoined, Info: &fresh, Version: fresh.version})
}

// repair applies one difference. Where an event has told who did it, and only
// the value was missing, it is the event's change and no repair.
func (w *writing) repair(ctx context.Context, g *mirrored, c Change) error {
	jid, err := types.ParseJID(g.JID)
	if err != nil {
		return fmt.Errorf("stored group %q: %w", g.JID, err)
	}
	c.SessionID, c.Group, c.At, c.Source = w.session, jid, w.now, SourceReconcile
	effects := g.take(c, w.me, w.now)
	told := false
	for _, h := range slices.Concat(w.asked[g.JID], w.worker.hintsOf(w.session, g.JID)) {
		if h.kind == c.Kind { // the last one is whose value it is
			told = true
			c.Source, c.Actor, c.At = SourceEvent, h.actor, h.at
		}
	}
	c = w.recognise(c)
	for _, e := range effects {
		if !told {
			w.found[string(e.kind)]++
		}
		if err := w.remember(ctx, g, c, e); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) report(reason string) { w.reportRepairs(w.session, reason, w.found) }

// reportRepairs says what was found, as a metric and a line in the log.
func (m *Mirror) reportRepairs(sessionID, reason string, found map[string]int) {
	if len(found) == 0 {
		return
	}
	kinds := zerolog.Dict()
	total := 0
	for kind, n := range found {
		m.metrics.repairs.WithLabelValues(kind).Add(float64(n))
		kinds.Int(kind, n)
		total += n
	}
	m.log.Info().Str("session", sessionID).Str("reason", reason).Int("repairs", total).Dict("kinds", kinds).
		Msg("the mirror of the groups differed from WhatsApp and was repaired")
}

// refreshGroup asks WhatsApp for a group; those who ask for the same one at the
// same time share the query.
func (m *Mirror) refreshGroup(ctx context.Context, sessionID string, jid types.JID) error {
	return m.share(ctx, sessionID+" "+jid.String(), func(ctx context.Context) error {
		_, err := m.fetch(ctx, sessionID, jid, reasonAsked, nil)
		return err
	})
}

// refreshList asks WhatsApp for all groups of a session, likewise.
func (m *Mirror) refreshList(ctx context.Context, sessionID string) error {
	return m.share(ctx, sessionID, func(ctx context.Context) error {
		return m.reconcile(ctx, sessionID, reasonAsked, nil)
	})
}

// share runs the work once for all who want it at the same time. It goes on
// when the one who began it has gone.
func (m *Mirror) share(ctx context.Context, key string, work func(context.Context) error) error {
	result := m.flights.DoChan(key, func() (any, error) { return nil, work(context.WithoutCancel(ctx)) })
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return fault.New(fault.NoAnswer, "the request was given up before it was answered").Because(ctx.Err())
	}
}
