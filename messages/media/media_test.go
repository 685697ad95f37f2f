package media_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

// rig is a library with a store of its own.
type rig struct {
	*media.Library
	dir   string
	clock *clock
}

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

const limit = 1 << 20 // of every kind of file in these tests

func start(t testing.TB, change func(*media.StoreOptions, *media.Options)) *rig {
	t.Helper()
	r := &rig{dir: filepath.Join(t.TempDir(), "media"), clock: &clock{now: time.Unix(1_790_000_000, 0)}}
	files := media.StoreOptions{Dir: r.dir, Now: r.clock.Now, Log: zerolog.Nop()}
	options := media.Options{
		Fetch:  media.FetchOptions{Timeout: 20 * time.Second, MaxRedirects: 3, AllowPrivate: true},
		Limits: media.Limits{Image: limit, Video: limit, Audio: limit, Document: limit, Sticker: limit},
		Log:    zerolog.Nop(),
	}
	if change != nil {
		change(&files, &options)
	}
	var err error
	if options.Store, err = media.OpenStore(files); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = options.Store.Close() })
	r.Library = media.NewLibrary(options)
	return r
}

// onDisk are the files of the rig's directory, drafts among them.
func (r *rig) onDisk(t testing.TB) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(r.dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(name, r.dir+string(filepath.Separator)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// refused checks that nothing was taken, that the error says why and of what,
// and that nothing stayed behind.
func (r *rig) refused(t testing.TB, name string, err error, code fault.Code, field, words string) {
	t.Helper()
	failure := fault.From(err)
	if failure == nil || failure.Code != code || failure.Field != field || !strings.Contains(failure.Message, words) {
		t.Errorf("%s: %v; want %s for %s with %q", name, err, code, field, words)
	}
	if kept := r.onDisk(t); len(kept) > 0 {
		t.Errorf("%s: %v stayed behind", name, kept)
	}
}

// take takes bytes of a kind.
func (r *rig) take(t testing.TB, kind content.Kind, data []byte) (content.Media, error) {
	t.Helper()
	return r.Take(t.Context(), media.Want{Kind: kind, Field: string(kind)}, media.Source{Data: data})
}

func TestOneSourceAtATime(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	want := media.Want{Kind: content.KindDocument, Field: "document"}
	for _, from := range []media.Source{{}, {URL: "http://127.0.0.1/", Data: []byte("x")}, {Data: []byte("x"), From: strings.NewReader("x")}} {
		_, err := r.Take(t.Context(), want, from)
		r.refused(t, "source", err, fault.Invalid, "document", "once")
	}
}

func TestWhatARequestMayNotSayOfAFile(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, test := range map[string]struct {
		want         media.Want
		field, words string
	}{
		"a path":            {media.Want{Kind: content.KindDocument, Filename: "../../etc/passwd"}, "filename", "not a path"},
		"a backward path":   {media.Want{Kind: content.KindDocument, Filename: `..\x`}, "filename", "not a path"},
		"a turned name":     {media.Want{Kind: content.KindDocument, Filename: "exe.\u202egpj"}, "filename", "control"},
		"an image's name":   {media.Want{Kind: content.KindImage, Filename: "a.jpg"}, "filename", "only a document"},
		"no type":           {media.Want{Kind: content.KindImage, Mimetype: "picture"}, "mimetype", "media type"},
		"a header in it":    {media.Want{Kind: content.KindDocument, Mimetype: "text/plain\r\nX: y"}, "mimetype", "media type"},
		"an image of video": {media.Want{Kind: content.KindImage, Mimetype: "video/mp4"}, "mimetype", "image"},
		"a sticker of JPEG": {media.Want{Kind: content.KindSticker, Mimetype: "image/jpeg"}, "mimetype", "sticker"},
	} {
		_, err := r.Take(t.Context(), test.want, media.Source{Data: []byte("x")})
		r.refused(t, name, err, fault.Invalid, test.field, test.words)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, test := range map[string]struct {
		want               media.Want
		data               string
		mimetype, filename string
	}{
		"as said":    {media.Want{Mimetype: "application/x-own", Filename: "a.own"}, "x", "application/x-own", "a.own"},
		"as it is":   {media.Want{Filename: "laporan.pdf"}, "%PDF-1.7\n", "application/pdf", "laporan.pdf"},
		"a name":     {media.Want{}, "%PDF-1.7\n", "application/pdf", "file.pdf"},
		"of text":    {media.Want{}, "halo", "text/plain", "file.txt"},
		"of nothing": {media.Want{}, "\x00\x01\x02", "application/octet-stream", "file"},
	} {
		test.want.Kind, test.want.Field = content.KindDocument, "document"
		got, err := r.Take(t.Context(), test.want, media.Source{From: strings.NewReader(test.data)})
		if err != nil || got.Mimetype != test.mimetype || got.Filename != test.filename || got.Size != int64(len(test.data)) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		sum, ok := media.SumOf(got.SHA256)
		file, err := r.Store().Open(sum)
		if !ok || err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kept, err := os.ReadFile(file.Name())
		if closeErr := file.Close(); err != nil || closeErr != nil || string(kept) != test.data {
			t.Errorf("%s: kept is %q, %v", name, kept, err)
		}
	}
	empty, err := r.Take(t.Context(), media.Want{Kind: content.KindDocument, Field: "document"}, media.Source{Data: []byte{}})
	if fault.From(err) == nil || fault.From(err).Field != "document" {
		t.Errorf("an empty document is %+v, %v", empty, err)
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, kind := range []content.Kind{content.KindImage, content.KindVideo, content.KindAudio, content.KindDocument, content.KindSticker} {
		_, err := r.take(t, kind, make([]byte, limit+1))
		r.refused(t, string(kind), err, fault.TooLarge, string(kind), "larger")
	}
	if _, err := r.take(t, content.KindDocument, bytes.Repeat([]byte("x"), limit)); err != nil {
		t.Errorf("the limit itself: %v", err)
	}
}

// Someone who gives up leaves nothing behind.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Take(ctx, media.Want{Kind: content.KindDocument, Field: "document"}, media.Source{Data: []byte("x")})
	if err == nil || len(r.onDisk(t)) > 0 {
		t.Errorf("%v, and %v stays", err, r.onDisk(t))
	}
}

// Inspect keeps nothing.
func TestInspecting(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	got, err := r.Inspect(t.Context(), media.Want{Kind: content.KindImage, Field: "image"}, bytes.NewReader(asPNG(t, 30, 20)))
	if err != nil || got.Width != 30 || len(got.SHA256) != 32 || len(r.onDisk(t)) > 0 {
		t.Errorf("%+v, %v, %v", got, err, r.onDisk(t))
	}
}
