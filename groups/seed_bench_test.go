package groups_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"muster/groups"
	"muster/session"
	"muster/store/storetest"
)

// BenchmarkSeed writes the groups of an account that is in a hundred groups of
// 1,024 members into a mirror, while others write to the database: what counts is how long
// those wait at most.
//
//	go test ./groups -run '^$' -bench Seed -benchtime 1x
func BenchmarkSeed(b *testing.B) {
	const count, size = 100, 1024
	list := make([]groups.Group, count)
	for i := range list {
		list[i] = groups.Group{JID: fmt.Sprintf("12036300000%07d@g.us", i), Subject: "Large", AddressingMode: "lid"}
		for j := range size {
			phone := fmt.Sprintf("62811%08d", i*size+j)
			list[i].Participants = append(list[i].Participants, groups.Participant{Role: groups.RoleMember, Identity: groups.Identity{
				JID: phone + "@s.whatsapp.net", PhoneNumber: phone, LID: fmt.Sprintf("%015d@lid", i*size+j),
			}})
		}
	}
	for b.Loop() {
		r := newRig(b, storetest.SQLite(b))
		if _, err := r.manager.Create(b.Context(), session.CreateRequest{ID: mine}); err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		worst := make(chan time.Duration, 1)
		go func() { worst <- longestWait(ctx, r.db) }()
		begun := time.Now()
		if err := groups.Seed(ctx, r.mirror, mine, list); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begun).Seconds()/count*1000, "ms/group")
		begun = time.Now()
		if err := groups.Seed(ctx, r.mirror, mine, list); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begun).Seconds()/count*1000, "ms/unchanged-group")
		stop()
		b.ReportMetric((<-worst).Seconds()*1000, "ms-longest-wait")
		b.ReportMetric(0, "ns/op")
	}
}

// longestWait writes again and again, and tells how long that took at most.
func longestWait(ctx context.Context, db *dbutil.Database) (longest time.Duration) {
	for ctx.Err() == nil {
		begun := time.Now()
		if _, err := db.Exec(context.WithoutCancel(ctx), "UPDATE sessions SET name = $1", "x"); err != nil {
			return time.Hour
		}
		longest = max(longest, time.Since(begun))
	}
	return longest
}
