package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// applyYAML sets what the file says. It reads the syntax tree and not decoded
// values: a root key of 64 digits must stay text, and an error can name the
// line.
func (c *Config) applyYAML(content []byte) error {
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return fmt.Errorf("is not YAML: %w", err)
	}
	if len(file.Docs) > 1 {
		return errors.New("has more than one YAML document")
	}
	r := yamlReader{known: map[string]field{}, sections: map[string]bool{}, seen: map[string]bool{}}
	for _, f := range fields(c) {
		r.known[f.key] = f
		for i, char := range f.key {
			if char == '.' {
				r.sections[f.key[:i]] = true
			}
		}
	}
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			r.section(doc.Body, "")
		}
	}
	return errors.Join(r.problems...)
}

type yamlReader struct {
	known    map[string]field
	sections map[string]bool
	seen     map[string]bool
	problems []error
}

func (r *yamlReader) fail(node ast.Node, format string, args ...any) {
	position := node.GetToken().Position
	r.problems = append(r.problems, fmt.Errorf("line %d: "+format, append([]any{position.Line}, args...)...))
}

func (r *yamlReader) section(node ast.Node, prefix string) {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	case *ast.CommentGroupNode:
		return // a file of comments only
	default:
		r.fail(node, "%s: expected keys with values", orTop(prefix))
		return
	}
	for _, entry := range entries {
		r.entry(entry, prefix+entry.Key.GetToken().Value)
	}
}

func orTop(prefix string) string {
	if prefix == "" {
		return "the file"
	}
	return prefix[:len(prefix)-1]
}

func (r *yamlReader) entry(entry *ast.MappingValueNode, key string) {
	f, known := r.known[key]
	switch {
	case r.seen[key]:
		r.fail(entry, "%s: the key stands here for the second time", key)
	case entry.Value == nil || entry.Value.Type() == ast.NullType && (known || r.sections[key]):
		// "key:" without a value keeps the default.
	case r.sections[key]:
		r.section(entry.Value, key+".")
	case !known:
		r.fail(entry, "%s: there is no such setting", key)
	default:
		text, ok := scalar(entry.Value)
		if !ok {
			r.fail(entry, "%s: expected a single value", key)
		} else if err := f.set(text); err != nil {
			r.fail(entry, "%s: %w", key, err)
		}
	}
	r.seen[key] = true
}

// scalar is the value's text as written in the file, without quotes.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}
