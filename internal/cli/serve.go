package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"muster/internal/app"
	"muster/internal/config"
)

// settings are the flags that every command with a configuration takes.
type settings struct {
	Config  string  `help:"YAML file with settings." env:"MUSTER_CONFIG" type:"path" placeholder:"FILE"`
	DataDir *string `help:"Directory for the database (default ./data, or ./sandbox-data when simulating)." placeholder:"DIR"`
}

type serveCommand struct {
	settings
	Listen        *string `help:"Address of the HTTP API (default 127.0.0.1:3451)." placeholder:"ADDRESS"`
	Sandbox       bool    `help:"Use a simulated WhatsApp inside the server."`
	SandboxListen *string `help:"Address of the simulator and its control API (default 127.0.0.1:3452); implies --sandbox." placeholder:"ADDRESS"`
	SandboxWorld  *string `help:"What the simulator starts with: demo or empty (default demo); implies --sandbox." placeholder:"WORLD"`
	WAEndpoint    *string `name:"wa-endpoint" help:"Use a simulator that runs separately." placeholder:"WS-URL"`
	WARootKey     *string `name:"wa-root-key" help:"The separate simulator's root key." placeholder:"HEX"`
}

func (s settings) load(flags map[string]*string) (config.Config, error) {
	given := map[string]string{}
	flags["data_dir"] = s.DataDir
	for key, value := range flags {
		if value != nil {
			given[key] = *value
		}
	}
	c, err := config.Load(config.Sources{File: s.Config, Environ: environ(), Flags: given})
	if err != nil {
		return c, usageError{fmt.Errorf("the configuration is not usable:\n%w", err)}
	}
	return c, nil
}

// Run serves until the context ends.
func (s serveCommand) Run(ctx context.Context, term terminal) error {
	flags := map[string]*string{
		"listen":         s.Listen,
		"sandbox.listen": s.SandboxListen,
		"sandbox.world":  s.SandboxWorld,
		"wa.endpoint":    s.WAEndpoint,
		"wa.root_key":    s.WARootKey,
	}
	// Whoever says where the simulator listens, or what is in it, wants one.
	if s.Sandbox || s.SandboxListen != nil || s.SandboxWorld != nil {
		on := "true"
		flags["sandbox.enabled"] = &on
	}
	c, err := s.load(flags)
	if err != nil {
		return err
	}
	log, err := newLogger(c.Log, term.err)
	if err != nil {
		return err
	}
	server, err := app.New(ctx, c, app.Surroundings{Version: version(), Log: log, Out: term.out, Alone: true})
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

func newLogger(c config.Log, w io.Writer) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		return zerolog.Nop(), usageError{fmt.Errorf("log.level: %w", err)}
	}
	if c.Format == config.FormatConsole {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger(), nil
}
