package media

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"muster/internal/fault"
)

// StoreOptions configure a Store.
type StoreOptions struct {
	Dir string // made with mode 0700
	// MaxBytes is how much all files together may have; 0 for no limit. Beyond
	// it, the oldest are removed; a quarter beyond it, nothing is taken.
	MaxBytes  int64
	Retention time.Duration // how long a file is kept after it was last stored; 0 for ever
	Now       func() time.Time
	Log       zerolog.Logger
}

// Store keeps files under the hash of their content, each once: a file's path
// is made of its hash and of nothing that anybody chose. It is safe for
// concurrent use; one process may use a directory.
type Store struct {
	options StoreOptions
	root    *os.Root      // the directory: nothing outside is ever opened
	full    chan struct{} // asks Run to sweep at once

	mu     sync.Mutex
	owners []Owner
	kept   map[Sum]entry
	bytes  int64 // of all kept
	drafts int   // names the next draft
}

// entry is a kept file.
type entry struct {
	size   int64
	stored time.Time // last
}

// Names in the store's directory: kept files are two levels deep, so that no
// directory becomes too long; drafts lie apart until they are kept.
const (
	draftDir = "draft"
	fileMode = 0o600
	dirMode  = 0o700
)

// OpenStore makes the directory, removes what an earlier run left unfinished,
// and counts what is there. Close ends its use.
func OpenStore(options StoreOptions) (*Store, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if err := os.MkdirAll(options.Dir, dirMode); err != nil {
		return nil, fmt.Errorf("making the media directory: %w", err)
	}
	root, err := os.OpenRoot(options.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the media directory: %w", err)
	}
	s := &Store{options: options, root: root, full: make(chan struct{}, 1), kept: map[Sum]entry{}}
	if err = errors.Join(root.RemoveAll(draftDir), root.Mkdir(draftDir, dirMode), s.count()); err != nil {
		_ = root.Close() // the error above says more
		return nil, fmt.Errorf("reading the media directory: %w", err)
	}
	return s, nil
}

// Close closes the directory. Open files can be read on.
func (s *Store) Close() error { return s.root.Close() }

// count reads the directory. What is not one of our files is left alone.
func (s *Store) count() error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, found fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		sum, err := ParseSum(found.Name())
		if err != nil || name != slashed(sum) || !found.Type().IsRegular() {
			return nil //nolint:nilerr // not a file of ours
		}
		info, err := found.Info()
		if err != nil {
			return err
		}
		s.kept[sum] = entry{size: info.Size(), stored: info.ModTime()}
		s.bytes += info.Size()
		return nil
	})
}

func slashed(sum Sum) string {
	digits := sum.String()
	return digits[:2] + "/" + digits
}

func place(sum Sum) string { return filepath.FromSlash(slashed(sum)) }

// Draft reads a file into the directory without keeping it yet. More than
// limit bytes are refused as too_large, and an empty file as invalid, naming
// the field. The caller ends it with Keep or Discard.
func (s *Store) Draft(ctx context.Context, field string, from io.Reader, limit int64) (*Draft, error) {
	draft, err := s.begin()
	if err != nil {
		return nil, err
	}
	if err = draft.fill(ctx, field, from, limit); err != nil {
		draft.Discard()
		return nil, err
	}
	return draft, nil
}

// begin makes an empty draft.
func (s *Store) begin() (*Draft, error) {
	s.mu.Lock()
	s.drafts++
	name := filepath.Join(draftDir, fmt.Sprint(s.drafts))
	s.mu.Unlock()
	file, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, fmt.Errorf("making a media file: %w", err)
	}
	return &Draft{store: s, file: file, name: name}, nil
}

// Draft is a file that is not kept yet. It is for one goroutine.
type Draft struct {
	Sum  Sum
	Size int64

	store *Store
	file  *os.File // nil once it is kept or discarded
	name  string
}

func (d *Draft) fill(ctx context.Context, field string, from io.Reader, limit int64) error {
	hash := sha256.New()
	// One byte more than the limit tells a file that is too large from one that just fits.
	size, err := io.Copy(io.MultiWriter(d.file, hash), io.LimitReader(&readerUntil{ctx, from}, limit+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading a media file: %w", err)
	case size > limit:
		return tooLarge(field, limit)
	case size == 0:
		return fault.Field(field, "is empty")
	}
	d.Sum, d.Size = Sum(hash.Sum(nil)), size
	return nil
}

// readerUntil is a reader that ends with a context.
type readerUntil struct {
	ctx  context.Context //nolint:containedctx // lives for one io.Copy
	from io.Reader
}

func (r *readerUntil) Read(into []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(into)
}

func tooLarge(field string, limit int64) error {
	failure := fault.New(fault.TooLarge, "the file is larger than %d bytes, which is the most", limit)
	failure.Field = field
	return failure
}

// ReadAt reads the draft, from any place.
func (d *Draft) ReadAt(into []byte, at int64) (int, error) {
	if d.file == nil {
		return 0, fs.ErrClosed
	}
	return d.file.ReadAt(into, at)
}

// reopen opens the draft once more, for reading only.
func (d *Draft) reopen() (*os.File, error) { return d.store.root.Open(d.name) }

// Keep moves the file into the store, atomically: after a crash it is there in
// whole or not at all. It counts as stored now even when the store had it
// already. A store that is full gives the fault unavailable.
func (d *Draft) Keep() error {
	if d.file == nil {
		return fs.ErrClosed
	}
	defer d.Discard() // closes the file; there is nothing to remove after a rename
	if err := d.file.Sync(); err != nil {
		return fmt.Errorf("writing a media file: %w", err)
	}
	return d.store.take(d)
}

// take does the moving. The lock keeps the sweep from removing the older copy
// between the rename and the entry.
func (s *Store) take(d *Draft) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, now, grown := place(d.Sum), s.options.Now(), s.bytes+d.Size-s.kept[d.Sum].size
	if s.options.MaxBytes > 0 && grown > s.options.MaxBytes {
		select {
		case s.full <- struct{}{}:
		default: // it has been asked already
		}
		if grown > s.options.MaxBytes+s.options.MaxBytes/4 {
			return fault.New(fault.Unavailable, "the directory for media files is full")
		}
	}
	if err := s.root.Mkdir(filepath.Dir(name), dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a media directory: %w", err)
	}
	if err := s.root.Rename(d.name, name); err != nil {
		return fmt.Errorf("keeping a media file: %w", err)
	}
	if err := s.root.Chtimes(name, now, now); err != nil {
		return fmt.Errorf("dating a media file: %w", err)
	}
	s.bytes = grown
	s.kept[d.Sum] = entry{size: d.Size, stored: now}
	return s.sync(filepath.Dir(name))
}

// sync makes a rename survive a power cut.
func (s *Store) sync(dir string) error {
	opened, err := s.root.Open(dir)
	if err != nil {
		return fmt.Errorf("opening a media directory: %w", err)
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// Discard removes the draft; after Keep it does nothing.
func (d *Draft) Discard() {
	if d.file == nil {
		return
	}
	err := errors.Join(d.file.Close(), d.store.root.Remove(d.name))
	d.file = nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.store.options.Log.Warn().Err(err).Msg("a media draft could not be removed; the next start does it")
	}
}

// Put is Draft and Keep.
func (s *Store) Put(ctx context.Context, field string, from io.Reader, limit int64) (Sum, int64, error) {
	draft, err := s.Draft(ctx, field, from, limit)
	if err != nil {
		return Sum{}, 0, err
	}
	return draft.Sum, draft.Size, draft.Keep()
}

// Open opens a kept file for reading: fault not_found when it is not (or no
// longer) kept. A file that is removed meanwhile can be read to its end.
func (s *Store) Open(sum Sum) (*os.File, error) {
	file, err := s.root.Open(place(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "the file is not kept here, or no longer").Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening a media file: %w", err)
	}
	return file, nil
}

// Has tells whether a file is kept.
func (s *Store) Has(sum Sum) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.kept[sum]
	return found
}

// Touch makes a kept file count as stored now, for one that is used again; it
// tells whether the file is kept.
func (s *Store) Touch(sum Sum) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, found := s.kept[sum]
	if !found {
		return false, nil
	}
	now := s.options.Now()
	if err := s.root.Chtimes(place(sum), now, now); err != nil {
		return false, fmt.Errorf("dating a media file: %w", err)
	}
	known.stored = now
	s.kept[sum] = known
	return true, nil
}

// Remove removes a file; one that is not there is no error.
func (s *Store) Remove(sum Sum) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(sum)
}

// remove needs the lock.
func (s *Store) remove(sum Sum) error {
	if err := s.root.Remove(place(sum)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a media file: %w", err)
	}
	s.bytes -= s.kept[sum].size
	delete(s.kept, sum)
	return nil
}

// Usage is how many files are kept and their bytes.
func (s *Store) Usage() (files int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept), s.bytes
}
