package v1

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"muster/api"
	"muster/internal/event"
)

func schemaOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func problemResponse(document *huma.OpenAPI) *huma.Response {
	return &huma.Response{Description: "A problem document.", Content: map[string]*huma.MediaType{
		"application/problem+json": {Schema: document.Components.Schemas.Schema(schemaOf[api.ProblemDocument](), true, "")},
	}}
}

// describeEvents puts each type of event, with the schema of its body, under
// the document's webhooks. The streams and the log carry the same bodies.
func describeEvents(docs huma.API) {
	document := docs.OpenAPI()
	if document.Webhooks == nil {
		document.Webhooks = map[string]*huma.PathItem{}
	}
	for _, k := range event.Kinds() {
		document.Webhooks[string(k.Type)] = &huma.PathItem{Post: &huma.Operation{
			OperationID: "on-" + strings.NewReplacer(".", "-", "_", "-").Replace(string(k.Type)),
			Tags:        []string{tagEvents}, Summary: k.Summary,
			Method: http.MethodPost, Path: string(k.Type),
			RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
				"application/json": {Schema: eventSchema(document, k)},
			}},
			Responses: map[string]*huma.Response{"2XX": {Description: "The event is taken; it is not sent again."}},
		}}
	}
}

// eventSchema is that of an envelope with the type's own data.
func eventSchema(document *huma.OpenAPI, k event.Kind) *huma.Schema {
	data := document.Components.Schemas.Schema(k.Payload, true, "")
	envelope := huma.SchemaFromType(document.Components.Schemas, schemaOf[event.Envelope]())
	envelope.Properties["type"] = &huma.Schema{Type: huma.TypeString, Enum: []any{string(k.Type)}, Description: k.Summary}
	envelope.Properties["data"] = data
	// A receiver must not break when an event has more to say one day.
	envelope.AdditionalProperties = true
	return envelope
}
