package groups_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"muster/groups"
	"muster/sandbox/service"
)

// clock is a mirror's, which tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// rename makes one entry each time: it waits for the echo, which is news if it
// comes after the next one.
func (r *rig) rename(jid types.JID, times int) {
	r.t.Helper()
	for i := range times {
		r.must(r.service.SetSubject(r.t.Context(), groups.SubjectRequest{Target: r.target(jid), Subject: fmt.Sprint("Name ", i)}))
		r.eventually("the echo", func() bool {
			phone, err := r.wa.Phone(me)
			return err == nil && !slices.ContainsFunc(phone.Devices, func(d service.DeviceInfo) bool { return d.Queued > 0 })
		})
	}
}

func (r *rig) prunes(want int64) {
	r.t.Helper()
	if forgotten, err := groups.Prune(r.t.Context(), r.mirror); err != nil || forgotten != want {
		r.t.Errorf("%d changes were forgotten, want %d: %v", forgotten, want, err)
	}
}

// The history keeps the newest changes of each group, and none that are old.
func TestHistoryIsPruned(t *testing.T) {
	t.Parallel()
	const count, age = 3, time.Hour
	var c clock
	everywhere(t, func(r *rig) {
		busy, quiet := r.group(me, "lid", ann), r.group(me, "pn", ann)
		r.link(mine, me)
		r.rename(busy, 5)
		r.rename(quiet, 2)
		before := r.history(busy, 0)
		r.prunes(2)
		if after := r.history(busy, 0); tell(after) != tell(before[len(before)-count:]) {
			r.t.Errorf("of\n%s\nthere is left\n%s", tell(before), tell(after))
		}
		if left := r.history(quiet, 0); len(left) != 2 {
			r.t.Errorf("of the quiet group there is left\n%s", tell(left))
		}
		c.forward(2 * age)
		r.rename(quiet, 1)
		r.prunes(count + 2)
		if left := r.history(busy, 0); len(left) != 0 {
			r.t.Errorf("of the old changes there is left\n%s", tell(left))
		}
		if left := r.history(quiet, 0); len(left) != 1 {
			r.t.Errorf("of the quiet group there is left\n%s", tell(left))
		}
		r.prunes(0)
	}, func(o *groups.MirrorOptions) {
		o.Now, o.Retention = c.now, groups.Retention{Age: age, Count: count}
	})
}

// What is more than one batch is forgotten at once, by age and by count.
func TestLongHistoryIsPruned(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		r.link(mine, me)
		fill := func(first int, at int64) {
			_, err := r.db.Exec(r.t.Context(), `INSERT INTO group_changes (session_id, seq, group_jid, at, recorded_at, kind, source)
				WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)
				SELECT $1, $2 + i, '120363000000000001@g.us', 1, $3, 'subject', 'event' FROM n`, mine, first, at)
			r.must(err)
		}
		fill(10_000, 1)
		r.prunes(2500)
		fill(20_000, time.Now().Unix())
		r.prunes(2400)
		jid := types.NewJID("120363000000000001", types.GroupServer)
		left := r.history(jid, 0)
		if len(left) != 100 || left[0].Seq != 22_400 {
			r.t.Errorf("%d are left, from %d", len(left), left[0].Seq)
		}
	}, func(o *groups.MirrorOptions) { o.Retention = groups.Retention{Count: 100} })
}
