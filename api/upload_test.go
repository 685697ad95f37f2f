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
		s.Uploads(2000, func(_, path string) bool { return path == "/smaller" })
		s.Router().Put("/upload", size)
		s.Router().Put("/smaller", size)
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
		{http.MethodPut, "/smaller", adminToken, 2000, 200},
		{http.MethodPut, "/smaller", adminToken, 2001, 413},
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

// The memory for uploads is bounded: who finds none is told to come again, and
// what has ended, or broken off, gives its part back.
func TestUploadsShareTheirMemory(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan struct{}), make(chan struct{})
	r := start(t, api.Limits{Body: 1000, Uploads: 7 * 1500}, func(s *api.Server) {
		s.Uploads(5000, func(_, path string) bool { return strings.HasPrefix(path, "/upload") })
		s.Router().Put("/upload", func(c *fiber.Ctx) error { return c.SendString("ok") })
		s.Router().Put("/upload/slow", func(c *fiber.Ctx) error {
			arrived <- struct{}{}
			<-answer
			return c.SendString("ok")
		})
	})
	put := func(path string, size int) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, r.url+path, strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Error(err)
			return 0
		}
		request.Header.Set("Authorization", "Bearer "+adminToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Error(err)
			return 0
		}
		if response.StatusCode == http.StatusServiceUnavailable && response.Header.Get("Retry-After") == "" {
			t.Error("it does not say when to come again")
		}
		if err = response.Body.Close(); err != nil {
			t.Error(err)
		}
		return response.StatusCode
	}
	slow := make(chan int)
	for range 2 {
		go func() { slow <- put("/upload/slow", 1500) }()
		<-arrived
	}
	if got := put("/upload", 1500); got != http.StatusServiceUnavailable {
		t.Errorf("a third large one got %d", got)
	}
	if got := put("/upload", 400); got != http.StatusOK {
		t.Errorf("a small one got %d", got)
	}
	close(answer)
	for range 2 {
		if got := <-slow; got != http.StatusOK {
			t.Errorf("a large one got %d", got)
		}
	}
	if got := put("/upload", 5000); got != http.StatusOK {
		t.Errorf("one that is larger than all the memory got %d, alone", got)
	}
}
