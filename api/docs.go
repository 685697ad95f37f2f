package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

// inlineScript finds the scripts that the reference page carries in itself.
var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// mountDocs serves the reference page from files inside the program. Its
// policy allows exactly that: scripts of our own host and the two inline ones
// by their hash, so neither another host nor an injected script has a chance.
func (s *Server) mountDocs() error {
	page := v5emb.NewHandlerWithConfig(swgui.Config{
		Title:       "Muster",
		SwaggerJSON: openAPIPath + ".json",
		BasePath:    docsPath,
		// The browser sends the token of the page's own sign-in to the
		// document; requests that are tried out use the Authorize button.
		SettingsUI: map[string]string{"persistAuthorization": "false", "tryItOutEnabled": "true"},
	})
	policy, err := docsPolicy(page)
	if err != nil {
		return err
	}
	serve := adaptor.HTTPHandler(page)
	handler := func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentSecurityPolicy, policy)
		return serve(c)
	}
	s.app.Get(docsPath, handler)
	s.app.Get(docsPath+"/*", handler)
	return nil
}

func docsPolicy(page http.Handler) (string, error) {
	rendered := httptest.NewRecorder()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, docsPath, nil)
	if err != nil {
		return "", fmt.Errorf("render the reference page: %w", err)
	}
	page.ServeHTTP(rendered, request)
	scripts := inlineScript.FindAllStringSubmatch(rendered.Body.String(), -1)
	if rendered.Code != http.StatusOK || len(scripts) == 0 {
		return "", fmt.Errorf("render the reference page: status %d, %d scripts", rendered.Code, len(scripts))
	}
	var hashes strings.Builder
	for _, script := range scripts {
		sum := sha256.Sum256([]byte(script[1]))
		fmt.Fprintf(&hashes, " 'sha256-%s'", base64.StdEncoding.EncodeToString(sum[:]))
	}
	return "default-src 'none'; script-src 'self'" + hashes.String() +
		"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", nil
}
