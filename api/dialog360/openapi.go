package dialog360

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"muster/api/meta"
)

// own is what 360dialog has besides Meta's API.
//
//go:embed openapi.yaml
var own []byte

// OpenAPI implements api.Dialect: Meta's document with 360dialog's paths.
func (a *API) OpenAPI() ([]byte, error) {
	document, err := meta.Document()
	if err != nil {
		return nil, err
	}
	var mine map[string]any
	if err = yaml.Unmarshal(own, &mine); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document of 360dialog's API: %w", err)
	}
	theirs, _ := document["paths"].(map[string]any)
	paths, _ := mine["paths"].(map[string]any)
	for path, what := range theirs {
		if path = here(path); path != "" {
			paths[path] = what
		}
	}
	if adding, ok := paths["/groups/{group_id}/participants"].(map[string]any); ok && !a.options.AddParticipants {
		delete(adding, "post")
	}
	mine["paths"] = paths
	shared, _ := document["components"].(map[string]any)
	extra, _ := mine["components"].(map[string]any)
	shared["securitySchemes"] = extra["securitySchemes"]
	mine["components"] = shared
	dropParameters(paths)
	return json.Marshal(mine)
}

// here is where one of Meta's paths is at 360dialog's; empty for those that are
// not.
func here(path string) string {
	path = strings.TrimPrefix(path, "/{version}")
	switch rest, numbered := strings.CutPrefix(path, "/{phone_number_id}"); {
	case numbered && rest == "/message_templates":
		return ""
	case numbered:
		return rest
	case strings.HasPrefix(path, "/{group_id}"):
		return "/groups" + path
	}
	return path
}

// dropParameters takes the version and the number out of paths that have none
// any more.
func dropParameters(paths map[string]any) {
	for _, what := range paths {
		path, _ := what.(map[string]any)
		list, _ := path["parameters"].([]any)
		var kept []any
		for _, one := range list {
			ref, _ := one.(map[string]any)
			if name, _ := ref["$ref"].(string); !strings.HasSuffix(name, "/version") && !strings.HasSuffix(name, "/number") {
				kept = append(kept, one)
			}
		}
		if len(list) > 0 {
			path["parameters"] = kept
		}
		if len(kept) == 0 {
			delete(path, "parameters")
		}
	}
}
