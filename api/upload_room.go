package api

import (
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"muster/internal/fault"
)

const (
	// A body is held in memory as it came; of one in JSON, the decoder makes the
	// text and then the file.
	copiesOfBody = 3
	// formInMemory is what a form takes whose length is known: fasthttp writes
	// larger files to the disk while it reads them.
	formInMemory = 32 << 20
	// roomSlack is how much longer than a request may take to arrive its room is
	// kept for it: by then its handler has begun, or it has broken off.
	roomSlack = 10 * time.Second
	// roomRetry is when to come again.
	roomRetry = 5 * time.Second
)

// room is the memory for the large bodies of requests. A request gets its part
// when its headers have come, and gives it back when it has been answered. What
// tells requests apart is where fasthttp keeps their headers: that is one
// request's at a time, so whatever an earlier one has left there is over. It is
// safe for concurrent use.
type room struct {
	most int64
	now  func() time.Time

	mu    sync.Mutex
	parts map[*fasthttp.RequestHeader]part
}

// part is what one request has of the room.
type part struct {
	bytes  int64
	until  time.Time // it has broken off if its handler has not begun by then; zero: it has
	denied bool
}

func newRoom(most int64) *room {
	return &room{most: most, now: time.Now, parts: map[*fasthttp.RequestHeader]part{}}
}

// begin forgets what an earlier request has left at the place.
func (r *room) begin(header *fasthttp.RequestHeader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.parts, header)
}

// take asks for room for a request. The largest finds it, too, when nobody else
// has any.
func (r *room) take(header *fasthttp.RequestHeader, bytes int64, arrival time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, taken := r.now(), int64(0)
	for place, p := range r.parts {
		if !p.until.IsZero() && now.After(p.until) {
			delete(r.parts, place)
			continue
		}
		taken += p.bytes
	}
	p := part{bytes: bytes, until: now.Add(arrival + roomSlack)}
	if taken > 0 && taken+bytes > r.most {
		p = part{denied: true, until: p.until}
	}
	r.parts[header] = p
	return !p.denied
}

// use says that the request has arrived; call the function when it is answered.
func (r *room) use(header *fasthttp.RequestHeader) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, found := r.parts[header]
	if !found {
		return func() {}
	}
	p.until = time.Time{}
	r.parts[header] = p
	return func() { r.begin(header) }
}

// refused tells whether there was no room for the request, once it is known
// that it needs some.
func (r *room) refused(header *fasthttp.RequestHeader) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parts[header].denied
}

// bytesOf is how much memory a request will take, whose body has at most limit
// bytes.
func bytesOf(header *fasthttp.RequestHeader, limit int) int64 {
	length := int64(header.ContentLength())
	if length < 0 || length > int64(limit) { // chunked, or to be refused
		length = int64(limit)
	}
	if isForm(string(header.ContentType())) && header.ContentLength() >= 0 {
		return min(length, formInMemory)
	}
	return copiesOfBody * length
}

// inRoom lets a request give its part of the room back at its end.
func (s *Server) inRoom(c *fiber.Ctx) error {
	defer s.room.use(&c.Request().Header)()
	return c.Next()
}

// errNoRoom is for a request whose body was not read for want of room.
func errNoRoom() error {
	return fault.New(fault.Unavailable, "too many files are being received at this moment").After(roomRetry)
}
