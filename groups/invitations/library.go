package invitations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/internal/fault"
)

// The variables that have a value by themselves.
const (
	VarBusiness = "brand.whatsapp_display_name" // what the account calls itself
	VarLink     = "group.invite_link"
	VarSubject  = "group.subject"
)

// DefaultTemplate is the one that groups have that were given no other.
const DefaultTemplate = "group_invite_01"

// Bounds of a template and of what is put into it, in bytes.
const (
	maxTemplate = 4096
	maxValue    = 1024
	maxValues   = 50
)

// Template is a text with variables: "{{group.invite_link}}".
type Template struct {
	ID   string
	Text string
}

var variable = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.]+)\s*\}\}`)

// Variables lists the variables in the order in which they first occur.
func (t Template) Variables() []string {
	var names []string
	for _, found := range variable.FindAllStringSubmatch(t.Text, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	return names
}

// Render puts the values in. The error is a fault about a variable without one.
func (t Template) Render(values map[string]string) (string, error) {
	for _, name := range t.Variables() {
		if _, ok := values[name]; !ok {
			return "", fault.Field("template_args", "the template %s needs a value for {{%s}}", t.ID, name)
		}
	}
	return variable.ReplaceAllStringFunc(t.Text, func(found string) string {
		return values[variable.FindStringSubmatch(found)[1]]
	}), nil
}

// Library is the templates that there are. WhatsApp has none for linked
// devices: texts are made here and sent like any other.
type Library struct{ templates map[string]Template }

// BuiltIn is the templates that are always there.
func BuiltIn() Library {
	return Library{map[string]Template{DefaultTemplate: {
		ID:   DefaultTemplate,
		Text: "{{" + VarBusiness + "}} has invited you to a WhatsApp group. Open this link to join: {{" + VarLink + "}}",
	}}}
}

var templateName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

const templateFile = ".txt"

// Load adds the templates of a directory to the built-in ones: each file
// "<id>.txt" is one, and may take the place of a built-in one. A directory that
// is not there has none.
func Load(dir string) (Library, error) {
	library := BuiltIn()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return library, nil
	}
	if err != nil {
		return library, fmt.Errorf("read the templates of invitations: %w", err)
	}
	for _, entry := range entries {
		id, text := strings.CutSuffix(entry.Name(), templateFile)
		if !text || entry.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name())) //nolint:gosec // a directory that the operator fills
		if err != nil {
			return library, fmt.Errorf("read the templates of invitations: %w", err)
		}
		t := Template{ID: id, Text: strings.TrimSpace(string(content))}
		switch {
		case !templateName.MatchString(id):
			return library, fmt.Errorf("template %s: the name of a template is 1 to 64 letters, digits, underscores or hyphens", entry.Name())
		case t.Text == "" || len(t.Text) > maxTemplate || !utf8.ValidString(t.Text):
			return library, fmt.Errorf("template %s: a template is 1 to %d bytes of text in UTF-8", entry.Name(), maxTemplate)
		}
		library.templates[id] = t
	}
	return library, nil
}

// Find returns a template. The error is a fault that names the field.
func (l Library) Find(field, id string) (Template, error) {
	t, ok := l.templates[id]
	if !ok {
		return Template{}, fault.Field(field, "there is no template %q; there are: %s", id, strings.Join(slices.Sorted(maps.Keys(l.templates)), ", "))
	}
	return t, nil
}

// All lists the templates by id.
func (l Library) All() []Template {
	var list []Template
	for _, id := range slices.Sorted(maps.Keys(l.templates)) {
		list = append(list, l.templates[id])
	}
	return list
}

// Choice is a template with values for its variables. Args is a JSON object:
// names of variables, with dots or as objects in objects, and text.
type Choice struct {
	TemplateID string          `json:"template_id"`
	Args       json.RawMessage `json:"args"`
}

// DefaultChoice is the one of groups that were given no other.
func DefaultChoice() Choice {
	return Choice{TemplateID: DefaultTemplate, Args: json.RawMessage("{}")}
}

// Check refuses templates that there are not and arguments that do not fit. The
// fields are those of the requests that choose one.
func (l Library) Check(c Choice) error {
	t, err := l.Find("invitation_template_id", c.TemplateID)
	if err != nil {
		return err
	}
	values, err := c.values()
	if err != nil {
		return err
	}
	known := t.Variables()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(known, name) {
			return fault.Field("template_args", "the template %s has no variable {{%s}}; it has: %s", t.ID, name, strings.Join(known, ", "))
		}
	}
	for _, name := range known {
		_, given := values[name]
		if !given && name != VarBusiness && name != VarLink && name != VarSubject {
			return fault.Field("template_args", "the template %s needs a value for {{%s}}", t.ID, name)
		}
	}
	return nil
}

// values are the arguments by the variables' full names.
func (c Choice) values() (map[string]string, error) {
	values := map[string]string{}
	if len(c.Args) == 0 {
		return values, nil
	}
	var args map[string]any
	if err := json.Unmarshal(c.Args, &args); err != nil {
		return nil, fault.Field("template_args", "must be an object")
	}
	return values, flatten(values, "", args)
}

func flatten(into map[string]string, prefix string, args map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(args)) {
		name := prefix + key
		var text string
		switch value := args[key].(type) {
		case map[string]any:
			if err := flatten(into, name+".", value); err != nil {
				return err
			}
			continue
		case string:
			text = value
		case float64:
			text = strconv.FormatFloat(value, 'f', -1, 64)
		default:
			return fault.Field("template_args."+name, "must be text")
		}
		if len(text) > maxValue {
			return fault.Field("template_args."+name, "has %d bytes; %d is the most", len(text), maxValue)
		}
		if into[name] = text; len(into) > maxValues {
			return fault.Field("template_args", "has more than %d values", maxValues)
		}
	}
	return nil
}
