package media_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"muster/internal/fault"
	"muster/messages/content"
	"muster/messages/media"
)

// FuzzTake feeds files of every kind: each is described within bounds, or
// refused with a coded error that blames the file and not the server.
func FuzzTake(f *testing.F) {
	kinds := []content.Kind{content.KindImage, content.KindVideo, content.KindAudio, content.KindDocument, content.KindSticker}
	f.Add(uint8(0), asPNG(f, 20, 10))
	f.Add(uint8(0), asJPEG(f, 20, 10))
	f.Add(uint8(0), bombPNG(30_000, 30_000))
	f.Add(uint8(1), movieFile(movieOptions{brand: "isom", video: true, sound: true, seconds: 3, width: 64, height: 48, lying: true}))
	f.Add(uint8(1), movieFile(movieOptions{brand: "3gp5", video: true, dataFirst: true}))
	f.Add(uint8(2), voice(9, append(silence(5), noise(5)...)...))
	f.Add(uint8(2), wav(0, 3))
	f.Add(uint8(2), mp3(2, 2))
	f.Add(uint8(2), movieFile(movieOptions{brand: "M4A ", sound: true, seconds: 3}))
	f.Add(uint8(3), []byte("%PDF-1.7"))
	f.Add(uint8(4), solidWebP(16, 16))
	f.Add(uint8(4), animation(2))
	r := start(f, nil)
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		kind := kinds[int(which)%len(kinds)]
		got, err := r.Inspect(t.Context(), media.Want{Kind: kind, Field: "file", PTT: which >= 128 && kind == content.KindAudio}, bytes.NewReader(data))
		if err != nil {
			switch failure := fault.From(err); {
			case failure.Field != "file":
				t.Fatalf("%s: %v", kind, err)
			case failure.Code != fault.Invalid && failure.Code != fault.TooLarge && failure.Code != fault.UnsupportedMedia:
				t.Fatalf("%s: %v", kind, err)
			}
			return
		}
		const day = 24 * 60 * 60
		if got.Size != int64(len(data)) || got.Seconds < 0 || got.Seconds > day || got.Width < 0 || got.Width > 1<<15 ||
			got.Height < 0 || got.Height > 1<<15 || len(got.Thumbnail) > content.MaxThumbnail || got.Mimetype == "" {
			t.Fatalf("%s: %+v", kind, got)
		}
		for _, bar := range got.Waveform {
			if bar > 100 || len(got.Waveform) != 64 {
				t.Fatalf("the waveform is %v", got.Waveform)
			}
		}
		if _, err = json.Marshal(got); err != nil {
			t.Fatal(err)
		}
	})
}
