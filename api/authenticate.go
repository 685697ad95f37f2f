package api

import (
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/rs/zerolog"

	"muster/internal/auth"
	"muster/internal/fault"
)

const sessionParam = "session_id"

// authenticate lets nobody past without a token. It runs after the health
// paths and before every other route, unknown ones included: without a token
// one cannot even learn which paths exist.
func (s *Server) authenticate(c *fiber.Ctx) error {
	principal, err := s.options.Tokens.Authenticate(c.UserContext(), s.credential(c))
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) && s.dialect(c.Path()) == nil {
			c.Set(fiber.HeaderWWWAuthenticate, challenge(c))
		}
		return err
	}
	c.SetUserContext(auth.WithPrincipal(c.UserContext(), principal))
	return c.Next()
}

// credential is the caller's token, sent as the API of the path wants it. A
// dialect's document can be read as any other page can.
func (s *Server) credential(c *fiber.Ctx) string {
	d := s.dialect(c.Path())
	if d == nil {
		return credentials(c)
	}
	token := d.Credential(func(name string) string { return c.Get(name) })
	if token == "" && c.Path() == d.Prefix()+dialectDocument {
		return credentials(c)
	}
	return token
}

// credentials is the bearer token. A browser cannot send one by itself, so the
// reference page and its document also take the token as the password of HTTP
// Basic, which browsers ask for; the user name does not matter.
func credentials(c *fiber.Ctx) string {
	scheme, value, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimSpace(value)
	case strings.EqualFold(scheme, "Basic") && isReference(c.Path()):
		pair, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(pair), ":")
		return password
	default:
		return ""
	}
}

func challenge(c *fiber.Ctx) string {
	if isReference(c.Path()) {
		return `Basic realm="Muster: any user name, the token as password", charset="UTF-8"`
	}
	return `Bearer realm="Muster"`
}

func isReference(path string) bool {
	return path == docsPath || strings.HasPrefix(path, docsPath+"/") || strings.HasSuffix(path, openAPIPath+".json")
}

// guardSession keeps a bound token to its sessions. Others' sessions do not
// exist for it: the answer is the one for a session that nobody has.
func guardSession(c *fiber.Ctx) error {
	id := c.Params(sessionParam)
	if !auth.From(c.UserContext()).May(id) {
		return fault.New(fault.SessionNotFound, "there is no session named %q", id)
	}
	log := zerolog.Ctx(c.UserContext()).With().Str("session", id).Logger()
	c.SetUserContext(log.WithContext(c.UserContext()))
	return c.Next()
}
