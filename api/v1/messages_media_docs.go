package v1

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	edge "muster/api"
)

// documentMediaSends tells the document of the plain handlers that take files.
func documentMediaSends(docs huma.API) {
	document := docs.OpenAPI()
	schema := func(of reflect.Type) *huma.Schema { return document.Components.Schemas.Schema(of, true, "") }
	problem := &huma.Response{Description: "A problem document.", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: schema(reflect.TypeFor[edge.ProblemDocument]())},
	}}
	summaries := map[string]string{
		"image": "Send a picture", "video": "Send a video", "audio": "Send audio or a voice note",
		"document": "Send a file", "sticker": "Send a sticker",
	}
	session := &huma.Param{Name: "session_id", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "The session's id."}
	for _, kind := range fileKinds() {
		name := string(kind.kind)
		document.AddOperation(&huma.Operation{
			Method: http.MethodPost, Path: prefix + messagesPath + "/" + name, OperationID: "send-" + name, Tags: []string{messagesTag},
			Summary: summaries[name],
			Description: sendDescription + "The file is fetched from an address, or comes in the request: in base64, or as a part of a form. " +
				"What it is, its content shows; 413 (too_large), 415 (unsupported_media) and 422 (invalid) tell what is wrong with it.",
			Parameters: append([]*huma.Param{session}, route{Method: http.MethodPost}.parameters()...),
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				fiber.MIMEApplicationJSON: {Schema: schema(reflect.TypeOf(kind.body()).Elem())},
				fiber.MIMEMultipartForm:   {Schema: fileForm(kind)},
			}},
			Responses: map[string]*huma.Response{
				"200": {Description: "WhatsApp has taken it, or it is kept for later.", Content: map[string]*huma.MediaType{
					fiber.MIMEApplicationJSON: {Schema: schema(reflect.TypeFor[sent]())},
				}},
				"default": problem,
			},
		})
	}
}

// fileForm is the form that a kind of file may come in.
func fileForm(kind fileKind) *huma.Schema {
	text, truth := &huma.Schema{Type: huma.TypeString}, &huma.Schema{Type: huma.TypeBoolean}
	fields := map[string]*huma.Schema{
		string(kind.kind): {Type: huma.TypeString, Format: "binary", Description: "The file; the field may be called file, too."},
		"to":              text, "reply_to": text, "reply_sender": text, "mention_all": truth, "send_at": text,
		"mentions": {Type: huma.TypeString, Description: "Separated by commas; or the field again and again."},
	}
	for _, name := range kind.form {
		fields[name] = text
		if name == "ptt" || name == "view_once" {
			fields[name] = truth
		}
	}
	return &huma.Schema{Type: huma.TypeObject, Properties: fields, Required: []string{"to", string(kind.kind)}}
}
