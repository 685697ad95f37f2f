package api

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// A request that breaks off has no end that anybody tells of.
func TestRoomOfWhatBreaksOff(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	r := newRoom(100)
	r.now = func() time.Time { return now }
	var broken, running, next fasthttp.RequestHeader
	if !r.take(&broken, 60, time.Minute) || !r.take(&running, 40, time.Minute) {
		t.Fatal("there was no room at the beginning")
	}
	end := r.use(&running)
	if r.take(&next, 60, time.Minute) || !r.refused(&next) {
		t.Error("there was room for too much")
	}
	now = now.Add(time.Minute + roomSlack + time.Second)
	if !r.take(&next, 60, time.Minute) || r.refused(&next) {
		t.Error("what has broken off still has its room")
	}
	r.begin(&next) // its place is used for another request
	if r.take(&next, 61, time.Minute) {
		t.Error("what is in work has lost its room")
	}
	end()
	if !r.take(&broken, 100, time.Minute) {
		t.Error("what is answered still has its room")
	}
}
