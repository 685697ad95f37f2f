package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Limits of an MP4 file's boxes (ISO/IEC 14496-12). Sizes and counts are what
// the file claims: each is compared with what is really there before it is used.
const (
	maxMoov     = 16 << 20 // bytes of the box that describes the rest
	maxTopBoxes = 100_000  // fragments make two each
	maxBoxes    = 20_000   // inside the moov box
	maxTracks   = 32
	maxSeconds  = 24 * 60 * 60
	maxSide     = 16384 // pixels
)

// movie is what an MP4 file says of itself.
type movie struct {
	seconds       int
	width, height int // of the largest picture track, upright
	video, sound  bool
	boxes, tracks int // counted
}

var errBoxes = errors.New("its boxes contradict one another")

// readMovie finds and reads the moov box. Only headers are read of the others.
func readMovie(file io.ReaderAt, size int64) (movie, error) {
	at := int64(0)
	for count := 0; at < size; count++ {
		if count == maxTopBoxes {
			return movie{}, fmt.Errorf("it has more than %d boxes: %w", maxTopBoxes, errBoxes)
		}
		name, header, length, err := boxAt(file, at, size)
		if err != nil {
			return movie{}, err
		}
		if name != "moov" {
			at += length
			continue
		}
		if length-header > maxMoov {
			return movie{}, fmt.Errorf("its description has %d bytes: %w", length, errBoxes)
		}
		body := make([]byte, length-header)
		if _, err = file.ReadAt(body, at+header); err != nil && !errors.Is(err, io.EOF) {
			return movie{}, err
		}
		var m movie
		return m, m.read("moov", body)
	}
	return movie{}, errors.New("it has no description (moov box)")
}

// boxAt reads one box's header: its length counts the header.
func boxAt(file io.ReaderAt, at, size int64) (name string, header, length int64, err error) {
	var head [16]byte
	n, err := file.ReadAt(head[:min(16, size-at)], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", 0, 0, err
	}
	return boxHead(head[:n], size-at)
}

// boxHead reads a header of which room bytes are left, body included.
func boxHead(head []byte, room int64) (name string, header, length int64, err error) {
	if len(head) < 8 || room < 8 {
		return "", 0, 0, fmt.Errorf("it is cut off: %w", errBoxes)
	}
	name, header, length = string(head[4:8]), 8, int64(binary.BigEndian.Uint32(head))
	switch length {
	case 0: // to the end
		length = room
	case 1: // 64 bits follow
		if len(head) < 16 {
			return "", 0, 0, fmt.Errorf("it is cut off: %w", errBoxes)
		}
		long := binary.BigEndian.Uint64(head[8:])
		if long > math.MaxInt64 {
			return "", 0, 0, fmt.Errorf("a box claims %d bytes: %w", long, errBoxes)
		}
		header, length = 16, int64(long)
	}
	if length < header || length > room {
		return "", 0, 0, fmt.Errorf("a box claims %d bytes where %d are left: %w", length, room, errBoxes)
	}
	return name, header, length, nil
}

// read reads the boxes inside one whose name is given. They are nested three
// deep at most, since only known containers are entered.
func (m *movie) read(parent string, data []byte) error {
	var track track
	for len(data) > 0 {
		if m.boxes++; m.boxes > maxBoxes {
			return fmt.Errorf("it has more than %d boxes: %w", maxBoxes, errBoxes)
		}
		name, header, length, err := boxHead(data[:min(16, len(data))], int64(len(data)))
		if err != nil {
			return err
		}
		body := data[header:length]
		switch parent + "/" + name {
		case "moov/mvhd":
			err = m.readDuration(body)
		case "moov/trak":
			if m.tracks++; m.tracks > maxTracks {
				return fmt.Errorf("it has more than %d tracks: %w", maxTracks, errBoxes)
			}
			err = m.read("trak", body)
		case "trak/tkhd":
			err = track.readSize(body)
		case "trak/mdia":
			track.handler, err = handlerOf(body)
		}
		if err != nil {
			return err
		}
		data = data[length:]
	}
	if parent == "trak" {
		m.add(track)
	}
	return nil
}

// add counts a track in.
func (m *movie) add(t track) {
	switch t.handler {
	case "soun":
		m.sound = true
	case "vide":
		m.video = true
		if t.width*t.height > m.width*m.height {
			m.width, m.height = t.width, t.height
		}
	}
}

// readDuration reads a movie header. All ones stand for "not known".
func (m *movie) readDuration(body []byte) error {
	var scale uint32
	var duration uint64
	switch {
	case len(body) >= 20 && body[0] == 0:
		scale, duration = binary.BigEndian.Uint32(body[12:]), uint64(binary.BigEndian.Uint32(body[16:]))
		if duration == math.MaxUint32 {
			duration = 0
		}
	case len(body) >= 32 && body[0] == 1:
		scale, duration = binary.BigEndian.Uint32(body[20:]), binary.BigEndian.Uint64(body[24:])
		if duration == math.MaxUint64 {
			duration = 0
		}
	default:
		return fmt.Errorf("its header is cut off: %w", errBoxes)
	}
	if scale == 0 || duration/uint64(scale) > maxSeconds {
		return fmt.Errorf("it claims to last %d/%d seconds: %w", duration, scale, errBoxes)
	}
	m.seconds = int((duration + uint64(scale)/2) / uint64(scale))
	return nil
}

// track is one of a movie's tracks.
type track struct {
	width, height int
	handler       string // "vide" or "soun"
}

// readSize reads a track header; a camera that was held upright stores its
// pictures lying and says so in the matrix.
func (t *track) readSize(body []byte) error {
	matrix := 40
	if len(body) > 0 && body[0] == 1 {
		matrix = 52
	}
	if len(body) < matrix+44 {
		return fmt.Errorf("a track's header is cut off: %w", errBoxes)
	}
	fixed := func(at int) int { return int(binary.BigEndian.Uint32(body[matrix+at:]) >> 16) }
	t.width, t.height = fixed(36), fixed(40)
	if t.width > maxSide || t.height > maxSide {
		return fmt.Errorf("its pictures claim %d by %d pixels: %w", t.width, t.height, errBoxes)
	}
	a, d := binary.BigEndian.Uint32(body[matrix:]), binary.BigEndian.Uint32(body[matrix+16:])
	if a == 0 && d == 0 {
		t.width, t.height = t.height, t.width
	}
	return nil
}

// handlerOf finds what sort of track a mdia box describes.
func handlerOf(data []byte) (string, error) {
	for count := 0; len(data) > 0 && count < maxTracks; count++ {
		name, header, length, err := boxHead(data[:min(16, len(data))], int64(len(data)))
		if err != nil {
			return "", err
		}
		if body := data[header:length]; name == "hdlr" && len(body) >= 12 {
			return string(body[8:12]), nil
		}
		data = data[length:]
	}
	return "", nil
}
