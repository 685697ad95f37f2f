package picture_test

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
	"muster/internal/picture"
)

var (
	red   = color.RGBA{220, 20, 20, 255}
	green = color.RGBA{20, 200, 20, 255}
	blue  = color.RGBA{20, 20, 220, 255}
	white = color.RGBA{255, 255, 255, 255}
)

// quarters draws the four quarters of the middle square of a picture, and
// black around it: red and green above, blue and white below.
func quarters(width, height int) *image.RGBA {
	drawn := image.NewRGBA(image.Rect(0, 0, width, height))
	side := min(width, height)
	left, top := (width-side)/2, (height-side)/2
	for y := range height {
		for x := range width {
			drawn.SetRGBA(x, y, color.RGBA{0, 0, 0, 255})
			if x < left || x >= left+side || y < top || y >= top+side {
				continue
			}
			right, below := x >= left+side/2, y >= top+side/2
			drawn.SetRGBA(x, y, map[[2]bool]color.RGBA{{}: red, {true, false}: green, {false, true}: blue, {true, true}: white}[[2]bool{right, below}])
		}
	}
	return drawn
}

func asJPEG(t testing.TB, drawn image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, drawn, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asPNG(t testing.TB, drawn image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, drawn); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// turned adds an EXIF block that says how the camera was held.
func turned(content []byte, orientation uint16, order binary.AppendByteOrder) []byte {
	mark := "MM"
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		mark = "II"
	}
	tiff := order.AppendUint32(order.AppendUint16([]byte(mark), 42), 8)
	tiff = order.AppendUint16(tiff, 2)                                                                           // entries
	tiff = order.AppendUint32(order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, 0x0100), 4), 1), 7) // its width
	tiff = order.AppendUint16(order.AppendUint32(order.AppendUint16(order.AppendUint16(tiff, 0x0112), 3), 1), orientation)
	tiff = append(tiff, 0, 0, 0, 0, 0, 0)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(segment)+2))
	return append(append(head, segment...), content[2:]...)
}

// corners are the colours near the corners of a picture, from left to right
// and from above to below.
func corners(t *testing.T, content []byte) [4]color.RGBA {
	t.Helper()
	decoded, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("the result is no JPEG: %v", err)
	}
	if size := decoded.Bounds().Size(); size != image.Pt(picture.Side, picture.Side) {
		t.Fatalf("the result is %v", size)
	}
	var list [4]color.RGBA
	for i := range list {
		x, y := picture.Side/4+i%2*picture.Side/2, picture.Side/4+i/2*picture.Side/2
		list[i], _ = color.RGBAModel.Convert(decoded.At(x, y)).(color.RGBA)
	}
	return list
}

func near(a, b color.RGBA) bool {
	const tolerance = 24
	for _, d := range []int{int(a.R) - int(b.R), int(a.G) - int(b.G), int(a.B) - int(b.B)} {
		if d > tolerance || d < -tolerance {
			return false
		}
	}
	return true
}

func checkCorners(t *testing.T, content []byte, want [4]color.RGBA) {
	t.Helper()
	got := corners(t, content)
	for i := range want {
		if !near(got[i], want[i]) {
			t.Fatalf("the quarters are %v, want %v", got, want)
		}
	}
}

func TestTheMiddleBecomesTheSquare(t *testing.T) {
	t.Parallel()
	for name, content := range map[string][]byte{
		"wide JPEG": asJPEG(t, quarters(900, 500)), "high PNG": asPNG(t, quarters(300, 1000)),
		"large": asJPEG(t, quarters(2000, 1600)), "tiny": asPNG(t, quarters(16, 16)), "narrow": asPNG(t, quarters(2, 2000)),
	} {
		square, err := picture.Square(content)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name != "narrow" { // blurred into one another
			checkCorners(t, square, [4]color.RGBA{red, green, blue, white})
		}
	}
}

func TestOnWhiteWhereTransparent(t *testing.T) {
	t.Parallel()
	square, err := picture.Square(asPNG(t, image.NewNRGBA(image.Rect(0, 0, 300, 300))))
	if err != nil {
		t.Fatal(err)
	}
	checkCorners(t, square, [4]color.RGBA{white, white, white, white})
}

// A camera held in any of the eight ways gives an upright picture.
func TestUpright(t *testing.T) {
	t.Parallel()
	stored := asJPEG(t, quarters(800, 600))
	for orientation, want := range map[uint16][4]color.RGBA{
		0: {red, green, blue, white},
		1: {red, green, blue, white},
		2: {green, red, white, blue},
		3: {white, blue, green, red},
		4: {blue, white, red, green},
		5: {red, blue, green, white},
		6: {blue, red, white, green},
		7: {white, green, blue, red},
		8: {green, white, red, blue},
		9: {red, green, blue, white},
	} {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			square, err := picture.Square(turned(stored, orientation, order))
			if err != nil {
				t.Fatal(err)
			}
			checkCorners(t, square, want)
		}
	}
}

// claiming is the head of a PNG that claims a size, and nothing more.
func claiming(width, height uint32) []byte {
	body := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), width), height)
	body = append(body, 8, 6, 0, 0, 0)
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(body)-4)), body...)
	return append([]byte("\x89PNG\r\n\x1a\n"), binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))...)
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	var moving bytes.Buffer
	if err := gif.Encode(&moving, quarters(10, 10), nil); err != nil {
		t.Fatal(err)
	}
	whole := asJPEG(t, quarters(300, 300))
	for name, test := range map[string]struct {
		content []byte
		code    fault.Code
		field   string
	}{
		"nothing":          {nil, fault.Invalid, "image"},
		"too many bytes":   {append(bytes.Clone(whole), make([]byte, picture.MaxBytes)...), fault.TooLarge, ""},
		"a GIF":            {moving.Bytes(), fault.UnsupportedMedia, ""},
		"text":             {[]byte("<svg/>"), fault.UnsupportedMedia, ""},
		"a JPEG cut off":   {whole[:len(whole)/2], fault.Invalid, "image"},
		"a JPEG's head":    {whole[:20], fault.Invalid, "image"},
		"a PNG cut off":    {asPNG(t, quarters(300, 300))[:200], fault.Invalid, "image"},
		"too many pixels":  {claiming(5000, 5000), fault.Invalid, "image"},
		"too long":         {claiming(1, picture.MaxSide+1), fault.Invalid, "image"},
		"a bomb":           {claiming(1<<31-1, 1<<31-1), fault.Invalid, "image"},
		"too many scans":   {append(bytes.Clone(whole), bytes.Repeat([]byte("\xff\xda\x00\x08"), picture.MaxScans)...), fault.Invalid, "image"},
		"no pixels at all": {claiming(0, 10), fault.Invalid, "image"},
	} {
		square, err := picture.Square(test.content)
		failure := fault.From(err)
		if failure == nil || failure.Code != test.code || failure.Field != test.field || square != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A picture of the largest size is accepted.
func TestTheLimitItself(t *testing.T) {
	t.Parallel()
	if err := picture.Check(claiming(4096, 4096)); err != nil {
		t.Error(err)
	}
	if err := picture.Check(claiming(1000, picture.MaxSide)); err != nil {
		t.Error(err)
	}
}

// FuzzSquare feeds anything: the result is a square JPEG, or a coded error that
// blames the picture and not the server.
func FuzzSquare(f *testing.F) {
	small := asJPEG(f, quarters(24, 18))
	f.Add(small)
	f.Add(asPNG(f, quarters(20, 30)))
	f.Add(asPNG(f, image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{red, green})))
	f.Add(asPNG(f, image.NewGray16(image.Rect(0, 0, 5, 8))))
	f.Add(turned(small, 6, binary.LittleEndian))
	f.Add(turned(small, 8, binary.BigEndian)[:40])
	f.Add(claiming(400, 400))
	f.Add(claiming(1<<31-1, 1<<31-1))
	f.Add([]byte("\xff\xd8\xff\xe1\xff\xffExif\x00\x00II*\x00\xff\xff\xff\xff"))
	f.Add([]byte("\xff\xd8\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		square, err := picture.Square(content)
		if err != nil {
			switch fault.From(err).Code {
			case fault.Invalid, fault.TooLarge, fault.UnsupportedMedia:
			default:
				t.Fatalf("%v", err)
			}
			return
		}
		config, err := jpeg.DecodeConfig(bytes.NewReader(square))
		if err != nil || config.Width != picture.Side || config.Height != picture.Side {
			t.Fatalf("the result is %+v, %v", config, err)
		}
	})
}
