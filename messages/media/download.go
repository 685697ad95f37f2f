package media

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"go.mau.fi/whatsmeow"

	"muster/internal/fault"
)

// Download keeps a file that arrives by writing into a whatsmeow.File, which
// whatsmeow's DownloadToFile does: it neither believes the size that the sender
// claims nor takes more than limit bytes. The error for that is too_large. The
// download is given the context's time; whatever it fails with comes back
// wrapped.
func (s *Store) Download(ctx context.Context, limit int64, download func(context.Context, whatsmeow.File) error) (Sum, int64, error) {
	draft, err := s.begin()
	if err != nil {
		return Sum{}, 0, err
	}
	defer draft.Discard()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	file := &bounded{draft.file, limit + encryptionExtra, func() { cancel(errTooMuch) }}
	if err = download(ctx, file); err != nil {
		if errors.Is(context.Cause(ctx), errTooMuch) {
			return Sum{}, 0, fault.New(fault.TooLarge, "the file is larger than %d bytes, which is the most", limit).Because(err)
		}
		return Sum{}, 0, fmt.Errorf("downloading a media file: %w", err)
	}
	if err = draft.hash(limit); err != nil {
		return Sum{}, 0, err
	}
	return draft.Sum, draft.Size, draft.Keep()
}

// encryptionExtra is what encryption adds: a block of padding at most, and the
// ten bytes of the MAC.
const encryptionExtra = 16 + 10

// errTooMuch ends a download.
var errTooMuch = errors.New("the file is larger than allowed")

// bounded is a file that does not grow beyond a size. It is a type of its own
// so that whatsmeow, which allots an *os.File the length that the server
// claims, does not do so. Going over ends the download, which would be tried
// again otherwise.
type bounded struct {
	*os.File
	limit int64
	over  func()
}

func (b *bounded) Write(data []byte) (int, error) {
	at, err := b.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if at+int64(len(data)) > b.limit {
		b.over()
		return 0, errTooMuch
	}
	return b.File.Write(data)
}

// WriteAt is how the file is decrypted in place.
func (b *bounded) WriteAt(data []byte, at int64) (int, error) {
	if at+int64(len(data)) > b.limit {
		b.over()
		return 0, errTooMuch
	}
	return b.File.WriteAt(data, at)
}

// ReadFrom hides the file's own, which would not come past Write.
func (b *bounded) ReadFrom(from io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{b}, from)
}

// hash reads the finished draft.
func (d *Draft) hash(limit int64) error {
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading a media file: %w", err)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, d.file)
	switch {
	case err != nil:
		return fmt.Errorf("reading a media file: %w", err)
	case size > limit:
		return fault.New(fault.TooLarge, "the file has %d bytes; %d is the most", size, limit)
	}
	d.Sum, d.Size = Sum(hash.Sum(nil)), size
	return nil
}
