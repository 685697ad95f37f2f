package meta

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"image/jpeg"
	"strings"

	"muster/internal/event"
	"muster/internal/fault"
	"muster/internal/picture"
)

// leastPicture is the least width and height of a group's picture, in pixels.
const leastPicture = 192

const jpegType = "image/jpeg"

type updateBody struct {
	messagingProduct
	Subject     *word `json:"subject"`
	Description *word `json:"description"`
	Picture     *word `json:"profile_picture_file"`
	Approval    any   `json:"join_approval_mode"`
}

// UpdateGroup changes a group's subject, description and picture. What has
// become of each is told by webhook.
func (a *API) UpdateGroup(c Call) error {
	b, err := readBody(c.Ctx)
	if err != nil {
		return err
	}
	o, image, err := readUpdate(b)
	if err != nil {
		return err
	}
	return a.change(c, o, image)
}

// change carries out what is told by webhook, and answers whether it was done.
func (a *API) change(c Call, o order, image []byte) error {
	if err := a.changeable(c); err != nil {
		return err
	}
	o.SessionID, o.GroupJID = c.Session.ID, c.Group
	if _, err := a.carryOut(c.UserContext(), o, image); err != nil {
		return err
	}
	return c.JSON(success{true})
}

func readUpdate(b body) (o order, image []byte, err error) {
	var said updateBody
	if err = b.into(&said); err != nil {
		return o, nil, err
	}
	if err = said.check(); err != nil {
		return o, nil, err
	}
	o.Operation = event.OperationUpdateGroup
	if said.Approval != nil {
		return o, nil, fault.Field("join_approval_mode", "can only be given when the group is made")
	}
	if said.Subject != nil {
		subject, err := checkSubject(string(*said.Subject))
		if err != nil {
			return o, nil, err
		}
		o.Subject = &subject
	}
	if said.Description != nil {
		text := string(*said.Description)
		if err = checkDescription(text); err != nil {
			return o, nil, err
		}
		o.Description = &text
	}
	if image, err = said.picture(b); err != nil {
		return o, nil, err
	}
	if image != nil {
		sum := sha256.Sum256(image)
		o.PhotoSHA256 = hex.EncodeToString(sum[:])
	}
	if o.Subject == nil && o.Description == nil && image == nil {
		return o, nil, fault.New(fault.Invalid, "give at least one of subject, description and a picture")
	}
	return o, image, nil
}

// The names of the picture: of a form's file, and in JSON.
const (
	pictureFile = "file"
	pictureText = "profile_picture_file"
)

// picture is the picture of a request, or nil. It is a file of a form under
// either name; in JSON it is a data: URI, because a path or a URL of the
// client's choice is not to be read here.
func (b updateBody) picture(in body) ([]byte, error) {
	for _, field := range []string{pictureFile, pictureText} {
		header := in.files[field]
		if header == nil {
			continue
		}
		image, err := upload(field, header, picture.MaxBytes)
		if err != nil {
			return nil, err
		}
		return image, checkPicture(field, image)
	}
	if b.Picture == nil || *b.Picture == "" {
		return nil, nil
	}
	kind, encoded, ok := strings.Cut(string(*b.Picture), ";base64,")
	if !ok || !strings.HasPrefix(kind, "data:") {
		return nil, fault.Field(pictureText, "must be a file of a multipart form, or a data: URI in base64")
	}
	image, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fault.Field(pictureText, "is not base64")
	}
	return image, checkPicture(pictureText, image)
}

// checkPicture refuses what Meta does: anything but a square JPEG of at least
// 192 by 192 pixels and at most 5 MB.
func checkPicture(field string, image []byte) error {
	if err := picture.Check(image); err != nil {
		failure := fault.From(err)
		return fault.Field(field, "%s", failure.Message).Because(err)
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(image))
	switch {
	case err != nil:
		return fault.Field(field, "must be a JPEG").Because(err)
	case config.Width != config.Height:
		return refuse(codePictureShape, "%s: has %d by %d pixels and is not square", field, config.Width, config.Height)
	case config.Width < leastPicture:
		return refuse(codePictureSize, "%s: has %d by %d pixels; %d by %d are the least", field, config.Width, config.Height, leastPicture, leastPicture)
	}
	return nil
}
