package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"muster/internal/fault"
	"muster/internal/picture"
	"muster/messages/content"
)

// sniffed is how much of a file's beginning tells what it is.
const sniffed = 3072

// Inspect finds out what a file is, refuses what Want does not allow, and
// describes it, hash included. Nothing is kept.
func (l *Library) Inspect(ctx context.Context, want Want, from io.Reader) (content.Media, error) {
	if err := want.check(); err != nil {
		return content.Media{}, err
	}
	draft, err := l.options.Store.Draft(ctx, want.Field, from, l.options.Limits.Of(want.Kind))
	if err != nil {
		return content.Media{}, err
	}
	defer draft.Discard()
	return l.inspect(ctx, want, draft)
}

func (l *Library) inspect(ctx context.Context, want Want, draft *Draft) (content.Media, error) {
	select {
	case l.looking <- struct{}{}:
		defer func() { <-l.looking }()
	case <-ctx.Done():
		return content.Media{}, ctx.Err()
	}
	head := make([]byte, min(sniffed, draft.Size))
	if _, err := io.ReadFull(io.NewSectionReader(draft, 0, draft.Size), head); err != nil {
		return content.Media{}, fmt.Errorf("reading a media file: %w", err)
	}
	media := content.Media{SHA256: draft.Sum[:], Size: draft.Size, PTT: want.PTT, Filename: want.Filename}
	found := mimetype.Detect(head)
	var err error
	switch want.Kind {
	case content.KindImage:
		err = look(want, found, draft, &media, lookAtImage)
	case content.KindSticker:
		err = look(want, found, draft, &media, lookAtSticker)
	case content.KindAudio:
		err = l.listen(ctx, want, found, draft, &media)
	case content.KindVideo:
		err = l.watch(ctx, want, found, draft, &media)
	default:
		media.Mimetype = documentType(want.Mimetype, found)
	}
	if err != nil {
		return content.Media{}, err
	}
	return media, nil
}

// look reads a whole file and has it looked at.
func look(want Want, found *mimetype.MIME, draft *Draft, media *content.Media,
	at func(Want, *mimetype.MIME, []byte, *content.Media) error,
) error {
	data := make([]byte, draft.Size)
	if _, err := draft.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading a media file: %w", err)
	}
	return at(want, found, data, media)
}

// checkMimetype refuses what cannot be a type, and one that says the file is
// not what the request wants. Within a family, the content decides.
func (w Want) checkMimetype() error {
	if w.Mimetype == "" {
		return nil
	}
	const field = "mimetype"
	plain, _, err := mime.ParseMediaType(w.Mimetype)
	if err != nil || !strings.Contains(plain, "/") || len(w.Mimetype) > 255 || strings.ContainsFunc(w.Mimetype, func(r rune) bool {
		return r < ' ' || r > '~'
	}) {
		return fault.Field(field, "must be a media type such as image/jpeg").Because(err)
	}
	family := map[content.Kind][]string{
		content.KindImage: {"image/"}, content.KindSticker: {"image/webp"},
		content.KindAudio: {"audio/", "application/ogg", "video/mp4"}, content.KindVideo: {"video/"},
	}[w.Kind]
	for _, prefix := range family {
		if strings.HasPrefix(plain, prefix) {
			return nil
		}
	}
	if family == nil || plain == "application/octet-stream" {
		return nil
	}
	return fault.Field(field, "is %q, which is not that of a file of the kind %s", plain, w.Kind)
}

// documentType is a document's type: what the sender says, else what it looks
// like.
func documentType(said string, found *mimetype.MIME) string {
	if said != "" {
		return said
	}
	plain, _, _ := strings.Cut(found.String(), ";")
	return plain
}

// extension is the usual ending of a type's files, or nothing.
func extension(of string) string {
	if known := mimetype.Lookup(of); known != nil {
		return known.Extension()
	}
	return ""
}

// wrongType refuses a file for what it is.
func wrongType(want Want, found *mimetype.MIME, needed string) error {
	plain, _, _ := strings.Cut(found.String(), ";")
	failure := fault.New(fault.UnsupportedMedia, "the file is %s; %s is needed", plain, needed)
	failure.Field = want.Field
	return failure
}

func damaged(want Want, kind string, err error) error {
	return fault.Field(want.Field, "is damaged: it begins like %s and cannot be read", kind).Because(err)
}

func lookAtImage(want Want, found *mimetype.MIME, data []byte, media *content.Media) error {
	if !found.Is("image/jpeg") && !found.Is("image/png") {
		return wrongType(want, found, "JPEG or PNG")
	}
	small, err := picture.Shrink(want.Field, data, int64(len(data)))
	if err != nil {
		return err
	}
	media.Mimetype, media.Width, media.Height, media.Thumbnail = small.Mimetype, small.Width, small.Height, small.JPEG
	return nil
}

// anyOf tells whether the file is of one of the types.
func anyOf(found *mimetype.MIME, types ...string) bool {
	for _, t := range types {
		if found.Is(t) {
			return true
		}
	}
	return false
}
