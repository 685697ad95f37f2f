package dialog360

import (
	"encoding/json"
	"fmt"
	"strings"

	"muster/api/meta"
	"muster/internal/fault"
	"muster/internal/notes"
	"muster/webhooks"
)

// A number has one webhook, and up to three more when these are switched on.
// What each is here is noted under its name; the main one has none.

const (
	mainNote     = "main"
	switchNote   = "multi"
	namePrefix   = "multi/"
	mostExtra    = 3
	longestName  = 128
	webhookNotes = "webhook"
)

func shelf(c meta.Call) notes.Shelf {
	return notes.Shelf{SessionID: c.Session.ID, Dialect: Name, Kind: webhookNotes}
}

type webhookBody struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
}

type shownWebhook struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	// Secret is what X-360dialog-Signature is made with; shown once.
	Secret string `json:"secret,omitempty"`
}

func readJSON(c meta.Call, target any) error {
	if err := json.Unmarshal(c.Body(), target); err != nil {
		return fault.New(fault.Malformed, "the body is not the JSON object that is expected here").Because(err)
	}
	return nil
}

// setWebhook makes the number's webhook, or changes it.
func (a *API) setWebhook(c meta.Call) error {
	var said webhookBody
	if err := readJSON(c, &said); err != nil {
		return err
	}
	e, created, err := a.put(c, mainNote, said)
	if err != nil {
		return err
	}
	return c.JSON(shownWebhook{URL: e.URL, Headers: e.Headers, Secret: created})
}

// put gives the webhook of a note its address. secret is that of a new one.
func (a *API) put(c meta.Call, note string, said webhookBody) (e webhooks.Endpoint, secret string, err error) {
	if said.Headers == nil {
		said.Headers = map[string]string{}
	}
	e, found, err := a.find(c, note)
	if err != nil {
		return e, "", err
	}
	if found {
		enabled := true
		e, err = a.services.Webhooks.Update(c.UserContext(), webhooks.UpdateRequest{ID: e.ID, URL: &said.URL, Headers: &said.Headers, Enabled: &enabled})
		return e, "", err
	}
	e, secret, err = a.services.Webhooks.Create(c.UserContext(), webhooks.CreateRequest{
		URL: said.URL, Headers: said.Headers, Format: Name, Sessions: []string{c.Session.ID},
	})
	if err != nil {
		return e, "", err
	}
	return e, secret, a.services.Notes.Put(c.UserContext(), shelf(c), note, e.ID)
}

// find is the webhook of a note. One that was deleted by other means is none.
func (a *API) find(c meta.Call, note string) (e webhooks.Endpoint, found bool, err error) {
	var id string
	if found, err = a.services.Notes.Get(c.UserContext(), shelf(c), note, &id); err != nil || !found {
		return e, false, err
	}
	e, err = a.services.Webhooks.Get(c.UserContext(), id)
	if fault.Is(err, fault.NotFound) {
		_, err = a.services.Notes.Delete(c.UserContext(), shelf(c), note)
		return e, false, err
	}
	return e, err == nil, err
}

// drop deletes the webhook of a note.
func (a *API) drop(c meta.Call, note string) error {
	e, found, err := a.find(c, note)
	if err != nil || !found {
		return err
	}
	if err = a.services.Webhooks.Delete(c.UserContext(), e.ID); err != nil {
		return err
	}
	_, err = a.services.Notes.Delete(c.UserContext(), shelf(c), note)
	return err
}

func (a *API) getWebhook(c meta.Call) error {
	e, found, err := a.find(c, mainNote)
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.NotFound, "no webhook is configured for this number")
	}
	return c.JSON(shownWebhook{URL: e.URL, Headers: e.Headers})
}

func (a *API) deleteWebhook(c meta.Call) error {
	if err := a.drop(c, mainNote); err != nil {
		return err
	}
	return c.JSON(said{"the webhook was deleted"})
}

// said is the answer to what changes webhooks.
type said struct {
	Message string `json:"message"`
}

type destination struct {
	Name    string            `json:"name"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Secret  string            `json:"secret,omitempty"`
}

type destinations struct {
	Enabled      bool          `json:"enabled"`
	Destinations []destination `json:"destinations"`
}

// extra lists the additional webhooks.
func (a *API) extra(c meta.Call) (list destinations, err error) {
	list.Destinations = []destination{}
	if _, err = a.services.Notes.Get(c.UserContext(), shelf(c), switchNote, &list.Enabled); err != nil {
		return list, err
	}
	named, err := a.services.Notes.List(c.UserContext(), shelf(c), namePrefix, "", 2*mostExtra)
	if err != nil {
		return list, err
	}
	for _, note := range named {
		e, found, err := a.find(c, note.ID)
		if err != nil {
			return list, err
		}
		if found {
			list.Destinations = append(list.Destinations, destination{Name: strings.TrimPrefix(note.ID, namePrefix), URL: e.URL, Headers: e.Headers})
		}
	}
	return list, nil
}

func (a *API) getDestinations(c meta.Call) error {
	list, err := a.extra(c)
	if err != nil {
		return err
	}
	return c.JSON(list)
}

type switchBody struct {
	Enabled      *bool         `json:"enabled"`
	Destinations []destination `json:"destinations"`
}

// switchDestinations switches the additional webhooks on or off; off, they are
// forgotten.
func (a *API) switchDestinations(c meta.Call) error {
	var body switchBody
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if body.Enabled == nil {
		return fault.Field("enabled", "is required")
	}
	if *body.Enabled {
		return a.append(c, body.Destinations, true)
	}
	list, err := a.extra(c)
	for _, d := range list.Destinations {
		if err == nil {
			err = a.drop(c, namePrefix+d.Name)
		}
	}
	if err == nil {
		_, err = a.services.Notes.Delete(c.UserContext(), shelf(c), switchNote)
	}
	if err != nil {
		return err
	}
	return c.JSON(said{"additional webhooks are switched off"})
}

func (a *API) addDestinations(c meta.Call) error {
	var body switchBody
	if err := readJSON(c, &body); err != nil {
		return err
	}
	if len(body.Destinations) == 0 {
		return fault.Field("destinations", "must have at least one entry")
	}
	return a.append(c, body.Destinations, false)
}

// append adds destinations, and switches them on where that is asked for.
func (a *API) append(c meta.Call, more []destination, on bool) error {
	list, err := a.extra(c)
	if err != nil {
		return err
	}
	if !list.Enabled && !on {
		return errSwitchedOff()
	}
	taken := map[string]bool{}
	for _, d := range list.Destinations {
		taken[d.Name] = true
	}
	for i, d := range more {
		field := fmt.Sprintf("destinations[%d].name", i)
		switch {
		case d.Name == "" || len(d.Name) > longestName:
			return fault.Field(field, "must have 1 to %d characters", longestName)
		case taken[d.Name]:
			return fault.Field(field, "there is a destination of this name already")
		}
		taken[d.Name] = true
	}
	if len(taken) > mostExtra {
		return fault.Field("destinations", "a number has at most %d additional webhooks", mostExtra)
	}
	if err = a.services.Notes.Put(c.UserContext(), shelf(c), switchNote, true); err != nil {
		return err
	}
	for _, d := range more {
		if _, _, err = a.put(c, namePrefix+d.Name, webhookBody{d.URL, d.Headers}); err != nil {
			return err
		}
	}
	return c.JSON(said{"additional webhooks are switched on"})
}

func errSwitchedOff() error {
	return fault.New(fault.Conflict, "additional webhooks are not switched on: POST enabled first")
}

// changeDestination changes the address or the headers of one.
func (a *API) changeDestination(c meta.Call) error {
	var body struct {
		Name    string             `json:"name"`
		URL     *string            `json:"url"`
		Headers *map[string]string `json:"headers"`
	}
	if err := readJSON(c, &body); err != nil {
		return err
	}
	e, found, err := a.find(c, namePrefix+body.Name)
	if err != nil {
		return err
	}
	if !found {
		return errNoDestination(body.Name)
	}
	if _, err = a.services.Webhooks.Update(c.UserContext(), webhooks.UpdateRequest{ID: e.ID, URL: body.URL, Headers: body.Headers}); err != nil {
		return err
	}
	return c.JSON(said{"the destination was changed"})
}

func errNoDestination(name string) error {
	return fault.New(fault.NotFound, "there is no destination named %q", name)
}

// removeDestination deletes the one whose name the body has, or the query.
func (a *API) removeDestination(c meta.Call) error {
	var body struct {
		Name string `json:"name"`
	}
	if len(c.Body()) > 0 {
		if err := readJSON(c, &body); err != nil {
			return err
		}
	}
	if body.Name == "" {
		body.Name = c.Query("name")
	}
	_, found, err := a.find(c, namePrefix+body.Name)
	if err == nil && !found {
		err = errNoDestination(body.Name)
	}
	if err == nil {
		err = a.drop(c, namePrefix+body.Name)
	}
	if err != nil {
		return err
	}
	return c.JSON(said{"the destination was deleted"})
}
