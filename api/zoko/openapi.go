package zoko

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

const documentTitle = "Muster: Zoko's API"

var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// OpenAPI is made of the table of paths and of the types of the bodies.
func (d *Dialect) OpenAPI() ([]byte, error) {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	document := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: documentTitle, Version: "2",
			Description: "Zoko's Groups API, messages and webhooks, for a WhatsApp account that is linked to this server. " +
				"The key is a token that is bound to one session.",
		},
		Servers: []*huma.Server{{URL: d.Prefix()}},
		Components: &huma.Components{
			Schemas:         registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{keyHeader: {Type: "apiKey", In: "header", Name: keyHeader}},
		},
		Security: []map[string][]string{{keyHeader: {}}},
	}
	for _, r := range d.routes() {
		document.AddOperation(r.operation(registry))
	}
	document.Webhooks = map[string]*huma.PathItem{
		"message":  {Post: news(registry, "message", "A message came in or was sent", MessageEvent{})},
		"delivery": {Post: news(registry, "delivery", "A message was delivered or read", DeliveryEvent{})},
	}
	raw, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write the document: %w", err)
	}
	return raw, nil
}

func (r route) operation(registry huma.Registry) *huma.Operation {
	o := &huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Description: r.description,
		Responses: map[string]*huma.Response{
			"default": {Description: "What is wrong.", Content: inJSON(registry, Problem{}, "Problem")},
		},
	}
	for _, found := range pathParameter.FindAllStringSubmatch(r.path, -1) {
		parameter := &huma.Param{Name: found[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}
		if found[1] == "action" {
			parameter.Schema.Enum = []any{"approve", "reject"}
		}
		o.Parameters = append(o.Parameters, parameter)
	}
	if r.body != nil {
		o.RequestBody = &huma.RequestBody{Required: true, Content: inJSON(registry, r.body, r.id)}
	}
	for status, answer := range r.answers {
		response := &huma.Response{Description: http.StatusText(status)}
		switch {
		case answer != nil:
			response.Content = inJSON(registry, answer, r.id)
		case status == http.StatusOK:
			response.Content = map[string]*huma.MediaType{fiber.MIMEOctetStream: {}}
		}
		o.Responses[strconv.Itoa(status)] = response
	}
	return o
}

func news(registry huma.Registry, id, summary string, body any) *huma.Operation {
	return &huma.Operation{
		OperationID: id, Summary: summary,
		Parameters: []*huma.Param{{
			Name: challengeHeader, In: "header", Description: "The webhook's challengeToken, where it has one.", Schema: &huma.Schema{Type: huma.TypeString},
		}},
		RequestBody: &huma.RequestBody{Required: true, Content: inJSON(registry, body, id)},
		Responses:   map[string]*huma.Response{"200": {Description: "Taken."}},
	}
}

func inJSON(registry huma.Registry, body any, hint string) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{fiber.MIMEApplicationJSON: {Schema: registry.Schema(reflect.TypeOf(body), true, hint)}}
}
