package v1

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	edge "muster/api"
	"muster/messages"
)

const filePath = messagesPath + "/{message_id}/media"

// registerDownload adds the files of messages.
func registerDownload(server *edge.Server, service *messages.Service) {
	get := func(c *fiber.Ctx) error { return download(c, service) }
	server.Router().Get(fiberPath(filePath), get) // Fiber answers HEAD by it, too
	server.Files(func(method, path string) bool {
		path, _, _ = strings.Cut(path, "?")
		return method == fiber.MethodGet && strings.HasPrefix(path, prefix+"/sessions/") &&
			strings.Contains(path, "/messages/") && strings.HasSuffix(path, "/media")
	})
	documentDownload(server.Huma())
}

// download answers with a message's file, or a part of it. The file is a
// stranger's: the browser is not to run it, whatever it says it is.
func download(c *fiber.Ctx, service *messages.Service) error {
	file, err := service.OpenFile(c.UserContext(), messages.MessageRequest{
		SessionID: c.Params("session_id"), ID: c.Params("message_id"), Chat: c.Query("chat"),
	})
	if err != nil {
		return err
	}
	tag := `"` + file.Sum.String() + `"`
	c.Set(fiber.HeaderETag, tag)
	c.Set(fiber.HeaderAcceptRanges, "bytes")
	c.Set(fiber.HeaderCacheControl, "private, no-cache")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox")
	if noneMatch(c.Get(fiber.HeaderIfNoneMatch), tag) {
		return errors.Join(file.Close(), c.SendStatus(http.StatusNotModified))
	}
	kind, disposition := shownAs(file.Mimetype)
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderContentDisposition, disposition+dispositionName(file))
	from, to := int64(0), file.Size-1
	asked := c.Get(fiber.HeaderRange)
	if since := c.Get(fiber.HeaderIfRange); asked != "" && (since == "" || since == tag) && !strings.Contains(asked, ",") {
		start, end, err := fasthttp.ParseByteRange([]byte(asked), int(file.Size))
		if err != nil {
			c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes */%d", file.Size))
			return errors.Join(file.Close(), c.SendStatus(http.StatusRequestedRangeNotSatisfiable))
		}
		from, to = int64(start), int64(end)
		c.Set(fiber.HeaderContentRange, fmt.Sprintf("bytes %d-%d/%d", from, to, file.Size))
		c.Status(http.StatusPartialContent)
	}
	part := io.NewSectionReader(file, from, to-from+1)
	c.Context().SetBodyStream(struct {
		io.Reader
		io.Closer
	}{part, file}, int(part.Size()))
	return nil
}

func noneMatch(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// shownAs is how a file is handed out: pictures, sound and videos for what they
// are, everything else as bytes to be saved.
func shownAs(mimetype string) (contentType, disposition string) {
	kind, _, err := mime.ParseMediaType(mimetype)
	if err == nil {
		switch kind {
		case "image/jpeg", "image/png", "image/webp", "image/gif",
			"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/wav", "audio/amr", "audio/opus",
			"video/mp4", "video/3gpp", "video/webm":
			return kind, "inline"
		}
	}
	return fiber.MIMEOctetStream, "attachment"
}

// dispositionName is the file's name for Content-Disposition (RFC 6266): only
// its last part, without control characters, in ASCII and in full.
func dispositionName(file messages.File) string {
	name := path.Base(strings.ReplaceAll(file.Filename, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1 // control characters, and those that turn the writing around
		}
		return r
	}, name)
	if file.Filename == "" || strings.Trim(name, ". /") == "" {
		name = file.Sum.String()[:16] + extension(file.Mimetype)
	}
	ascii := strings.Map(func(r rune) rune {
		if r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, name)
	return `; filename="` + ascii + `"; filename*=UTF-8''` + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

func extension(mimetype string) string {
	kind, _, err := mime.ParseMediaType(mimetype)
	if err != nil {
		return ""
	}
	return map[string]string{
		"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "video/mp4": ".mp4",
		"audio/ogg": ".ogg", "audio/mpeg": ".mp3", "audio/mp4": ".m4a", "application/pdf": ".pdf",
	}[kind]
}

func documentDownload(docs huma.API) {
	document := docs.OpenAPI()
	text := &huma.Schema{Type: huma.TypeString}
	binary := map[string]*huma.MediaType{fiber.MIMEOctetStream: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	document.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: prefix + filePath, OperationID: "get-message-media", Tags: []string{inboxTag},
		Summary: "Get the file of a message",
		Description: "404 (not_found) when the message has none that is kept; 503 (unavailable), with Retry-After, while it is being fetched. " +
			"The ETag names the content. Pictures, sound and videos come as what they are, everything else as bytes to be saved.",
		Parameters: []*huma.Param{
			{Name: "session_id", In: "path", Required: true, Schema: text, Description: "The session's id."},
			{Name: "message_id", In: "path", Required: true, Schema: text, Description: "The message's id."},
			{Name: "chat", In: "query", Schema: text, Description: "The chat, should two have a message of this id."},
			{Name: "Range", In: "header", Schema: text, Description: "One range of bytes.", Example: "bytes=0-1023"},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "The file.", Content: binary},
			"206": {Description: "The part of the file that Range asked for.", Content: binary},
			"304": {Description: "The file is the one that If-None-Match names."},
			"416": {Description: "The file has no such part."},
			"default": {Description: "A problem document.", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: document.Components.Schemas.Schema(reflect.TypeFor[edge.ProblemDocument](), true, "")},
			}},
		},
	})
}
