package v1

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"testing"

	"muster/groups"
)

func emptyCache(limit int) *readCache {
	return &readCache{limit: limit, seed: maphash.MakeSeed(), sessions: map[string]map[cacheKey]*cachedAnswer{}}
}

func (rc *readCache) fill(session, url, group string, size int) cacheKey {
	key := cacheKey{url: url, pulse: groups.Pulse{Live: true}}
	rc.put(session, key, &cachedAnswer{group: group, body: bytes.Repeat([]byte("x"), size)}, rc.of(session).changes.Load())
	return key
}

func (rc *readCache) change(session string) {
	rc.hold(session, "")
	rc.drop(session, "")
}

// However much is read, the cache keeps within its bounds, and keeps what is
// read again and again.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	rc := emptyCache(100_000)
	hot := rc.fill("s", "/hot", "g", 1000)
	for i := range 1000 {
		rc.fill(fmt.Sprint("s", i%7), fmt.Sprint("/", i), "g", 2000)
		if rc.bytes > rc.limit {
			t.Fatalf("%d bytes are kept, more than %d", rc.bytes, rc.limit)
		}
		if rc.get("s", hot) == nil {
			t.Fatalf("what is always read was evicted after %d others", i)
		}
	}
	if key := rc.fill("s", "/large", "g", 50_000); rc.get("s", key) != nil {
		t.Error("one answer takes half of the cache")
	}
	for i := range 7 {
		rc.change(fmt.Sprint("s", i))
	}
	rc.change("s")
	if rc.bytes != 0 || len(rc.sessions) != 0 {
		t.Errorf("an empty cache has %d bytes and %d sessions", rc.bytes, len(rc.sessions))
	}
}

func TestCacheForgetsWhatChanges(t *testing.T) {
	t.Parallel()
	rc := emptyCache(100_000)
	list, one, other := rc.fill("s", "/groups", "", 10), rc.fill("s", "/groups/1", "1", 10), rc.fill("s", "/groups/2", "2", 10)
	foreign := rc.fill("t", "/groups/1", "1", 10)
	rc.hold("s", "1")
	if rc.get("s", other) != nil || rc.get("t", foreign) == nil && rc.of("t") != rc.of("s") {
		t.Error("while something changes, its session's answers are held back, and others' are not")
	}
	rc.drop("s", "1")
	if rc.get("s", list) != nil || rc.get("s", one) != nil {
		t.Error("what has changed is still there")
	}
	if rc.get("s", other) == nil || rc.get("t", foreign) == nil {
		t.Error("what has not changed is gone")
	}
	// An answer that was begun before a change is not kept after it.
	before := rc.of("s").changes.Load()
	rc.hold("s", "3")
	rc.drop("s", "3")
	rc.put("s", one, &cachedAnswer{group: "1"}, before)
	if rc.get("s", one) != nil {
		t.Error("an answer of before a change is kept")
	}
}
