package dialog360

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/api/meta"
	"muster/internal/fault"
)

// Routes implements api.Dialect.
func (a *API) Routes(r fiber.Router) {
	for _, way := range []struct {
		method, path string
		handler      fiber.Handler
	}{
		{fiber.MethodPost, "/groups", a.ofAccount(a.cloud.CreateGroup)},
		{fiber.MethodGet, "/groups", a.ofAccount(a.cloud.ListGroups)},
		{fiber.MethodGet, "/groups/:group", a.ofGroup(a.cloud.GroupInfo)},
		{fiber.MethodPost, "/groups/:group", a.ofGroup(a.cloud.UpdateGroup)},
		{fiber.MethodDelete, "/groups/:group", a.ofGroup(a.cloud.DeleteGroup)},
		{fiber.MethodGet, "/groups/:group/join_requests", a.ofGroup(a.cloud.ListJoinRequests)},
		{fiber.MethodPost, "/groups/:group/join_requests", a.ofGroup(a.cloud.ApproveJoinRequests)},
		{fiber.MethodDelete, "/groups/:group/join_requests", a.ofGroup(a.cloud.RejectJoinRequests)},
		{fiber.MethodGet, "/groups/:group/invite_link", a.ofGroup(a.cloud.GetLink)},
		{fiber.MethodPost, "/groups/:group/invite_link", a.ofGroup(a.cloud.ResetLink)},
		{fiber.MethodDelete, "/groups/:group/invite_link", a.ofGroup(a.cloud.DeleteLink)},
		{fiber.MethodDelete, "/groups/:group/participants", a.ofGroup(a.cloud.RemoveParticipants)},
		{fiber.MethodPost, "/groups/:group/participants", a.ofGroup(a.addParticipants)},

		{fiber.MethodPost, "/messages", a.ofAccount(a.cloud.SendMessage)},
		{fiber.MethodPost, "/media", a.ofAccount(a.cloud.UploadMedia)},
		{fiber.MethodGet, "/media/:media", a.ofMedia(a.cloud.Download)},

		{fiber.MethodPost, "/v1/configs/templates", a.ofAccount(a.createTemplate)},
		{fiber.MethodGet, "/v1/configs/templates", a.ofAccount(a.listTemplates)},
		{fiber.MethodDelete, "/v1/configs/templates/:name", a.ofAccount(func(c meta.Call) error {
			return a.cloud.ForgetTemplate(c, c.Params("name"))
		})},
		{fiber.MethodPost, "/v1/configs/webhook", a.ofAccount(a.setWebhook)},
		{fiber.MethodGet, "/v1/configs/webhook", a.ofAccount(a.getWebhook)},
		{fiber.MethodDelete, "/v1/configs/webhook", a.ofAccount(a.deleteWebhook)},
		{fiber.MethodGet, "/multi_webhook", a.ofAccount(a.getDestinations)},
		{fiber.MethodPost, "/multi_webhook", a.ofAccount(a.switchDestinations)},
		{fiber.MethodPut, "/multi_webhook", a.ofAccount(a.addDestinations)},
		{fiber.MethodPatch, "/multi_webhook", a.ofAccount(a.changeDestination)},
		{fiber.MethodDelete, "/multi_webhook", a.ofAccount(a.removeDestination)},

		{fiber.MethodGet, "/:media", a.ofMedia(a.cloud.GetMedia)},
		{fiber.MethodDelete, "/:media", a.ofMedia(a.cloud.DeleteMedia)},
	} {
		r.Add(way.method, way.path, way.handler)
	}
}

// uploads tells whether a path may have a large body: a group's own, for its
// picture, and that of files.
func uploads(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	rest, ok := strings.CutPrefix(path, prefix+"/")
	parts := strings.Split(rest, "/")
	return ok && (rest == "media" || len(parts) == 2 && parts[0] == "groups")
}

// call is a request with the account that its key stands for.
func (a *API) call(c *fiber.Ctx) (meta.Call, error) {
	s, err := a.services.Accounts.Only(c.UserContext())
	if err == nil && s.PhoneNumber == "" {
		err = fault.New(fault.SessionNotLinked, "no phone is linked to this session")
	}
	return meta.Call{Ctx: c, Session: s, Vendor: meta.Vendor{CreatedID: true, Files: prefix + filesPath}}, err
}

func (a *API) ofAccount(handler meta.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		call, err := a.call(c)
		if err != nil {
			return err
		}
		return handler(call)
	}
}

func (a *API) ofGroup(handler meta.Handler) fiber.Handler {
	return a.ofAccount(func(call meta.Call) (err error) {
		if call.Group, err = meta.ParseGroup(call.Session, call.Params("group")); err != nil {
			return err
		}
		return handler(call)
	})
}

func (a *API) ofMedia(handler func(c meta.Call, id string) error) fiber.Handler {
	return a.ofAccount(func(call meta.Call) error { return handler(call, call.Params("media")) })
}

// addParticipants is there for those who have asked for it: 360dialog says that
// people cannot be added.
func (a *API) addParticipants(c meta.Call) error {
	if !a.options.AddParticipants {
		return fault.New(fault.MethodNotAllowed, "people cannot be added to a group: send them its invite link")
	}
	return a.cloud.AddParticipants(c)
}
