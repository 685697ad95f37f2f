// Package dialog360 is 360dialog's messaging API over the sessions of this
// server: Meta's groups API (see api/meta) without versions and numbers in its
// paths, with a key that stands for one number, and with 360dialog's own ways to
// configure webhooks and templates.
package dialog360

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"muster/api"
	"muster/api/meta"
	"muster/internal/event"
	"muster/webhooks"
)

// Name is the name of the dialect and of its format of webhooks.
const Name = "360dialog"

const (
	prefix    = "/360dialog"
	keyHeader = "D360-API-KEY"
	// filesPath is where files are downloaded.
	filesPath = "/media/"
)

// Options configure the API; the zero value is 360dialog's own behaviour.
type Options struct {
	// AddParticipants offers POST /groups/{id}/participants, which 360dialog
	// does not.
	AddParticipants bool
}

// API is the dialect. It is safe for concurrent use.
type API struct {
	services *api.Services
	cloud    *meta.API
	options  Options
}

// New makes the dialect over Meta's API.
func New(services *api.Services, cloud *meta.API, o Options) *API {
	return &API{services: services, cloud: cloud, options: o}
}

// Name implements api.Dialect.
func (*API) Name() string { return Name }

// Prefix implements api.Dialect.
func (*API) Prefix() string { return prefix }

// Credential implements api.Dialect: the key's own header.
func (*API) Credential(header func(name string) string) string { return header(keyHeader) }

// Uploads implements api.Uploader: pictures of groups, and files of messages.
func (a *API) Uploads() (int, func(method, path string) bool) {
	return a.cloud.MaxUpload(), func(method, path string) bool { return method == fiber.MethodPost && uploads(path) }
}

// Encode implements webhooks.Encoder. Webhooks are Meta's, as they are.
func (a *API) Encode(e event.Event, to webhooks.Endpoint) ([]webhooks.Request, error) {
	return a.cloud.Encode(e, to)
}

// Sign implements webhooks.Signer: an HMAC of the body. 360dialog signs with the
// partner's secret; here each webhook has its own.
func (*API) Sign(header http.Header, body string, secrets []string) {
	mac := hmac.New(sha256.New, []byte(secrets[0]))
	mac.Write([]byte(body))
	header.Set("X-360dialog-Signature", hex.EncodeToString(mac.Sum(nil)))
}
