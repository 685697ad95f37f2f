package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"muster/internal/config"
	"muster/internal/signallog"
	"muster/sandbox"
	"muster/sandbox/demo"
)

// SandboxOptions configure a simulator that runs alone.
type SandboxOptions struct {
	Listen, World string
	StateFile     string // empty keeps nothing
}

// Validate checks what the command line can get wrong.
func (o SandboxOptions) Validate() error {
	c := config.Default()
	c.Sandbox.Listen, c.Sandbox.World = o.Listen, o.World
	return c.Validate()
}

// RunSandbox simulates until the context ends.
func RunSandbox(ctx context.Context, o SandboxOptions, log zerolog.Logger, stdout io.Writer) (err error) {
	signallog.Install(log)
	server, err := sandbox.Start(ctx, sandbox.Options{Listen: o.Listen, StateFile: o.StateFile, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if o.World == config.WorldDemo {
		if err := demo.Fill(server); err != nil {
			return fmt.Errorf("fill the demo world: %w", err)
		}
	}
	root := server.RootKey()
	_, _ = fmt.Fprintf(stdout, `The sandbox is running.
  Control API  %s/control/v1/openapi.json
  Endpoint     %s
  Root key     %x
Use it:
  muster serve --wa-endpoint %s --wa-root-key %s
`, server.URL(), server.Endpoint(), root, server.Endpoint(), hex.EncodeToString(root[:]))
	if o.World == config.WorldDemo {
		demo.Live(ctx, server, log)
	}
	<-ctx.Done()
	return nil
}
