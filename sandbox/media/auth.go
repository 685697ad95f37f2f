package media

import (
	"net/http"
	"time"
)

// Grant makes an auth good for uploads and deletions until a time: media_conn
// gives it out.
func (s *Store) Grant(auth string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for old, end := range s.auths {
		if !end.After(now) {
			delete(s.auths, old)
		}
	}
	s.auths[auth] = until
}

// authorised tells whether a request carries an auth that was given out and
// still holds, and a token.
func (s *Store) authorised(r *http.Request) bool {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	until, granted := s.auths[q.Get("auth")]
	return granted && until.After(s.now()) && q.Get("token") != ""
}
