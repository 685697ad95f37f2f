package api

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Uploads lets some requests have bodies larger than Limits.Body: those that
// accepts recognises by their method and path, with a token. It is called
// before Serve.
//
// The decision is made when the headers have arrived and before the body does:
// everything else keeps its small limit, and strangers cannot fill the memory.
func (s *Server) Uploads(limit int, accepts func(method, path string) bool) {
	limit = max(limit, s.options.Limits.Body)
	s.app.Server().HeaderReceived = func(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if !accepts(string(header.Method()), string(header.RequestURI())) {
			return fasthttp.RequestConfig{}
		}
		scheme, token, _ := strings.Cut(string(header.Peek(fiber.HeaderAuthorization)), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return fasthttp.RequestConfig{}
		}
		if _, err := s.options.Tokens.Authenticate(s.base, strings.TrimSpace(token)); err != nil {
			return fasthttp.RequestConfig{} // the request itself will be told why
		}
		return fasthttp.RequestConfig{MaxRequestBodySize: limit}
	}
}
