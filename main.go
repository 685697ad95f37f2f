// Muster links WhatsApp accounts as companion devices and lets programs run
// their groups over a local HTTP API.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"muster/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the second one ends the process at once.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
