package service

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// worldKeptBy is a world whose snapshots go to a function.
func worldKeptBy(t *testing.T, persist func(Snapshot) error) *World {
	t.Helper()
	identity, err := testIdentity()
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(Options{Identity: identity, Seed: 1, Now: func() time.Time { return testNow }, Log: zerolog.Nop(), Persist: persist})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// A full save may take as long as it likes: nobody waits for the disk, and a
// change made meanwhile is written in its own snapshot, with a later number.
func TestTheWorldGoesOnWhileItIsSaved(t *testing.T) {
	writing, release := make(chan Snapshot), make(chan struct{})
	var commits []Snapshot
	w := worldKeptBy(t, func(s Snapshot) error {
		if !s.Full {
			commits = append(commits, s)
			return nil
		}
		writing <- s
		<-release
		return nil
	})
	if _, err := w.media.Put("image", []byte("a picture")); err != nil {
		t.Fatal(err)
	}
	saved := make(chan error, 1)
	go func() { saved <- w.Save() }()
	full := <-writing
	if _, err := w.AddPhone(PhoneOptions{Number: "4915100000001"}); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := <-saved; err != nil {
		t.Fatal(err)
	}
	if len(commits) != 1 || commits[0].Sequence <= full.Sequence {
		t.Fatalf("the snapshots are %+v after %d", commits, full.Sequence)
	}
	if len(full.Blobs) != 1 || commits[0].Blobs != nil {
		t.Errorf("full with %d blobs, the other with %d", len(full.Blobs), len(commits[0].Blobs))
	}
}

// What makes a state large is not in its JSON: media not at all, keys as text.
func TestStateIsCompact(t *testing.T) {
	b := newBench(t)
	alice := b.phone(PhoneOptions{Number: "4915100000001"})
	before, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.media.Put("video", make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	d := b.companion(alice)
	d.Keys.OneTime = make([]PreKey, 800)
	for i := range d.Keys.OneTime {
		d.Keys.OneTime[i] = PreKey{ID: uint32(i + 1), Key: [32]byte(bytes.Repeat([]byte{0xff}, 32))}
	}
	after, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if grown := len(after.State) - len(before.State); grown > 800*80 {
		t.Errorf("800 keys and 8 MB of media take %d bytes", grown)
	}
	if !json.Valid(after.State) {
		t.Error("the state is no JSON")
	}

	other := newBench(t)
	if err := other.Restore(after); err != nil {
		t.Fatal(err)
	}
	got := other.byNumber["4915100000001"].Devices[d.ID]
	if got.Keys.Registration != d.Keys.Registration || got.Keys.Identity != d.Keys.Identity ||
		got.Keys.SignedKey != d.Keys.SignedKey || got.Keys.SignedSig != d.Keys.SignedSig ||
		len(got.Keys.OneTime) != 800 || got.Keys.OneTime[799] != d.Keys.OneTime[799] {
		t.Errorf("restored keys %+v", got.Keys.Registration)
	}
	if other.media.Size() != 8<<20 {
		t.Errorf("restored %d bytes of media", other.media.Size())
	}
	if other.nextID <= b.nextID || other.id() == b.id() {
		t.Error("ids would be given out again")
	}
}

func TestRestoreRefusesDamagedKeys(t *testing.T) {
	b := newBench(t)
	b.companion(b.phone(PhoneOptions{Number: "4915100000001"}))
	good, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"noise":"`, `"signed_sig":"`, `"signed_key":"`} {
		bad := Snapshot{State: bytes.Replace(good.State, []byte(field), []byte(field+"AAAA"), 1)}
		if newBench(t).Restore(bad) == nil {
			t.Errorf("restored with a wrong %s", field)
		}
	}
}

// A world with a seed gives out the same ids in each first run, and others in
// the run after it.
func TestEachRunHasItsOwnRandomness(t *testing.T) {
	first, second, third := newBench(t), newBench(t), newBench(t)
	empty, err := second.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	one := first.token(16)
	same(t, "the token of a first run", second.token(16), one)
	if err := second.Restore(empty); err != nil {
		t.Fatal(err)
	}
	if err := third.Restore(empty); err != nil {
		t.Fatal(err)
	}
	two := second.token(16)
	if two == one {
		t.Error("the second run repeats the first")
	}
	same(t, "the token of a second run", third.token(16), two)
}
