package v1

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/gofiber/fiber/v2"

	edge "muster/api"
	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
	"muster/messages/media"
)

// FileBody is a file in JSON: an address to fetch it from, or its content.
type FileBody struct {
	URL      string `json:"url,omitempty" maxLength:"8192" doc:"Where the server fetches it: http or https, on the public internet." example:"https://example.org/picture.jpg"`
	Data     string `json:"data,omitempty" contentEncoding:"base64" doc:"Its content in base64; a data: URL will do."`
	Mimetype string `json:"mimetype,omitempty" maxLength:"255" doc:"What it is; its content is looked at all the same." example:"image/jpeg"`
}

// Bodies that bring a file, one of each kind.
type (
	// ImageBody is a picture.
	ImageBody struct {
		SendOptions
		Image    FileBody `json:"image" doc:"A JPEG or PNG."`
		Caption  string   `json:"caption,omitempty" maxLength:"65536"`
		ViewOnce bool     `json:"view_once,omitempty" doc:"It is shown once. Nothing of it is kept here either: its file is deleted some 70 minutes after it was sent."`
	}
	// VideoBody is a video.
	VideoBody struct {
		SendOptions
		Video    FileBody `json:"video" doc:"An MP4 or 3GP."`
		Caption  string   `json:"caption,omitempty" maxLength:"65536"`
		ViewOnce bool     `json:"view_once,omitempty" doc:"It is shown once. Nothing of it is kept here either: its file is deleted some 70 minutes after it was sent."`
	}
	// AudioBody is audio.
	AudioBody struct {
		SendOptions
		Audio    FileBody `json:"audio"`
		PTT      bool     `json:"ptt,omitempty" doc:"A voice note: Ogg with Opus, with a waveform."`
		ViewOnce bool     `json:"view_once,omitempty" doc:"It is played once. Nothing of it is kept here either: its file is deleted some 70 minutes after it was sent."`
	}
	// DocumentBody is any file.
	DocumentBody struct {
		SendOptions
		Document FileBody `json:"document"`
		Filename string   `json:"filename,omitempty" maxLength:"255" example:"report.pdf" doc:"A name without folders."`
		Caption  string   `json:"caption,omitempty" maxLength:"65536"`
	}
	// StickerBody is a sticker.
	StickerBody struct {
		SendOptions
		Sticker FileBody `json:"sticker" doc:"A WebP of at most 512 by 512 pixels, which may be animated."`
	}
)

// fileBody is any of them.
type fileBody interface {
	// request gives everything but the envelope and the file.
	request() (SendOptions, FileBody, messages.MediaRequest)
}

func (b *ImageBody) request() (SendOptions, FileBody, messages.MediaRequest) {
	return b.SendOptions, b.Image, messages.MediaRequest{Kind: content.KindImage, Caption: b.Caption, ViewOnce: b.ViewOnce}
}

func (b *VideoBody) request() (SendOptions, FileBody, messages.MediaRequest) {
	return b.SendOptions, b.Video, messages.MediaRequest{Kind: content.KindVideo, Caption: b.Caption, ViewOnce: b.ViewOnce}
}

func (b *AudioBody) request() (SendOptions, FileBody, messages.MediaRequest) {
	return b.SendOptions, b.Audio, messages.MediaRequest{Kind: content.KindAudio, PTT: b.PTT, ViewOnce: b.ViewOnce}
}

func (b *DocumentBody) request() (SendOptions, FileBody, messages.MediaRequest) {
	return b.SendOptions, b.Document, messages.MediaRequest{Kind: content.KindDocument, Caption: b.Caption, Filename: b.Filename}
}

func (b *StickerBody) request() (SendOptions, FileBody, messages.MediaRequest) {
	return b.SendOptions, b.Sticker, messages.MediaRequest{Kind: content.KindSticker}
}

// fileKind is one of the kinds of messages that bring a file.
type fileKind struct {
	kind content.Kind
	body func() fileBody
	// form says which fields a form may have besides those of every message.
	form []string
}

func fileKinds() []fileKind {
	return []fileKind{
		{content.KindImage, func() fileBody { return &ImageBody{} }, []string{"caption", "view_once"}},
		{content.KindVideo, func() fileBody { return &VideoBody{} }, []string{"caption", "view_once"}},
		{content.KindAudio, func() fileBody { return &AudioBody{} }, []string{"ptt", "view_once"}},
		{content.KindDocument, func() fileBody { return &DocumentBody{} }, []string{"caption", "filename"}},
		{content.KindSticker, func() fileBody { return &StickerBody{} }, nil},
	}
}

// registerMediaSends adds the sending of files. They are plain handlers, because
// they take forms as well as JSON, and more of it than other requests.
func registerMediaSends(server *edge.Server, services MessageServices) {
	paths := map[string]bool{}
	for _, kind := range fileKinds() {
		paths["/"+string(kind.kind)] = true
		server.Router().Post(fiberPath(messagesPath+"/"+string(kind.kind)), func(c *fiber.Ctx) error {
			return sendFile(c, kind, services.Send)
		})
	}
	server.Uploads(services.UploadLimit, func(method, path string) bool {
		path, _, _ = strings.Cut(path, "?")
		last := strings.LastIndexByte(path, '/')
		return method == fiber.MethodPost && strings.HasPrefix(path, prefix+"/sessions/") &&
			last > 0 && strings.HasSuffix(path[:last], "/messages") && paths[path[last:]]
	})
	documentMediaSends(server.Huma())
}

func sendFile(c *fiber.Ctx, kind fileKind, service *messages.Service) error {
	request, end, err := readFile(c, kind)
	if err != nil {
		return err
	}
	message, err := service.SendMedia(c.UserContext(), request)
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	return c.JSON(sentView(message))
}

// readFile reads a request that brings a file. Call end when it is done.
func readFile(c *fiber.Ctx, kind fileKind) (request messages.MediaRequest, end func() error, err error) {
	end = func() error { return nil }
	mediaType, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	switch {
	case err == nil && mediaType == fiber.MIMEMultipartForm:
		return readFileForm(c, kind)
	case err == nil && mediaType == fiber.MIMEApplicationJSON:
		request, err = readFileJSON(c, kind)
		return request, end, err
	}
	return request, end, fault.New(fault.UnsupportedMedia, "the Content-Type must be application/json or multipart/form-data")
}

func readFileJSON(c *fiber.Ctx, kind fileKind) (messages.MediaRequest, error) {
	body := kind.body()
	decoder := json.NewDecoder(bytes.NewReader(c.Request().Body()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(body); err != nil {
		return messages.MediaRequest{}, unreadableUpload(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return messages.MediaRequest{}, fault.New(fault.Malformed, "the request cannot be read: there is more after the JSON")
	}
	options, file, request := body.request()
	var err error
	if request.Envelope, err = options.envelope(c.Params("session_id")); err != nil {
		return request, err
	}
	request.Mimetype = file.Mimetype
	request.File, err = file.source(string(kind.kind))
	return request, err
}

// source is where the file is.
func (b FileBody) source(field string) (media.Source, error) {
	switch {
	case b.URL == "" && b.Data == "":
		return media.Source{}, fault.Field(field, "must have url or data")
	case b.URL != "" && b.Data != "":
		return media.Source{}, fault.Field(field, "must have either url or data")
	case b.URL != "":
		return media.Source{URL: b.URL}, nil
	}
	text := b.Data
	if header, rest, found := strings.Cut(text, ","); found && strings.HasPrefix(header, "data:") && strings.HasSuffix(header, ";base64") {
		text = rest
	}
	data, err := base64.StdEncoding.DecodeString(text)
	switch {
	case err != nil:
		return media.Source{}, fault.Field(field+".data", "is not base64")
	case len(data) == 0:
		return media.Source{}, fault.Field(field+".data", "is empty")
	}
	return media.Source{Data: data}, nil
}

// readFileForm reads a form: text fields as in JSON, and one file.
func readFileForm(c *fiber.Ctx, kind fileKind) (request messages.MediaRequest, end func() error, err error) {
	end = func() error { return nil }
	form, err := c.MultipartForm()
	if err != nil {
		return request, end, fault.New(fault.Malformed, "the form cannot be read").Because(err)
	}
	options, request, err := formFields(form.Value, kind)
	if err != nil {
		return request, end, err
	}
	if request.Envelope, err = options.envelope(c.Params("session_id")); err != nil {
		return request, end, err
	}
	file, err := formFile(form, string(kind.kind))
	if err != nil {
		return request, end, err
	}
	if kind.kind == content.KindDocument {
		request.Mimetype = file.Header.Get(fiber.HeaderContentType)
		request.Filename = cmp.Or(request.Filename, file.Filename)
	}
	opened, err := file.Open()
	if err != nil {
		return request, end, err
	}
	request.File = media.Source{From: opened}
	return request, opened.Close, nil
}

// formFile is the one file of a form, under the kind's name or as "file".
func formFile(form *multipart.Form, name string) (*multipart.FileHeader, error) {
	var found *multipart.FileHeader
	for field, files := range form.File {
		switch {
		case field != name && field != "file":
			return nil, fault.Field(field, "unexpected property")
		case len(files) != 1 || found != nil:
			return nil, fault.Field(name, "must be one file")
		}
		found = files[0]
	}
	if found == nil {
		return nil, fault.Field(name, "is required: the form has no file of this name")
	}
	return found, nil
}

func formFields(values map[string][]string, kind fileKind) (o SendOptions, request messages.MediaRequest, err error) {
	request.Kind = kind.kind
	for name, texts := range values {
		text := texts[0]
		if len(texts) > 1 && name != "mentions" {
			return o, request, fault.Field(name, "must be given once")
		}
		switch name {
		case "to":
			o.To = text
		case "reply_to":
			o.ReplyTo = text
		case "reply_sender":
			o.ReplySender = text
		case "mentions":
			o.Mentions = splitMentions(texts)
		case "mention_all":
			o.MentionAll, err = formBool(name, text)
		case "send_at":
			o.SendAt = momentOf(text)
		default:
			err = kindField(&request, kind, name, text)
		}
		if err != nil {
			return o, request, err
		}
	}
	return o, request, nil
}

// kindField reads a field that only some kinds have.
func kindField(request *messages.MediaRequest, kind fileKind, name, text string) (err error) {
	known := false
	for _, field := range kind.form {
		known = known || field == name
	}
	switch {
	case !known:
		return fault.Field(name, "unexpected property")
	case name == "caption":
		request.Caption = text
	case name == "filename":
		request.Filename = text
	case name == "ptt":
		request.PTT, err = formBool(name, text)
	case name == "view_once":
		request.ViewOnce, err = formBool(name, text)
	}
	return err
}

// splitMentions takes one field with commas, or a field for each.
func splitMentions(texts []string) (list []string) {
	for _, text := range texts {
		for one := range strings.SplitSeq(text, ",") {
			if one = strings.TrimSpace(one); one != "" {
				list = append(list, one)
			}
		}
	}
	return list
}

func formBool(name, text string) (bool, error) {
	switch text {
	case "true", "1", "on":
		return true, nil
	case "false", "0", "", "off":
		return false, nil
	}
	return false, fault.Field(name, "must be true or false")
}
