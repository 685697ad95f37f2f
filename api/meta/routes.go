package meta

import (
	"regexp"
	"strings"

	"github.com/gofiber/fiber/v2"

	"muster/session"
)

// Handler answers a call.
type Handler func(c Call) error

// version is any of Graph API's, whatever it is: "v23.0".
var version = regexp.MustCompile(`^v\d+\.\d+$`)

// Routes implements api.Dialect: Meta's paths, all below a version.
func (a *API) Routes(r fiber.Router) {
	r = r.Group("/:version", onlyVersions)
	for _, way := range []struct {
		method, path string
		handler      fiber.Handler
	}{
		{fiber.MethodPost, "/:number/groups", a.ofAccount(a.CreateGroup)},
		{fiber.MethodGet, "/:number/groups", a.ofAccount(a.ListGroups)},
		{fiber.MethodPost, "/:number/messages", a.ofAccount(a.SendMessage)},
		{fiber.MethodPost, "/:number/media", a.ofAccount(a.UploadMedia)},
		{fiber.MethodPost, "/:number/message_templates", a.ofAccount(a.CreateTemplate)},
		{fiber.MethodGet, "/:number/message_templates", a.ofAccount(a.ListTemplates)},
		{fiber.MethodDelete, "/:number/message_templates", a.ofAccount(a.DeleteTemplate)},
		{fiber.MethodGet, "/media/:media", a.download},

		{fiber.MethodGet, "/:group/invite_link", a.ofGroup(a.GetLink)},
		{fiber.MethodPost, "/:group/invite_link", a.ofGroup(a.ResetLink)},
		{fiber.MethodDelete, "/:group/invite_link", a.ofGroup(a.DeleteLink)},
		{fiber.MethodGet, "/:group/join_requests", a.ofGroup(a.ListJoinRequests)},
		{fiber.MethodPost, "/:group/join_requests", a.ofGroup(a.ApproveJoinRequests)},
		{fiber.MethodDelete, "/:group/join_requests", a.ofGroup(a.RejectJoinRequests)},
		{fiber.MethodPost, "/:group/participants", a.ofGroup(a.AddParticipants)},
		{fiber.MethodDelete, "/:group/participants", a.ofGroup(a.RemoveParticipants)},
		{fiber.MethodGet, "/:group", a.groupOrMedia},
		{fiber.MethodPost, "/:group", a.ofGroup(a.UpdateGroup)},
		{fiber.MethodDelete, "/:group", a.groupOrMedia},
	} {
		r.Add(way.method, way.path, way.handler)
	}
}

func onlyVersions(c *fiber.Ctx) error {
	if !version.MatchString(c.Params("version")) {
		return fiber.ErrNotFound
	}
	return c.Next()
}

// uploads tells whether a path may have a large body: a group's own, for its
// picture, and that of files.
func uploads(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	rest, ok := strings.CutPrefix(path, prefix+"/")
	parts := strings.Split(rest, "/")
	return ok && (len(parts) == 2 || len(parts) == 3 && parts[2] == "media")
}

func (a *API) call(c *fiber.Ctx, s session.Session, group string) Call {
	return Call{Ctx: c, Session: s, Group: group, Vendor: Vendor{Files: prefix + "/" + c.Params("version") + "/media/"}}
}

// ofAccount is a handler of a call that names an account: by the number that is
// its id, or by the session's id.
func (a *API) ofAccount(handler Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		s, err := a.services.Accounts.Find(c.UserContext(), c.Params("number"))
		if err == nil {
			err = linked(s)
		}
		if err != nil {
			return err
		}
		return handler(a.call(c, s, ""))
	}
}

// ofGroup is a handler of a call that names a group.
func (a *API) ofGroup(handler Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		s, group, err := a.owner(c.UserContext(), c.Params("group"))
		if err == nil {
			err = linked(s)
		}
		if err != nil {
			return err
		}
		return handler(a.call(c, s, group))
	}
}

// groupOrMedia is what both groups and files have: ids alone as their paths.
func (a *API) groupOrMedia(c *fiber.Ctx) error {
	file, ok := parseOpaque(c.Params("group"))
	if !ok || file.word == groupWord {
		handler := a.GroupInfo
		if c.Method() == fiber.MethodDelete {
			handler = a.DeleteGroup
		}
		return a.ofGroup(handler)(c)
	}
	s, err := a.services.Accounts.Find(c.UserContext(), file.account)
	if err != nil {
		return err
	}
	if c.Method() == fiber.MethodDelete {
		return a.DeleteMedia(a.call(c, s, ""), c.Params("group"))
	}
	return a.GetMedia(a.call(c, s, ""), c.Params("group"))
}
