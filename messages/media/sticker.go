package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/image/webp"

	"muster/internal/fault"
	"muster/messages/content"
)

const (
	// stickerSide is how large WhatsApp's stickers are; smaller ones are shown.
	stickerSide = 512
	// maxFrames bounds an animation: ten seconds at the highest rate that makes
	// sense.
	maxFrames = 600
)

// lookAtSticker takes WebP pictures and animations. A still picture is decoded
// to see that it can be; of an animation, whose frames our decoder does not
// read, the container is checked frame by frame.
func lookAtSticker(want Want, found *mimetype.MIME, data []byte, media *content.Media) error {
	if !found.Is("image/webp") {
		return wrongType(want, found, "WebP")
	}
	shape, err := readWebP(data)
	switch {
	case err != nil:
		return damaged(want, "a WebP", err)
	case shape.width > stickerSide || shape.height > stickerSide:
		return fault.Field(want.Field, "has %d by %d pixels; a sticker has at most %d by %d", shape.width, shape.height, stickerSide, stickerSide)
	case shape.animated && shape.frames > maxFrames:
		return fault.Field(want.Field, "has %d frames; %d is the most", shape.frames, maxFrames)
	}
	if !shape.animated {
		if _, err = webp.Decode(bytes.NewReader(data)); err != nil {
			return damaged(want, "a WebP", err)
		}
	}
	media.Mimetype, media.Width, media.Height, media.Animated = "image/webp", shape.width, shape.height, shape.animated
	return nil
}

// webpShape is what a WebP's container says.
type webpShape struct {
	width, height int
	animated      bool
	frames        int
}

var errWebP = errors.New("its chunks contradict one another")

// readWebP walks the chunks of a WebP (RFC 9649). The pictures inside say their
// own size, which may not be larger than that of the whole: a small container
// with a huge picture in it is how memory is exhausted.
func readWebP(data []byte) (webpShape, error) {
	var shape webpShape
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WEBP" {
		return shape, errWebP
	}
	if size := uint64(binary.LittleEndian.Uint32(data[4:])) + 8; size < 12 || size > uint64(len(data)) {
		return shape, fmt.Errorf("it is cut off: %w", errWebP)
	}
	err := eachChunk(data[12:], func(name string, body []byte) error {
		switch name {
		case "VP8X":
			if len(body) != 10 || shape.width != 0 {
				return errWebP
			}
			shape.animated = body[0]&2 != 0
			shape.width, shape.height = 1+uint24(body[4:]), 1+uint24(body[7:])
		case "ANMF":
			shape.frames++
			return shape.checkFrame(body)
		case "VP8 ", "VP8L":
			return shape.checkPicture(name, body)
		}
		return nil
	})
	if err == nil && (shape.width == 0 || shape.animated && shape.frames == 0) {
		err = errWebP
	}
	return shape, err
}

// eachChunk walks RIFF chunks: four letters, a size, and that many bytes, padded
// to an even number.
func eachChunk(data []byte, visit func(name string, body []byte) error) error {
	for len(data) >= 8 {
		size := uint64(binary.LittleEndian.Uint32(data[4:]))
		if size > uint64(len(data)-8) {
			return fmt.Errorf("it is cut off: %w", errWebP)
		}
		if err := visit(string(data[:4]), data[8:8+size]); err != nil {
			return err
		}
		data = data[min(8+size+size&1, uint64(len(data))):]
	}
	return nil
}

// checkFrame looks into a frame of an animation: its place and size, then the
// chunks of its picture.
func (s *webpShape) checkFrame(body []byte) error {
	if len(body) < 16 || !s.animated {
		return errWebP
	}
	frame := webpShape{width: 1 + uint24(body[6:]), height: 1 + uint24(body[9:])}
	if 2*uint24(body)+frame.width > s.width || 2*uint24(body[3:])+frame.height > s.height {
		return errWebP
	}
	return eachChunk(body[16:], func(name string, body []byte) error {
		if name == "VP8 " || name == "VP8L" {
			return frame.checkPicture(name, body)
		}
		return nil
	})
}

// checkPicture compares a picture's own size with that of what it is in; a file
// that is only a picture has its size.
func (s *webpShape) checkPicture(name string, body []byte) error {
	var width, height int
	switch {
	case name == "VP8 " && len(body) >= 10 && string(body[3:6]) == "\x9d\x01\x2a": // RFC 6386, 9.1
		width = int(binary.LittleEndian.Uint16(body[6:])) & 0x3fff
		height = int(binary.LittleEndian.Uint16(body[8:])) & 0x3fff
	case name == "VP8L" && len(body) >= 5 && body[0] == 0x2f: // RFC 9649, 3.4
		bits := binary.LittleEndian.Uint32(body[1:])
		width, height = 1+int(bits&0x3fff), 1+int(bits>>14&0x3fff)
	default:
		return errWebP
	}
	if s.width == 0 {
		s.width, s.height = width, height
	}
	if width == 0 || height == 0 || width != s.width || height != s.height {
		return errWebP
	}
	return nil
}

func uint24(data []byte) int { return int(data[0]) | int(data[1])<<8 | int(data[2])<<16 }
