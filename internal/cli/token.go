package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"muster/internal/app"
	"muster/internal/auth"
)

// tokenCommands work on the database itself, so they need no token; who may
// read the data directory is the administrator anyway. A running server sees
// the change within a second.
type tokenCommands struct {
	Create createTokenCommand `cmd:"" help:"Make a token and print it. It cannot be read again."`
	List   listTokensCommand  `cmd:"" help:"List the tokens."`
	Revoke revokeTokenCommand `cmd:"" help:"End a token at once."`
}

type createTokenCommand struct {
	tokenSettings
	Name    string   `arg:"" help:"What the token is for."`
	Admin   bool     `help:"May do everything." xor:"reach" required:""`
	Session []string `help:"Bind the token to this session; may be given several times." xor:"reach" required:"" placeholder:"ID"`
}

type listTokensCommand struct{ tokenSettings }

type revokeTokenCommand struct {
	tokenSettings
	ID string `arg:"" help:"The token's id, from muster token list."`
}

// tokenSettings name the database; --sandbox only changes the default directory.
type tokenSettings struct {
	settings
	Sandbox bool `help:"Use the sandbox's data directory."`
}

// with opens the database of the configuration for one piece of work.
func (s tokenSettings) with(ctx context.Context, term terminal, work func(*auth.Tokens) error) error {
	flags := map[string]*string{}
	if s.Sandbox {
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
	if !app.DatabaseExists(c) {
		return fmt.Errorf("there is no database in %s: start the server once, or name its directory with --data-dir", c.DataDir)
	}
	db, err := app.OpenDatabase(ctx, c, log)
	if err != nil {
		return err
	}
	return errors.Join(work(auth.NewTokens(db, c.AdminToken, time.Now)), db.Close())
}

// Run makes a token.
func (s createTokenCommand) Run(ctx context.Context, term terminal) error {
	return s.with(ctx, term, func(tokens *auth.Tokens) error {
		token, secret, err := tokens.Create(ctx, auth.CreateRequest{Name: s.Name, Admin: s.Admin, Sessions: s.Session})
		if err != nil {
			return usageOf(err)
		}
		say(term.out, "%s\n", secret)
		say(term.err, "Token %s (%s) was made. This is the only time it is shown.\n", token.ID, reach(token))
		return nil
	})
}

// Run lists the tokens.
func (s listTokensCommand) Run(ctx context.Context, term terminal) error {
	return s.with(ctx, term, func(tokens *auth.Tokens) error {
		table := tabwriter.NewWriter(term.out, 0, 0, 2, ' ', 0)
		say(table, "ID\tNAME\tREACH\tCREATED\tLAST USED\tREVOKED\n")
		for cursor := ""; ; {
			page, next, err := tokens.List(ctx, cursor, auth.MaxPage)
			if err != nil {
				return err
			}
			for _, t := range page {
				say(table, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, reach(t), date(t.CreatedAt), date(t.LastUsedAt), date(t.RevokedAt))
			}
			if cursor = next; cursor == "" {
				return table.Flush()
			}
		}
	})
}

// Run ends a token.
func (s revokeTokenCommand) Run(ctx context.Context, term terminal) error {
	return s.with(ctx, term, func(tokens *auth.Tokens) error {
		if err := tokens.Revoke(ctx, s.ID); err != nil {
			return fmt.Errorf("%s", messageOf(err))
		}
		say(term.out, "Token %s is revoked.\n", s.ID)
		return nil
	})
}

func reach(t auth.Token) string {
	if t.Admin {
		return "admin"
	}
	return strings.Join(t.Sessions, ",")
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
