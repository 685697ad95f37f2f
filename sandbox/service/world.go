// Package service is the simulated WhatsApp: accounts with their phones and
// linked devices, connections, queues, every iq a client asks, and the routing
// of messages. It speaks to clients through package wire, keeps groups in
// package group and lets package phone hold each account's Signal identity.
//
// One mutex guards the whole world. A test service needs determinism more than
// throughput: with one lock, the order in which stanzas take effect is the
// order in which they were read, and every device sees that same order.
//
// What the service allows and refuses was reconstructed from clients and from
// reports; it was never compared with the real service.
package service

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"muster/sandbox/fault"
	"muster/sandbox/group"
	"muster/sandbox/media"
	"muster/sandbox/wire"
)

// Options are what a World is made of. All fields but Identity have defaults.
type Options struct {
	Identity *wire.Identity
	// Seed makes ids, codes and references repeatable; 0 takes a random seed.
	// Key material of simulated phones comes from the system's randomness where
	// libsignal makes it.
	Seed uint64
	// Now is the clock of everything the service stamps and expires.
	Now func() time.Time
	Log zerolog.Logger
	// MediaHost is the host:port that media_conn names for uploads and downloads.
	MediaHost string
	// Persist, when set, writes a snapshot. It is called under the world's lock
	// before a client is told of a link, so that a device it believes in survives
	// a crash of the service, and, while the state is small, before a change of
	// groups or a message is acknowledged; and without the lock by Save. A later
	// snapshot may therefore come first, and an earlier one must not replace it.
	Persist func(Snapshot) error
}

// World is the service's whole state.
type World struct {
	mu        sync.Mutex
	opts      Options
	random    io.Reader
	log       zerolog.Logger
	accounts  map[string]*Account // by LID user
	byNumber  map[string]*Account // by phone number digits
	groups    *group.Registry
	faults    *fault.Set
	media     *media.Store
	stats     *Stats
	waiting   map[string]offer       // unlinked sockets, by each ref they were given
	codeLinks map[string]*codeLink   // unlinked sockets that asked for a phone code, by number
	hellos    map[string][]time.Time // when codes were asked for, by number
	conns     map[*connection]struct{}
	// epoch counts the resets: what began in an earlier one has no part in the
	// world of today.
	epoch uint64
	// answers are what the simulated phones have yet to say; see phonesAnswer.
	answers  []func()
	nextID   uint64
	changed  chan struct{} // closed at the next change; nil while nobody waits
	handlers map[string]iqHandler

	saved      int    // size of the last snapshot's state, in bytes
	sequence   uint64 // number of the last snapshot
	runs       uint64 // how often the state was restored
	closed     bool
	background sync.WaitGroup // connections and delayed work
	ctx        context.Context
	cancel     context.CancelFunc
}

// New makes an empty world.
func New(opts Options) (*World, error) {
	if opts.Identity == nil {
		return nil, fmt.Errorf("a service needs an identity")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	source, err := newRandom(opts.Seed)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &World{
		opts: opts, random: source, log: opts.Log, ctx: ctx, cancel: cancel,
		conns: map[*connection]struct{}{},
	}
	w.media = media.NewStore(opts.Now, w.mediaChanged)
	w.faults = fault.NewSet(source)
	w.handlers = w.iqTable()
	w.empty()
	return w, nil
}

// empty drops every account, group, fault and count. Connections are the
// caller's to close.
func (w *World) empty() {
	w.accounts = map[string]*Account{}
	w.byNumber = map[string]*Account{}
	w.waiting = map[string]offer{}
	w.codeLinks = map[string]*codeLink{}
	w.hellos = map[string][]time.Time{}
	w.groups = group.NewRegistry(directory{w}, w.opts.Now, w.random)
	fresh := newStats()
	if w.stats != nil {
		fresh.unexpected = w.stats.unexpected
	}
	w.stats = fresh
	w.answers = nil
	w.faults.Clear()
	w.media.Clear()
}

// Reset closes every connection and empties the world. Whoever waits for a link
// hears of ErrLinkLost; requests that were read and not answered yet, delayed
// ones too, are dropped.
func (w *World) Reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch++
	for c := range w.conns {
		w.withdrawLink(c)
		if c.device != nil && c.device.conn == c {
			c.device.conn = nil
		}
		c.close()
	}
	w.empty()
	w.saved = 0 // the empty world is small enough to be written at once
	w.commit()
}

// Close ends every connection and waits for their goroutines.
func (w *World) Close() {
	w.cancel()
	w.mu.Lock()
	w.closed = true
	for c := range w.conns {
		c.close()
	}
	w.mu.Unlock()
	w.background.Wait()
}

// Changed returns a channel that is closed at the next change of the state. Ask
// for it before looking at what may change.
func (w *World) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// Media is the world's blob store; it locks itself.
func (w *World) Media() *media.Store { return w.media }

// mediaChanged notes an upload or a deletion by HTTP.
func (w *World) mediaChanged() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.touch()
}

// enter counts one more connection in, unless the world is closed.
func (w *World) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.background.Add(1)
	}
	return !w.closed
}

// touch notes that the state changed. The caller holds the lock.
func (w *World) touch() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

// later runs do, under the lock, once the delay has passed, unless the world
// was closed or reset before. The caller holds the lock.
func (w *World) later(delay time.Duration, do func()) {
	if w.closed {
		return
	}
	epoch := w.epoch
	w.background.Add(1)
	go func() {
		defer w.background.Done()
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-w.ctx.Done():
		case <-timer.C:
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.epoch == epoch {
				do()
				w.touch()
			}
		}
	}()
}

// id makes an id for a stanza that the service itself begins.
func (w *World) id() string {
	w.nextID++
	return fmt.Sprintf("%d", 1000000000+w.nextID)
}

// bytes takes n random bytes. The sources used here cannot fail.
func (w *World) bytes(n int) []byte {
	buf := make([]byte, n)
	if _, err := io.ReadFull(w.random, buf); err != nil {
		w.log.Error().Err(err).Msg("Random source failed")
	}
	return buf
}

// token takes n random bytes as hexadecimal text.
func (w *World) token(n int) string { return hex.EncodeToString(w.bytes(n)) }

// newRandom makes the world's source: ChaCha8 under the seed.
func newRandom(seed uint64) (io.Reader, error) {
	var key [32]byte
	if seed == 0 {
		if _, err := rand.Read(key[:]); err != nil {
			return nil, fmt.Errorf("seed the random source: %w", err)
		}
	} else {
		binary.LittleEndian.PutUint64(key[:], seed)
	}
	return mathrand.NewChaCha8(key), nil
}
