package media

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// snapshot is the store as JSON, without the contents of blobs.
type snapshot struct {
	Next     uint64               `json:"next"`
	Blobs    map[string]blobIndex `json:"blobs,omitempty"` // by id
	Order    []string             `json:"order,omitempty"`
	Pictures map[string]Picture   `json:"pictures,omitempty"`
	Auths    map[string]time.Time `json:"auths,omitempty"`
}

type blobIndex struct {
	Kind string `json:"kind"`
	Hash string `json:"hash"` // SHA-256 of the content, hexadecimal
}

// Snapshot describes what is stored as JSON, and returns the contents apart, by
// their SHA-256 in hexadecimal. They must not be changed. Failures are of the
// moment and are left out.
func (s *Store) Snapshot() (index []byte, contents map[string][]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := snapshot{Next: s.next, Blobs: map[string]blobIndex{}, Order: s.order, Pictures: s.pictures, Auths: s.auths}
	contents = make(map[string][]byte, len(s.blobs))
	for id, b := range s.blobs {
		hash := hex.EncodeToString(b.Hash[:])
		out.Blobs[id] = blobIndex{b.Kind, hash}
		contents[hash] = b.Content
	}
	if index, err = json.Marshal(out); err != nil {
		return nil, nil, fmt.Errorf("write media: %w", err)
	}
	return index, contents, nil
}

// Restore replaces everything by a snapshot. A blob whose content is not among
// contents is left out, with the picture it may belong to; lost counts those.
func (s *Store) Restore(index []byte, contents map[string][]byte) (lost int, err error) {
	var in snapshot
	if err := json.Unmarshal(index, &in); err != nil {
		return 0, fmt.Errorf("read media: %w", err)
	}
	blobs, size := map[string]*blob{}, 0
	for id, b := range in.Blobs {
		hash, err := hex.DecodeString(b.Hash)
		if err != nil || len(hash) != sha256.Size {
			return 0, fmt.Errorf("media blob %s has no proper hash", id)
		}
		content, there := contents[b.Hash]
		if !there {
			lost++
			continue
		}
		blobs[id] = &blob{Kind: b.Kind, Hash: [sha256.Size]byte(hash), Content: content}
		size += len(content)
	}
	for _, id := range in.Order {
		if _, known := in.Blobs[id]; !known {
			return 0, fmt.Errorf("media blob %s is listed and not there", id)
		}
	}
	s.Clear()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.size, s.blobs = in.Next, size, blobs
	s.order = slices.DeleteFunc(in.Order, func(id string) bool { return blobs[id] == nil })
	for owner, p := range in.Pictures {
		if s.holds(p.Path) && s.holds(p.Preview) {
			s.pictures[owner] = p
		}
	}
	for auth, until := range in.Auths {
		s.auths[auth] = until
	}
	return lost, nil
}

// holds tells whether there is a blob behind a direct path. The caller holds
// the lock.
func (s *Store) holds(directPath string) bool {
	_, id, ok := splitPath(directPath)
	return ok && s.blobs[id] != nil
}
