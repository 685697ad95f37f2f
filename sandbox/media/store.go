// Package media is the sandbox's blob store: what clients upload and download
// over HTTP, and the profile and group pictures. Blobs are opaque here, as they
// are for the real service; clients encrypt what is private.
package media

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

const (
	// MaxBlob is the largest blob the store takes, in bytes.
	MaxBlob = 32 << 20
	// MaxTotal is how many bytes the store holds. When an upload needs room, the
	// oldest uploads go, as they do at the real service after some weeks.
	// Pictures stay until they are replaced or removed.
	MaxTotal = 96 << 20
)

// Errors of Put and SetPicture.
var (
	// ErrTooLarge means the blob is larger than MaxBlob.
	ErrTooLarge = errors.New("blob is too large")
	// ErrFull means the pictures alone leave no room for the blob.
	ErrFull = errors.New("media store is full")
	// ErrKind means the kind of media is not a plain word such as "image".
	ErrKind = errors.New("not a kind of media")
)

// kindPattern is what a kind of media looks like in a path: "image", "md-app-state".
var kindPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// pictureKind is the kind of profile and group pictures.
const pictureKind = "picture"

// Store holds blobs in memory. It is safe for concurrent use.
type Store struct {
	now     func() time.Time
	changed func()

	mu       sync.Mutex
	next     uint64
	size     int
	blobs    map[string]*blob // by id
	order    []string         // ids of uploads, oldest first
	pictures map[string]Picture
	auths    map[string]time.Time // what media_conn gave out, and until when it holds
	failures []Failure
}

// blob is one stored object. Its content is never changed, so it may be read
// outside the lock.
type blob struct {
	Kind    string
	Hash    [sha256.Size]byte // the uploader names it by its base64url
	Content []byte
}

// NewStore makes an empty store. now is the clock that auths expire by; changed,
// if not nil, is called after every upload and deletion over HTTP.
func NewStore(now func() time.Time, changed func()) *Store {
	if changed == nil {
		changed = func() {}
	}
	s := &Store{now: now, changed: changed}
	s.Clear()
	return s
}

// Clear drops every blob, picture, auth and failure.
func (s *Store) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.size = 0
	s.blobs = map[string]*blob{}
	s.order = nil
	s.pictures = map[string]Picture{}
	s.auths = map[string]time.Time{}
	s.failures = nil
}

// Size returns the bytes held.
func (s *Store) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Put stores an upload of a kind ("image", "md-app-state" and so on) and
// returns its direct path, which clients extend with "&…" and which therefore
// has a query already. The content must not be changed afterwards.
func (s *Store) Put(kind string, content []byte) (directPath string, err error) {
	if !kindPattern.MatchString(kind) || kind == pictureKind {
		return "", fmt.Errorf("%w: %q", ErrKind, kind)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := s.add(kind, content)
	if err != nil {
		return "", err
	}
	s.order = append(s.order, id)
	return directPathOf(kind, id), nil
}

// Get returns the blob behind a direct path, with or without its query. The
// content must not be changed.
func (s *Store) Get(directPath string) (content []byte, ok bool) {
	_, id, ok := splitPath(directPath)
	if !ok {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.blobs[id]
	if b == nil {
		return nil, false
	}
	return b.Content, true
}

// Delete drops the upload behind a direct path; it tells whether there was one.
func (s *Store) Delete(directPath string) bool {
	_, id, ok := splitPath(directPath)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.order, id)
	if at < 0 {
		return false
	}
	s.order = slices.Delete(s.order, at, at+1)
	s.drop(id)
	return true
}

// add stores content under a new id, making room first. The caller holds the lock.
func (s *Store) add(kind string, content []byte) (id string, err error) {
	if len(content) > MaxBlob {
		return "", fmt.Errorf("%w: %d bytes, %d allowed", ErrTooLarge, len(content), MaxBlob)
	}
	for s.size+len(content) > MaxTotal {
		if len(s.order) == 0 {
			return "", ErrFull
		}
		s.drop(s.order[0])
		s.order = s.order[1:]
	}
	sum := sha256.Sum256(content)
	s.next++
	// The number keeps two uploads of the same content apart: deleting one must
	// not take the other away.
	id = fmt.Sprintf("%s-%d", base64.RawURLEncoding.EncodeToString(sum[:15]), s.next)
	s.blobs[id] = &blob{Kind: kind, Hash: sum, Content: content}
	s.size += len(content)
	return id, nil
}

// drop forgets a blob. The caller holds the lock and cares for the order.
func (s *Store) drop(id string) {
	if b := s.blobs[id]; b != nil {
		s.size -= len(b.Content)
		delete(s.blobs, id)
	}
}
