package messages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"muster/internal/fault"
	"muster/messages/media"
)

// fetchPause is when to ask again for a file that is being fetched.
const fetchPause = 2 * time.Second

// File is a file of a message, open for reading. The caller closes it.
type File struct {
	*os.File
	Sum      media.Sum
	Size     int64
	Mimetype string // what its sender says it is
	Filename string // of a document, a bare name; may be empty
}

// OpenFile opens the file of a message: fault not_found when there is none or it
// is not kept, unavailable while it is being fetched.
func (s *Service) OpenFile(ctx context.Context, req MessageRequest) (File, error) {
	m, err := s.inbox.Message(ctx, req)
	if err != nil {
		return File{}, err
	}
	state := m.Media
	if state == nil || m.Content.Media == nil {
		return File{}, fault.New(fault.NotFound, "the message has no file that is kept")
	}
	switch state.State {
	case MediaStored:
	case MediaPending:
		return File{}, fault.New(fault.Unavailable, "the file is still being fetched").After(fetchPause)
	case MediaFailed:
		return File{}, fault.New(fault.NotFound, "the file could not be fetched: %s", state.Error)
	case MediaSkipped:
		return File{}, fault.New(fault.NotFound, "the file was not fetched: it is too large, or files are not kept")
	default:
		return File{}, fault.New(fault.NotFound, "the file is not kept any more")
	}
	sum, err := media.ParseSum(state.Hash)
	if err != nil {
		return File{}, err
	}
	opened, err := s.media.Store().Open(sum)
	if err != nil {
		return File{}, err
	}
	info, err := opened.Stat()
	if err != nil {
		return File{}, errors.Join(fmt.Errorf("look at the file of a message: %w", err), opened.Close())
	}
	return File{ // its size is not what the sender has said
		File: opened, Sum: sum, Size: info.Size(), Mimetype: m.Content.Media.Mimetype, Filename: m.Content.Media.Filename,
	}, nil
}
