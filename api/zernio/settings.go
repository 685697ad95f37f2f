package zernio

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"muster/internal/auth"
	"muster/internal/event"
	"muster/internal/fault"
	"muster/webhooks"
)

// What a webhook of Zernio's has and one of ours does not travels with its
// requests, in headers: its name, which of Zernio's events it wants, of which
// several may be one of ours, and where its owner sees this API, for the URLs of
// attachments.
const (
	nameHeader   = "X-Zernio-Webhook-Name"
	eventsHeader = "X-Zernio-Events"
	baseHeader   = "X-Zernio-Base-Url"
)

const maxWebhookName = 50 // characters

// sources are the events that those of Zernio's are made of.
var sources = map[string][]event.Type{
	messageReceived:     {event.MessageReceived},
	messageSent:         {event.MessageSent},
	messageDelivered:    {event.MessageReceipt},
	messageRead:         {event.MessageReceipt},
	messageFailed:       {event.MessageFailed},
	messageEdited:       {event.MessageEdited},
	messageDeleted:      {event.MessageRevoked},
	reactionReceived:    {event.MessageReaction},
	conversationStarted: {event.GroupCreated, event.GroupJoined},
}

// families are those of the events that Zernio has. One of a family that never
// happens here can be asked for: nothing comes of it.
var families = []string{
	"account.", "ad.", "analytics.", "call.", "comment.", "conversation.", "lead.", "message.", "phone_number.", "post.",
	"reaction.", "referral.", "review.", "verification.", "whatsapp.",
}

// subscription tells which of Zernio's events an endpoint wants. One that was
// not made by Zernio's call wants all that its own events become.
func subscription(to webhooks.Endpoint) func(name string) bool {
	list := to.Headers[eventsHeader]
	if list == "" {
		return func(string) bool { return true }
	}
	wanted := strings.Split(list, ",")
	return func(name string) bool { return slices.Contains(wanted, name) }
}

type webhook struct {
	ID           string            `json:"_id"`
	Name         string            `json:"name"`
	URL          string            `json:"url"`
	Secret       string            `json:"secret,omitempty"` // in the answer to its making only
	Events       []string          `json:"events"`
	IsActive     bool              `json:"isActive"`
	FailureCount int               `json:"failureCount"`
	Headers      map[string]string `json:"customHeaders,omitempty"`
}

func viewWebhook(e webhooks.Endpoint, secret string) webhook {
	view := webhook{ID: e.ID, URL: e.URL, Secret: secret, IsActive: e.Enabled, FailureCount: e.Failures, Headers: maps.Clone(e.Headers)}
	if name, err := url.PathUnescape(e.Headers[nameHeader]); err == nil {
		view.Name = name
	}
	wanted := subscription(e)
	types, _ := event.Expand(e.Events)
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if e.Headers[eventsHeader] == "" && slices.ContainsFunc(sources[name], func(t event.Type) bool { return slices.Contains(types, t) }) && wanted(name) {
			view.Events = append(view.Events, name)
		}
	}
	if list := e.Headers[eventsHeader]; list != "" {
		view.Events = strings.Split(list, ",")
	}
	for _, own := range []string{nameHeader, eventsHeader, baseHeader} {
		delete(view.Headers, own)
	}
	return view
}

// webhookBody is a webhook as clients write it. What is nil is left as it is.
type webhookBody struct {
	ID        string             `json:"_id"`
	WebhookID string             `json:"webhookId"`
	Name      *string            `json:"name"`
	URL       *string            `json:"url"`
	Secret    *string            `json:"secret"`
	Events    *[]string          `json:"events"`
	IsActive  *bool              `json:"isActive"`
	Headers   *map[string]string `json:"customHeaders"`
	Disabled  []string           `json:"disabledResourceGroups"`
}

func (b webhookBody) check() error {
	if b.Name != nil {
		if n := utf8.RuneCountInString(strings.TrimSpace(*b.Name)); n == 0 || n > maxWebhookName {
			return invalid("name", "must have 1 to %d characters", maxWebhookName)
		}
	}
	if len(b.Disabled) > 0 {
		return invalid("disabledResourceGroups", "is not supported: name the events that are wanted")
	}
	if b.Headers != nil {
		for name := range *b.Headers {
			if strings.HasPrefix(strings.ToLower(name), "x-zernio-") {
				return invalid("customHeaders", "%.100q is a header of Zernio's own", name)
			}
		}
	}
	if b.Events == nil {
		return nil
	}
	happens := false
	for i, name := range *b.Events {
		if !slices.ContainsFunc(families, func(f string) bool { return strings.HasPrefix(name, f) && plain(name) }) {
			return invalid(entry("events", i), "%.100q is not one of Zernio's events", name)
		}
		happens = happens || sources[name] != nil
	}
	if !happens {
		return invalid("events", "must have one of those that happen here: %s", strings.Join(slices.Sorted(maps.Keys(sources)), ", "))
	}
	return nil
}

// plain tells whether text is small letters, digits, points and underscores.
func plain(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789._") == "" && len(text) <= maxWebhookName
}

// headers are those that go along with the requests of a webhook: those before,
// with what the body changes.
func (b webhookBody) headers(before map[string]string, base string) map[string]string {
	headers := map[string]string{}
	if b.Headers != nil {
		maps.Copy(headers, *b.Headers)
	}
	for name, value := range before {
		if b.Headers == nil || strings.HasPrefix(strings.ToLower(name), "x-zernio-") {
			headers[name] = value
		}
	}
	headers[baseHeader] = base
	if b.Name != nil {
		headers[nameHeader] = url.PathEscape(strings.TrimSpace(*b.Name))
	}
	if b.Events != nil {
		headers[eventsHeader] = strings.Join(*b.Events, ",")
	}
	return headers
}

// types are the events that those of Zernio's are made of, as patterns.
func (b webhookBody) types() (list []string) {
	for _, name := range *b.Events {
		for _, t := range sources[name] {
			list = append(list, string(t))
		}
	}
	return list
}

// settingNames are what Zernio calls the fields of webhooks.
var settingNames = map[string]string{"headers": "customHeaders", "format": "event"}

func settingError(err error) error { return about(err, "", settingNames) }

// listWebhooks lists the webhooks of this format that the key may know of.
func (d *Dialect) listWebhooks(c *fiber.Ctx) error {
	ctx := c.UserContext()
	view := struct {
		Webhooks []webhook `json:"webhooks"`
	}{[]webhook{}}
	req := webhooks.ListRequest{Visible: func(e webhooks.Endpoint) bool { return visible(ctx, e) }, Limit: webhooks.MaxLimit}
	for {
		page, err := d.services.Webhooks.List(ctx, req)
		if err != nil {
			return err
		}
		for _, e := range page.Endpoints {
			view.Webhooks = append(view.Webhooks, viewWebhook(e, ""))
		}
		if req.After = page.Next; req.After == "" {
			return c.JSON(view)
		}
	}
}

// visible: a key that is bound to accounts may use those webhooks that hear of
// nothing but these.
func visible(ctx context.Context, e webhooks.Endpoint) bool {
	caller := auth.From(ctx)
	if e.Format != Name {
		return false
	}
	return caller.Admin || len(e.Sessions) > 0 && !slices.ContainsFunc(e.Sessions, func(id string) bool { return !caller.May(id) })
}

type webhookAnswer struct {
	Success bool    `json:"success"`
	Webhook webhook `json:"webhook"`
}

func (d *Dialect) createWebhook(c *fiber.Ctx) error {
	var b webhookBody
	if err := read(c, &b); err != nil {
		return err
	}
	switch {
	case b.Name == nil:
		return invalid("name", "is required")
	case b.URL == nil:
		return invalid("url", "is required")
	case b.Events == nil || len(*b.Events) == 0:
		return invalid("events", "must name at least one event")
	}
	if err := b.check(); err != nil {
		return err
	}
	req := webhooks.CreateRequest{
		URL: strings.TrimSpace(*b.URL), Events: b.types(), Format: Name, Headers: b.headers(nil, c.BaseURL()+prefix), Enabled: b.IsActive,
	}
	if b.Secret != nil {
		req.Secret = *b.Secret
	}
	if caller := auth.From(c.UserContext()); !caller.Admin {
		req.Sessions = caller.Sessions
	}
	e, secret, err := d.services.Webhooks.Create(c.UserContext(), req)
	if err != nil {
		return settingError(err)
	}
	return c.Status(http.StatusOK).JSON(webhookAnswer{true, viewWebhook(e, secret)})
}

// ownWebhook is one that the key may use; others do not exist for it.
func (d *Dialect) ownWebhook(ctx context.Context, param, id string) (webhooks.Endpoint, error) {
	if id == "" {
		return webhooks.Endpoint{}, invalid(param, "is required")
	}
	e, err := d.services.Webhooks.Get(ctx, id)
	if err == nil && !visible(ctx, e) {
		return webhooks.Endpoint{}, webhooks.NotFound(id)
	}
	return e, err
}

func (d *Dialect) updateWebhook(c *fiber.Ctx) error {
	var b webhookBody
	if err := read(c, &b); err != nil {
		return err
	}
	ctx := c.UserContext()
	before, err := d.ownWebhook(ctx, "webhookId", cmp.Or(b.WebhookID, b.ID))
	if err != nil {
		return err
	}
	if b.Events != nil && len(*b.Events) == 0 {
		return invalid("events", "must name at least one event")
	}
	if err = b.check(); err != nil {
		return err
	}
	headers := b.headers(before.Headers, c.BaseURL()+prefix)
	req := webhooks.UpdateRequest{ID: before.ID, Enabled: b.IsActive, Secret: b.Secret}
	if !maps.Equal(headers, before.Headers) {
		req.Headers = &headers
	}
	if b.URL != nil {
		trimmed := strings.TrimSpace(*b.URL)
		req.URL = &trimmed
	}
	if b.Events != nil {
		types := b.types()
		req.Events = &types
	}
	e, err := d.services.Webhooks.Update(ctx, req)
	if err != nil {
		return settingError(err)
	}
	return c.JSON(webhookAnswer{true, viewWebhook(e, "")})
}

func (d *Dialect) deleteWebhook(c *fiber.Ctx) error {
	e, err := d.ownWebhook(c.UserContext(), "webhookId", cmp.Or(c.Query("webhookId"), c.Query("id")))
	if err != nil {
		return err
	}
	if err = d.services.Webhooks.Delete(c.UserContext(), e.ID); err != nil {
		return err
	}
	return c.JSON(struct {
		Success bool `json:"success"`
	}{true})
}

// testWebhook sends a message as it could have come in, and says how it went.
func (d *Dialect) testWebhook(c *fiber.Ctx) error {
	var b webhookBody
	if err := read(c, &b); err != nil {
		return err
	}
	e, err := d.ownWebhook(c.UserContext(), "webhookId", b.WebhookID)
	if err != nil {
		return err
	}
	wanted := subscription(e)
	var types []string
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if wanted(name) {
			for _, t := range sources[name] {
				types = append(types, string(t))
			}
		}
	}
	attempts, err := d.services.Webhooks.Test(c.UserContext(), webhooks.TestRequest{WebhookID: e.ID, Events: types})
	if err != nil {
		return err
	}
	for _, a := range attempts {
		if a.Error != "" {
			return fault.New(fault.Rejected, "the webhook does not take %s: %s", a.Type, a.Error)
		}
	}
	return c.JSON(done{true, "The webhook has taken a sample of each of its events"})
}
