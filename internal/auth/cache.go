package auth

import (
	"sync"
	"time"
)

const (
	// cacheLifetime is how long an accepted token is not looked up again. It
	// bounds how long a running server does not notice that another process,
	// such as `muster token revoke`, has ended a token; what this process ends,
	// it forgets at once. Looking up costs more than most of what is asked for.
	cacheLifetime = time.Second
	// cacheSize bounds how many tokens are remembered. Only accepted ones are.
	cacheSize = 1024
)

// cache remembers accepted tokens by the digest of their secrets.
type cache struct {
	mu      sync.RWMutex
	entries map[[32]byte]entry
	changes uint64 // counts the calls of clear
}

type entry struct {
	principal Principal
	expires   time.Time
}

// find returns a remembered token. Without one, the number it returns is for
// the add that follows the look-up.
func (c *cache) find(hash [32]byte, now time.Time) (p Principal, changes uint64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[hash]
	return e.principal, c.changes, ok && now.Before(e.expires)
}

// add remembers a token, unless one was ended since the look-up began.
func (c *cache) add(hash [32]byte, p Principal, now time.Time, changes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if changes != c.changes {
		return
	}
	if c.entries == nil || len(c.entries) >= cacheSize {
		c.entries = map[[32]byte]entry{}
	}
	c.entries[hash] = entry{p, now.Add(cacheLifetime)}
}

// clear forgets all of them.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
	c.changes++
}
