package dialog360

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/api/meta"
)

// template is Meta's as 360dialog shows it: with its status in small letters.
type template struct {
	meta.Template
	Status         string `json:"status"`
	RejectedReason string `json:"rejected_reason"`
}

func show(t meta.Template) template {
	return template{Template: t, Status: strings.ToLower(t.Status), RejectedReason: "NONE"}
}

func (a *API) createTemplate(c meta.Call) error {
	t, err := a.cloud.NewTemplate(c)
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(show(t))
}

type templateList struct {
	Templates []template `json:"waba_templates"`
	Count     int        `json:"count"`
	Total     int        `json:"total"`
}

func (a *API) listTemplates(c meta.Call) error {
	all, err := a.cloud.Templates(c, c.Query("name"))
	if err != nil {
		return err
	}
	list := templateList{Templates: []template{}, Count: len(all), Total: len(all)}
	for _, t := range all {
		list.Templates = append(list.Templates, show(t))
	}
	return c.JSON(list)
}
