package api

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// upload is a kind of requests that may have larger bodies.
type upload struct {
	limit   int
	accepts func(method, path string) bool
}

// Uploads lets some requests have bodies larger than Limits.Body: those that
// accepts recognises by their method and path, with a token. It is called
// before Serve, once for each kind of them.
//
// The decision is made when the headers have arrived and before the body does:
// everything else keeps its small limit, and strangers cannot fill the memory.
func (s *Server) Uploads(limit int, accepts func(method, path string) bool) {
	s.uploads = append(s.uploads, upload{max(limit, s.options.Limits.Body), accepts})
}

// Files lets the answers to some requests take as long as files take: those that
// accepts recognises by their method and path. It is called before Serve, once
// for each kind of them.
func (s *Server) Files(accepts func(method, path string) bool) {
	s.files = append(s.files, accepts)
}

// headerReceived says what a request may take of which there are only the
// headers yet.
func (s *Server) headerReceived(header *fasthttp.RequestHeader) (config fasthttp.RequestConfig) {
	s.room.begin(header)
	method, path := string(header.Method()), string(header.RequestURI())
	for _, accepts := range s.files {
		if accepts(method, path) {
			config.WriteTimeout = s.options.Limits.Transfer
		}
	}
	limit := s.uploadLimit(method, path)
	if limit == 0 {
		return config
	}
	if _, err := s.options.Tokens.Authenticate(s.base, s.uploader(header)); err != nil {
		return config // the request itself will be told why
	}
	config.ReadTimeout = s.options.Limits.Transfer
	if header.ContentLength() >= 0 && header.ContentLength() <= s.options.Limits.Body || s.room.take(header, bytesOf(header, limit), config.ReadTimeout) {
		config.MaxRequestBodySize = limit
	}
	return config
}

// uploader is the token of a request of which there are only the headers yet.
func (s *Server) uploader(header *fasthttp.RequestHeader) string {
	path, _, _ := strings.Cut(string(header.RequestURI()), "?")
	if d := s.dialect(path); d != nil {
		return d.Credential(func(name string) string { return string(header.Peek(name)) })
	}
	return Bearer(string(header.Peek(fiber.HeaderAuthorization)))
}

// uploadLimit is the body limit of a request that is an upload, else 0.
func (s *Server) uploadLimit(method, path string) int {
	for _, u := range s.uploads {
		if u.accepts(method, path) {
			return u.limit
		}
	}
	return 0
}
