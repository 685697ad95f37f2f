package meta

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI implements api.Dialect.
func (*API) OpenAPI() ([]byte, error) {
	document, err := Document()
	if err != nil {
		return nil, err
	}
	return json.Marshal(document)
}

// Document is the dialect's OpenAPI document, for whoever passes the API on with
// changes.
func Document() (document map[string]any, err error) {
	if err = yaml.Unmarshal(openAPI, &document); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document of Meta's API: %w", err)
	}
	return document, nil
}
