package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"muster/sandbox/service"
	"muster/sandbox/wire"
)

// stateFile is where a world is kept between runs: a file of JSON, beside it a
// directory with the content of media, and a file to lock.
type stateFile struct {
	path  string
	lock  *os.File
	blobs *blobDir

	// full is held for the whole of a full save, which may take a while; mu only
	// while the file is replaced, so that a small save waits for no disk.
	full   sync.Mutex
	whole  uint64 // the last full snapshot; under full
	mu     sync.Mutex
	newest uint64 // the snapshot that the file holds; under mu
}

// savedState is the file's content.
type savedState struct {
	Identity *wire.Identity  `json:"identity"`
	World    json.RawMessage `json:"world"`
}

// openState locks the file, which need not exist, and reads it; saved is nil
// when there is none. The lock is the kernel's, and gone when the process is.
func openState(path string) (f *stateFile, saved *savedState, err error) {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("state file: %w", err)
	}
	f = &stateFile{path: path, lock: lock}
	defer func() {
		if err != nil {
			f, err = nil, errors.Join(err, lock.Close())
		}
	}()
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil, fmt.Errorf("state file %s: another sandbox is using it", path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("state file %s: lock: %w", path, err)
	}
	// What a save was writing when the process died.
	for _, rest := range []string{f.temp(true), f.temp(false)} {
		if err := os.Remove(rest); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("state file: %w", err)
		}
	}
	if f.blobs, err = openBlobs(path + ".media"); err != nil {
		return nil, nil, err
	}
	saved, err = f.read()
	return f, saved, err
}

// close lets another sandbox use the file.
func (f *stateFile) close() error {
	if err := f.lock.Close(); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}

// read returns nil when there is no file yet.
func (f *stateFile) read() (*savedState, error) {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	var saved savedState
	if err := json.Unmarshal(raw, &saved); err != nil {
		return nil, fmt.Errorf("state file %s: %w", f.path, err)
	}
	if saved.Identity == nil || len(saved.World) == 0 {
		return nil, fmt.Errorf("state file %s: not the state of a sandbox", f.path)
	}
	return &saved, nil
}

// restore puts what was read into a world.
func (f *stateFile) restore(saved *savedState, world *service.World) error {
	contents, err := f.blobs.read()
	if err != nil {
		return err
	}
	if err := world.Restore(service.Snapshot{State: saved.World, Blobs: contents}); err != nil {
		return fmt.Errorf("state file %s: %w", f.path, err)
	}
	return nil
}

// write saves a snapshot, unless a later one was saved already. A full one
// brings its media along, and is on the disk when write returns.
func (f *stateFile) write(identity *wire.Identity, snapshot service.Snapshot) error {
	raw, err := encodeState(identity, snapshot.State)
	if err != nil {
		return err
	}
	if !snapshot.Full {
		f.mu.Lock()
		defer f.mu.Unlock()
		if snapshot.Sequence <= f.newest {
			return nil
		}
		return f.replace(raw, snapshot)
	}
	f.full.Lock()
	defer f.full.Unlock()
	if snapshot.Sequence <= f.whole {
		return nil
	}
	if err := f.blobs.add(snapshot.Blobs); err != nil {
		return err
	}
	if err := f.writeTemp(raw, true); err != nil {
		return err
	}
	if err := f.put(snapshot); err != nil {
		return err
	}
	f.whole = snapshot.Sequence
	return f.blobs.prune(snapshot.Blobs)
}

// replace writes the file anew and puts it into place. The caller holds mu.
func (f *stateFile) replace(raw []byte, snapshot service.Snapshot) error {
	if err := f.writeTemp(raw, false); err != nil {
		return err
	}
	return f.rename(snapshot)
}

// put brings the written file of a full snapshot into place, unless a smaller
// save has overtaken it.
func (f *stateFile) put(snapshot service.Snapshot) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if snapshot.Sequence <= f.newest {
		return nil
	}
	if err := f.rename(snapshot); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

// rename replaces the file in one step, so that a crash leaves the old or the
// new one. The caller holds mu.
func (f *stateFile) rename(snapshot service.Snapshot) error {
	if err := os.Rename(f.temp(snapshot.Full), f.path); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	f.newest = snapshot.Sequence
	return nil
}

// temp is where a save is written before it takes the file's place. The lock
// lets only one process write, and full and mu only one save of each kind, so
// that the names can be the same every time and nothing piles up.
func (f *stateFile) temp(full bool) string {
	if full {
		return f.path + ".full"
	}
	return f.path + ".new"
}

// writeTemp writes what is to become the file. It holds private keys of
// simulated phones, hence the mode.
func (f *stateFile) writeTemp(raw []byte, full bool) error {
	if err := writeFile(f.temp(full), raw, full); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}

// encodeState writes savedState without reading the world's JSON again, which
// may be large.
func encodeState(identity *wire.Identity, world []byte) ([]byte, error) {
	keys, err := json.Marshal(identity)
	if err != nil {
		return nil, fmt.Errorf("state file: write the service's keys: %w", err)
	}
	return bytes.Join([][]byte{[]byte(`{"identity":`), keys, []byte(`,"world":`), world, []byte("}\n")}, nil), nil
}

// writeFile writes a whole file that nobody else may read; flush waits until it
// is on the disk.
func writeFile(path string, content []byte, flush bool) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil && flush {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes the names in a directory survive a crash of the machine.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return nil
}
