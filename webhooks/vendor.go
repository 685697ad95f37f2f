package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"muster/internal/fault"
)

// Signer is an Encoder whose vendor has its own proof of where a request comes
// from. It takes the place of all other signatures; the secret is then any text
// of visible ASCII characters.
type Signer interface {
	// Sign puts the proof on a request. secrets are those that are valid, the
	// newest first, and at least one.
	Sign(header http.Header, body string, secrets []string)
}

// Greeter is an Encoder whose vendor asks an endpoint whether it wants to be
// one, before anything is delivered.
type Greeter interface {
	// Greeting is what to ask the URL with the token that the endpoint knows,
	// and agrees tells whether an answer to that is a yes.
	Greeting(ctx context.Context, url, token string) (question *http.Request, agrees func(answer string) bool, err error)
}

const longestForeignSecret = 256

// checkSecret accepts a secret for a format. The value is not repeated.
func (s *Service) checkSecret(format, secret string) error {
	if _, foreign := s.encoders[format].(Signer); !foreign {
		return checkSecret("secret", secret)
	}
	if secret == "" || len(secret) > longestForeignSecret {
		return fault.Field("secret", "must have 1 to %d characters", longestForeignSecret)
	}
	for _, r := range secret {
		if r < '!' || r > '~' {
			return fault.Field("secret", "may only have visible ASCII characters")
		}
	}
	return nil
}

// greet asks a new endpoint, where the format does that and there is a token.
func (s *Service) greet(ctx context.Context, e Endpoint, token string) error {
	greeter, ok := s.encoders[e.Format].(Greeter)
	if token == "" {
		return nil
	}
	if !ok {
		return fault.Field("verify_token", "webhooks of the format %s are not asked for one", e.Format)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	question, agrees, err := greeter.Greeting(ctx, e.URL, token)
	if err != nil {
		return fmt.Errorf("ask the webhook %s: %w", e.ID, err)
	}
	for name, value := range e.Headers {
		question.Header.Set(name, value)
	}
	question.Header.Set("User-Agent", userAgent)
	response, err := s.http.Do(question)
	if err != nil {
		return fault.Field("url", "could not be asked whether it wants to be a webhook: %s", shown(err)).Because(err)
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, answerKept))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return fault.Field("url", "did not answer the question whether it wants to be a webhook").Because(err)
	}
	if response.StatusCode != http.StatusOK || !agrees(string(answer)) {
		return fault.Field("url", "did not agree to be a webhook: it answered %d, and not with what it was to repeat", response.StatusCode)
	}
	return nil
}

// prove signs a request as the endpoint's format wants it.
func (s *Service) prove(header http.Header, e Endpoint, d delivery, now time.Time) {
	if signer, ok := s.encoders[e.Format].(Signer); ok {
		header.Set("webhook-id", d.MessageID)
		signer.Sign(header, d.Body, e.secrets(now))
		return
	}
	sign(header, d.MessageID, now, d.Body, e.secrets(now))
}
