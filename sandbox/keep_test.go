package sandbox_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"

	"muster/sandbox"
	"muster/sandbox/sandboxtest"
)

func TestSecondSandboxOnOneFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	first := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	addPhones(t, first)
	opts := sandbox.Options{Identity: sandboxtest.Identity(t), StateFile: file, Log: zerolog.Nop()}
	second, err := sandbox.Start(t.Context(), opts)
	if err == nil {
		t.Fatalf("a second sandbox has started: %v", second.Close())
	}
	if !strings.Contains(err.Error(), "another sandbox is using it") {
		t.Errorf("a second sandbox: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second = sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	if len(second.Phones()) != 2 {
		t.Errorf("the phones are %v", second.Phones())
	}
}

// A start that fails lets go of the file.
func TestFailedStartUnlocks(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(file, []byte(`{"identity":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := sandbox.Options{Identity: sandboxtest.Identity(t), StateFile: file, Log: zerolog.Nop()}
	for range 2 {
		srv, err := sandbox.Start(t.Context(), opts)
		if err == nil {
			t.Fatal(srv.Close())
		}
		if strings.Contains(err.Error(), "another sandbox") {
			t.Error(err)
		}
	}
}

// A disk that was away is tried again, without another change.
func TestFailedSaveIsRetried(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "state.json")
	srv := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	if err := os.Rename(dir, dir+" elsewhere"); err != nil {
		t.Fatal(err)
	}
	addPhones(t, srv)
	if err := srv.Save(); err == nil {
		t.Fatal("the save did not fail")
	}
	if err := os.Rename(dir+" elsewhere", dir); err != nil {
		t.Fatal(err)
	}
	patience, tick := time.NewTimer(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer patience.Stop()
	defer tick.Stop()
	for {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(raw, []byte(baker)) {
			return
		}
		select {
		case <-patience.C:
			t.Fatal("the phones were never saved")
		case <-tick.C:
		}
	}
}

// Media outlive a restart, beside the file and not in it.
func TestMediaOutliveARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.json")
	srv := sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile = file })
	addPhones(t, srv)
	client := sandboxtest.Link(t, srv, baker)
	content := bytes.Repeat([]byte("media"), 200000)
	up, err := client.Upload(t.Context(), content, whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	addr := srv.Addr()
	client.Disconnect()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Size() > int64(len(content)) {
		t.Errorf("the file is %+v, %v", info, err)
	}
	srv = sandboxtest.Start(t, func(o *sandbox.Options) { o.StateFile, o.Listen = file, addr })
	t.Cleanup(client.Disconnect) // before the sandbox, or it would try to come back
	client.Point(srv)
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	got, err := client.Download(t.Context(), &waE2E.DocumentMessage{
		URL: &up.URL, DirectPath: &up.DirectPath, MediaKey: up.MediaKey, FileLength: &up.FileLength,
		FileSHA256: up.FileSHA256, FileEncSHA256: up.FileEncSHA256,
	})
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("downloaded %d bytes, %v", len(got), err)
	}
	// whatsmeow keeps the auth of before for some minutes.
	if _, err := client.Upload(t.Context(), []byte("more"), whatsmeow.MediaDocument); err != nil {
		t.Errorf("upload after the restart: %v", err)
	}
}
