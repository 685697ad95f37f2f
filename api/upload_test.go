package api_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"muster/api"
)

// Large bodies are for uploads with a token; nothing else gains by them.
func TestUploads(t *testing.T) {
	t.Parallel()
	size := func(c *fiber.Ctx) error { return c.SendString(strconv.Itoa(len(c.Body()))) }
	r := start(t, api.Limits{Body: 1000}, func(s *api.Server) {
		s.Uploads(5000, func(method, path string) bool { return method == http.MethodPut && path == "/upload" })
		s.Router().Put("/upload", size)
		s.Router().Post("/upload", size)
		s.Router().Put("/other", size)
	})
	for _, test := range []struct {
		method, path, token string
		size, status        int
	}{
		{http.MethodPut, "/upload", adminToken, 5000, 200},
		{http.MethodPut, "/upload", adminToken, 5001, 413},
		{http.MethodPut, "/upload", adminToken, 10, 200},
		{http.MethodPut, "/upload", "wrong", 5000, 413},
		{http.MethodPut, "/upload", "", 5000, 413},
		{http.MethodPut, "/upload", "", 10, 401},
		{http.MethodPost, "/upload", adminToken, 5000, 413},
		{http.MethodPut, "/other", adminToken, 1001, 413},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, r.url+test.path, strings.NewReader(strings.Repeat("x", test.size)))
		if err != nil {
			t.Fatal(err)
		}
		if test.token != "" {
			request.Header.Set("Authorization", "bearer "+test.token)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != test.status || test.status == 200 && string(body) != strconv.Itoa(test.size) {
			t.Errorf("%s %s of %d bytes: %d %s", test.method, test.path, test.size, response.StatusCode, body)
		}
	}
}
