package truth_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"muster/sandbox"
)

// TestReadsAskNobody: 2,000 reads cause no stanza; the simulated service counts
// what it is sent. Only the keep-alive goes on.
func TestReadsAskNobody(t *testing.T) {
	t.Parallel()
	const reads, askers = 2000, 4
	r := newRig(t)
	for i := range 4 {
		r.phone(turmoilNumber(i), sandbox.PhoneOptions{})
	}
	var paths []string
	for i := range 10 {
		jid, _, _, err := r.wa.CreateGroup(turmoilNumber(0), sandbox.GroupOptions{
			Name: fmt.Sprint("Group ", i), Participants: []string{turmoilNumber(1), turmoilNumber(2)},
			AddressingMode: [...]string{"lid", "pn"}[i%2],
		})
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, in(jid, ""), in(jid, "/info"), in(jid, "/changes"))
	}
	paths = append(paths, "/groups", "/groups?limit=3", "/groups?q=group", "/groups?role=admin", "/groups?fields=jid,name")
	s := r.link("reader", turmoilNumber(0))
	r.quiet(s)
	before := r.asked()
	var reading sync.WaitGroup
	for asker := range askers {
		reading.Go(func() {
			for i := range reads / askers {
				path := paths[(i+asker)%len(paths)]
				if a, err := s.try(http.MethodGet, path, nil); err != nil || a.status != http.StatusOK {
					t.Errorf("%s: %d %s %v", path, a.status, a.raw, err)
					return
				}
			}
		})
	}
	reading.Wait()
	r.quiet(s)
	if after := r.asked(); !maps.Equal(before, after) {
		t.Errorf("%d reads: WhatsApp was sent\n%v, before\n%v", reads, after, before)
	}
	// The count does count: a refresh is seen.
	s.call(http.MethodGet, paths[0]+"?refresh=true", nil).ok()
	if after := r.asked(); maps.Equal(before, after) {
		t.Errorf("a refresh was not seen: %v", slices.Sorted(maps.Keys(after)))
	}
}

// asked is how often WhatsApp was sent each kind of stanza, but for the
// keep-alive.
func (r *rig) asked() map[string]int {
	stanzas := r.wa.Stats().Stanzas
	maps.DeleteFunc(stanzas, func(key string, _ int) bool { return strings.HasPrefix(key, "iq:w:p:") })
	return stanzas
}
