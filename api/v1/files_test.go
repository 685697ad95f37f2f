package v1_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// Files as bots send them, made here: each is a whole file of its format.

// jpegFile is a picture of 40 by 30 pixels.
func jpegFile(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, shades(40, 30), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func pngFile(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, shades(40, 30)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func shades(width, height int) image.Image {
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for x := range width {
		for y := range height {
			picture.Set(x, y, color.RGBA{uint8(x * 6), uint8(y * 8), 90, 255})
		}
	}
	return picture
}

// stickerFile is a lossless WebP (RFC 9649) of one colour: every prefix code in
// it has one symbol, so that its 512 by 512 pixels take no bits at all.
func stickerFile() []byte {
	bits := bitWriter{out: []byte{0x2f}}
	bits.write(511, 14) // width - 1
	bits.write(511, 14) // height - 1
	bits.write(0, 1)    // no alpha
	bits.write(0, 3)    // version
	bits.write(0, 3)    // no transform, no colour cache, no entropy image
	for range 5 {
		bits.write(1, 4) // a simple code, of one symbol, of one bit: 0
	}
	data := bits.out
	if len(data)%2 == 1 {
		data = append(data, 0)
	}
	chunk := append([]byte("VP8L"), binary.LittleEndian.AppendUint32(nil, uint32(len(data)))...)
	body := append(append([]byte("WEBP"), chunk...), data...)
	return append(append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...), body...)
}

// bitWriter packs bits, the lowest first.
type bitWriter struct {
	out  []byte
	used int // bits of the last byte; 0 when it is full
}

func (w *bitWriter) write(value uint32, count int) {
	for i := range count {
		if w.used == 0 {
			w.out = append(w.out, 0)
		}
		w.out[len(w.out)-1] |= byte(value>>i&1) << w.used
		w.used = (w.used + 1) % 8
	}
}

// voiceFile is an Ogg Opus recording (RFC 7845) of so many seconds of silence.
func voiceFile(seconds int) []byte {
	head := append([]byte("OpusHead\x01\x01"), 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0) // mono, 48 kHz
	tags := append([]byte("OpusTags"), 0, 0, 0, 0, 0, 0, 0, 0)
	out := oggPage(2, 0, 0, head)
	out = append(out, oggPage(0, 0, 1, tags)...)
	silence := []byte{0xf8, 0xff, 0xfe} // a CELT frame of 20 ms
	for page := range seconds {
		packets := make([][]byte, 50)
		for i := range packets {
			packets[i] = silence
		}
		flags := byte(0)
		if page == seconds-1 {
			flags = 4
		}
		out = append(out, oggPage(flags, uint64(page+1)*48000, uint32(page+2), packets...)...)
	}
	return out
}

// oggPage is one page of an Ogg stream (RFC 3533).
func oggPage(flags byte, position uint64, number uint32, packets ...[]byte) []byte {
	page := append([]byte("OggS\x00"), flags)
	page = binary.LittleEndian.AppendUint64(page, position)
	page = binary.LittleEndian.AppendUint32(page, 7) // the stream's serial number
	page = binary.LittleEndian.AppendUint32(page, number)
	page = binary.LittleEndian.AppendUint32(page, 0) // its checksum, see below
	page = append(page, byte(len(packets)))
	for _, packet := range packets {
		page = append(page, byte(len(packet)))
	}
	for _, packet := range packets {
		page = append(page, packet...)
	}
	binary.LittleEndian.PutUint32(page[22:], oggChecksum(page))
	return page
}

// oggChecksum is a CRC of the polynomial 0x04c11db7, not reflected.
func oggChecksum(page []byte) (sum uint32) {
	for _, b := range page {
		sum ^= uint32(b) << 24
		for range 8 {
			if sum&(1<<31) != 0 {
				sum = sum<<1 ^ 0x04c11db7
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// videoFile is an MP4 of two seconds with one track of 320 by 240 pixels, and
// with no frame in it.
func videoFile() []byte {
	track := box("tkhd", fullBox(
		u32(0, 0, 1, 0, 2000), u32(0, 0), u32(0, 0), u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000), u32(320<<16, 240<<16)))
	media := box("mdia",
		box("mdhd", fullBox(u32(0, 0, 1000, 2000), u32(0))),
		box("hdlr", fullBox(u32(0), []byte("vide"), u32(0, 0, 0), []byte{0})),
		box("minf", box("stbl", box("stsd", fullBox(u32(0))))))
	return bytes.Join([][]byte{
		box("ftyp", []byte("isom"), u32(512), []byte("isommp42")),
		box("moov",
			box("mvhd", fullBox(u32(0, 0, 1000, 2000, 0x10000), make([]byte, 76))),
			box("trak", track, media)),
		box("mdat", []byte("nothing")),
	}, nil)
}

// box is a box of ISO/IEC 14496-12; fullBox gives one a version and flags.
func box(name string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(append(u32(uint32(8+len(body))), name...), body...)
}

func fullBox(parts ...[]byte) []byte { return append(u32(0), bytes.Join(parts, nil)...) }

func u32(numbers ...uint32) (out []byte) {
	for _, n := range numbers {
		out = binary.BigEndian.AppendUint32(out, n)
	}
	return out
}
