package webhooks

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// registry has all endpoints in memory, for those who cannot wait for the
// database: the sink asks at every event.
type registry struct {
	repo    repo
	loading sync.Mutex
	current atomic.Pointer[[]Endpoint]
}

// reloadPatience bounds a reading that nobody waits for.
const reloadPatience = 30 * time.Second

// load reads the endpoints anew. Of several that do so at once, the last one
// sees what all of them have committed.
func (r *registry) load(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	list, err := r.repo.endpoints(ctx)
	if err == nil {
		r.current.Store(&list)
	}
	return err
}

// all are the endpoints as last read; the list must not be changed.
func (r *registry) all() []Endpoint {
	if list := r.current.Load(); list != nil {
		return *list
	}
	return nil
}

func (r *registry) find(id string) (Endpoint, bool) {
	for _, e := range r.all() {
		if e.ID == id {
			return e, true
		}
	}
	return Endpoint{}, false
}

// refresh reads the endpoints anew after a commit. What was committed is done,
// whatever becomes of the context and of this reading; where it fails, the next
// one makes up for it.
func (s *Service) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reloadPatience)
	defer cancel()
	if err := s.endpoints.load(ctx); err != nil {
		s.log.Error().Err(err).Msg("the webhooks could not be read again")
	}
	s.wake()
}
