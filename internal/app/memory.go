package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// trimInterval is how often it is looked whether memory lies idle.
const trimInterval = 30 * time.Second

// trim gives memory back to the system that nothing has needed for a while.
// Many sessions that connect at once leave a heap that is more than twice what
// they keep, and Go holds on to it for the next burst, which in a server whose
// sessions are idle may not come for days.
func trim(ctx context.Context) {
	ticker := time.NewTicker(trimInterval)
	defer ticker.Stop()
	last := measure()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := measure()
		if now.idleSince(last) {
			debug.FreeOSMemory()
			now = measure()
		}
		last = now
	}
}

// startGC is how much garbage there may be while the sessions start, in percent
// of what is in use, before it is collected.
const startGC = 25

// pack has garbage collected sooner than usual until the sessions are settled at
// two looks in a row. What a session keeps is allocated among what its start
// drops; a page with anything on it is not given back, so the less garbage lies
// between, the less memory is held for good. It is the whole process's setting.
func pack(ctx context.Context, interval time.Duration, settled func() bool) {
	usual := debug.SetGCPercent(startGC)
	defer debug.SetGCPercent(usual)
	if usual <= startGC {
		return // somebody has decided that, or has switched it off
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for before := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := settled()
		if before && now {
			return
		}
		before = now
	}
}

// heap is the state of Go's memory, in bytes.
type heap struct {
	live  uint64 // reachable at the last collection
	held  uint64 // taken from the system for the heap
	total uint64 // allocated since the start of the program
}

func measure() heap {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	value := func(i int) uint64 { return samples[i].Value.Uint64() }
	return heap{live: value(0), total: value(1), held: value(2) + value(3) + value(4)}
}

// trimWorth is how much idle memory is worth a collection.
const trimWorth = 4 << 20

// idleSince tells whether there is much memory that is not in use, and so
// little was allocated since before that no collection is about to come by
// itself.
func (h heap) idleSince(before heap) bool {
	allocated := h.total - before.total
	return h.held > h.live+h.live/4+trimWorth && allocated < h.live/4+trimWorth
}
