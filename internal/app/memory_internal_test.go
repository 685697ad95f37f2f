package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestIdleMemory(t *testing.T) {
	const mb = 1 << 20
	for _, row := range []struct {
		name        string
		before, now heap
		idle        bool
	}{
		{"a burst is over", heap{total: 900 * mb}, heap{live: 100 * mb, held: 200 * mb, total: 901 * mb}, true},
		{"a burst is going on", heap{total: 900 * mb}, heap{live: 100 * mb, held: 200 * mb, total: 990 * mb}, false},
		{"all is in use", heap{total: 900 * mb}, heap{live: 100 * mb, held: 120 * mb, total: 901 * mb}, false},
		{"too little to care", heap{total: 9 * mb}, heap{live: 2 * mb, held: 6 * mb, total: 9 * mb}, false},
	} {
		if idle := row.now.idleSince(row.before); idle != row.idle {
			t.Errorf("%s: %v", row.name, idle)
		}
	}
	if h := measure(); h.held == 0 || h.total == 0 {
		t.Errorf("the heap is %+v", h)
	}
}

// percent is the collector's setting.
func percent() uint64 {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// Garbage is collected sooner until all is settled for a while, and what
// somebody has set is left alone.
func TestPack(t *testing.T) {
	usual := percent()
	looks := []bool{false, true, false, true, true}
	pack(t.Context(), time.Millisecond, func() bool {
		if during := percent(); during != startGC {
			t.Errorf("during the start it is %d", during)
		}
		look := looks[0]
		looks = looks[1:]
		return look
	})
	if len(looks) > 0 || percent() != usual {
		t.Errorf("%d looks are left, and it is %d", len(looks), percent())
	}
	ended, end := context.WithCancel(t.Context())
	end()
	pack(ended, time.Hour, nil)
	if percent() != usual {
		t.Errorf("after an end it is %d", percent())
	}
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	pack(t.Context(), time.Hour, nil)
	if percent() != 10 {
		t.Errorf("what was set is %d", percent())
	}
}
