// Package contract checks in tests that requests, answers and webhooks are as an
// OpenAPI document says. The validator is the one that checks the requests of
// the session-style API.
package contract

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/goccy/go-yaml"
)

// Document is what the checks need of an OpenAPI document.
type Document struct {
	Paths      map[string]Path `yaml:"paths"`
	Components struct {
		Schemas   map[string]*huma.Schema `yaml:"schemas"`
		Responses map[string]Content      `yaml:"responses"`
	} `yaml:"components"`

	registry huma.Registry
}

// Path has the operations of a path.
type Path struct {
	Get    *Operation `yaml:"get"`
	Post   *Operation `yaml:"post"`
	Put    *Operation `yaml:"put"`
	Patch  *Operation `yaml:"patch"`
	Delete *Operation `yaml:"delete"`
}

// Operation is what a method does with a path.
type Operation struct {
	ID        string             `yaml:"operationId"`
	Request   *Content           `yaml:"requestBody"`
	Responses map[string]Content `yaml:"responses"`
}

// Content is a body, by content type.
type Content struct {
	Ref   string           `yaml:"$ref"`
	Types map[string]Media `yaml:"content"`
}

// Media is a body of one type.
type Media struct {
	Schema *huma.Schema `yaml:"schema"`
}

// Load reads a document in YAML or JSON.
func Load(raw []byte) (*Document, error) {
	d := &Document{registry: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)}
	if err := yaml.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document: %w", err)
	}
	for name, schema := range d.Components.Schemas {
		schema.PrecomputeMessages()
		d.registry.Map()[name] = schema
	}
	return d, nil
}

// Operation finds what a path, below the document's server, means: those without
// parameters before others. It is nil where the document has none.
func (d *Document) Operation(method, path string) *Operation {
	path, _, _ = strings.Cut(path, "?")
	var best *Operation
	fewest := 0
	for pattern, ways := range d.Paths {
		if parameters, ok := fits(pattern, path); ok && (best == nil || parameters < fewest) {
			if op := ways.operation(method); op != nil {
				best, fewest = op, parameters
			}
		}
	}
	return best
}

func (p Path) operation(method string) *Operation {
	return map[string]*Operation{"GET": p.Get, "POST": p.Post, "PUT": p.Put, "PATCH": p.Patch, "DELETE": p.Delete}[method]
}

// fits tells whether a path is of a pattern, and how many parameters it has.
func fits(pattern, path string) (parameters int, ok bool) {
	wants, has := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(wants) != len(has) {
		return 0, false
	}
	for i, want := range wants {
		switch {
		case strings.HasPrefix(want, "{") && has[i] != "":
			parameters++
		case want != has[i]:
			return 0, false
		}
	}
	return parameters, true
}

// Request returns what is wrong with a body that was sent, which is JSON.
func (d *Document) Request(op *Operation, body []byte) []error {
	if op.Request == nil || len(body) == 0 {
		return nil
	}
	return d.check(*op.Request, body, huma.ModeWriteToServer)
}

// Answer returns what is wrong with an answer.
func (d *Document) Answer(op *Operation, status int, body []byte) []error {
	answer, documented := op.Responses[fmt.Sprint(status)]
	if !documented {
		answer, documented = op.Responses["default"]
	}
	if !documented {
		return []error{fmt.Errorf("the status %d is not documented", status)}
	}
	return d.check(answer, body, huma.ModeReadFromServer)
}

// Schema returns what is wrong with a value for the schema with the name.
func (d *Document) Schema(name string, body []byte) []error {
	schema, found := d.Components.Schemas[name]
	if !found {
		return []error{fmt.Errorf("there is no schema named %s", name)}
	}
	return d.validate(schema, body, huma.ModeReadFromServer)
}

func (d *Document) check(what Content, body []byte, mode huma.ValidateMode) []error {
	if name, shared := strings.CutPrefix(what.Ref, "#/components/responses/"); shared {
		what = d.Components.Responses[name]
	}
	media, found := what.Types["application/json"]
	if !found || media.Schema == nil {
		return nil // nothing is said about it
	}
	media.Schema.PrecomputeMessages()
	return d.validate(media.Schema, body, mode)
}

func (d *Document) validate(schema *huma.Schema, body []byte, mode huma.ValidateMode) []error {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return []error{fmt.Errorf("%.100s is not JSON: %w", body, err)}
	}
	result := &huma.ValidateResult{}
	huma.Validate(d.registry, schema, huma.NewPathBuffer([]byte{}, 0), mode, value, result)
	return result.Errors
}

// Operations lists the document's operations as "GET /path", in order.
func (d *Document) Operations() (list []string) {
	for path, ways := range d.Paths {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if ways.operation(method) != nil {
				list = append(list, method+" "+path)
			}
		}
	}
	slices.Sort(list)
	return list
}
