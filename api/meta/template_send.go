package meta

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/groups"
	"muster/internal/fault"
	"muster/messages"
	"muster/messages/content"
)

type templateBody struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []filling `json:"components"`
}

// filling has the values of one component's variables.
type filling struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type"`
	Index      word        `json:"index"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type     string     `json:"type"`
	Name     string     `json:"parameter_name"`
	Text     string     `json:"text"`
	GroupID  word       `json:"group_id"`
	Image    *mediaBody `json:"image"`
	Video    *mediaBody `json:"video"`
	Document *mediaBody `json:"document"`
}

// sendTemplate renders a template and sends what it says: as a text, or as the
// caption of its header's file.
func (a *API) sendTemplate(o outgoing) (sent messages.Sent, err error) {
	said := o.said.Template
	if said == nil {
		return sent, missing("template")
	}
	if said.Name == "" || said.Language.Code == "" {
		return sent, fault.Field("template", "needs a name and a language with its code")
	}
	t, err := a.template(o.Call, said.Name, said.Language.Code)
	if err != nil {
		return sent, err
	}
	text, err := a.render(o.Call, t, *said)
	if err != nil {
		return sent, err
	}
	header := t.part(headerPart)
	if header == nil || header.Format == textFormat {
		return a.services.Messages.SendText(o.UserContext(), messages.TextRequest{Envelope: o.envelope(), Text: text})
	}
	kind, file, err := said.headerFile(header.Format)
	if err != nil {
		return sent, err
	}
	source, done, err := a.source(o.Call, string(kind), file.Link, file.ID)
	if err != nil {
		return sent, err
	}
	defer func() { err = errors.Join(err, done()) }()
	return a.services.Messages.SendMedia(o.UserContext(), messages.MediaRequest{
		Envelope: o.envelope(), Kind: kind, File: source, Caption: text, Filename: file.Filename,
	})
}

// template is the one of a name and language. The library's own is always there.
func (a *API) template(c Call, name, language string) (Template, error) {
	var t Template
	found, err := a.services.Notes.Get(c.UserContext(), templates(c.Session.ID), templateNote(name, language), &t)
	if err != nil || found {
		return t, err
	}
	if text, ok := libraryText(language); ok && name == libraryInvite {
		return Template{Name: name, Language: language, Components: []component{{Type: bodyPart, Text: text}}}, nil
	}
	return t, refuse(codeTemplateUnknown, "template: there is no template named %q in the language %q", name, language)
}

// headerFile is the file that a request gives for a template's header.
func (b templateBody) headerFile(format string) (content.Kind, *mediaBody, error) {
	kind := content.Kind(strings.ToLower(format))
	for _, f := range b.Components {
		if !strings.EqualFold(f.Type, headerPart) || len(f.Parameters) != 1 {
			continue
		}
		p := f.Parameters[0]
		file := map[content.Kind]*mediaBody{content.KindImage: p.Image, content.KindVideo: p.Video, content.KindDocument: p.Document}[kind]
		if file != nil {
			return kind, file, nil
		}
	}
	return kind, nil, refuse(codeTemplateParams, "template.components: the header needs one parameter of the type %s", kind)
}

// render writes the text of a template: header, body, footer, and buttons as
// lines of their own.
func (a *API) render(c Call, t Template, said templateBody) (string, error) {
	var parts []string
	for _, kind := range []string{headerPart, bodyPart, footerPart} {
		part := t.part(kind)
		if part == nil || part.Text == "" {
			continue
		}
		text, err := a.fill(c, part.Text, strings.ToLower(kind), said.parameters(kind, ""))
		if err != nil {
			return "", err
		}
		if kind == headerPart {
			text = "*" + text + "*" // bold, as a header is shown
		}
		parts = append(parts, text)
	}
	if buttons := t.part(buttonsPart); buttons != nil {
		for i, b := range buttons.Buttons {
			target, err := a.fill(c, b.URL+b.Phone, "button", said.parameters("BUTTON", strconv.Itoa(i)))
			if err != nil {
				return "", err
			}
			parts = append(parts, strings.TrimPrefix(b.Text+": "+target, ": "))
		}
	}
	text := strings.Join(parts, "\n\n")
	if n := utf8.RuneCountInString(text); n > maxBody {
		return "", refuse(codeTemplateParams, "template: has %d characters with its parameters; %d are the most", n, maxBody)
	}
	return text, nil
}

// parameters are the values for one component; of buttons, that of the index.
func (b templateBody) parameters(kind, index string) []parameter {
	for _, f := range b.Components {
		if strings.EqualFold(f.Type, kind) && (index == "" || string(f.Index) == index) {
			return f.Parameters
		}
	}
	return nil
}

// variable is a place in a text: "{{1}}", or "{{name}}".
var variable = regexp.MustCompile(`\{\{\s*([A-Za-z0-9_.]+)\s*\}\}`)

// fill puts values into the places of a text: by name, or by number.
func (a *API) fill(c Call, text, where string, values []parameter) (string, error) {
	places := map[string]bool{}
	for _, found := range variable.FindAllStringSubmatch(text, -1) {
		places[found[1]] = true
	}
	if len(places) != len(values) {
		return "", refuse(codeTemplateParams, "template.components: the %s has %d variables, and there are %d parameters for it", where, len(places), len(values))
	}
	known := map[string]string{}
	for i, p := range values {
		value, err := a.value(c, p, fmt.Sprintf("template.components.%s.parameters[%d]", where, i))
		if err != nil {
			return "", err
		}
		if p.Name != "" {
			known[p.Name] = value
		} else {
			known[strconv.Itoa(i+1)] = value
		}
	}
	for name := range places {
		if _, ok := known[name]; !ok {
			return "", refuse(codeTemplateParams, "template.components: the %s has a variable {{%s}}, and there is no parameter for it", where, name)
		}
	}
	return variable.ReplaceAllStringFunc(text, func(place string) string {
		return known[variable.FindStringSubmatch(place)[1]]
	}), nil
}

// value is what a parameter stands for. A group is shown as its invite link.
func (a *API) value(c Call, p parameter, field string) (string, error) {
	switch p.Type {
	case "text", "":
		if p.Text == "" {
			return "", refuse(codeTemplateParams, "%s.text: must not be empty", field)
		}
		return p.Text, nil
	case "group_id":
		jid, err := ParseGroup(c.Session, string(p.GroupID))
		if err != nil {
			return "", err
		}
		return a.services.Groups.InviteLink(c.UserContext(), groups.InviteLinkRequest{
			Target: groups.Target{SessionID: c.Session.ID, GroupJID: jid},
		})
	}
	return "", refuse(codeTemplateParams, "%s.type: must be text or group_id", field)
}
