package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
)

// body is what a request says, whether as JSON or as one of the two kinds of
// forms: fields, and files.
type body struct {
	fields map[string]json.RawMessage
	files  map[string]*multipart.FileHeader
}

// readBody reads a request's body; no body is one without fields.
func readBody(c *fiber.Ctx) (body, error) {
	raw := c.Body()
	kind, _, err := mime.ParseMediaType(c.Get(fiber.HeaderContentType))
	switch {
	case kind == fiber.MIMEMultipartForm:
		return readMultipart(c)
	case len(bytes.TrimSpace(raw)) == 0:
		return body{}, nil
	case err == nil && kind == fiber.MIMEApplicationForm:
		values, err := url.ParseQuery(string(raw))
		if err != nil {
			return body{}, fault.New(fault.Malformed, "the form cannot be read").Because(err)
		}
		return body{fields: formFields(values)}, nil
	case err == nil && kind != fiber.MIMEApplicationJSON:
		return body{}, fault.New(fault.Malformed, "the Content-Type must be application/json, application/x-www-form-urlencoded or multipart/form-data")
	}
	var b body
	if err = json.Unmarshal(raw, &b.fields); err != nil || b.fields == nil {
		return body{}, fault.New(fault.Malformed, "the body is not a JSON object").Because(err)
	}
	return b, nil
}

func readMultipart(c *fiber.Ctx) (body, error) {
	form, err := c.MultipartForm()
	if err != nil {
		return body{}, fault.New(fault.Malformed, "the form cannot be read").Because(err)
	}
	b := body{fields: formFields(form.Value), files: map[string]*multipart.FileHeader{}}
	for name, files := range form.File {
		if len(files) > 1 {
			return body{}, fault.Field(name, "must be given once")
		}
		b.files[name] = files[0]
	}
	return b, nil
}

// formFields makes JSON of a form's texts. Lists and objects are JSON inside.
func formFields(values map[string][]string) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	for name, texts := range values {
		name = strings.TrimSuffix(name, "[]")
		text := texts[len(texts)-1]
		if trimmed := strings.TrimSpace(text); (strings.HasPrefix(trimmed, "[") || strings.HasPrefix(trimmed, "{")) && json.Valid([]byte(trimmed)) {
			fields[name] = json.RawMessage(trimmed)
			continue
		}
		if len(texts) > 1 {
			fields[name], _ = json.Marshal(texts) // texts can be written
			continue
		}
		fields[name], _ = json.Marshal(text)
	}
	return fields
}

// into reads the fields into a struct with json tags. Those that it does not
// have are left alone, as Meta does.
func (b body) into(target any) error {
	raw, err := json.Marshal(b.fields)
	if err != nil {
		return fault.New(fault.Malformed, "the body cannot be read").Because(err)
	}
	err = json.Unmarshal(raw, target)
	var wrong *json.UnmarshalTypeError
	var said *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return said
	case errors.As(err, &wrong):
		return fault.Field(wrong.Field, "must be %s, not %s", article(wrong.Type.Kind().String()), article(wrong.Value))
	}
	return fault.New(fault.Malformed, "the body cannot be read").Because(err)
}

func article(kind string) string {
	switch kind {
	case "slice", "array":
		return "a list"
	case "struct", "map", "object":
		return "an object"
	case "int", "int64", "float64", "number":
		return "a number"
	case "bool":
		return "true or false"
	}
	return "a " + kind
}

// word is a text that clients also write as a number.
type word string

// UnmarshalJSON reads a text or a number.
func (w *word) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		*w = word(raw)
		return nil
	}
	return json.Unmarshal(raw, (*string)(w))
}

// approval is how people come in, as Meta spells it; some clients of 360dialog
// send a boolean, which says whether they have to be let in.
type approval string

// The two ways.
const (
	approvalRequired approval = "approval_required"
	autoApprove      approval = "auto_approve"
)

// UnmarshalJSON reads a text or a boolean.
func (a *approval) UnmarshalJSON(raw []byte) error {
	switch string(raw) {
	case "true", `"true"`:
		*a = approvalRequired
		return nil
	case "false", `"false"`:
		*a = autoApprove
		return nil
	}
	return json.Unmarshal(raw, (*string)(a))
}

func (a approval) check() error {
	switch a {
	case "", approvalRequired, autoApprove:
		return nil
	}
	return fault.Field("join_approval_mode", "must be %s or %s", approvalRequired, autoApprove)
}

// messagingProduct is the field that every change of Meta's has to have.
type messagingProduct struct {
	Product *string `json:"messaging_product"`
}

func (m messagingProduct) check() error {
	switch {
	case m.Product == nil:
		return fault.Field("messaging_product", `is required: "whatsapp"`)
	case *m.Product != product:
		return fault.Field("messaging_product", `must be "whatsapp"`)
	}
	return nil
}

// optional is check for the calls that can do without it.
func (m messagingProduct) optional() error {
	if m.Product == nil {
		return nil
	}
	return m.check()
}

// upload reads a file of a form.
func upload(field string, header *multipart.FileHeader, limit int64) ([]byte, error) {
	if header.Size > limit {
		return nil, fault.Field(field, "has %d bytes; %d are the most", header.Size, limit)
	}
	file, err := header.Open()
	if err != nil {
		return nil, fault.Field(field, "cannot be read").Because(err)
	}
	data, err := io.ReadAll(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fault.Field(field, "cannot be read").Because(err)
	}
	return data, nil
}
