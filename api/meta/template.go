package meta

import (
	"context"
	"fmt"
	"hash/fnv"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/internal/fault"
	"muster/internal/notes"
)

// Templates are texts that Meta approves before they are sent. A linked device
// has none: they are kept here, are good at once, and are sent as ordinary
// messages.

// Template is one of them.
type Template struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Language   string      `json:"language"`
	Category   string      `json:"category"`
	Status     string      `json:"status"`
	Library    string      `json:"library_template_name,omitempty"`
	Components []component `json:"components"`
}

type component struct {
	Type    string   `json:"type"`
	Format  string   `json:"format,omitempty"`
	Text    string   `json:"text,omitempty"`
	Buttons []button `json:"buttons,omitempty"`
}

type button struct {
	Type  string `json:"type"`
	Text  string `json:"text,omitempty"`
	URL   string `json:"url,omitempty"`
	Phone string `json:"phone_number,omitempty"`
}

// The types of components, and the formats of headers.
const (
	headerPart  = "HEADER"
	bodyPart    = "BODY"
	footerPart  = "FOOTER"
	buttonsPart = "BUTTONS"

	textFormat = "TEXT"
)

// The limits of templates, the texts' in characters.
const (
	maxTemplates    = 1000
	maxTemplateBody = 1024
	maxTemplateEdge = 60 // of a header and a footer
	maxButtons      = 10
)

const statusApproved = "APPROVED"

// libraryInvite is the topic of Meta's library that invites people to a group,
// and the name of a template that is always there.
const libraryInvite = "group_invite_link"

// inviteTexts are what the library's template says, by language. Its variable is
// the group's link.
func inviteTexts() map[string]string {
	return map[string]string{
		"en": "You're invited to join our WhatsApp group. Tap the link to join: {{1}}",
		"es": "Te invitamos a unirte a nuestro grupo de WhatsApp. Toca el enlace para unirte: {{1}}",
		"pt": "Você foi convidado para o nosso grupo do WhatsApp. Toque no link para entrar: {{1}}",
		"fr": "Vous êtes invité à rejoindre notre groupe WhatsApp. Touchez le lien pour le rejoindre : {{1}}",
		"de": "Du bist in unsere WhatsApp-Gruppe eingeladen. Tippe auf den Link, um beizutreten: {{1}}",
		"it": "Ti invitiamo a entrare nel nostro gruppo WhatsApp. Tocca il link per entrare: {{1}}",
		"id": "Anda diundang untuk bergabung dengan grup WhatsApp kami. Ketuk tautan untuk bergabung: {{1}}",
		"ar": "ندعوك للانضمام إلى مجموعتنا على واتساب. اضغط على الرابط للانضمام: {{1}}",
		"hi": "आपको हमारे WhatsApp ग्रुप में शामिल होने का निमंत्रण है। शामिल होने के लिए लिंक पर टैप करें: {{1}}",
		"zh": "邀请您加入我们的 WhatsApp 群组。点按链接即可加入：{{1}}",
	}
}

// libraryText is what the library's template says in a language: "en_US" is "en".
func libraryText(language string) (text string, ok bool) {
	base, _, _ := strings.Cut(strings.ReplaceAll(language, "-", "_"), "_")
	text, ok = inviteTexts()[strings.ToLower(base)]
	return text, ok
}

type createTemplateBody struct {
	Name       string      `json:"name"`
	Language   string      `json:"language"`
	Category   string      `json:"category"`
	Library    string      `json:"library_template_name"`
	Components []component `json:"components"`
}

var (
	templateName     = regexp.MustCompile(`^[a-z0-9_]{1,512}$`)
	templateLanguage = regexp.MustCompile(`^[a-z]{2,3}([_-][A-Za-z]{2,4})?$`)
)

func templates(sessionID string) notes.Shelf {
	return notes.Shelf{SessionID: sessionID, Dialect: Name, Kind: "template"}
}

func templateNote(name, language string) string { return name + "/" + language }

// NewTemplate keeps a template that a request describes.
func (a *API) NewTemplate(c Call) (Template, error) {
	b, err := readBody(c.Ctx)
	if err != nil {
		return Template{}, err
	}
	var said createTemplateBody
	if err = b.into(&said); err != nil {
		return Template{}, err
	}
	t, err := said.template()
	if err != nil {
		return t, err
	}
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s/%s/%s", c.Session.ID, t.Name, t.Language) // never fails, see hash.Hash
	t.ID = strconv.FormatUint(hash.Sum64()>>8, 10)
	shelf := templates(c.Session.ID)
	return t, a.services.Notes.Txn(c.UserContext(), func(ctx context.Context) error {
		var before Template
		found, err := a.services.Notes.Get(ctx, shelf, templateNote(t.Name, t.Language), &before)
		if err != nil {
			return err
		}
		if found || t.Name == libraryInvite {
			return fault.Field("name", "there is a template named %s in this language already", t.Name)
		}
		all, err := a.services.Notes.List(ctx, shelf, "", "", maxTemplates)
		if err != nil {
			return err
		}
		if len(all) == maxTemplates {
			return fault.New(fault.Conflict, "there are %d templates, which are the most", maxTemplates)
		}
		return a.services.Notes.Put(ctx, shelf, templateNote(t.Name, t.Language), t)
	})
}

// template checks what a request describes.
func (b createTemplateBody) template() (Template, error) {
	t := Template{Name: b.Name, Language: b.Language, Category: strings.ToUpper(b.Category), Status: statusApproved, Library: b.Library}
	switch {
	case !templateName.MatchString(b.Name):
		return t, fault.Field("name", "must have 1 to 512 lower-case letters, digits and underscores")
	case !templateLanguage.MatchString(b.Language):
		return t, fault.Field("language", "must be a language such as en_US")
	case t.Category != "UTILITY" && t.Category != "MARKETING":
		return t, fault.Field("category", "must be UTILITY or MARKETING; templates of other categories cannot be sent to groups")
	}
	for i, part := range b.Components {
		if part.Type = strings.ToUpper(part.Type); part.Type == "" {
			return t, fault.Field(fmt.Sprintf("components[%d].type", i), "is required")
		}
		if err := part.check(fmt.Sprintf("components[%d]", i)); err != nil {
			return t, err
		}
		if t.part(part.Type) != nil {
			return t, fault.Field(fmt.Sprintf("components[%d]", i), "is the second one of its type")
		}
		t.Components = append(t.Components, part)
	}
	return t, t.complete()
}

// complete takes from the library what the template does not say itself.
func (t *Template) complete() error {
	if t.part(bodyPart) != nil {
		if t.Library != "" && t.Library != libraryInvite {
			return unknownLibrary()
		}
		return nil
	}
	switch text, ok := libraryText(t.Language); {
	case t.Library == "":
		return fault.Field("components", "needs a component of the type %s, unless library_template_name is given", bodyPart)
	case t.Library != libraryInvite:
		return unknownLibrary()
	case !ok:
		return fault.Field("language", "the library has no text in this language: give a component of the type %s", bodyPart)
	default:
		t.Components = append(t.Components, component{Type: bodyPart, Text: text})
		return nil
	}
}

func unknownLibrary() error {
	return fault.Field("library_template_name", "must be %s, the only template of the library", libraryInvite)
}

// part is the component of a type, or nil.
func (t Template) part(kind string) *component {
	for i := range t.Components {
		if t.Components[i].Type == kind {
			return &t.Components[i]
		}
	}
	return nil
}

func (p *component) check(field string) error {
	longest := maxTemplateEdge
	switch p.Type {
	case buttonsPart:
		return p.checkButtons(field)
	case bodyPart:
		longest = maxTemplateBody
	case footerPart:
	case headerPart:
		switch p.Format = strings.ToUpper(p.Format); p.Format {
		case "", textFormat:
			p.Format = textFormat
		case "IMAGE", "VIDEO", "DOCUMENT":
			return nil
		default:
			return fault.Field(field+".format", "must be TEXT, IMAGE, VIDEO or DOCUMENT")
		}
	default:
		return fault.Field(field+".type", "must be HEADER, BODY, FOOTER or BUTTONS")
	}
	if n := utf8.RuneCountInString(p.Text); strings.TrimSpace(p.Text) == "" || n > longest {
		return fault.Field(field+".text", "must have 1 to %d characters", longest)
	}
	return nil
}

// checkButtons refuses buttons that cannot be written as text.
func (p *component) checkButtons(field string) error {
	if len(p.Buttons) == 0 || len(p.Buttons) > maxButtons {
		return fault.Field(field+".buttons", "must have 1 to %d entries", maxButtons)
	}
	for i := range p.Buttons {
		b := &p.Buttons[i]
		b.Type = strings.ToUpper(b.Type)
		if b.Type == "URL" && b.URL != "" || b.Type == "PHONE_NUMBER" && b.Phone != "" {
			continue
		}
		return fault.Field(fmt.Sprintf("%s.buttons[%d]", field, i), "must be a URL with its url or a PHONE_NUMBER with its phone_number: groups get no other buttons")
	}
	return nil
}

type createdTemplate struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Category string `json:"category"`
}

// CreateTemplate keeps a template.
func (a *API) CreateTemplate(c Call) error {
	t, err := a.NewTemplate(c)
	if err != nil {
		return err
	}
	return c.JSON(createdTemplate{t.ID, t.Status, t.Category})
}

type templateList struct {
	Data   []Template `json:"data"`
	Paging paging     `json:"paging"`
}

// Templates are those of an account, by name and language; with a name only the
// one of this name.
func (a *API) Templates(c Call, name string) ([]Template, error) {
	list, err := a.services.Notes.List(c.UserContext(), templates(c.Session.ID), "", "", maxTemplates)
	if err != nil {
		return nil, err
	}
	all := []Template{}
	for _, note := range list {
		var t Template
		if err = note.Decode(&t); err != nil {
			return nil, err
		}
		if name == "" || t.Name == name {
			all = append(all, t)
		}
	}
	return all, nil
}

// ListTemplates lists the account's templates.
func (a *API) ListTemplates(c Call) error {
	limit, err := readLimit(c.Ctx)
	if err != nil {
		return err
	}
	all, err := a.Templates(c, c.Query("name"))
	if err != nil {
		return err
	}
	from, to := 0, min(limit, len(all))
	for _, way := range []string{"after", "before"} {
		cursor := c.Query(way)
		if cursor == "" {
			continue
		}
		place, ok := decode(cursor)
		if !ok {
			return badCursor(way)
		}
		from, to = cut(all, func(t Template) int { return strings.Compare(templateNote(t.Name, t.Language), place) }, way == "before", limit)
	}
	answer := templateList{Data: all[from:to]}
	if from < to {
		first, last := all[from], all[to-1]
		answer.Paging.Cursors = &cursors{encode(templateNote(first.Name, first.Language)), encode(templateNote(last.Name, last.Language))}
		if from > 0 {
			answer.Paging.Previous = link(c.Ctx, limit, "before", answer.Paging.Cursors.Before)
		}
		if to < len(all) {
			answer.Paging.Next = link(c.Ctx, limit, "after", answer.Paging.Cursors.After)
		}
	}
	return c.JSON(answer)
}

// DeleteTemplate forgets the templates of the name in the query, in all
// languages.
func (a *API) DeleteTemplate(c Call) error { return a.ForgetTemplate(c, c.Query("name")) }

// ForgetTemplate forgets the templates of a name.
func (a *API) ForgetTemplate(c Call, name string) error {
	if name == "" {
		return fault.Field("name", "is required")
	}
	found, err := a.Templates(c, name)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fault.New(fault.NotFound, "there is no template named %q", name)
	}
	for _, t := range found {
		if _, err = a.services.Notes.Delete(c.UserContext(), templates(c.Session.ID), templateNote(t.Name, t.Language)); err != nil {
			return err
		}
	}
	return c.JSON(success{true})
}
