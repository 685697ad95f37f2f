package media_test

import (
	"encoding/binary"
	"testing"

	"muster/internal/fault"
	"muster/messages/content"
)

// bits writes numbers as VP8L does: the lowest bit first.
type bits struct {
	out  []byte
	free int
}

func (b *bits) put(value, count int) {
	for i := range count {
		if b.free == 0 {
			b.out, b.free = append(b.out, 0), 8
		}
		b.out[len(b.out)-1] |= byte(value>>i&1) << (8 - b.free)
		b.free--
	}
}

// lossless is a VP8L picture of one colour: five codes with one symbol each, so
// that a pixel takes no bit at all.
func lossless(width, height int) []byte {
	b := &bits{out: []byte{0x2f}}
	b.put(width-1, 14)
	b.put(height-1, 14)
	b.put(0, 1+3+1+1+1) // no alpha, version 0, no transform, no cache, one group of codes
	for range 5 {       // one symbol, of one bit, which is 0
		b.put(1, 1)
		b.put(0, 1+1+1)
	}
	b.put(0, 32) // the decoder reads ahead
	return b.out
}

func chunk(name string, body []byte) []byte {
	out := append([]byte(name), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	if out = append(out, body...); len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func riffOf(chunks ...[]byte) []byte {
	body := []byte("WEBP")
	for _, c := range chunks {
		body = append(body, c...)
	}
	return append([]byte("RIFF"), append(binary.LittleEndian.AppendUint32(nil, uint32(len(body))), body...)...)
}

func solidWebP(width, height int) []byte { return riffOf(chunk("VP8L", lossless(width, height))) }

func three(n int) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16)} }

func canvas(flags byte, width, height int) []byte {
	return chunk("VP8X", append(append([]byte{flags, 0, 0, 0}, three(width-1)...), three(height-1)...))
}

func frame(x, width, height int, picture []byte) []byte {
	head := append(three(x/2), three(0)...)
	head = append(append(head, three(width-1)...), three(height-1)...)
	return chunk("ANMF", append(append(head, 40, 0, 0, 0), picture...))
}

func animation(frames int) []byte {
	chunks := [][]byte{canvas(2, 512, 512), chunk("ANIM", make([]byte, 6))}
	for range frames {
		chunks = append(chunks, frame(0, 512, 512, chunk("VP8L", lossless(512, 512))))
	}
	return riffOf(chunks...)
}

func TestStickers(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for name, test := range map[string]struct {
		data     []byte
		side     int
		animated bool
	}{
		"plain": {solidWebP(512, 512), 512, false}, "small": {solidWebP(96, 96), 96, false},
		"with a canvas": {riffOf(canvas(0, 512, 512), chunk("VP8L", lossless(512, 512))), 512, false},
		"moving":        {animation(3), 512, true},
	} {
		got, err := r.take(t, content.KindSticker, test.data)
		if err != nil || got.Mimetype != "image/webp" || got.Width != test.side || got.Height != test.side || got.Animated != test.animated {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestHostileStickers(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	picture := chunk("VP8L", lossless(512, 512))
	long := solidWebP(512, 512)
	binary.LittleEndian.PutUint32(long[16:], 1<<31)
	cut := solidWebP(512, 512)
	for name, test := range map[string]struct {
		data  []byte
		code  fault.Code
		words string
	}{
		"too wide":                    {solidWebP(513, 512), fault.Invalid, "at most 512 by 512"},
		"a bomb":                      {solidWebP(16384, 16384), fault.Invalid, "at most 512 by 512"},
		"a bomb in a small canvas":    {riffOf(canvas(0, 16, 16), chunk("VP8L", lossless(16384, 16384))), fault.Invalid, "damaged"},
		"a bomb in a frame":           {riffOf(canvas(2, 512, 512), frame(0, 512, 512, chunk("VP8L", lossless(16384, 16384)))), fault.Invalid, "damaged"},
		"a frame outside":             {riffOf(canvas(2, 512, 512), frame(100, 512, 512, picture)), fault.Invalid, "damaged"},
		"a frame of a still":          {riffOf(canvas(0, 512, 512), frame(0, 512, 512, picture)), fault.Invalid, "damaged"},
		"an animation without frames": {riffOf(canvas(2, 512, 512)), fault.Invalid, "damaged"},
		"frames without end":          {animation(601), fault.Invalid, "601 frames"},
		"a chunk of gigabytes":        {long, fault.Invalid, "damaged"},
		"cut off":                     {cut[:len(cut)-6], fault.Invalid, "damaged"},
		"two canvases":                {riffOf(canvas(0, 8, 8), canvas(0, 512, 512), picture), fault.Invalid, "damaged"},
		"no picture":                  {riffOf(chunk("EXIF", []byte("x"))), fault.Invalid, "damaged"},
		"noise in a picture":          {riffOf(chunk("VP8 ", append([]byte("\x10\x00\x00\x9d\x01\x2a\x00\x02\x00\x02"), make([]byte, 40)...))), fault.Invalid, "damaged"},
		"a PNG":                       {asPNG(t, 512, 512), fault.UnsupportedMedia, "WebP is needed"},
	} {
		_, err := r.take(t, content.KindSticker, test.data)
		r.refused(t, name, err, test.code, "sticker", test.words)
	}
}
