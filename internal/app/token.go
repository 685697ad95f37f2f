package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"muster/internal/auth"
	"muster/internal/config"
)

// sandboxTokenFile keeps the token that a simulating server prints.
const sandboxTokenFile = "sandbox.token"

// adminToken is what the start shows: the token to use, or "" when it is one
// that was shown before or that the configuration holds.
func adminToken(ctx context.Context, c config.Config, tokens *auth.Tokens) (string, error) {
	if !c.Simulated() {
		return tokens.EnsureAdmin(ctx)
	}
	if c.AdminToken != "" {
		return c.AdminToken, nil
	}
	return sandboxToken(ctx, filepath.Join(c.DataDir, sandboxTokenFile), tokens)
}

// sandboxToken keeps its secret readable, against the rule that tokens are
// stored hashed: a simulating server prints a command to paste at each start,
// and the token guards nothing but a simulation. The file is as private as
// the database beside it.
func sandboxToken(ctx context.Context, path string, tokens *auth.Tokens) (string, error) {
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the sandbox's token: %w", err)
	}
	secret := strings.TrimSpace(string(kept))
	if _, err = tokens.Authenticate(ctx, secret); err == nil {
		return secret, nil
	}
	_, secret, err = tokens.Create(ctx, auth.CreateRequest{Name: "sandbox", Admin: true})
	if err != nil {
		return "", err
	}
	if err = os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the sandbox's token: %w", err)
	}
	return secret, nil
}
