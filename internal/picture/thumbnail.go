package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"

	"golang.org/x/image/draw"

	"muster/internal/fault"
)

// Limits of pictures that are sent as they are, and the form of their
// thumbnails.
const (
	// MaxSentPixels is more than a group picture's: what a phone's camera makes by
	// default is sent as it is. While a thumbnail is made, such a picture takes
	// up to 8 bytes a pixel, 256 MB.
	MaxSentPixels = 32 << 20
	// ThumbnailSide is the longer side of a thumbnail, in pixels.
	ThumbnailSide = 100

	thumbnailQuality = 60
)

// Thumbnail is a small copy of a picture, and what the picture is.
type Thumbnail struct {
	JPEG          []byte
	Width, Height int    // of the whole picture, in pixels, upright
	Mimetype      string // of the whole picture
}

// Shrink makes the thumbnail of a JPEG or PNG of at most limit bytes: upright,
// whole, and on white where it was transparent. Errors are those of Square and
// name the field.
func Shrink(field string, data []byte, limit int64) (Thumbnail, error) {
	thumbnail, err := bounds{field: field, bytes: int(limit), pixels: MaxSentPixels}.shrink(data)
	if failure := fault.From(err); failure != nil && failure.Field == "" {
		failure.Field = field
		return Thumbnail{}, failure
	}
	return thumbnail, err
}

func (b bounds) shrink(data []byte) (Thumbnail, error) {
	f, config, err := b.check(data)
	if err != nil {
		return Thumbnail{}, err
	}
	full, err := f.decode(data)
	if err != nil {
		return Thumbnail{}, b.unreadable(err)
	}
	longer := max(config.Width, config.Height)
	side := min(longer, ThumbnailSide)
	small := image.NewRGBA(image.Rect(0, 0, max(config.Width*side/longer, 1), max(config.Height*side/longer, 1)))
	draw.Draw(small, small.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.BiLinear.Scale(small, small.Bounds(), full, full.Bounds(), draw.Over, nil)
	held := orientationOf(data)
	var out bytes.Buffer
	if err = jpeg.Encode(&out, held.turn(small), &jpeg.Options{Quality: thumbnailQuality}); err != nil {
		return Thumbnail{}, err
	}
	thumbnail := Thumbnail{JPEG: out.Bytes(), Width: config.Width, Height: config.Height, Mimetype: f.mimetype}
	if held.lies() {
		thumbnail.Width, thumbnail.Height = thumbnail.Height, thumbnail.Width
	}
	return thumbnail, nil
}
