package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// rootKeyLength is the size of a Curve25519 public key.
const rootKeyLength = 32

// Validate checks values against each other and the world. Every problem is
// named by its key.
func (c Config) Validate() error {
	problems := []error{
		address("listen", c.Listen),
		address("sandbox.listen", c.Sandbox.Listen),
		loopback("sandbox.listen", c.Sandbox.Listen),
		oneOf("sandbox.world", c.Sandbox.World, WorldDemo, WorldEmpty),
		oneOf("database.driver", c.Database.Driver, DriverSQLite, DriverPostgres),
		oneOf("log.format", c.Log.Format, FormatConsole, FormatJSON),
		c.validateLevel(), c.validateTransfer(), c.NATS.validate(), c.validateDatabase(), c.validateSimulator(), c.validateToken(),
	}
	for _, f := range fields(&c) {
		problems = append(problems, positive(f))
	}
	return errors.Join(problems...)
}

// positive refuses zero, which would switch a bound off, but for the jitter,
// which is no bound, and for the inbox, of which it keeps nothing.
func positive(f field) error {
	if slices.Contains([]string{"sessions.start_jitter", "inbox.keep_for", "inbox.keep"}, f.key) && f.value.Int() == 0 {
		return nil
	}
	if !f.value.CanInt() && !f.value.CanFloat() ||
		f.value.CanInt() && f.value.Int() > 0 || f.value.CanFloat() && f.value.Float() > 0 {
		return nil
	}
	return fmt.Errorf("%s: %s must be more than zero", f.key, f.text())
}

func address(key, value string) error {
	_, port, err := net.SplitHostPort(value)
	if err != nil {
		return fmt.Errorf("%s: %q is not an address such as 127.0.0.1:3451", key, value)
	}
	if _, err = strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%s: %q has no usable port", key, value)
	}
	return nil
}

// loopback keeps the simulation inside the machine. Names other than localhost
// are not resolved: what they mean could change after the check.
func loopback(key, value string) error {
	host, _, err := net.SplitHostPort(value)
	if err != nil {
		return nil //nolint:nilerr // address has reported it
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%s: %q is not a loopback address; the sandbox never leaves this machine", key, value)
}

func oneOf(key, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is not one of %s", key, value, strings.Join(allowed, ", "))
}

func (c Config) validateLevel() error {
	return oneOf("log.level", c.Log.Level, zerolog.LevelTraceValue, zerolog.LevelDebugValue,
		zerolog.LevelInfoValue, zerolog.LevelWarnValue, zerolog.LevelErrorValue)
}

// longestTransfer is what the job queue gives a job before it takes it for lost.
const longestTransfer = 20 * time.Minute

func (c Config) validateTransfer() error {
	if c.Sessions.TransferTimeout > longestTransfer {
		return fmt.Errorf("sessions.transfer_timeout: %v is more than %v", c.Sessions.TransferTimeout, longestTransfer)
	}
	return nil
}

func (c Config) validateDatabase() error {
	switch {
	case c.Database.Driver == DriverPostgres && c.Database.DSN == "":
		return errors.New("database.dsn: is required with database.driver postgres")
	case c.Database.Driver == DriverSQLite && c.Database.DSN != "":
		return errors.New("database.dsn: is for postgres; with sqlite the file is in data_dir")
	}
	return nil
}

func (c Config) validateSimulator() error {
	if c.WA.Endpoint == "" && c.WA.RootKey == "" {
		return nil
	}
	if c.Sandbox.Enabled {
		return errors.New("sandbox.enabled and wa.endpoint exclude each other: one runs a simulator inside, the other uses one outside")
	}
	if c.WA.Endpoint == "" || c.WA.RootKey == "" {
		return errors.New("wa.endpoint and wa.root_key go together")
	}
	endpoint, err := url.Parse(c.WA.Endpoint)
	if err != nil || endpoint.Scheme != "ws" || endpoint.Port() == "" {
		return fmt.Errorf("wa.endpoint: %q is not a URL such as ws://127.0.0.1:3452/ws/chat", c.WA.Endpoint)
	}
	if _, err = c.WA.Root(); err != nil {
		return err
	}
	return loopback("wa.endpoint", endpoint.Host)
}

// Root is the decoded root key.
func (w WA) Root() (key [rootKeyLength]byte, err error) {
	raw, err := hex.DecodeString(w.RootKey)
	if err != nil || len(raw) != rootKeyLength {
		return key, fmt.Errorf("wa.root_key: %q is not %d hexadecimal digits", w.RootKey, 2*rootKeyLength)
	}
	return [rootKeyLength]byte(raw), nil
}

// shortestToken keeps a fixed admin token from being guessed over the network.
const shortestToken = 16

func (c Config) validateToken() error {
	if c.AdminToken != "" && len(c.AdminToken) < shortestToken {
		return fmt.Errorf("admin_token: must have at least %d characters", shortestToken) // the value is a secret: not shown
	}
	return nil
}
