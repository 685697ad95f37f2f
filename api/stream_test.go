package api_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"muster/api"
)

// streamRoute streams two events, longer apart than the server's write
// timeout, and then waits for the end of its context.
func streamRoute(next <-chan struct{}, ended chan<- error) func(*api.Server) {
	return func(s *api.Server) {
		s.Router().Get("/stream", func(c *fiber.Ctx) error {
			return api.Stream(c, func(ctx context.Context, send api.Send) error {
				if err := send("first", map[string]int{"n": 1}); err != nil {
					return err
				}
				<-next
				if err := send("second", map[string]int{"n": 2}); err != nil {
					return err
				}
				<-ctx.Done()
				ended <- ctx.Err()
				return nil
			})
		})
	}
}

// A stream outlives the write timeout of ordinary answers, delivers each event
// at once, and ends when the server shuts down.
func TestStream(t *testing.T) {
	t.Parallel()
	next, ended := make(chan struct{}), make(chan error, 1)
	r := start(t, api.Limits{Write: 50 * time.Millisecond}, streamRoute(next, ended))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the content type is %q", got)
	}
	lines := bufio.NewScanner(response.Body)
	expect(t, lines, "event: first", `data: {"n":1}`, "")
	timeout := time.NewTimer(100 * time.Millisecond)
	<-timeout.C // the write timeout of the answer has passed
	close(next)
	expect(t, lines, "event: second", `data: {"n":2}`, "")
	shutdown, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.server.Shutdown(shutdown); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
	if lines.Scan() {
		t.Errorf("after the end came %q", lines.Text())
	}
}

func expect(t *testing.T, lines *bufio.Scanner, want ...string) {
	t.Helper()
	for _, line := range want {
		if !lines.Scan() {
			t.Fatalf("the stream ended, want %q: %v", line, lines.Err())
		}
		if got := lines.Text(); got != line && !strings.HasPrefix(got, ":") {
			t.Errorf("got %q, want %q", got, line)
		}
	}
}

// A shutdown lets a running request finish, and ends it at its deadline.
func TestShutdownWaitsAndThenEnds(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"waits": true, "ends": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered, finish := make(chan struct{}), make(chan struct{})
			r := start(t, api.Limits{}, func(s *api.Server) {
				s.Router().Get("/slow", func(c *fiber.Ctx) error {
					close(entered)
					select {
					case <-finish:
						return c.SendString("finished")
					case <-c.UserContext().Done():
						return c.SendString("ended")
					}
				})
			})
			answer := make(chan string, 1)
			go func() {
				request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/slow", nil)
				request.Header.Set("Authorization", "Bearer "+adminToken)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					answer <- err.Error()
					return
				}
				defer func() { _ = response.Body.Close() }()
				scanner := bufio.NewScanner(response.Body)
				scanner.Scan()
				answer <- scanner.Text()
			}()
			<-entered
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			want := "finished"
			if patient {
				close(finish)
			} else {
				cancel()
				want = "ended"
			}
			if err := r.server.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			if got := <-answer; got != want {
				t.Errorf("the request got %q, want %q", got, want)
			}
		})
	}
}
