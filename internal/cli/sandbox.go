package cli

import (
	"context"
	"fmt"

	"muster/internal/app"
	"muster/internal/config"
)

type sandboxCommand struct {
	Listen string `help:"Address of the simulator and its control API. Loopback only." default:"127.0.0.1:3452" placeholder:"ADDRESS"`
	World  string `help:"What it starts with." enum:"demo,empty" default:"demo"`
	State  string `help:"File that keeps the world between runs." type:"path" placeholder:"FILE"`
	Level  string `name:"log-level" help:"Log level." enum:"trace,debug,info,warn,error" default:"info"`
}

// Run simulates until the context ends.
func (s sandboxCommand) Run(ctx context.Context, term terminal) error {
	log, err := newLogger(config.Log{Level: s.Level, Format: config.FormatConsole}, term.err)
	if err != nil {
		return err
	}
	options := app.SandboxOptions{Listen: s.Listen, World: s.World, StateFile: s.State}
	if err = options.Validate(); err != nil {
		return usageError{err}
	}
	if err = app.RunSandbox(ctx, options, log, term.out); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}
