package queue

import (
	"context"
	"slices"
	"sync"

	"github.com/riverqueue/river/riverdriver"
)

// topicInsert is River's topic for new jobs, the one that its PostgreSQL driver
// uses in the database.
const topicInsert = "river_insert"

// bell tells River of what has happened in the database: of new jobs, and of
// queues that were paused or resumed. PostgreSQL could do so itself, over a
// connection held for it, and SQLite cannot; here only one process works on a
// database, so nobody else has to be told.
//
// Rings for the same queue that River has not taken in yet are one.
type bell struct {
	mu     sync.Mutex
	topics map[string]bool
	waits  []riverdriver.Notification
	rung   chan struct{} // has an element while waits may have any
}

func newBell() *bell {
	return &bell{topics: map[string]bool{}, rung: make(chan struct{}, 1)}
}

// ring passes notifications on. It never blocks.
func (b *bell) ring(topic string, payloads ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.topics[topic] {
		return
	}
	for _, payload := range payloads {
		n := riverdriver.Notification{Topic: topic, Payload: payload}
		// Only rings for new jobs may overtake others: a pause and what ends it
		// must stay apart.
		if topic != topicInsert || !slices.Contains(b.waits, n) {
			b.waits = append(b.waits, n)
		}
	}
	b.signal()
}

func (b *bell) signal() {
	if len(b.waits) == 0 {
		return
	}
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// newJobs rings for a queue that has new jobs. The names of queues need no
// escaping in JSON.
func (b *bell) newJobs(queue string) { b.ring(topicInsert, `{"queue": "`+queue+`"}`) }

// listener is River's side of the bell. There is one for each client, and one
// client for each bell.
type listener struct{ bell *bell }

func (listener) Connect(context.Context) error { return nil }
func (listener) Close(context.Context) error   { return nil }
func (listener) Ping(context.Context) error    { return nil }
func (listener) Schema() string                { return "" }
func (listener) SetAfterConnectExec(string)    {}

func (l listener) Listen(_ context.Context, topic string) error {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	l.bell.topics[topic] = true
	return nil
}

func (l listener) Unlisten(_ context.Context, topic string) error {
	l.bell.mu.Lock()
	defer l.bell.mu.Unlock()
	delete(l.bell.topics, topic)
	return nil
}

func (l listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for {
		select {
		case <-l.bell.rung:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if n := l.bell.take(); n != nil {
			return n, nil
		}
	}
}

func (b *bell) take() *riverdriver.Notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waits) == 0 {
		return nil
	}
	first := b.waits[0]
	b.waits = slices.Delete(b.waits, 0, 1)
	b.signal()
	return &first
}
