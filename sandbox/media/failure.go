package media

import (
	"fmt"
	"net/http"
	"slices"
)

// Failure is scripted trouble with media: matching requests are answered with
// a status instead of being served. Clients take 403, 404 and 410 as final and
// try again after 429 and 5xx.
type Failure struct {
	// Method is GET, POST or DELETE; empty meets any.
	Method string `json:"method,omitempty"`
	// Kind is a kind of media such as "image" or "picture"; empty meets any.
	Kind string `json:"kind,omitempty"`
	// Status is what the request is answered with: 400 to 599.
	Status int `json:"status"`
	// Count is how many requests it meets; 0 means no limit.
	Count int `json:"count,omitempty"`
}

// Fail puts a failure in force until it has met its count of requests or
// ClearFailures is called. The first failure that meets a request decides.
func (s *Store) Fail(f Failure) error {
	switch {
	case f.Status < 400 || f.Status > 599:
		return fmt.Errorf("status: must be between 400 and 599, not %d", f.Status)
	case f.Count < 0:
		return fmt.Errorf("count: must not be negative")
	case f.Kind != "" && !kindPattern.MatchString(f.Kind):
		return fmt.Errorf("kind: %w: %q", ErrKind, f.Kind)
	case !slices.Contains([]string{"", http.MethodGet, http.MethodPost, http.MethodDelete}, f.Method):
		return fmt.Errorf("method: must be GET, POST or DELETE, not %q", f.Method)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, f)
	return nil
}

// ClearFailures ends all failures.
func (s *Store) ClearFailures() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = nil
}

// fails returns the status a request fails with, or 0.
func (s *Store) fails(method, kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.failures {
		f := &s.failures[i]
		if f.Method != "" && f.Method != method || f.Kind != "" && f.Kind != kind {
			continue
		}
		status := f.Status
		if f.Count > 0 {
			f.Count--
			if f.Count == 0 {
				s.failures = slices.Delete(s.failures, i, i+1)
			}
		}
		return status
	}
	return 0
}
