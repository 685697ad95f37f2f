package media

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

// Picture is a profile or group picture.
type Picture struct {
	// ID is the picture's version: clients compare it to know of a change.
	ID string `json:"id"`
	// Path and Preview are the direct paths of the picture and of its small form.
	Path    string `json:"path"`
	Preview string `json:"preview"`
}

// ErrNotJPEG means that a picture is no JPEG image of a sensible size.
var ErrNotJPEG = errors.New("not a JPEG picture")

const (
	// maxSide bounds a picture before it is decoded: a small file may claim
	// dimensions that would take gigabytes.
	maxSide = 4096
	// previewSide is the width and height of a preview, in pixels.
	previewSide = 96
)

// SetPicture gives an owner, a bare JID, a new picture and drops the old one.
// The content must be a JPEG image, as clients send.
func (s *Store) SetPicture(owner string, content []byte) (Picture, error) {
	small, err := preview(content)
	if err != nil {
		return Picture{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	full, err := s.add(pictureKind, content)
	if err != nil {
		return Picture{}, err
	}
	little, err := s.add(pictureKind, small)
	if err != nil {
		s.drop(full)
		return Picture{}, err
	}
	s.dropPicture(owner)
	p := Picture{
		// Real ids are large decimal numbers that only ever grow.
		ID:      fmt.Sprintf("%d", 1700000000+s.next),
		Path:    directPathOf(pictureKind, full),
		Preview: directPathOf(pictureKind, little),
	}
	s.pictures[owner] = p
	return p, nil
}

// Picture returns an owner's picture, if there is one.
func (s *Store) Picture(owner string) (p Picture, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok = s.pictures[owner]
	return p, ok
}

// RemovePicture drops an owner's picture; it tells whether there was one.
func (s *Store) RemovePicture(owner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropPicture(owner)
}

func (s *Store) dropPicture(owner string) bool {
	old, ok := s.pictures[owner]
	if !ok {
		return false
	}
	for _, path := range []string{old.Path, old.Preview} {
		if _, id, ok := splitPath(path); ok {
			s.drop(id)
		}
	}
	delete(s.pictures, owner)
	return true
}

// preview checks that the content is a JPEG image and makes its small form.
func preview(content []byte) ([]byte, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotJPEG, err)
	}
	if config.Width == 0 || config.Height == 0 || config.Width > maxSide || config.Height > maxSide {
		return nil, fmt.Errorf("%w: %d by %d pixels", ErrNotJPEG, config.Width, config.Height)
	}
	full, err := jpeg.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotJPEG, err)
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, shrink(full), nil); err != nil {
		return nil, fmt.Errorf("write preview: %w", err)
	}
	return out.Bytes(), nil
}

// shrink scales a picture to preview size by taking the nearest pixel, which is
// enough for a preview and needs no library.
func shrink(full image.Image) image.Image {
	from := full.Bounds()
	small := image.NewRGBA(image.Rect(0, 0, previewSide, previewSide))
	for y := range previewSide {
		for x := range previewSide {
			small.Set(x, y, full.At(from.Min.X+x*from.Dx()/previewSide, from.Min.Y+y*from.Dy()/previewSide))
		}
	}
	return small
}
