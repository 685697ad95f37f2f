package app

import "testing"

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
