package v1

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	edge "muster/api"
	"muster/groups"
	"muster/internal/fault"
	"muster/internal/picture"
)

const (
	mimeJPEG  = "image/jpeg"
	photoPath = groupPath + "/photo"
	// uploadLimit has room for the largest picture in base64, with JSON around it,
	// and for telling those who send something larger what the limit is.
	uploadLimit = 12 << 20
)

type photoView struct {
	ID  string `json:"id" example:"1700000042" doc:"Changes with the picture."`
	URL string `json:"url" doc:"Where WhatsApp serves it, for a while."`
}

type photoSet struct {
	Success bool   `json:"success" example:"true"`
	ID      string `json:"id" example:"1700000042" doc:"Names the new picture."`
}

// PhotoUpload is a picture in JSON.
type PhotoUpload struct {
	Image string `json:"image" contentEncoding:"base64" doc:"A JPEG or PNG in base64; a data: URL of one will do."`
}

// RegisterPhotos adds the pictures of groups. They are plain handlers, because
// they take and give more than JSON; the document is told about them by hand.
func RegisterPhotos(server *edge.Server, service *groups.Service) {
	server.Uploads(uploadLimit, isPhotoUpload)
	at := fiberPath(photoPath)
	server.Router().Get(at, func(c *fiber.Ctx) error { return getPhoto(c, service) })
	server.Router().Put(at, func(c *fiber.Ctx) error { return putPhoto(c, service) })
	handle(server.Huma(), route{
		Method: http.MethodDelete, Path: photoPath, ID: "delete-group-photo", Tag: groupsTag,
		Summary: "Remove the picture", Description: "Also succeeds when there is none.",
	}, func(ctx context.Context, in *struct{ GroupPath }) (done, error) {
		return done{Success: true}, service.DeletePhoto(ctx, groups.DeletePhotoRequest{Target: in.group()})
	})
	documentPhotos(server.Huma())
}

// isPhotoUpload recognises what may be larger than other requests.
func isPhotoUpload(method, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	return method == http.MethodPut && strings.HasPrefix(path, prefix+"/sessions/") && strings.HasSuffix(path, "/photo")
}

// fiberPath writes a path of ours as Fiber wants it: "{id}" as ":id".
func fiberPath(path string) string {
	return prefix + strings.NewReplacer("{", ":", "}", "").Replace(path)
}

func groupOf(c *fiber.Ctx) groups.Target {
	return groups.Target{SessionID: c.Params("session_id"), GroupJID: c.Params("group_jid")}
}

// getPhoto answers with the picture, or with where it is.
func getPhoto(c *fiber.Ctx, service *groups.Service) error {
	target := groupOf(c)
	form := c.Query("format", "jpeg")
	if form != "jpeg" && form != "json" {
		return fault.Field("format", "must be jpeg or json")
	}
	preview := c.Query("preview")
	if preview != "" && preview != "true" && preview != "false" {
		return fault.Field("preview", "must be true or false")
	}
	photo, err := service.Photo(c.UserContext(), groups.PhotoRequest{Target: target, Preview: preview == "true"})
	if err != nil {
		return err
	}
	if form == "json" {
		return c.JSON(photoView{ID: photo.ID, URL: photo.URL})
	}
	tag := `"` + photo.ID + preview + `"`
	c.Set(fiber.HeaderETag, tag)
	if c.Get(fiber.HeaderIfNoneMatch) == tag {
		return c.SendStatus(http.StatusNotModified)
	}
	content, err := service.FetchPhoto(c.UserContext(), target.SessionID, photo)
	if err != nil {
		c.Response().Header.Del(fiber.HeaderETag)
		return err
	}
	c.Set(fiber.HeaderContentType, mimeJPEG)
	return c.Send(content)
}

func putPhoto(c *fiber.Ctx, service *groups.Service) error {
	image, err := uploaded(c)
	if err != nil {
		return err
	}
	id, err := service.SetPhoto(c.UserContext(), groups.SetPhotoRequest{Target: groupOf(c), Image: image})
	if err != nil {
		return err
	}
	return c.JSON(photoSet{Success: true, ID: id})
}

// uploaded takes the picture out of the body. Which of the two kinds it is, its
// own first bytes tell.
func uploaded(c *fiber.Ctx) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	switch {
	case err == nil && strings.HasPrefix(kind, "image/"):
		return c.Body(), nil
	case err == nil && kind == fiber.MIMEMultipartForm:
		return fromForm(c)
	case err == nil && kind == fiber.MIMEApplicationJSON:
		return fromJSON(c.Body())
	}
	return nil, fault.New(fault.UnsupportedMedia, "the Content-Type must be image/jpeg, image/png, multipart/form-data or application/json")
}

// fromForm takes the one file of a form, whatever its field is called.
func fromForm(c *fiber.Ctx) ([]byte, error) {
	form, err := c.MultipartForm()
	if err != nil {
		return nil, fault.New(fault.Malformed, "the form cannot be read").Because(err)
	}
	for _, files := range form.File {
		if len(files) != 1 || len(form.File) != 1 {
			return nil, fault.Field("image", "must be one file")
		}
		file, err := files[0].Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(io.LimitReader(file, picture.MaxBytes+1))
		return content, errors.Join(err, file.Close())
	}
	return nil, fault.Field("image", "is required: the form has no file")
}

func fromJSON(body []byte) ([]byte, error) {
	var upload PhotoUpload
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&upload); err != nil {
		return nil, unreadableUpload(err)
	}
	text := upload.Image
	if header, rest, found := strings.Cut(text, ","); found && strings.HasPrefix(header, "data:") && strings.HasSuffix(header, ";base64") {
		text = rest
	}
	if text == "" {
		return nil, fault.Field("image", "is required")
	}
	image, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.Field("image", "is not base64")
	}
	return image, nil
}

// unreadableUpload tells JSON that is broken from JSON that does not fit, as the
// other operations do.
func unreadableUpload(err error) error {
	var wrong *json.UnmarshalTypeError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case errors.As(err, &wrong):
		return fault.Field(wrong.Field, "expected %s", wrong.Type)
	case unknown:
		return fault.Field(strings.Trim(name, `"`), "unexpected property")
	}
	return fault.New(fault.Malformed, "the request cannot be read: it is not JSON").Because(err)
}

func documentPhotos(docs huma.API) {
	document := docs.OpenAPI()
	text, binary := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeString, Format: "binary"}
	params := []*huma.Param{
		{Name: "session_id", In: "path", Required: true, Schema: text, Description: "The session's id."},
		{Name: "group_jid", In: "path", Required: true, Schema: text, Description: "The group's JID; @g.us may be left out."},
	}
	schema := func(of reflect.Type) *huma.Schema { return document.Components.Schemas.Schema(of, true, "") }
	problem := &huma.Response{Description: "A problem document.", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schema(reflect.TypeFor[edge.ProblemDocument]())},
	}}
	document.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: prefix + photoPath, OperationID: "get-group-photo", Tags: []string{groupsTag},
		Summary: "Get the picture", Description: "404 (not_found) when there is none. The ETag names the picture.",
		Parameters: append(params[:2:2],
			&huma.Param{Name: "format", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"jpeg", "json"}, Default: "jpeg"},
				Description: "json tells its id and where WhatsApp serves it, without downloading it."},
			&huma.Param{Name: "preview", In: "query", Schema: &huma.Schema{Type: huma.TypeBoolean}, Description: "The small form."}),
		Responses: map[string]*huma.Response{
			"200": {Description: "The picture.", Content: map[string]*huma.MediaType{
				mimeJPEG: {Schema: binary}, fiber.MIMEApplicationJSON: {Schema: schema(reflect.TypeFor[photoView]())},
			}},
			"304":     {Description: "The picture is the one that If-None-Match names."},
			"default": problem,
		},
	})
	document.AddOperation(&huma.Operation{
		Method: http.MethodPut, Path: prefix + photoPath, OperationID: "set-group-photo", Tags: []string{groupsTag},
		Summary: "Set the picture",
		Description: "A JPEG or PNG of at most 5 MB and 16 million pixels. The square in its middle becomes the picture, 640 pixels wide. " +
			"413 (too_large), 415 (unsupported_media) and 422 (invalid) tell what is wrong with it.",
		Parameters: append(params[:2:2], route{Method: http.MethodPut}.parameters()...),
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			mimeJPEG: {Schema: binary}, mimePNG: {Schema: binary},
			fiber.MIMEMultipartForm: {Schema: &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{"image": binary},
				Description: "One file, whatever its field is called."}},
			fiber.MIMEApplicationJSON: {Schema: schema(reflect.TypeFor[PhotoUpload]())},
		}},
		Responses: map[string]*huma.Response{
			"200":     {Description: "It is set.", Content: map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: schema(reflect.TypeFor[photoSet]())}}},
			"default": problem,
		},
	})
}
