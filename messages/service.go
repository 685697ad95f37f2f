// Package messages sends messages to people and groups. Each operation is a
// method of Service that takes a request which validates itself.
package messages

import (
	"muster/session"
)

// Service sends the messages of every session. It holds no state of its own
// and is safe for concurrent use.
type Service struct {
	sessions *session.Manager
}

// NewService makes the service. The manager is its only way to WhatsApp.
func NewService(sessions *session.Manager) *Service {
	return &Service{sessions: sessions}
}
