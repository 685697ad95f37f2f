package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// blobDir keeps the content of media, one file each, named by its hash. What is
// there is never written again, so that a save costs only what is new.
type blobDir struct {
	path string

	mu   sync.Mutex
	have map[string]bool // by hash
}

// openBlobs looks into the directory, which need not exist.
func openBlobs(path string) (*blobDir, error) {
	d := &blobDir{path: path, have: map[string]bool{}}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("saved media: %w", err)
	}
	for _, entry := range entries {
		if raw, err := hex.DecodeString(entry.Name()); err == nil && len(raw) == sha256.Size {
			d.have[entry.Name()] = true
		}
	}
	return d, nil
}

// read returns every content by its hash. One that is not what its name says,
// as a crash may leave it, is removed.
func (d *blobDir) read() (map[string][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	contents := make(map[string][]byte, len(d.have))
	for hash := range d.have {
		content, err := os.ReadFile(filepath.Join(d.path, hash))
		if err != nil {
			return nil, fmt.Errorf("saved media: %w", err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != hash {
			if err := os.Remove(filepath.Join(d.path, hash)); err != nil {
				return nil, fmt.Errorf("saved media: %w", err)
			}
			delete(d.have, hash)
			continue
		}
		contents[hash] = content
	}
	return contents, nil
}

// add writes what is not there yet.
func (d *blobDir) add(contents map[string][]byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for hash, content := range contents {
		if d.have[hash] {
			continue
		}
		if err := os.MkdirAll(d.path, 0o700); err != nil {
			return fmt.Errorf("save media: %w", err)
		}
		if err := writeFile(filepath.Join(d.path, hash), content, true); err != nil {
			return fmt.Errorf("save media: %w", err)
		}
		d.have[hash] = true
	}
	return nil
}

// prune removes what is not among contents.
func (d *blobDir) prune(contents map[string][]byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for hash := range d.have {
		if _, needed := contents[hash]; needed {
			continue
		}
		if err := os.Remove(filepath.Join(d.path, hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop saved media: %w", err)
		}
		delete(d.have, hash)
	}
	return nil
}
