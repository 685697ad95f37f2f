package media_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

func box(name string, bodies ...[]byte) []byte {
	var body []byte
	for _, b := range bodies {
		body = append(body, b...)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(8+len(body))), append([]byte(name), body...)...)
}

// numbers are 32-bit numbers in a row.
func numbers(list ...uint32) []byte {
	var out []byte
	for _, n := range list {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return out
}

type movieOptions struct {
	brand         string
	video, sound  bool
	seconds       uint32
	width, height uint32
	lying         bool
	dataFirst     bool
}

func header(scale, duration uint32) []byte {
	return box("mvhd", append(numbers(0, 0, 0, scale, duration), make([]byte, 80)...))
}

func trackHeader(width, height uint32, lying bool) []byte {
	matrix := numbers(1<<16, 0, 0, 0, 1<<16, 0, 0, 0, 1<<30)
	if lying {
		matrix = numbers(0, 1<<16, 0, math.MaxUint32-1<<16+1, 0, 0, 0, 0, 1<<30)
	}
	return box("tkhd", make([]byte, 40), matrix, numbers(width<<16, height<<16))
}

func handler(kind string) []byte {
	return box("mdia", box("mdhd", make([]byte, 24)), box("hdlr", numbers(0, 0), []byte(kind), make([]byte, 13)))
}

// movieFile is an MP4 file's boxes around nothing.
func movieFile(o movieOptions) []byte {
	parts := [][]byte{header(1000, o.seconds*1000)}
	if o.video {
		parts = append(parts, box("trak", trackHeader(o.width, o.height, o.lying), handler("vide")))
	}
	if o.sound {
		parts = append(parts, box("trak", trackHeader(0, 0, false), handler("soun")))
	}
	head, moov, data := box("ftyp", []byte(o.brand), numbers(0), []byte(o.brand)), box("moov", parts...), box("mdat", make([]byte, 100))
	if o.dataFirst {
		return append(append(head, data...), moov...)
	}
	return append(append(head, moov...), data...)
}

func TestVideos(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, test := range map[string]struct {
		movie         movieOptions
		mimetype      string
		width, height int
	}{
		"MP4":              {movieOptions{brand: "isom"}, "video/mp4", 640, 480},
		"described behind": {movieOptions{brand: "mp42", dataFirst: true, sound: true}, "video/mp4", 640, 480},
		"held upright":     {movieOptions{brand: "isom", lying: true}, "video/mp4", 480, 640},
		"3GP":              {movieOptions{brand: "3gp5"}, "video/3gpp", 640, 480},
	} {
		test.movie.video, test.movie.seconds, test.movie.width, test.movie.height = true, 12, 640, 480
		got, err := r.take(t, content.KindVideo, movieFile(test.movie))
		if err != nil || got.Mimetype != test.mimetype || got.Seconds != 12 || got.Width != test.width || got.Height != test.height || got.Thumbnail != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// A description of 64 bits, and a box that goes on to the end.
	long := append(numbers(1<<24, 0, 0, 0, 0, 1000, 0, 7000), make([]byte, 80)...)
	data := append(box("ftyp", []byte("isom\x00\x00\x00\x00isom")), box("moov", box("mvhd", long), box("trak", trackHeader(10, 20, false), handler("vide")))...)
	data = append(append(data, numbers(1)...), append([]byte("free"), numbers(0, 16)...)...)
	data = append(append(data, numbers(0)...), "mdatxxxx"...)
	if got, err := r.take(t, content.KindVideo, data); err != nil || got.Seconds != 7 || got.Height != 20 {
		t.Errorf("64 bits: %+v, %v", got, err)
	}
}

func TestHostileVideos(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	start := func() []byte { return box("ftyp", []byte("isom\x00\x00\x00\x00isom")) }
	with := func(parts ...[]byte) []byte {
		data := start()
		for _, part := range parts {
			data = append(data, part...)
		}
		return data
	}
	picture := box("trak", trackHeader(640, 480, false), handler("vide"))
	many := make([][]byte, 0, 40_000)
	for range cap(many) {
		many = append(many, box("free"))
	}
	tracks := [][]byte{header(1000, 1000)}
	for range 40 {
		tracks = append(tracks, picture)
	}
	for name, test := range map[string]struct {
		data  []byte
		code  fault.Code
		words string
	}{
		"a box of gigabytes":       {with(numbers(0x7fffffff), []byte("moov")), fault.Invalid, "damaged"},
		"a box of 2^63":            {with(numbers(1), []byte("moov"), numbers(0x80000000, 0)), fault.Invalid, "damaged"},
		"a box of 2^63-1":          {with(numbers(1), []byte("mdat"), numbers(0x7fffffff, 0xffffffff)), fault.Invalid, "damaged"},
		"a box smaller than it is": {with(numbers(7), []byte("moov")), fault.Invalid, "damaged"},
		"a long box of 15 bytes":   {with(numbers(1), []byte("moov"), numbers(0, 15)), fault.Invalid, "damaged"},
		"half a head":              {with([]byte{0, 0, 0}), fault.Invalid, "damaged"},
		"no description":           {with(box("mdat", make([]byte, 100))), fault.Invalid, "damaged"},
		"a box beyond its parent":  {with(box("moov", numbers(100), []byte("trak"))), fault.Invalid, "damaged"},
		"boxes without end":        {with(box("moov", many...)), fault.Invalid, "damaged"},
		"tracks without end":       {with(box("moov", tracks...)), fault.Invalid, "damaged"},
		"a second of no length":    {with(box("moov", header(0, 1000), picture)), fault.Invalid, "damaged"},
		"a century":                {with(box("moov", header(1, 3_000_000_000), picture)), fault.Invalid, "damaged"},
		"pictures of 60,000":       {with(box("moov", header(1000, 1000), box("trak", trackHeader(60_000, 60_000, false), handler("vide")))), fault.Invalid, "damaged"},
		"a header of nothing":      {with(box("moov", box("mvhd"))), fault.Invalid, "damaged"},
		"a track's head cut off":   {with(box("moov", header(1000, 1000), box("trak", box("tkhd", make([]byte, 50))))), fault.Invalid, "damaged"},
		"only sound":               {movieFile(movieOptions{brand: "isom", sound: true}), fault.UnsupportedMedia, "no pictures"},
		"a QuickTime film":         {movieFile(movieOptions{brand: "qt  ", video: true}), fault.UnsupportedMedia, "MP4 or 3GP"},
		"a Matroska film":          {[]byte("\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska"), fault.UnsupportedMedia, "MP4 or 3GP"},
		"a GIF":                    {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), fault.UnsupportedMedia, "image/gif"},
	} {
		_, err := r.take(t, content.KindVideo, test.data)
		r.refused(t, name, err, test.code, "video", test.words)
	}
}

// program writes a stand-in for ffmpeg: what it makes of a video is its own
// business, so the tests need only something that reads and writes.
func program(t *testing.T, script string) func(*media.StoreOptions, *media.Options) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(name, []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return func(_ *media.StoreOptions, o *media.Options) { o.FFmpeg = name }
}

// The thumbnail comes from ffmpeg. Whatever ffmpeg does, the video is taken.
func TestThumbnailsOfVideos(t *testing.T) {
	t.Parallel()
	picture := filepath.Join(t.TempDir(), "picture.jpg")
	if err := os.WriteFile(picture, asJPEG(t, 200, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		script string
		small  bool
	}{
		"a picture":             {"cat > /dev/null; cat " + picture, true},
		"without reading all":   {"cat " + picture, true},
		"in our surroundings":   {`[ -z "$HOME$MUSTER_ADMIN_TOKEN" ] && cat ` + picture, true},
		"an error":              {"echo no moov >&2; exit 1", false},
		"nothing":               {"exit 0", false},
		"no picture":            {"echo hello", false},
		"a picture without end": {"cat /dev/zero", false},
		"words without end":     {"cat /dev/zero >&2", false},
	} {
		r := start(t, program(t, "PATH=/usr/bin:/bin\n"+test.script))
		got, err := r.take(t, content.KindVideo, movieFile(movieOptions{brand: "isom", video: true, seconds: 1, width: 64, height: 48}))
		if err != nil || (got.Thumbnail != nil) != test.small {
			t.Errorf("%s: a thumbnail of %d bytes, %v", name, len(got.Thumbnail), err)
		}
	}
	r := start(t, func(_ *media.StoreOptions, o *media.Options) { o.FFmpeg = "no-such-program" })
	if got, err := r.take(t, content.KindVideo, movieFile(movieOptions{brand: "isom", video: true})); err != nil || got.Thumbnail != nil {
		t.Errorf("without ffmpeg: %v, %v", got.Thumbnail, err)
	}
}

// The real program makes a thumbnail of real videos, wherever in the file it is
// described what the film is.
func TestThumbnailsByFFmpeg(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("MUSTER_REQUIRE_ALL") == "1" {
			t.Fatal("MUSTER_REQUIRE_ALL is set and there is no ffmpeg")
		}
		t.Skip("there is no ffmpeg")
	}
	for name, where := range map[string][]string{"described first": {"-movflags", "+faststart"}, "described last": nil} {
		file := filepath.Join(t.TempDir(), "film.mp4")
		film := exec.Command(program, append(append([]string{"-hide_banner", "-loglevel", "error",
			"-f", "lavfi", "-i", "color=c=red:size=320x200:rate=5:duration=2", "-c:v", "mpeg4"}, where...), file)...)
		if said, err := film.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, func(_ *media.StoreOptions, o *media.Options) { o.FFmpeg = program })
		got, err := r.take(t, content.KindVideo, data)
		if err != nil || got.Width != 320 || got.Height != 200 || got.Seconds != 2 {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		small, err := jpeg.Decode(bytes.NewReader(got.Thumbnail))
		if err != nil {
			t.Errorf("%s: the thumbnail: %v", name, err)
			continue
		}
		if red, green, blue, _ := small.At(small.Bounds().Dx()/2, small.Bounds().Dy()/2).RGBA(); red < 0xc000 || green > 0x4000 || blue > 0x4000 {
			t.Errorf("%s: the thumbnail's colour is %x %x %x", name, red>>8, green>>8, blue>>8)
		}
	}
}

// Who gives up while ffmpeg runs does not wait for it.
func TestGivingUpOnAVideo(t *testing.T) {
	t.Parallel()
	started := filepath.Join(t.TempDir(), "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, program(t, "PATH=/usr/bin:/bin\necho > "+started+"\nexec sleep 1000"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(started) // blocks until it is written
		cancel()
	}()
	_, err := r.Take(ctx, media.Want{Kind: content.KindVideo, Field: "video"}, media.Source{Data: movieFile(movieOptions{brand: "isom", video: true})})
	if !errors.Is(err, context.Canceled) || len(r.onDisk(t)) > 0 {
		t.Errorf("%v, and %v stays", err, r.onDisk(t))
	}
}
