// Package cli is the command line: what the commands are called, what they
// take, and what they print.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// Exit codes of the program.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// commands is the grammar of the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Sandbox sandboxCommand `cmd:"" help:"Run only the simulated WhatsApp."`
	Pair    pairCommand    `cmd:"" help:"Link a phone to a session of a running server."`
	Token   tokenCommands  `cmd:"" help:"Manage API tokens in the database of a data directory."`
	Config  configCommand  `cmd:"" help:"Print every setting with its default, as YAML."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// terminal is where a command writes.
type terminal struct {
	out, err io.Writer
}

// Run runs one command until it ends or the context does, and returns the
// exit code: 0 for success, 1 for a failure, 2 for wrong usage.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	exited := -1
	var grammar commands
	parser, err := kong.New(&grammar,
		kong.Name("muster"),
		kong.Description("Links WhatsApp accounts and runs their groups over a local HTTP API."),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		// --help ends the parsing this way.
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		say(stderr, "muster: %v\n", err)
		return exitFailure
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	selected, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		say(stderr, "muster: %v\nTry muster --help.\n", err)
		return exitUsage
	}
	selected.BindTo(ctx, (*context.Context)(nil))
	if err = selected.Run(terminal{out: stdout, err: stderr}); err != nil {
		say(stderr, "muster: %v\n", err)
		return exitCode(err)
	}
	return exitOK
}

// usageError is a mistake in how the program was called or configured.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailure
}

// say writes to the terminal. There is nowhere to report that this failed.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// environ is the process environment, read here and nowhere deeper.
func environ() []string { return os.Environ() }
