package api

import (
	"path"
	"reflect"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"
)

const (
	openAPIPath = "/openapi"
	docsPath    = "/docs"
)

func newHuma(app *fiber.App, version string) huma.API {
	config := huma.DefaultConfig("Muster", version)
	config.Info.Description = "Runs the groups of linked WhatsApp accounts. Times are UNIX seconds. " +
		"People may be named by phone JID, LID or E.164 number. Errors are RFC 9457 problem documents with a stable code. " +
		"Answers for which WhatsApp was asked tell what is left of the session's pace: X-RateLimit-Resource (read or write), " +
		"X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset (in seconds); 429 comes with Retry-After."
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	// Every operation is documented with huma's error type; ours stands for it.
	config.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[ProblemDocument]())
	config.Transformers = []huma.Transformer{fromHuma}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A token made by `muster token create` or printed by the first start."},
	}
	config.Security = []map[string][]string{{"bearer": {}}}
	config.OpenAPIPath = openAPIPath
	config.DocsPath = ""    // huma's pages load scripts from other hosts; ours is in docs.go
	config.SchemasPath = "" // the document has all schemas
	config.CreateHooks = nil
	return humafiber.New(app, config)
}

// schemaName keeps types of the same name in different packages apart.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch owner := path.Base(t.PkgPath()); owner {
	case ".", "api", "v1":
		return name
	default:
		first := []rune(owner)
		first[0] = unicode.ToUpper(first[0])
		if prefix := string(first); !strings.HasPrefix(name, prefix) {
			return prefix + name
		}
		return name
	}
}
