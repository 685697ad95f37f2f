package v1

import (
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gofiber/fiber/v2"

	"muster/groups"
	"muster/internal/address"
)

const (
	// cacheBytes bounds the answers that are kept, over all sessions.
	cacheBytes = 32 << 20
	// cacheShare is the largest part of it that one answer may take.
	cacheShare = 8
	// cacheOverhead is about what an entry takes beside its body.
	cacheOverhead = 512
	epochs        = 256
)

// readCache keeps the encoded answers of reads from the mirror, which cost more
// to encode than to send. It is filled when something is read, emptied of what
// changes, and stands in front of the operations: what it does not have goes
// on to them.
type readCache struct {
	service *groups.Service
	limit   int
	seed    maphash.Seed
	// flux has, for each session, what is going on about it; sessions share.
	flux [epochs]flux

	mu       sync.RWMutex
	sessions map[string]map[cacheKey]*cachedAnswer
	bytes    int
}

// cacheKey is what an answer depends on beyond the changes of the groups.
type cacheKey struct {
	url   string
	pulse groups.Pulse
}

type cachedAnswer struct {
	group string // JID; empty for lists
	etag  string
	kind  string // content type
	body  []byte
	used  atomic.Bool // since the last eviction
}

func newReadCache(service *groups.Service, limit int) *readCache {
	c := &readCache{service: service, limit: limit, seed: maphash.MakeSeed(), sessions: map[string]map[cacheKey]*cachedAnswer{}}
	service.Watch(groups.Watcher{Changing: c.hold, Changed: c.drop})
	return c
}

// flux is the state of change.
type flux struct {
	// changes counts them, so that an answer that was computed before one is not
	// kept after it.
	changes atomic.Uint64
	// going counts those that may or may not be visible at this moment. Until
	// they are over nothing is answered from the cache: somebody who has seen the
	// new state must not be shown the old one.
	going atomic.Int64
}

// mount puts the cache in front of the path, in huma's notation.
func (rc *readCache) mount(router fiber.Router, path string) {
	fiberPath := strings.NewReplacer("{", ":", "}", "").Replace(prefix + path)
	router.Add(fiber.MethodGet, fiberPath, rc.serve)
}

// serve answers from the cache, or lets the operation answer and keeps that.
func (rc *readCache) serve(c *fiber.Ctx) error {
	session := c.Params("session_id")
	pulse, err := rc.service.Pulse(c.UserContext(), session)
	if err != nil {
		return err
	}
	key := cacheKey{url: c.OriginalURL(), pulse: pulse}
	refresh := c.Query("refresh") != ""
	if !refresh {
		if found := rc.get(session, key); found != nil {
			c.Set(fiber.HeaderContentType, found.kind)
			return rc.send(c, found)
		}
	}
	before := rc.of(session).changes.Load()
	if err = c.Next(); err != nil || c.Response().StatusCode() != fiber.StatusOK {
		return err
	}
	made := newCachedAnswer(c)
	if !refresh && made != nil {
		rc.put(session, key, made, before)
	}
	return rc.send(c, made)
}

func newCachedAnswer(c *fiber.Ctx) *cachedAnswer {
	a := &cachedAnswer{kind: string(c.Response().Header.ContentType()), body: append([]byte(nil), c.Response().Body()...)}
	if text := c.Params("group_jid"); text != "" {
		if jid, err := address.Group("group_jid", text); err == nil {
			a.group = jid.String()
		}
	}
	sum := sha256.Sum256(a.body)
	a.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return a
}

// send answers, with 304 for those who have it already.
func (rc *readCache) send(c *fiber.Ctx, a *cachedAnswer) error {
	header := &c.Response().Header
	header.Set(fiber.HeaderETag, a.etag)
	// It may be kept, but has to be asked about each time.
	header.Set(fiber.HeaderCacheControl, "private, no-cache")
	if matches(c.Get(fiber.HeaderIfNoneMatch), a.etag) {
		c.Response().ResetBody()
		header.Del(fiber.HeaderContentType)
		c.Status(fiber.StatusNotModified)
		return nil
	}
	c.Response().SetBodyRaw(a.body)
	return nil
}

// matches reads If-None-Match, which compares weakly (RFC 9110, 13.1.2).
func matches(header, etag string) bool {
	if header == "" {
		return false
	}
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}

func (rc *readCache) of(session string) *flux {
	return &rc.flux[maphash.String(rc.seed, session)%epochs]
}

func (rc *readCache) get(session string, key cacheKey) *cachedAnswer {
	if rc.of(session).going.Load() > 0 {
		return nil
	}
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	found := rc.sessions[session][key]
	if found != nil {
		found.used.Store(true)
	}
	return found
}

// put keeps an answer, unless something of the session has changed since it
// was begun.
func (rc *readCache) put(session string, key cacheKey, a *cachedAnswer, before uint64) {
	size := a.size(key)
	if size > rc.limit/cacheShare {
		return
	}
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if f := rc.of(session); f.changes.Load() != before || f.going.Load() > 0 {
		return
	}
	if rc.bytes+size > rc.limit {
		rc.evict(rc.limit * 3 / 4)
	}
	kept := rc.sessions[session]
	if kept == nil {
		kept = map[cacheKey]*cachedAnswer{}
		rc.sessions[session] = kept
	}
	if old := kept[key]; old != nil {
		rc.bytes -= old.size(key)
	}
	kept[key] = a
	rc.bytes += size
}

func (a *cachedAnswer) size(key cacheKey) int { return len(a.body) + len(key.url) + cacheOverhead }

// evict makes room: first of what was not read since the last time, then of
// anything.
func (rc *readCache) evict(target int) {
	for _, sparing := range []bool{true, false} {
		for session, kept := range rc.sessions {
			for key, a := range kept {
				if rc.bytes <= target {
					return
				}
				if sparing && a.used.Swap(false) {
					continue
				}
				rc.bytes -= a.size(key)
				delete(kept, key)
			}
			if len(kept) == 0 {
				delete(rc.sessions, session)
			}
		}
	}
}

// hold keeps the session's answers back while it changes.
func (rc *readCache) hold(session, _ string) { rc.of(session).going.Add(1) }

// drop ends a change, and forgets the answers that a change concerns: those about the group and
// all lists of the session, or, without a group, everything of the session.
func (rc *readCache) drop(session, group string) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	f := rc.of(session)
	f.changes.Add(1)
	defer f.going.Add(-1)
	kept := rc.sessions[session]
	for key, a := range kept {
		if group == "" || a.group == "" || a.group == group {
			rc.bytes -= a.size(key)
			delete(kept, key)
		}
	}
	if len(kept) == 0 {
		delete(rc.sessions, session)
	}
}
