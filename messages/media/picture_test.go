package media_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"testing"

	"muster/internal/fault"
	"muster/messages/content"
)

func drawn(width, height int) *image.Gray {
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for i := range picture.Pix {
		picture.Pix[i] = byte(i)
	}
	return picture
}

func asPNG(t testing.TB, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, drawn(width, height)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asJPEG(t testing.TB, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, drawn(width, height), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// bombPNG is the head of a PNG that claims a size.
func bombPNG(width, height uint32) []byte {
	body := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), width), height)
	body = append(body, 8, 6, 0, 0, 0)
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)-4)), body...)
	return append([]byte("\x89PNG\r\n\x1a\n"), binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))...)
}

// bombJPEG is the head of a JPEG of the largest size there is.
func bombJPEG(t testing.TB) []byte {
	t.Helper()
	data := asJPEG(t, 8, 8)
	at := bytes.Index(data, []byte{0xff, 0xc0})
	copy(data[at+5:], []byte{0xff, 0xff, 0xff, 0xff})
	return data
}

func TestImages(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, data := range map[string][]byte{"image/png": asPNG(t, 400, 200), "image/jpeg": asJPEG(t, 400, 200)} {
		got, err := r.take(t, content.KindImage, data)
		if err != nil || got.Mimetype != name || got.Width != 400 || got.Height != 200 {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		small, err := jpeg.DecodeConfig(bytes.NewReader(got.Thumbnail))
		if err != nil || small.Width != 100 || small.Height != 50 || len(got.Thumbnail) > content.MaxThumbnail {
			t.Errorf("%s: the thumbnail is %+v, %v", name, small, err)
		}
	}
}

func TestHostilePictures(t *testing.T) {
	t.Parallel()
	var moving bytes.Buffer
	frames := &gif.GIF{Config: image.Config{Width: 65535, Height: 65535}}
	frames.Image = []*image.Paletted{image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Black, color.White})}
	frames.Delay = []int{0}
	if err := gif.EncodeAll(&moving, frames); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil)
	for name, test := range map[string]struct {
		data  []byte
		code  fault.Code
		words string
	}{
		"a PNG bomb":           {bombPNG(30_000, 30_000), fault.Invalid, "pixels"},
		"a PNG of 36 million":  {bombPNG(6000, 6000), fault.Invalid, "million pixels"},
		"a JPEG bomb":          {bombJPEG(t), fault.Invalid, "pixels"},
		"a GIF bomb":           {moving.Bytes(), fault.UnsupportedMedia, "image/gif"},
		"a WebP":               {solidWebP(8, 8), fault.UnsupportedMedia, "image/webp"},
		"an SVG":               {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), fault.UnsupportedMedia, "JPEG or PNG"},
		"a page":               {[]byte("<!doctype html><script>alert(1)</script>"), fault.UnsupportedMedia, "text/html"},
		"a program":            {[]byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00"), fault.UnsupportedMedia, "JPEG or PNG"},
		"a PNG cut off":        {asPNG(t, 300, 300)[:100], fault.Invalid, "damaged"},
		"a JPEG cut off":       {asJPEG(t, 300, 300)[:700], fault.Invalid, "damaged"},
		"a JPEG of many scans": {append(asJPEG(t, 8, 8), bytes.Repeat([]byte("\xff\xda\x00\x08"), 100)...), fault.Invalid, "scans"},
	} {
		_, err := r.take(t, content.KindImage, test.data)
		r.refused(t, name, err, test.code, "image", test.words)
	}
}
