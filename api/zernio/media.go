package zernio

import (
	"mime"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/messages"
)

const mediaPath = "/v1/whatsapp/media/"

// getMedia gives the file of a message to whoever may read it.
func (d *Dialect) getMedia(c *fiber.Ctx) error {
	s, err := d.account(c, c.Query("accountId"))
	if err != nil {
		return err
	}
	chat, id, err := parseMediaID(c.Params("mediaId"))
	if err != nil {
		return err
	}
	file, err := d.services.Messages.OpenFile(c.UserContext(), messages.MessageRequest{SessionID: s.ID, ID: id, Chat: chat})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, shownAs(file.Mimetype))
	disposition := "attachment"
	if name := path.Base(strings.ReplaceAll(file.Filename, `\`, "/")); file.Filename != "" {
		if with := mime.FormatMediaType(disposition, map[string]string{"filename": name}); with != "" {
			disposition = with
		}
	}
	c.Set(fiber.HeaderContentDisposition, disposition)
	return c.SendStream(file, int(file.Size)) // which closes it
}

// shownAs is the type of a file as it is served: that of pictures, sound and
// videos is known to do no harm, anything else is bytes.
func shownAs(mimetype string) string {
	kind, _, err := mime.ParseMediaType(mimetype)
	family, _, _ := strings.Cut(kind, "/")
	if err != nil || kind == "image/svg+xml" || family != "image" && family != "audio" && family != "video" && kind != "application/pdf" {
		return fiber.MIMEOctetStream
	}
	return kind
}
