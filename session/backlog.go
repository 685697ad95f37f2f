package session

import (
	"sync"

	"go.mau.fi/whatsmeow/types/events"
)

// backlog knows when a connection is being given what happened while there was
// none. WhatsApp announces it with a count (offline_preview), sends it, and says
// when that was all (offline); whatsmeow hands events on in this order.
type backlog struct {
	mu      sync.Mutex
	attempt int64 // the connection that is being given it; 0 is none
}

// follow takes note of an event, and tells whether it is of the backlog.
func (b *backlog) follow(attempt int64, evt any) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch evt := evt.(type) {
	case *events.OfflineSyncPreview:
		b.attempt = 0
		if evt.Total > 0 {
			b.attempt = attempt
		}
		return false
	case *events.OfflineSyncCompleted:
		b.attempt = 0
		return false
	}
	return b.attempt == attempt && !concernsConnection(evt)
}
