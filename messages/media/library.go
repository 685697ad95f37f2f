// Package media takes files in and keeps them: it fetches them from where a
// request says, finds out what they are, and stores them under the hash of
// their content. All of it is made for files and servers that mean harm.
package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/rs/zerolog"

	"muster/internal/fault"
	"muster/messages/content"
)

// Limits bound the files that are accepted, in bytes.
type Limits struct {
	Image, Video, Audio, Document, Sticker int64
}

// Of is the limit of a kind; 0 for kinds without a file.
func (l Limits) Of(kind content.Kind) int64 {
	switch kind {
	case content.KindImage:
		return l.Image
	case content.KindVideo:
		return l.Video
	case content.KindAudio:
		return l.Audio
	case content.KindDocument:
		return l.Document
	case content.KindSticker:
		return l.Sticker
	}
	return 0
}

// Options configure a Library.
type Options struct {
	Store  *Store
	Fetch  FetchOptions
	Limits Limits
	// FFmpeg is the program that makes the thumbnails of videos: a name or a
	// path; empty for none. What is not installed is not used.
	FFmpeg string
	Log    zerolog.Logger
}

// Library is what the rest of the program uses: Take for a file to be sent. It
// is safe for concurrent use.
type Library struct {
	options Options
	fetcher *fetcher
	// looking bounds how many files are looked into at once: a picture takes up
	// to 256 MB while its thumbnail is made.
	looking chan struct{}
}

// parallel is how many files are looked into at once.
const parallel = 2

// NewLibrary makes a library.
func NewLibrary(options Options) *Library {
	return &Library{options: options, fetcher: newFetcher(options.Fetch), looking: make(chan struct{}, parallel)}
}

// Store is where the library keeps its files.
func (l *Library) Store() *Store { return l.options.Store }

// Limits are the library's limits.
func (l *Library) Limits() Limits { return l.options.Limits }

// Source says where a file comes from: exactly one of URL, Data and From.
type Source struct {
	URL  string
	Data []byte
	From io.Reader
}

// Want is what the file has to be.
type Want struct {
	Kind  content.Kind // one with media
	Field string       // that errors name, as the request calls the file: "image", "audio"
	PTT   bool         // a voice note: Ogg Opus
	// Mimetype is what the sender says it is: checked against the content, and
	// taken as it is for documents. Empty for what the content shows.
	Mimetype string
	Filename string // a document's; a path is refused
}

// Take reads a file from its source, refuses what it must not be, keeps it in
// the store, and returns its description, Key and DirectPath missing. Nothing
// stays behind after an error, which is a coded fault naming the field: invalid,
// too_large or unsupported_media. A name for a document that has none is made
// of the URL, or of its type.
func (l *Library) Take(ctx context.Context, want Want, from Source) (content.Media, error) {
	if err := want.check(); err != nil {
		return content.Media{}, err
	}
	draft, err := l.read(ctx, want, from)
	if err != nil {
		return content.Media{}, err
	}
	defer draft.Discard()
	media, err := l.inspect(ctx, want, draft)
	if err != nil {
		return content.Media{}, err
	}
	if want.Kind == content.KindDocument && media.Filename == "" {
		media.Filename = nameOf(from.URL, media.Mimetype)
	}
	if err = draft.Keep(); err != nil {
		return content.Media{}, err
	}
	return media, nil
}

// check looks at what the request says, before anything is fetched.
func (w Want) check() error {
	if !w.Kind.HasMedia() {
		return fmt.Errorf("a message of the kind %q has no file", w.Kind)
	}
	if err := w.checkMimetype(); err != nil {
		return err
	}
	if w.Filename != "" && w.Kind != content.KindDocument {
		return fault.Field("filename", "only a document has a name")
	}
	return content.CheckFilename("filename", w.Filename)
}

// read makes the draft.
func (l *Library) read(ctx context.Context, want Want, from Source) (*Draft, error) {
	limit := l.options.Limits.Of(want.Kind)
	given := 0
	for _, is := range []bool{from.URL != "", from.Data != nil, from.From != nil} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, fault.Field(want.Field, "must be given once: by its url, its data, or as an upload")
	case from.URL != "":
		body, err := l.fetcher.fetch(ctx, want.Field, from.URL, limit)
		if err != nil {
			return nil, err
		}
		draft, err := l.options.Store.Draft(ctx, want.Field, body, limit)
		if closeErr := body.Close(); err == nil && closeErr != nil && !errors.Is(closeErr, context.Canceled) {
			draft.Discard()
			return nil, fault.Field(want.Field, "could not be fetched from the URL").Because(closeErr)
		}
		return draft, err
	case from.Data != nil:
		return l.options.Store.Draft(ctx, want.Field, bytes.NewReader(from.Data), limit)
	}
	return l.options.Store.Draft(ctx, want.Field, from.From, limit)
}

// nameOf is a document's name where nobody gave one.
func nameOf(address, mimetype string) string {
	if u, err := url.Parse(strings.TrimSpace(address)); err == nil && u.Path != "" {
		if name := content.BareName(path.Base(u.Path)); name != "" {
			return name
		}
	}
	return "file" + extension(mimetype)
}
