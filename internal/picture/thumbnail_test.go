package picture_test

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"muster/internal/fault"
	"muster/internal/picture"
)

// halves is red above and blue below.
func halves(width, height int) *image.RGBA {
	drawn := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			drawn.SetRGBA(x, y, map[bool]color.RGBA{true: red, false: blue}[y < height/2])
		}
	}
	return drawn
}

// The whole picture is in the thumbnail, upright.
func TestShrinking(t *testing.T) {
	t.Parallel()
	stored := asJPEG(t, halves(400, 200))
	for name, test := range map[string]struct {
		content       []byte
		width, height int // of the thumbnail
		first, last   color.RGBA
	}{
		"wide":        {stored, 100, 50, red, blue},
		"tiny":        {asPNG(t, halves(6, 4)), 6, 4, red, blue},
		"a line":      {asPNG(t, halves(1000, 2)), 100, 1, color.RGBA{}, color.RGBA{}},
		"upside down": {turned(stored, 3, binary.LittleEndian), 100, 50, blue, red},
		"lying":       {turned(stored, 6, binary.BigEndian), 50, 100, color.RGBA{}, color.RGBA{}},
		"lying over":  {turned(stored, 8, binary.BigEndian), 50, 100, color.RGBA{}, color.RGBA{}},
	} {
		small, err := picture.Shrink("image", test.content, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		decoded, err := jpeg.Decode(bytes.NewReader(small.JPEG))
		if err != nil || decoded.Bounds().Size() != image.Pt(test.width, test.height) {
			t.Errorf("%s: %v, %v", name, decoded.Bounds(), err)
			continue
		}
		if test.first == (color.RGBA{}) {
			continue
		}
		first, _ := color.RGBAModel.Convert(decoded.At(0, 0)).(color.RGBA)
		last, _ := color.RGBAModel.Convert(decoded.At(test.width-1, test.height-1)).(color.RGBA)
		if !near(first, test.first) || !near(last, test.last) {
			t.Errorf("%s: from %v to %v", name, first, last)
		}
	}
	// A picture that lies on its left side has its top on the right.
	lying, err := picture.Shrink("image", turned(stored, 6, binary.BigEndian), 1<<20)
	if err != nil || lying.Width != 200 || lying.Height != 400 || lying.Mimetype != "image/jpeg" {
		t.Fatalf("%+v, %v", lying, err)
	}
	decoded, err := jpeg.Decode(bytes.NewReader(lying.JPEG))
	if err != nil {
		t.Fatal(err)
	}
	left, _ := color.RGBAModel.Convert(decoded.At(2, 50)).(color.RGBA)
	right, _ := color.RGBAModel.Convert(decoded.At(47, 50)).(color.RGBA)
	if !near(left, blue) || !near(right, red) {
		t.Errorf("from %v to %v", left, right)
	}
}

func TestWhatIsNotShrunk(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		content []byte
		limit   int64
		code    fault.Code
	}{
		"too many bytes":  {asPNG(t, halves(20, 20)), 10, fault.TooLarge},
		"no picture":      {[]byte("<svg/>"), 100, fault.UnsupportedMedia},
		"too many pixels": {claiming(6000, 6000), 100, fault.Invalid},
		"damaged":         {claiming(100, 100), 100, fault.Invalid},
	} {
		small, err := picture.Shrink("file", test.content, test.limit)
		if failure := fault.From(err); failure == nil || failure.Code != test.code || failure.Field != "file" || small.JPEG != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
