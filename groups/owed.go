package groups

import (
	"context"
	"slices"
	"sync"
	"time"

	"muster/store"
)

// The echo of a change of ours usually comes when the change is recorded
// already, and changes nothing. When we are quick, it may come when we have
// changed the same thing once more: then it tells what is no longer so. So
// each change that was recorded is owed an echo, and one that comes after its
// time is let pass.

// owedWindow is how long an echo is waited for. Some changes have none.
const owedWindow = repeatWindow

// debt is the echo of one recorded change.
type debt struct {
	group   string
	kinds   []ChangeKind // as which it may come
	value   any          // of kinds that have one
	people  []Identity   // whom it is still about
	request string
	since   time.Time

	self *debt // of a copy
}

// debts are those of all sessions, the oldest first. They are safe for
// concurrent use; that of one session are written under the lock of its mirror.
type debts struct {
	mu   sync.Mutex
	list map[string][]*debt // by session
}

func (d *debts) add(sessionID string, one *debt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list == nil {
		d.list = map[string][]*debt{}
	}
	d.list[sessionID] = append(slices.DeleteFunc(d.list[sessionID], func(old *debt) bool {
		return one.since.Sub(old.since) > owedWindow
	}), one)
}

func (d *debts) remove(sessionID string, one *debt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := slices.DeleteFunc(d.list[sessionID], func(other *debt) bool { return other == one })
	if d.list[sessionID] = left; len(left) == 0 {
		delete(d.list, sessionID)
	}
}

// of returns copies of a group's debts, the oldest first.
func (d *debts) of(sessionID, group string, now time.Time) (list []debt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.list[sessionID] {
		if one.group == group && now.Sub(one.since) <= owedWindow {
			found := *one // its people are replaced, never changed
			found.self = one
			list = append(list, found)
		}
	}
	return list
}

// paid takes people off a debt whose echo has come.
func (d *debts) paid(sessionID string, one *debt, people []Identity) {
	d.mu.Lock()
	one.people = slices.DeleteFunc(slices.Clone(one.people), func(who Identity) bool {
		return slices.ContainsFunc(people, who.same)
	})
	left := len(one.people)
	d.mu.Unlock()
	if left == 0 {
		d.remove(sessionID, one)
	}
}

// echoes are the kinds as which a change comes back.
func (k ChangeKind) echoes() []ChangeKind {
	switch k {
	case ChangeApproved:
		return []ChangeKind{ChangeApproved, ChangeAdded, ChangeArrived}
	case ChangeAdded:
		return []ChangeKind{ChangeAdded, ChangeApproved}
	case ChangeLeft, ChangeDeleted:
		return []ChangeKind{ChangeLeft, ChangeDeleted, ChangeDeparted}
	case ChangeCreated, ChangeJoined:
		return []ChangeKind{ChangeCreated, ChangeJoined}
	}
	return []ChangeKind{k}
}

// aboutUs tells whether the change is the account's own coming or going.
func (d debt) aboutUs() bool {
	return slices.Contains(d.kinds, ChangeJoined) || slices.Contains(d.kinds, ChangeLeft)
}

// aboutMembers tells whether the change is one of the members.
func (d debt) aboutMembers() bool { return d.kinds[0].ofMembers() }

func (k ChangeKind) ofMembers() bool {
	switch k {
	case ChangeAdded, ChangeArrived, ChangeExpelled, ChangeDeparted, ChangePromoted, ChangeDemoted, ChangeApproved:
		return true
	}
	return false
}

// owe notes that the echo of a recorded change will come. What has had no effect
// is there already, by its echo.
func (w *writing) owe(ctx context.Context, c Change, effects []effect, request string) {
	if c.Source != SourceAPI || len(effects) == 0 {
		return
	}
	one := &debt{group: c.Group.String(), kinds: c.Kind.echoes(), value: c.value(), people: c.People, request: request, since: w.now}
	w.owed.add(w.session, one)
	committed := false
	store.AfterCommit(ctx, func() { committed = true })
	store.AtEnd(ctx, func() {
		if !committed {
			w.owed.remove(w.session, one)
		}
	})
}

// collect finds the debt that an event pays. What it tells and is no longer so
// is taken out of it: the rest, which may be nothing but the time and version of
// the change, is returned. late: there is no rest.
func (w *writing) collect(ctx context.Context, g *mirrored, c Change) (rest Change, late bool) {
	if c.Source != SourceEvent || !c.Actor.same(w.me) {
		return c, false
	}
	debts := w.owed.of(w.session, g.JID, w.now)
	at := slices.IndexFunc(debts, func(d debt) bool { return d.means(c, w.me) })
	if at < 0 {
		c.overtaken = w.overtaken(g, c, debts)
		return c, false
	}
	paid, newer, people := debts[at], debts[at+1:], c.People
	store.AfterCommit(ctx, func() { w.owed.paid(w.session, paid.self, people) })
	c.request, c.echo = paid.request, true
	switch {
	case !g.known, paid.aboutUs() && slices.ContainsFunc(newer, debt.aboutUs):
		return c, true
	case paid.aboutMembers() && !paid.aboutUs():
		c.People = slices.DeleteFunc(slices.Clone(c.People), func(who Identity) bool {
			return slices.ContainsFunc(newer, func(d debt) bool {
				return d.aboutMembers() && slices.ContainsFunc(d.people, who.same)
			})
		})
	case slices.ContainsFunc(newer, func(d debt) bool { return d.kinds[0] == paid.kinds[0] }):
		if c.value() != nil {
			g.seen(c, w.now)
			return c, true
		}
	}
	return c, false
}

// overtaken tells whether an event that is no echo may be older than a change of
// ours of the same value: WhatsApp tells changes in their order, so it is while
// our own echo has not come, and after it it is not. What was owed before this
// process began is not known, but soon over.
func (w *writing) overtaken(g *mirrored, c Change, owed []debt) bool {
	recent := func(since time.Time) bool { return w.now.Sub(since) <= raceWindow }
	return slices.ContainsFunc(owed, func(d debt) bool { return d.kinds[0] == c.Kind && recent(d.since) }) ||
		g.happenedSince(own+c.Kind, w.now) && g.times[own+c.Kind].Here < w.began.Unix()
}

// means tells whether the event is the echo.
func (d debt) means(c Change, me Identity) bool {
	if !slices.Contains(d.kinds, c.Kind) {
		return false
	}
	if d.aboutUs() {
		return c.Kind != ChangeDeparted || slices.ContainsFunc(c.People, me.same)
	}
	if len(d.people) == 0 {
		return d.value == c.value()
	}
	return len(c.People) > 0 && !slices.ContainsFunc(c.People, func(who Identity) bool {
		return !slices.ContainsFunc(d.people, who.same)
	})
}

// seen notes the time of a change of one value that is no longer so.
func (g *mirrored) seen(c Change, now time.Time) {
	if at := c.At.Unix(); at >= g.times[c.Kind].At {
		g.note(c.Kind, stamp{At: at, Here: now.Unix()})
	}
}
