package cli_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/sandbox"
	"muster/sandbox/fault"
	"muster/sandbox/sandboxtest"
)

// repeat makes a request that has a key.
func (p *process) repeat(ctx context.Context, key string, body any) (status int, answer string, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/sessions/bakery/groups", bytes.NewReader(encoded))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), errors.Join(err, response.Body.Close())
}

// A program that is killed while it waits for the answer to a creation does not
// make the group twice when the request is repeated, and one that is killed
// before WhatsApp has got the request makes it once.
func TestKilledDuringCreation(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]fault.Script{"made": {DropReply: true}, "not made": {Stall: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := sandboxtest.Start(t)
			if _, err := world.AddPhone(sandbox.PhoneOptions{Number: phoneNumber, Name: "Baker"}); err != nil {
				t.Fatal(err)
			}
			root := world.RootKey()
			args := []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", t.TempDir(), "--wa-endpoint", world.Endpoint(),
				"--wa-root-key", hex.EncodeToString(root[:]), "--config", settleSoon(t)}
			p := startProcess(t, args...)
			p.link(t, world)
			if _, err := world.Faults().Add(fault.Fault{Match: fault.Match{Child: "create"}, Effect: effect, Count: 1}); err != nil {
				t.Fatal(err)
			}
			group := map[string]any{"name": "Bread", "participants": []string{}}
			ended := make(chan error, 1)
			go func() {
				_, _, err := p.repeat(t.Context(), "k", group)
				ended <- err
			}()
			await(t, world, func() bool { return world.Faults().List()[0].Met == 1 })
			p.killed(t)
			if err := <-ended; err == nil {
				t.Error("the request was answered")
			}
			world.ClearFaults() // of a stalled connection

			p = startProcess(t, args...)
			p.connected(t)
			status, answer, err := p.repeat(t.Context(), "k", group)
			if err != nil || status != http.StatusOK {
				t.Fatalf("the repetition got %d %s, %v", status, answer, err)
			}
			made := world.Groups()
			if len(made) != 1 || !strings.Contains(answer, made[0].String()) {
				t.Errorf("the groups are %v, the answer is %s", made, answer)
			}
			if _, again, err := p.repeat(t.Context(), "k", group); err != nil || again != answer {
				t.Errorf("the next repetition got %s, %v", again, err)
			}
		})
	}
}

// settleSoon is a configuration with which what WhatsApp does not show counts
// as not done at once.
func settleSoon(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("sessions:\n  settle_after: 1ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// await waits until the condition holds in the simulated world.
func await(t *testing.T, world *sandbox.Server, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		changed := world.Changed()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatal("waited in vain")
		}
	}
}
