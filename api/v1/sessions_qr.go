package v1

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"muster/api"
	"muster/internal/fault"
	"muster/session"
)

// The forms in which a QR code is given.
const (
	mimeSVG    = "image/svg+xml"
	mimePNG    = "image/png"
	mimeStream = "text/event-stream"
)

type qrReply struct {
	QR        string `json:"qr" doc:"The text of the QR code."`
	ExpiresAt int64  `json:"expires_at" doc:"When the next code replaces it."`
	Attempt   int    `json:"attempt" doc:"1 for the first code."`
	Status    string `json:"status"`
}

// qrResult is the last event of a stream, or one between codes.
type qrResult struct {
	Status     string  `json:"status"`
	JID        *string `json:"jid,omitempty"`
	DeviceJID  *string `json:"device_jid,omitempty"`
	Reason     *string `json:"reason,omitempty"`
	ReasonText *string `json:"reason_text,omitempty"`
}

// registerQR adds GET …/qr. It is a plain handler, because it answers in four
// forms and one of them is a stream; the document is told about it by hand.
func registerQR(docs huma.API, app fiber.Router, m *session.Manager) {
	app.Get(prefix+"/sessions/:session_id/qr", func(c *fiber.Ctx) error {
		form, err := qrForm(c)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-store")
		id := c.Params("session_id")
		if form == mimeStream {
			return streamQR(c, m, id)
		}
		code, err := m.QR(c.UserContext(), id)
		if err != nil {
			return err
		}
		return sendQR(c, code, form)
	})
	documentQR(docs)
}

// qrForm is the media type asked for: by name in the query, or by Accept.
func qrForm(c *fiber.Ctx) (string, error) {
	switch c.Query("format") {
	case "":
	case "json":
		return fiber.MIMEApplicationJSON, nil
	case "png":
		return mimePNG, nil
	case "svg":
		return mimeSVG, nil
	case "stream":
		return mimeStream, nil
	default:
		return "", fault.Field("format", "must be json, png, svg or stream")
	}
	if form := c.Accepts(fiber.MIMEApplicationJSON, mimePNG, mimeSVG, mimeStream); form != "" {
		return form, nil
	}
	return fiber.MIMEApplicationJSON, nil
}

func sendQR(c *fiber.Ctx, code session.QR, form string) error {
	var picture []byte
	var err error
	switch form {
	case mimePNG:
		picture, err = code.PNG()
	case mimeSVG:
		picture, err = code.SVG()
	default:
		return c.JSON(viewQR(code))
	}
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, form)
	return c.Send(picture)
}

func viewQR(code session.QR) qrReply {
	return qrReply{QR: code.Code, ExpiresAt: seconds(code.ExpiresAt), Attempt: code.Attempt, Status: string(code.Status)}
}

// streamQR sends each new code as an event "qr", a demand for a passkey, which
// comes without a code, as "status", and ends with one "result". What is wrong
// before the first code is an ordinary error answer.
func streamQR(c *fiber.Ctx, m *session.Manager, id string) error {
	watching, stop := context.WithCancel(context.WithoutCancel(c.UserContext()))
	codes, err := m.WatchQR(watching, id)
	if err != nil {
		stop()
		return err
	}
	return api.Stream(c, func(ctx context.Context, send api.Send) error {
		defer stop()
		defer context.AfterFunc(ctx, stop)()
		for code := range codes {
			event, data := "qr", any(viewQR(code))
			switch {
			case code.Done():
				event, data = "result", viewResult(code)
			case code.Code == "":
				event, data = "status", viewResult(code)
			}
			if err := send(event, data); err != nil {
				return err
			}
		}
		return nil
	})
}

func viewResult(code session.QR) qrResult {
	linked := session.Session{JID: code.JID}
	return qrResult{
		Status: string(code.Status), JID: known(linked.AccountJID()), DeviceJID: known(code.JID),
		Reason: known(code.Reason), ReasonText: known(code.Detail),
	}
}

func documentQR(docs huma.API) {
	document := docs.OpenAPI()
	text := &huma.Schema{Type: huma.TypeString}
	document.AddOperation(&huma.Operation{
		Method: http.MethodGet, Path: prefix + "/sessions/{session_id}/qr", OperationID: "get-session-qr", Tags: []string{tagSessions},
		Summary: "Get the QR code to be scanned",
		Description: "Starts a session that is not running. As a stream (Accept: text/event-stream, or format=stream) it sends an event " +
			"\"qr\" with each new code (and again when its status changes), an event \"status\" when WhatsApp demands a passkey, and ends with one \"result\", whose status is connected or says, with a reason, why it is not.",
		Parameters: []*huma.Param{
			{Name: "session_id", In: "path", Required: true, Schema: text},
			{Name: "format", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"json", "png", "svg", "stream"}},
				Description: "Wins over the Accept header."},
		},
		Responses: map[string]*huma.Response{
			"200": {Description: "The code that is valid now.", Content: map[string]*huma.MediaType{
				fiber.MIMEApplicationJSON: {Schema: document.Components.Schemas.Schema(reflect.TypeFor[qrReply](), true, "")},
				mimePNG:                   {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
				mimeSVG:                   {Schema: text},
				mimeStream:                {Schema: text},
			}},
			"default": {Description: "A problem document.", Content: map[string]*huma.MediaType{
				"application/problem+json": {Schema: document.Components.Schemas.Schema(reflect.TypeFor[api.ProblemDocument](), true, "")},
			}},
		},
	})
}
