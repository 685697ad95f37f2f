// Package picture makes group pictures (squares in JPEG, of the size that
// WhatsApp's own clients send) and thumbnails out of whatever JPEG or PNG
// somebody uploads.
package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"

	"muster/internal/fault"
)

// Limits of what is accepted, and the form of what comes out.
const (
	// MaxBytes bounds an upload.
	MaxBytes = 5 << 20
	// MaxSide and MaxPixels bound the picture inside it, before it is decoded: a
	// file of a few bytes may claim dimensions that would take gigabytes. The
	// largest that is accepted takes about 250 MB while it is worked on.
	MaxSide   = 10_000
	MaxPixels = 16 << 20
	// MaxScans bounds the passes of a progressive JPEG. Cameras and editors make
	// about ten; each takes a few bytes and goes over all pixels, so a file made
	// of nothing else would keep a processor busy for hours.
	MaxScans = 50
	// Side is the width and the height of the result, in pixels.
	Side = 640

	quality = 88
)

// The field that errors name.
const field = "image"

// format is one of the two kinds of file.
type format struct {
	magic    string
	mimetype string
	config   func([]byte) (image.Config, error)
	decode   func([]byte) (image.Image, error)
}

func formats() []format {
	return []format{
		{"\xff\xd8\xff", "image/jpeg",
			func(data []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(data)) },
			func(data []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(data)) }},
		{"\x89PNG\r\n\x1a\n", "image/png",
			func(data []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(data)) },
			func(data []byte) (image.Image, error) { return png.Decode(bytes.NewReader(data)) }},
	}
}

// formatOf goes by the first bytes: what a client says of its file is not
// always true.
func formatOf(data []byte) (format, bool) {
	for _, f := range formats() {
		if bytes.HasPrefix(data, []byte(f.magic)) {
			return f, true
		}
	}
	return format{}, false
}

// bounds are what a picture may have, and the field that errors name.
type bounds struct {
	field         string
	bytes, pixels int
}

func groupBounds() bounds { return bounds{field: field, bytes: MaxBytes, pixels: MaxPixels} }

// Check tells whether the data may be a picture that Square accepts, without
// decoding it: fault too_large, unsupported_media, or invalid for the
// dimensions and for what cannot be read.
func Check(data []byte) error {
	_, _, err := groupBounds().check(data)
	return err
}

// check also gives the format and the dimensions that the file claims.
func (b bounds) check(data []byte) (format, image.Config, error) {
	f, known := formatOf(data)
	switch {
	case len(data) == 0:
		return f, image.Config{}, fault.Field(b.field, "is empty")
	case len(data) > b.bytes:
		return f, image.Config{}, fault.New(fault.TooLarge, "the picture has %d bytes; %d are the most", len(data), b.bytes)
	case !known:
		return f, image.Config{}, fault.New(fault.UnsupportedMedia, "the picture is neither a JPEG nor a PNG")
	}
	config, err := f.config(data)
	switch {
	case err != nil:
		return f, config, b.unreadable(err)
	case config.Width <= 0 || config.Height <= 0:
		return f, config, fault.Field(b.field, "has no pixels")
	case config.Width > MaxSide || config.Height > MaxSide || config.Width*config.Height > b.pixels:
		return f, config, fault.Field(b.field, "has %d by %d pixels; at most %d million pixels and %d on a side are accepted",
			config.Width, config.Height, b.pixels/1_000_000, MaxSide)
	}
	if data[0] == 0xff && bytes.Count(data, []byte("\xff\xda")) > MaxScans { // the marker occurs nowhere else
		return f, config, fault.Field(b.field, "is a JPEG of more than %d scans", MaxScans)
	}
	return f, config, nil
}

// Square turns a JPEG or PNG into a JPEG of Side by Side pixels: the middle of
// the picture, upright, and on white where it was transparent. It returns what
// Check does, and invalid for what is damaged further in.
func Square(data []byte) ([]byte, error) {
	f, _, err := groupBounds().check(data)
	if err != nil {
		return nil, err
	}
	full, err := f.decode(data)
	if err != nil {
		return nil, groupBounds().unreadable(err)
	}
	square := image.NewRGBA(image.Rect(0, 0, Side, Side))
	draw.Draw(square, square.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.BiLinear.Scale(square, square.Bounds(), full, middle(full.Bounds()), draw.Over, nil)
	var out bytes.Buffer
	if err = jpeg.Encode(&out, orientationOf(data).turn(square), &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// middle is the largest square in the centre of the rectangle.
func middle(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	corner := image.Pt(r.Min.X+(r.Dx()-side)/2, r.Min.Y+(r.Dy()-side)/2)
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(side, side))}
}

func (b bounds) unreadable(err error) error {
	return fault.Field(b.field, "is damaged: it begins like a picture and cannot be read").Because(err)
}
