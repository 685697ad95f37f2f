// Package sandboxtest starts sandboxes for Go tests, and unmodified whatsmeow
// clients that talk to them.
package sandboxtest

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/libsignal/logger"
	"go.mau.fi/whatsmeow"

	"muster/sandbox"
	"muster/sandbox/wire"
)

// identity is one per process: the key that whatsmeow trusts is a package
// variable of whatsmeow's, without a lock, so it is set before any client
// exists and every sandbox of the process uses it.
//
//nolint:gochecknoglobals // the process-wide half of a process-wide variable
var identity = sync.OnceValues(func() (*wire.Identity, error) {
	Quiet()
	made, err := wire.NewIdentity(rand.Reader, time.Now())
	if err == nil {
		whatsmeow.WACertPubKey = made.RootPublic()
	}
	return made, err
})

// Quiet silences libsignal for the rest of the process, once. Starting a sandbox
// does it; tests that make keys without one call it in their TestMain, since
// libsignal reads its logger without a lock.
//
//nolint:gochecknoglobals // the logger is process-wide
var Quiet = sync.OnceFunc(func() {
	var quiet logger.Loggable = quietLogger{}
	logger.Setup(&quiet)
})

// quietLogger replaces libsignal's, which prints to standard output and is set
// up lazily, without a lock.
type quietLogger struct{}

func (quietLogger) Debug(string, string)   {}
func (quietLogger) Info(string, string)    {}
func (quietLogger) Warning(string, string) {}
func (quietLogger) Error(string, string)   {}
func (quietLogger) Configure(string)       {}

// Identity is the key material that every sandbox of this process shares.
func Identity(t testing.TB) *wire.Identity {
	t.Helper()
	shared, err := identity()
	if err != nil {
		t.Fatalf("make the sandbox's keys: %v", err)
	}
	return shared
}

// Start runs a sandbox until the test ends. The test fails when a client sent
// a stanza that the sandbox does not know, unless Expect allowed it.
func Start(t testing.TB, change ...func(*sandbox.Options)) *sandbox.Server {
	t.Helper()
	opts := sandbox.Options{Identity: Identity(t), Seed: 1, Log: zerolog.Nop()}
	for _, apply := range change {
		apply(&opts)
	}
	srv, err := sandbox.Start(context.Background(), opts)
	if err != nil {
		t.Fatalf("start sandbox: %v", err)
	}
	t.Cleanup(func() {
		unknown := srv.Unexpected()
		if err := srv.Close(); err != nil {
			t.Errorf("close sandbox: %v", err)
		}
		if len(unknown) > 0 {
			t.Errorf("clients sent stanzas that the sandbox does not know: %q", unknown)
		}
	})
	return srv
}

// Expect allows a test's clients to send these kinds of stanza, named as in
// Stats.Unknown, though the sandbox does not know them. The test fails when one
// of them was never sent.
func Expect(t testing.TB, srv *sandbox.Server, keys ...string) {
	t.Helper()
	t.Cleanup(func() { // before that of Start
		for _, key := range keys {
			if !srv.Forgive(key) {
				t.Errorf("no client sent a stanza %q that the sandbox does not know", key)
			}
		}
	})
}
