package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientation is how a camera was held, as EXIF has it (tag 0x0112 of
// JEITA CP-3451): 1 is upright. Phones store most pictures lying on the side
// and say so here; a decoder that drops it shows them so.
type orientation uint16

const upright orientation = 1

// lies tells whether the upright picture is as wide as the stored one is high.
func (o orientation) lies() bool { return o >= 5 && o <= 8 }

// turn sets a picture upright.
func (o orientation) turn(stored *image.RGBA) image.Image {
	if o <= upright || o > 8 {
		return stored
	}
	size := stored.Bounds().Size()
	bounds := stored.Bounds()
	if o.lies() {
		bounds = image.Rect(0, 0, size.Y, size.X)
	}
	turned := image.NewRGBA(bounds)
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			turned.SetRGBA(x, y, stored.RGBAAt(o.source(x, y, size.X-1, size.Y-1)))
		}
	}
	return turned
}

// source is where in the stored picture a pixel of the upright one is; right
// and bottom are the stored picture's last column and row.
func (o orientation) source(x, y, right, bottom int) (int, int) {
	switch o {
	case 2: // mirrored
		return right - x, y
	case 3: // upside down
		return right - x, bottom - y
	case 4:
		return x, bottom - y
	case 5:
		return y, x
	case 6: // lying on its left side
		return y, bottom - x
	case 7:
		return right - y, bottom - x
	case 8: // lying on its right side
		return right - y, x
	}
	return x, y
}

// orientationOf reads a JPEG's EXIF; what has none, or a broken one, counts as
// upright.
func orientationOf(data []byte) orientation {
	rest, isJPEG := bytes.CutPrefix(data, []byte{0xff, 0xd8})
	for isJPEG && len(rest) >= 4 && rest[0] == 0xff {
		marker, size := rest[1], int(binary.BigEndian.Uint16(rest[2:]))
		if marker == 0xda || size < 2 || len(rest) < 2+size { // the pixels begin, or it is cut off
			break
		}
		if tiff, ok := bytes.CutPrefix(rest[4:2+size], []byte("Exif\x00\x00")); ok && marker == 0xe1 {
			return orientationIn(tiff)
		}
		rest = rest[2+size:]
	}
	return upright
}

// orientationIn looks through the first directory of a TIFF structure.
func orientationIn(tiff []byte) orientation {
	const tag, entry, short = 0x0112, 12, 3
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(tiff[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return upright
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return upright
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < entry {
			return upright
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			return orientation(order.Uint16(entries[8:]))
		}
		entries = entries[entry:]
	}
	return upright
}
