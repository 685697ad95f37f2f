package messages_test

import (
	"bytes"
	"io"
	"testing"

	"muster/internal/fault"
	"muster/messages"
	"muster/messages/media"
	"muster/sandbox"
)

func TestFilesAreFetched(t *testing.T) {
	t.Parallel()
	everywhere(t, func(r *rig) {
		file := bytes.Repeat([]byte("a fish\n"), 10000)
		said := r.says(bob, me, sandbox.Content{Kind: "document", Media: &sandbox.Media{Data: file, FileName: "fish.txt"}})
		r.eventually("the file", func() bool { return r.message(said.ID).Media.State == messages.MediaStored })
		state := r.message(said.ID).Media
		sum, err := media.ParseSum(state.Hash)
		r.must(err)
		kept, err := r.files.Open(sum)
		r.must(err)
		have, err := io.ReadAll(kept)
		r.must(err)
		r.must(kept.Close())
		if !bytes.Equal(have, file) || state.Size != int64(len(file)) {
			r.t.Errorf("%d bytes are kept, want %d", len(have), len(file))
		}
		// The same file again is here already, whoever has sent it.
		again := r.says(cid, me, sandbox.Content{Kind: "document", Media: &sandbox.Media{Data: file, FileName: "same.txt"}})
		if again.Media == nil || again.Media.State != messages.MediaStored {
			r.t.Errorf("the second one is %+v", again.Media)
		}
		if swept, err := r.files.Sweep(r.t.Context()); err != nil || swept.Orphans != 0 {
			r.t.Errorf("%+v %v", swept, err)
		}
		r.must(r.files.Remove(sum))
		if state = r.message(said.ID).Media; state.State != messages.MediaExpired {
			r.t.Errorf("a file that is gone is %+v", state)
		}
		large := r.says(bob, me, sandbox.Content{Kind: "image", Media: &sandbox.Media{Data: make([]byte, 1<<20+1)}})
		if large.Media == nil || large.Media.State != messages.MediaSkipped || large.Media.ErrorCode != string(fault.TooLarge) {
			r.t.Errorf("a large file is %+v", large.Media)
		}
	})
}
