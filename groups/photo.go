package groups

import (
	"context"
	"errors"
	"net/url"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"

	"muster/internal/fault"
	"muster/internal/picture"
)

// Photo is a group's picture.
type Photo struct {
	// ID changes with the picture.
	ID string
	// URL is where WhatsApp serves it, a JPEG, for a while.
	URL string
}

// PhotoRequest asks for a group's picture.
type PhotoRequest struct {
	Target
	// Preview asks for the small form, of about 96 pixels.
	Preview bool
}

// Photo tells which picture a group has and where it is: fault not_found when it
// has none.
func (s *Service) Photo(ctx context.Context, req PhotoRequest) (Photo, error) {
	jid, err := req.group()
	if err != nil {
		return Photo{}, err
	}
	group, err := s.group(ctx, req.SessionID, jid)
	if err != nil {
		return Photo{}, err
	}
	var info *types.ProfilePictureInfo
	err = s.read(ctx, req.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		info, err = client.GetProfilePictureInfo(ctx, jid, &whatsmeow.GetProfilePictureParams{
			Preview: req.Preview, IsCommunity: group.Community.IsCommunity,
		})
		return hiddenPhoto(err)
	})
	switch {
	case err != nil:
		return Photo{}, err
	case info == nil:
		return Photo{}, fault.New(fault.NotFound, "the group has no picture")
	}
	return Photo{ID: info.ID, URL: info.URL}, nil
}

func hiddenPhoto(err error) error {
	switch {
	case errors.Is(err, whatsmeow.ErrProfilePictureNotSet):
		return fault.New(fault.NotFound, "the group has no picture").Because(err)
	case errors.Is(err, whatsmeow.ErrProfilePictureUnauthorized), iqCode(err) == 403:
		return fault.New(fault.NotInGroup, "WhatsApp does not show the group's picture to this account").Because(err)
	}
	return err
}

// FetchPhoto downloads a picture that Photo has told of. It is a JPEG.
func (s *Service) FetchPhoto(ctx context.Context, sessionID string, photo Photo) ([]byte, error) {
	// The URL is WhatsApp's word; that it leads to WhatsApp's media hosts and
	// nowhere else is checked by the session.
	if _, err := url.Parse(photo.URL); err != nil || photo.URL == "" {
		return nil, fault.New(fault.NotFound, "WhatsApp does not say where the picture is").Because(err)
	}
	return s.sessions.Download(ctx, sessionID, photo.URL, picture.MaxBytes)
}

// SetPhotoRequest asks for a new picture.
type SetPhotoRequest struct {
	Target
	// Image is a JPEG or PNG of at most picture.MaxBytes. The square in its
	// middle becomes the picture.
	Image []byte
}

// Validate checks the group, and the picture as far as its beginning tells.
func (r SetPhotoRequest) Validate() error {
	if err := r.Target.Validate(); err != nil {
		return err
	}
	return picture.Check(r.Image)
}

// SetPhoto gives a group a new picture and returns its id.
func (s *Service) SetPhoto(ctx context.Context, req SetPhotoRequest) (id string, err error) {
	if err = req.Validate(); err != nil {
		return "", err
	}
	square, err := s.square(ctx, req.Image)
	if err != nil {
		return "", err
	}
	return s.replacePhoto(ctx, req.Target, square)
}

// square makes the picture, one at a time: it takes much memory for a moment.
func (s *Service) square(ctx context.Context, image []byte) ([]byte, error) {
	select {
	case s.darkroom <- struct{}{}:
		defer func() { <-s.darkroom }()
		return picture.Square(image)
	case <-ctx.Done():
		return nil, fault.New(fault.Unavailable, "too many pictures are being prepared").Because(ctx.Err())
	}
}

// DeletePhotoRequest asks to take a group's picture away.
type DeletePhotoRequest struct{ Target }

// DeletePhoto takes a group's picture away. One that has none stays so.
func (s *Service) DeletePhoto(ctx context.Context, req DeletePhotoRequest) error {
	_, err := s.replacePhoto(ctx, req.Target, nil)
	return err
}

// replacePhoto sets the JPEG, or none.
func (s *Service) replacePhoto(ctx context.Context, target Target, jpeg []byte) (id string, err error) {
	group, err := target.group()
	if err != nil {
		return "", err
	}
	ctx, done, err := s.exclusive(ctx, target.SessionID, group)
	if err != nil {
		return "", err
	}
	defer done()
	ctx, expected := s.expect(ctx, target.SessionID, group, "", as(ChangePhoto))
	defer expected()
	repeatable(ctx)
	err = s.write(ctx, target.SessionID, func(ctx context.Context, client *whatsmeow.Client) error {
		id, err = client.SetGroupPhoto(ctx, group, jpeg)
		if errors.Is(err, whatsmeow.ErrInvalidImageFormat) {
			return fault.Field("image", "WhatsApp does not accept this picture").Because(err)
		}
		return refused(err)
	})
	if err != nil {
		return "", s.explain(ctx, target.SessionID, group, err)
	}
	change := s.own(target.SessionID, group, ChangePhoto)
	if jpeg == nil {
		id = ""
	}
	change.Text = id
	s.recorded(ctx, change)
	return id, nil
}
