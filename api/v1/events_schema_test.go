package v1_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"muster/internal/event"
	"muster/sandbox"
)

// Every type of event has a schema in the document's webhooks, and what really
// happens fits it.
func TestEventSchemas(t *testing.T) {
	r := newRig(t)
	r.people(ann, bob)
	document := r.call(http.MethodGet, "/openapi.json", nil).status(http.StatusOK).body
	webhooks, _ := document["webhooks"].(object)
	if len(webhooks) != len(event.Kinds()) {
		t.Errorf("the document has %d webhooks, want %d", len(webhooks), len(event.Kinds()))
	}
	schemas := checker{root: document}
	for _, k := range event.Kinds() {
		if problem := schemas.at(schemas.of(string(k.Type)), "data"); problem == nil {
			t.Errorf("%s has no schema for its data", k.Type)
		}
	}
	jid := r.create("One", ann)
	for _, change := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPut, "/subject", object{"subject": "Two"}},
		{http.MethodPut, "/description", object{"description": "Fish"}},
		{http.MethodPut, "/settings", object{"membership_approval_mode": "on", "announce": true, "disappearing_seconds": 86400}},
		{http.MethodPost, "/participants", object{"participants": []string{bob}}},
		{http.MethodPost, "/admins", object{"participants": []string{bob}}},
		{http.MethodDelete, "/participants", object{"participants": []string{bob}}},
		{http.MethodPost, "/leave", nil},
	} {
		r.group(change.method, jid, change.path, change.body).status(http.StatusOK)
	}
	hers := r.byPhone(ann, sandbox.GroupOptions{Name: "Hers", Participants: []string{myNumber}})
	r.eventuallyEvent("her group", "?group="+hers, func(list []entry) bool { return len(list) > 0 })
	checked := map[string]bool{}
	for _, e := range r.events("?limit=1000").Events {
		var value any
		if err := json.Unmarshal(e.raw, &value); err != nil {
			t.Fatal(err)
		}
		if problem := schemas.check(schemas.of(e.Type), value, e.Type); problem != "" {
			t.Errorf("%s: %s", problem, e.raw)
		}
		checked[e.Type] = true
	}
	if len(checked) < 8 {
		t.Errorf("only %v were checked", checked)
	}
}

// checker checks values against the schemas of an OpenAPI document, as far as
// those go.
type checker struct{ root object }

// of is the schema of a webhook's body.
func (c checker) of(kind string) object {
	var value any = c.root
	for _, key := range []string{"webhooks", kind, "post", "requestBody", "content", "application/json", "schema"} {
		inner, _ := value.(object)
		value = inner[key]
	}
	schema, _ := value.(object)
	return c.resolve(schema)
}

func (c checker) resolve(schema object) object {
	name, found := strings.CutPrefix(fmt.Sprint(schema["$ref"]), "#/components/schemas/")
	if !found {
		return schema
	}
	components, _ := c.root["components"].(object)
	schemas, _ := components["schemas"].(object)
	target, _ := schemas[name].(object)
	return target
}

func (c checker) at(schema object, property string) object {
	properties, _ := schema["properties"].(object)
	found, ok := properties[property].(object)
	if !ok {
		return nil
	}
	return c.resolve(found)
}

func (c checker) check(schema object, value any, path string) string {
	if schema == nil {
		return path + " has no schema"
	}
	schema = c.resolve(schema)
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, value) {
		return fmt.Sprintf("%s is %v and not one of %v", path, value, enum)
	}
	switch v := value.(type) {
	case object:
		for _, name := range asList(schema["required"]) {
			if _, ok := v[fmt.Sprint(name)]; !ok {
				return fmt.Sprintf("%s lacks %v", path, name)
			}
		}
		for name, inner := range v {
			if problem := c.check(c.at(schema, name), inner, path+"."+name); problem != "" {
				return problem
			}
		}
	case []any:
		items, _ := schema["items"].(object)
		for i, inner := range v {
			if problem := c.check(items, inner, fmt.Sprintf("%s[%d]", path, i)); problem != "" {
				return problem
			}
		}
	}
	want := map[string]string{"object": "map[string]interface {}", "array": "[]interface {}", "string": "string", "integer": "float64", "number": "float64", "boolean": "bool"}
	for _, kind := range asList(schema["type"]) {
		if want[fmt.Sprint(kind)] == fmt.Sprintf("%T", value) {
			return ""
		}
	}
	return fmt.Sprintf("%s is a %T, want %v", path, value, schema["type"])
}

// asList makes a list of what may be a single value, or absent.
func asList(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{value}
}
