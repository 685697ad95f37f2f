package v1

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"muster/internal/auth"
	"muster/internal/fault"
	"muster/webhooks"
)

const (
	webhooksTag = "Webhooks"
	webhookPath = "/webhooks/{webhook_id}"
)

// WebhookView is a webhook as the API shows it; times are UNIX seconds.
type WebhookView struct {
	ID              string            `json:"id" example:"wh_018bcfe56800000001abcdefgh"`
	URL             string            `json:"url" example:"https://example.com/hook"`
	Events          []string          `json:"events" nullable:"false" doc:"Types, families such as group.*, or * for all."`
	Sessions        []string          `json:"sessions" nullable:"false" doc:"Only events of these sessions; empty is all."`
	Groups          []string          `json:"groups" nullable:"false" doc:"Only events about these groups; empty is all, and events about none."`
	Format          string            `json:"format" example:"muster" doc:"How the body is written."`
	Headers         map[string]string `json:"headers" doc:"What is sent along."`
	Enabled         bool              `json:"enabled" doc:"While it is not, new events are not queued for it, and what was queued waits."`
	DisabledReason  string            `json:"disabled_reason,omitempty" enum:"gone" doc:"gone: it has answered 410 and was disabled for that."`
	State           string            `json:"state" enum:"active,failing,paused,off" doc:"failing: the last attempts have failed. paused: too many have failed; deliveries wait, and one of them is tried now and then. off: not enabled."`
	Failures        int               `json:"failures" doc:"How many attempts have failed since the last success."`
	FailingSince    int64             `json:"failing_since,omitempty" doc:"Since when."`
	LastStatus      int               `json:"last_status,omitempty" doc:"What the last of them was answered; absent for no answer."`
	LastError       string            `json:"last_error,omitempty" doc:"What was wrong with the last of them."`
	PausedAt        int64             `json:"paused_at,omitempty" doc:"Since when it is paused."`
	NextProbeAt     int64             `json:"next_probe_at,omitempty" doc:"When a paused one is tried next."`
	Pending         int               `json:"pending" doc:"How many deliveries wait."`
	OldestPendingAt int64             `json:"oldest_pending_at,omitempty" doc:"Since when the oldest of them has."`
	DeadLetters     int               `json:"dead_letters" doc:"How many deliveries were given up and can be replayed."`
	OldSecretUntil  int64             `json:"old_secret_until,omitempty" doc:"Until when requests are signed with the secret before, too."`
	CreatedAt       int64             `json:"created_at"`
	UpdatedAt       int64             `json:"updated_at"`
}

type createdWebhook struct {
	WebhookView
	Secret string `json:"secret" doc:"What requests are signed with. It is shown here and never again."`
}

type webhookList struct {
	Webhooks   []WebhookView `json:"webhooks" nullable:"false" doc:"The oldest first."`
	Count      int           `json:"count" doc:"How many there are in all."`
	NextCursor string        `json:"next_cursor,omitempty" doc:"Where the next page begins; absent on the last one."`
}

type createWebhookInput struct {
	Body struct {
		URL      string            `json:"url" maxLength:"2048" example:"https://example.com/hook" doc:"Where events are sent with POST. Only http and https; addresses of private networks only where the setting webhooks.allow_private allows them."`
		Events   []string          `json:"events,omitempty" maxItems:"100" example:"[\"group.*\",\"message.received\"]" doc:"Types, families such as group.*, or * for all, which is the default."`
		Sessions []string          `json:"sessions,omitempty" maxItems:"1000" doc:"Only events of these sessions. The default is all that the token may see."`
		Groups   []string          `json:"groups,omitempty" maxItems:"1000" doc:"Only events about these groups. The default is all, and events about none."`
		Secret   string            `json:"secret,omitempty" doc:"What requests are signed with: whsec_ and 24 to 64 bytes in base64, or, for the formats of other vendors, any text. By default one is made."`
		Format   string            `json:"format,omitempty" default:"muster" doc:"How the body is written: muster, or as another vendor does."`
		Headers  map[string]string `json:"headers,omitempty" doc:"What is sent along, for example an Authorization."`
		Enabled  *bool             `json:"enabled,omitempty" default:"true"`
		// VerifyToken is for formats whose vendor asks first.
		VerifyToken string `json:"verify_token,omitempty" maxLength:"256" doc:"Of the formats meta and 360dialog: the URL is asked first, with this as hub.verify_token, and has to repeat hub.challenge."`
	}
}

// WebhookPath is the path of everything about one webhook.
type WebhookPath struct {
	WebhookID string `path:"webhook_id" maxLength:"64" doc:"The webhook's id." example:"wh_018bcfe56800000001abcdefgh"`
}

type updateWebhookInput struct {
	WebhookPath
	Body struct {
		URL      *string           `json:"url,omitempty" maxLength:"2048"`
		Events   []string          `json:"events,omitempty" maxItems:"100"`
		Sessions []string          `json:"sessions,omitempty" maxItems:"1000" doc:"[] is all."`
		Groups   []string          `json:"groups,omitempty" maxItems:"1000" doc:"[] is all."`
		Secret   *string           `json:"secret,omitempty" doc:"A new secret; for a day requests are signed with the present one too. To choose how long, see rotate-webhook-secret."`
		Format   *string           `json:"format,omitempty"`
		Headers  map[string]string `json:"headers,omitempty" doc:"In place of all present ones."`
		Enabled  *bool             `json:"enabled,omitempty"`
	}
}

type listWebhooksInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100" doc:"The most webhooks in one answer."`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

// hooks is the API's side of the webhooks.
type hooks struct{ *webhooks.Service }

// RegisterWebhooks adds the webhooks: what they are, what was delivered, and
// what was not.
func RegisterWebhooks(api huma.API, service *webhooks.Service) {
	h := hooks{service}
	handle(api, route{
		Method: http.MethodPost, Path: "/webhooks", ID: "create-webhook", Tag: webhooksTag, Status: http.StatusCreated,
		Summary: "Create a webhook",
		Description: "Events are sent at least once, in no fixed order: their id (webhook-id) is the same every time, and seq counts them within a session. " +
			"Answer 2xx to take an event. Anything else is tried again, at longer and longer intervals; 410 disables the webhook. " +
			"Requests are signed as https://www.standardwebhooks.com has it, and with X-Webhook-Signature: sha256= and the HMAC-SHA256, in hexadecimal, of " +
			"X-Webhook-Timestamp, a point and the body, with the whole text of the newest secret as its key.",
	}, h.create)
	handle(api, route{Method: http.MethodGet, Path: "/webhooks", ID: "list-webhooks", Tag: webhooksTag, Summary: "List the webhooks"}, h.list)
	handle(api, route{Method: http.MethodGet, Path: webhookPath, ID: "get-webhook", Tag: webhooksTag, Summary: "Get a webhook and how it is doing"},
		func(ctx context.Context, in *struct{ WebhookPath }) (WebhookView, error) {
			e, err := h.own(ctx, in.WebhookID)
			return viewWebhook(e), err
		})
	handle(api, route{
		Method: http.MethodPatch, Path: webhookPath, ID: "update-webhook", Tag: webhooksTag, Summary: "Change a webhook",
		Description: "What is left out stays as it is. What waits for sessions that are no longer among its sessions is not delivered. A new url, secret or headers ends a pause; enabled switches it on again after a 410.",
	}, h.update)
	act(api, route{
		Method: http.MethodDelete, Path: webhookPath, ID: "delete-webhook", Tag: webhooksTag, Summary: "Delete a webhook",
		Description: "With everything that waits for it and that is known of it.",
	}, func(ctx context.Context, in *struct{ WebhookPath }) error {
		if _, err := h.own(ctx, in.WebhookID); err != nil {
			return err
		}
		return h.Delete(ctx, in.WebhookID)
	})
	h.registerActions(api)
	h.registerDeliveries(api)
}

func (h hooks) create(ctx context.Context, in *createWebhookInput) (createdWebhook, error) {
	b := in.Body
	if caller := auth.From(ctx); !caller.Admin && len(b.Sessions) == 0 {
		b.Sessions = caller.Sessions
	}
	if err := allowed(ctx, b.Sessions); err != nil {
		return createdWebhook{}, err
	}
	e, secret, err := h.Create(ctx, webhooks.CreateRequest{
		URL: b.URL, Events: b.Events, Sessions: b.Sessions, Groups: b.Groups, Secret: b.Secret, Format: b.Format, Headers: b.Headers, Enabled: b.Enabled,
		VerifyToken: b.VerifyToken,
	})
	return createdWebhook{viewWebhook(e), secret}, err
}

func (h hooks) list(ctx context.Context, in *listWebhooksInput) (webhookList, error) {
	page, err := h.List(ctx, webhooks.ListRequest{
		Visible: func(e webhooks.Endpoint) bool { return visibleWebhook(ctx, e) }, After: in.Cursor, Limit: in.Limit,
	})
	view := webhookList{Webhooks: make([]WebhookView, len(page.Endpoints)), Count: page.Total, NextCursor: page.Next}
	for i, e := range page.Endpoints {
		view.Webhooks[i] = viewWebhook(e)
	}
	return view, err
}

func (h hooks) update(ctx context.Context, in *updateWebhookInput) (WebhookView, error) {
	if _, err := h.own(ctx, in.WebhookID); err != nil {
		return WebhookView{}, err
	}
	b := in.Body
	req := webhooks.UpdateRequest{ID: in.WebhookID, URL: b.URL, Secret: b.Secret, Format: b.Format, Enabled: b.Enabled}
	if b.Sessions != nil {
		if err := allowed(ctx, b.Sessions); err != nil {
			return WebhookView{}, err
		}
		req.Sessions = &b.Sessions
	}
	if b.Events != nil {
		req.Events = &b.Events
	}
	if b.Groups != nil {
		req.Groups = &b.Groups
	}
	if b.Headers != nil {
		req.Headers = &b.Headers
	}
	e, err := h.Update(ctx, req)
	return viewWebhook(e), err
}

// own is a webhook that the caller may use. Others do not exist for it.
func (h hooks) own(ctx context.Context, id string) (webhooks.Endpoint, error) {
	e, err := h.Get(ctx, id)
	if err == nil && !visibleWebhook(ctx, e) {
		return webhooks.Endpoint{}, webhooks.NotFound(id)
	}
	return e, err
}

// visibleWebhook: a token that is bound to sessions may use those webhooks that
// hear of nothing but these sessions.
func visibleWebhook(ctx context.Context, e webhooks.Endpoint) bool {
	return allowed(ctx, e.Sessions) == nil
}

// allowed refuses sessions that the caller may not hear of; none is all.
func allowed(ctx context.Context, sessions []string) error {
	caller := auth.From(ctx)
	if caller.Admin {
		return nil
	}
	if len(sessions) == 0 {
		return fault.Field("sessions", "must name sessions that the token is bound to")
	}
	for _, id := range sessions {
		if !caller.May(id) {
			return fault.New(fault.SessionNotFound, "there is no session named %q", id)
		}
	}
	return nil
}

func viewWebhook(e webhooks.Endpoint) WebhookView {
	return WebhookView{
		ID: e.ID, URL: e.URL, Events: e.Events, Sessions: e.Sessions, Groups: e.Groups, Format: e.Format, Headers: e.Headers,
		Enabled: e.Enabled, DisabledReason: e.DisabledReason, State: string(e.State()),
		Failures: e.Failures, FailingSince: seconds(e.FailingSince), LastStatus: e.LastStatus, LastError: e.LastError,
		PausedAt: seconds(e.PausedAt), NextProbeAt: seconds(e.ProbeAt),
		Pending: e.Pending, OldestPendingAt: seconds(e.OldestPending), DeadLetters: e.DeadLetters,
		OldSecretUntil: seconds(e.OldSecretUntil), CreatedAt: seconds(e.CreatedAt), UpdatedAt: seconds(e.UpdatedAt),
	}
}
