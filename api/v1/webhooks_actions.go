package v1

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"muster/webhooks"
)

type rotateInput struct {
	WebhookPath
	Body *struct {
		Secret         string `json:"secret,omitempty" doc:"The new secret: whsec_ and 24 to 64 bytes in base64. By default one is made."`
		KeepOldSeconds *int64 `json:"keep_old_seconds,omitempty" minimum:"0" maximum:"2592000" default:"86400" doc:"How long requests are signed with the present secret, too."`
	}
}

type testWebhookInput struct {
	WebhookPath
	Body *struct {
		Events []string `json:"events,omitempty" maxItems:"100" doc:"Types or families. The default is all that the webhook wants."`
	}
}

type testResult struct {
	Results []AttemptView `json:"results" nullable:"false" doc:"What came of each request, in the order of the documentation."`
}

type replayInput struct {
	WebhookPath
	Body *struct {
		After string `json:"after,omitempty" maxLength:"64" doc:"The id of an event, or a next of the log: what follows it is delivered. The default is the beginning of what is kept."`
		Until string `json:"until,omitempty" maxLength:"64" doc:"The id of the last event that is delivered. The default is the newest one."`
	}
}

type replayStarted struct {
	After string `json:"after" doc:"What follows this place in the log is delivered,"`
	Until string `json:"until" doc:"up to this one."`
}

// registerActions adds what can be done with a webhook.
func (h hooks) registerActions(api huma.API) {
	handle(api, route{
		Method: http.MethodPost, Path: webhookPath + "/secret", ID: "rotate-webhook-secret", Tag: webhooksTag,
		Summary:     "Give a webhook a new secret",
		Description: "For a while webhook-signature has a signature for each of the two secrets; X-Webhook-Signature is made with the new one at once.",
	}, h.rotate)
	handle(api, route{
		Method: http.MethodPost, Path: webhookPath + "/resume", ID: "resume-webhook", Tag: webhooksTag,
		Summary: "End a webhook's pause", Description: "What waits is delivered at once. Without a pause nothing changes.",
	}, func(ctx context.Context, in *struct{ WebhookPath }) (WebhookView, error) {
		if _, err := h.own(ctx, in.WebhookID); err != nil {
			return WebhookView{}, err
		}
		e, err := h.Resume(ctx, in.WebhookID)
		return viewWebhook(e), err
	})
	handle(api, route{
		Method: http.MethodPost, Path: webhookPath + "/test", ID: "test-webhook", Tag: webhooksTag,
		Summary: "Send a sample of each type",
		Description: "Now, whatever the webhook's state. Their ids begin with evt_test. The attempts are listed like others, with the kind test, " +
			"and change nothing.",
	}, h.test)
	handle(api, route{
		Method: http.MethodPost, Path: webhookPath + "/replay", ID: "replay-webhook", Tag: webhooksTag, Status: http.StatusAccepted,
		Summary: "Deliver events of the log again",
		Description: "In the background, all that the webhook wants and the log still has, with the same ids. For what was missed while the webhook " +
			"was not enabled, or did not exist.",
	}, h.replay)
}

func (h hooks) rotate(ctx context.Context, in *rotateInput) (createdWebhook, error) {
	if _, err := h.own(ctx, in.WebhookID); err != nil {
		return createdWebhook{}, err
	}
	req := webhooks.RotateRequest{ID: in.WebhookID}
	if b := in.Body; b != nil {
		req.Secret = b.Secret
		if b.KeepOldSeconds != nil {
			overlap := time.Duration(*b.KeepOldSeconds) * time.Second
			req.Overlap = &overlap
		}
	}
	e, secret, err := h.Rotate(ctx, req)
	return createdWebhook{viewWebhook(e), secret}, err
}

func (h hooks) test(ctx context.Context, in *testWebhookInput) (testResult, error) {
	if _, err := h.own(ctx, in.WebhookID); err != nil {
		return testResult{}, err
	}
	req := webhooks.TestRequest{WebhookID: in.WebhookID}
	if in.Body != nil {
		req.Events = in.Body.Events
	}
	attempts, err := h.Test(ctx, req)
	return testResult{viewAttempts(attempts)}, err
}

func (h hooks) replay(ctx context.Context, in *replayInput) (replayStarted, error) {
	if _, err := h.own(ctx, in.WebhookID); err != nil {
		return replayStarted{}, err
	}
	req := webhooks.ReplayRequest{WebhookID: in.WebhookID}
	if in.Body != nil {
		req.After, req.Until = in.Body.After, in.Body.Until
	}
	done, err := h.Replay(ctx, req)
	return replayStarted(done), err
}
