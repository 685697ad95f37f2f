// Package meta is Meta's Cloud API for WhatsApp groups over the sessions of this
// server: its paths, ids, errors and webhooks, as the guide and the OpenAPI file
// of Graph API v23 have them. 360dialog passes the same API on under other
// paths; see api/dialog360.
package meta

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/api"
	"muster/internal/picture"
	"muster/internal/queue"
	"muster/session"
)

// Name is the name of the dialect and of its format of webhooks.
const Name = "meta"

const prefix = "/meta"

// Options configure the API; the zero value is Meta's own behaviour.
type Options struct {
	// TextTimestamps writes creation_timestamp as text. The guide shows it so,
	// and the OpenAPI file as a number, which is the default here.
	TextTimestamps bool
	// MaxUpload is the largest file that may be uploaded for a message, in bytes.
	MaxUpload int
	// SettleAfter is when to look what has become of a change that was cut off.
	SettleAfter time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// API is the dialect. It is safe for concurrent use.
type API struct {
	services *api.Services
	options  Options
	orders   orders
}

// New makes the dialect, and registers its worker with the queue, which must
// not have been started.
func New(services *api.Services, o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{services: services, options: o, orders: orders{running: map[string]bool{}}}
	queue.Register(services.Queue, &resumer{api: a})
	services.Media.Store().AddOwner(a.filesUsed)
	return a
}

// Name implements api.Dialect.
func (*API) Name() string { return Name }

// Prefix implements api.Dialect.
func (*API) Prefix() string { return prefix }

// Credential implements api.Dialect: the bearer token.
func (*API) Credential(header func(name string) string) string {
	return api.Bearer(header(fiber.HeaderAuthorization))
}

// Render implements api.Dialect.
func (*API) Render(c *fiber.Ctx, err error) error { return Render(c, err) }

// Uploads implements api.Uploader: pictures of groups, and files of messages.
func (a *API) Uploads() (int, func(method, path string) bool) {
	return a.MaxUpload(), func(method, path string) bool { return method == fiber.MethodPost && uploads(path) }
}

// formOverhead is room for what a form has around its files.
const formOverhead = 1 << 20

// MaxUpload is the largest body that an upload may have.
func (a *API) MaxUpload() int { return max(a.options.MaxUpload, picture.MaxBytes) + formOverhead }

// Vendor is who speaks to the client, where that makes a difference.
type Vendor struct {
	// CreatedID answers the making of a group with the group's id beside the
	// request's.
	CreatedID bool
	// Files is where downloads are, behind the server's own origin: "/meta/v23.0/media/".
	Files string
}

// Call is a request whose account is known, and whose group, where it is about
// one.
type Call struct {
	*fiber.Ctx
	Vendor  Vendor
	Session session.Session
	// Group is a JID.
	Group string
}

// account is the number that stands for the account in ids.
func (c Call) account() string { return accountOf(c.Session) }

func accountOf(s session.Session) string { return s.PhoneNumber }

// groupID is the id of the call's group.
func (c Call) groupID() string { return GroupID(c.account(), c.Group) }
