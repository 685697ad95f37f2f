package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"muster/internal/config"
	"muster/sandbox"
	"muster/session"
	"muster/store"
)

// sandboxStateFile keeps the simulated world in the data directory.
const sandboxStateFile = "sandbox.json"

// realm is the world that the configuration's database must belong to.
func realm(c config.Config) store.Realm {
	if c.Simulated() {
		return store.Sandbox
	}
	return store.RealWhatsApp
}

// world is what the sessions connect to.
type world struct {
	network session.Network
	sandbox *sandbox.Server // the simulator inside this process, or nil
}

// openWorld picks the network. The simulator inside starts here, because the
// sessions need its address.
func openWorld(ctx context.Context, c config.Config, around Surroundings) (world, error) {
	switch {
	case c.Sandbox.Enabled:
		return startSandbox(ctx, c, around)
	case c.WA.Endpoint != "":
		root, err := c.WA.Root()
		if err != nil {
			return world{}, err
		}
		network, err := session.Sandbox(c.WA.Endpoint, root)
		return world{network: network}, err
	default:
		return world{network: session.Real()}, nil
	}
}

func startSandbox(ctx context.Context, c config.Config, around Surroundings) (world, error) {
	server, err := sandbox.Start(ctx, sandbox.Options{
		Listen:    c.Sandbox.Listen,
		StateFile: filepath.Join(c.DataDir, sandboxStateFile),
		Identity:  around.Identity,
		Log:       around.Log.With().Str("component", "sandbox").Logger(),
	})
	if err != nil {
		return world{}, fmt.Errorf("sandbox.listen: start the sandbox: %w", err)
	}
	network, err := session.Sandbox(server.Endpoint(), server.RootKey())
	if err != nil {
		return world{}, errors.Join(err, server.Close())
	}
	return world{network: network, sandbox: server}, nil
}
