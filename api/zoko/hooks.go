package zoko

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/gofiber/fiber/v2"

	"muster/internal/fault"
	"muster/webhooks"
)

// challengeHeader has the challenge token on every delivery. Zoko does not
// document where it sends it.
const challengeHeader = "X-Challenge-Token"

const maxChallenge = 200

// HookBody is a webhook that is wanted.
type HookBody struct {
	_              struct{} `additionalProperties:"true"`
	URL            string   `json:"url" format:"uri" maxLength:"2048" example:"https://client.example.com/zoko"`
	Events         []string `json:"events" minItems:"1" nullable:"false" enum:"message:user:in,message:store:out,message:delivery:update"`
	ChallengeToken string   `json:"challengeToken,omitempty" maxLength:"200" doc:"Comes with every delivery, in the header X-Challenge-Token." example:"client0_letmein"`
}

// types are our types of event for the body's.
func (b HookBody) types() ([]string, error) {
	if len(b.Events) == 0 {
		return nil, fault.Field("events", "must name at least one event")
	}
	if len(b.ChallengeToken) > maxChallenge {
		return nil, fault.Field("challengeToken", "has %d bytes; %d is the most", len(b.ChallengeToken), maxChallenge)
	}
	var types []string
	for _, name := range b.Events {
		t, ok := typeFor(name)
		if !ok {
			return nil, fault.Field("events", "%.100q is not one of %s, %s, %s", name, eventUserIn, eventStoreOut, eventDelivery)
		}
		types = append(types, string(t))
	}
	return types, nil
}

func (b HookBody) headers() map[string]string {
	if b.ChallengeToken == "" {
		return map[string]string{}
	}
	return map[string]string{challengeHeader: b.ChallengeToken}
}

// Hook is a webhook.
type Hook struct {
	ID             string   `json:"id"`
	URL            string   `json:"url"`
	ChallengeToken string   `json:"challengeToken"`
	Events         []string `json:"events" nullable:"false" enum:"message:user:in,message:store:out,message:delivery:update"`
}

func shown(e webhooks.Endpoint) Hook {
	hook := Hook{ID: webhookID(e.ID), URL: e.URL, ChallengeToken: e.Headers[challengeHeader], Events: []string{}}
	for _, name := range []string{eventUserIn, eventStoreOut, eventDelivery} {
		if t, _ := typeFor(name); wants(e, t) {
			hook.Events = append(hook.Events, name)
		}
	}
	return hook
}

// hookFields are the names of our fields in the body.
func hookFields() map[string]string {
	return map[string]string{"headers." + challengeHeader: "challengeToken", "headers": "challengeToken"}
}

func (d *Dialect) createHook(c *fiber.Ctx) error {
	s, err := d.session(c)
	if err != nil {
		return err
	}
	var body HookBody
	if err = read(c, &body); err != nil {
		return err
	}
	types, err := body.types()
	if err != nil {
		return err
	}
	made, _, err := d.services.Webhooks.Create(c.UserContext(), webhooks.CreateRequest{
		URL: body.URL, Events: types, Sessions: []string{s.ID}, Format: name, Headers: body.headers(),
	})
	if err != nil {
		return renamed(err, hookFields())
	}
	return c.JSON(shown(made))
}

// hooks are the session's webhooks in this format.
func (d *Dialect) hooks(ctx context.Context, sessionID string) ([]webhooks.Endpoint, error) {
	var all []webhooks.Endpoint
	req := webhooks.ListRequest{Limit: webhooks.MaxLimit, Visible: func(e webhooks.Endpoint) bool {
		return e.Format == name && slices.Equal(e.Sessions, []string{sessionID})
	}}
	for {
		page, err := d.services.Webhooks.List(ctx, req)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Endpoints...)
		if req.After = page.Next; req.After == "" {
			return all, nil
		}
	}
}

// hook is the webhook that the path names.
func (d *Dialect) hook(c *fiber.Ctx) (webhooks.Endpoint, error) {
	s, err := d.session(c)
	if err != nil {
		return webhooks.Endpoint{}, err
	}
	all, err := d.hooks(c.UserContext(), s.ID)
	if err != nil {
		return webhooks.Endpoint{}, err
	}
	id := c.Params("id")
	at := slices.IndexFunc(all, func(e webhooks.Endpoint) bool { return e.ID == id || webhookID(e.ID) == id })
	if at < 0 {
		return webhooks.Endpoint{}, fault.New(fault.NotFound, "there is no webhook %.100q", id)
	}
	return all[at], nil
}

func (d *Dialect) listHooks(c *fiber.Ctx) error {
	s, err := d.session(c)
	if err != nil {
		return err
	}
	all, err := d.hooks(c.UserContext(), s.ID)
	if err != nil {
		return err
	}
	list := make([]Hook, len(all))
	for i, e := range all {
		list[i] = shown(e)
	}
	return c.JSON(list)
}

func (d *Dialect) getHook(c *fiber.Ctx) error {
	e, err := d.hook(c)
	if err != nil {
		return err
	}
	return c.JSON(shown(e))
}

// updateHook gives a webhook what the body says. A challenge token that is left
// out stays.
func (d *Dialect) updateHook(c *fiber.Ctx) error {
	e, err := d.hook(c)
	if err != nil {
		return err
	}
	var body HookBody
	if err = read(c, &body); err != nil {
		return err
	}
	if body.URL == "" {
		return fault.Field("url", "is required")
	}
	types, err := body.types()
	if err != nil {
		return err
	}
	enabled := true // as at Zoko, where one that was disabled is brought back so
	req := webhooks.UpdateRequest{ID: e.ID, URL: &body.URL, Events: &types, Enabled: &enabled}
	if body.ChallengeToken != "" {
		headers := maps.Clone(e.Headers)
		maps.Copy(headers, body.headers())
		req.Headers = &headers
	}
	if e, err = d.services.Webhooks.Update(c.UserContext(), req); err != nil {
		return renamed(err, hookFields())
	}
	return c.JSON(shown(e))
}

func (d *Dialect) deleteHook(c *fiber.Ctx) error {
	e, err := d.hook(c)
	if err != nil {
		return err
	}
	if err = d.services.Webhooks.Delete(c.UserContext(), e.ID); err != nil {
		return err
	}
	return c.SendStatus(http.StatusNoContent)
}
