package sandbox

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/sandbox/service"
	"muster/sandbox/wire"
)

func testIdentity(t *testing.T) *wire.Identity {
	t.Helper()
	identity, err := wire.NewIdentity(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func opened(t *testing.T, path string) (*stateFile, *savedState) {
	t.Helper()
	f, saved, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.close() }) // some tests have closed it themselves
	return f, saved
}

func saves(t *testing.T, f *stateFile, identity *wire.Identity, sequence uint64, full bool, state string, blobs ...string) {
	t.Helper()
	snapshot := service.Snapshot{Sequence: sequence, State: []byte(state), Full: full}
	if full {
		snapshot.Blobs = map[string][]byte{}
		for _, content := range blobs {
			snapshot.Blobs[hashOf(content)] = []byte(content)
		}
	}
	if err := f.write(identity, snapshot); err != nil {
		t.Fatal(err)
	}
}

func hashOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func holds(t *testing.T, f *stateFile, want string) {
	t.Helper()
	saved, err := f.read()
	if err != nil {
		t.Fatal(err)
	}
	if string(saved.World) != want {
		t.Errorf("the file holds %s, want %s", saved.World, want)
	}
}

// A full save runs beside smaller ones; whichever is written last, the file
// keeps the latest state.
func TestAnOlderSnapshotReplacesNothing(t *testing.T) {
	t.Parallel()
	identity := testIdentity(t)
	f, _ := opened(t, filepath.Join(t.TempDir(), "s.json"))
	saves(t, f, identity, 1, true, `{"n":1}`, "a")
	saves(t, f, identity, 3, false, `{"n":3}`)
	saves(t, f, identity, 2, true, `{"n":2}`, "a", "b")
	holds(t, f, `{"n":3}`)
	saves(t, f, identity, 2, false, `{"n":2}`)
	holds(t, f, `{"n":3}`)
	saves(t, f, identity, 4, true, `{"n":4}`, "b")
	holds(t, f, `{"n":4}`)
	contents, err := f.blobs.read()
	if err != nil || len(contents) != 1 || string(contents[hashOf("b")]) != "b" {
		t.Errorf("the media are %q, %v", contents, err)
	}
}

func TestMediaAreWrittenOnce(t *testing.T) {
	t.Parallel()
	identity, path := testIdentity(t), filepath.Join(t.TempDir(), "s.json")
	f, _ := opened(t, path)
	saves(t, f, identity, 1, true, `{}`, "content")
	file := filepath.Join(path+".media", hashOf("content"))
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	saves(t, f, identity, 2, true, `{}`, "content", "more")
	after, err := os.Stat(file)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
		t.Errorf("the content was written again: %v", err)
	}
	if raw, err := os.ReadFile(path); err != nil || bytes.Contains(raw, []byte("content")) {
		t.Errorf("the file is %s, %v", raw, err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	// A crash of the machine may leave half of a file.
	if err := os.WriteFile(file, []byte("cont"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, _ = opened(t, path)
	contents, err := f.blobs.read()
	if err != nil || len(contents) != 1 || string(contents[hashOf("more")]) != "more" {
		t.Errorf("the media are %q, %v", contents, err)
	}
	saves(t, f, identity, 1, true, `{}`, "content")
	if contents, err = f.blobs.read(); err != nil || string(contents[hashOf("content")]) != "content" {
		t.Errorf("the media are %q, %v", contents, err)
	}
}

func TestOneSandboxPerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.json")
	f, _ := opened(t, path)
	if _, _, err := openState(path); err == nil || !strings.Contains(err.Error(), "another sandbox is using it") {
		t.Errorf("a second one: %v", err)
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path)
}

// What a killed process was writing does not pile up.
func TestUnfinishedFilesGo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.json")
	f, _ := opened(t, path)
	for _, full := range []bool{true, false} {
		if err := f.writeTemp([]byte("half"), full); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	f, saved := opened(t, path)
	if saved != nil {
		t.Errorf("read %+v", saved)
	}
	for _, full := range []bool{true, false} {
		if _, err := os.Stat(f.temp(full)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", f.temp(full), err)
		}
	}
}
