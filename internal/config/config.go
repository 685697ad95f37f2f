// Package config is every setting of the program in one struct, read from
// defaults, a YAML file, MUSTER_… environment variables and flags, each
// overruling the one before. A key that is not known, or a value that cannot
// be read, is an error that names it and where it stood.
package config

import (
	"time"
)

// Config is the whole configuration. The tags are the single source for the
// keys, the environment names, the example file and the documentation.
type Config struct {
	Listen     string `key:"listen" doc:"Address of the HTTP API."`
	DataDir    string `key:"data_dir" doc:"Directory for the database and the lock. Made with mode 0700. Empty means ./data, or ./sandbox-data when simulating."`
	AdminToken string `key:"admin_token" doc:"Fixes the admin token; it is never stored. Empty: the first start makes one and shows it once. Better set by the environment than in a file."`
	// ShutdownTimeout is shared by everything that has to end.
	ShutdownTimeout time.Duration `key:"shutdown_timeout" doc:"How long a shutdown may take: running requests and the sessions' goodbyes."`

	Database Database `key:"database"`
	Sandbox  Sandbox  `key:"sandbox"`
	WA       WA       `key:"wa"`
	HTTP     HTTP     `key:"http"`
	Sessions Sessions `key:"sessions"`
	Groups   Groups   `key:"groups"`
	Inbox    Inbox    `key:"inbox"`
	Media    Media    `key:"media"`
	Events   Events   `key:"events"`
	Webhooks Webhooks `key:"webhooks"`
	Meta     Meta     `key:"meta"`
	Zoko     Zoko     `key:"zoko"`

	Dialog360 Dialog360 `key:"dialog360"`

	NATS NATS `key:"nats"`
	Log  Log  `key:"log"`
}

// Database says where the data is.
type Database struct {
	Driver string `key:"driver" doc:"sqlite (a file in data_dir) or postgres."`
	DSN    string `key:"dsn" doc:"Connection URL, for postgres only: postgres://user:password@host/database."`
}

// Sandbox configures the simulated WhatsApp inside the server.
type Sandbox struct {
	Enabled bool   `key:"enabled" doc:"Run a simulated WhatsApp inside the server and use it instead of the real one."`
	Listen  string `key:"listen" doc:"Address of the simulator and its control API. Loopback only."`
	World   string `key:"world" doc:"demo (a linked session, groups and people who chat) or empty."`
}

// WA points the server at a simulator that runs separately.
type WA struct {
	Endpoint string `key:"endpoint" doc:"WebSocket URL of a separately running simulator (ws://127.0.0.1:PORT/ws/chat). Loopback only. Empty: the real WhatsApp."`
	RootKey  string `key:"root_key" doc:"The simulator's certificate root, 64 hexadecimal digits, from its /control/v1/info."`
}

// HTTP bounds what a request may take.
type HTTP struct {
	BodyLimit       Size          `key:"body_limit" doc:"Largest request body. Uploads of pictures have a limit of their own."`
	HeaderLimit     Size          `key:"header_limit" doc:"Largest request line with all headers."`
	ReadTimeout     time.Duration `key:"read_timeout" doc:"How long a request may take to arrive."`
	WriteTimeout    time.Duration `key:"write_timeout" doc:"How long an answer may take to be sent."`
	TransferTimeout time.Duration `key:"transfer_timeout" doc:"The same two for requests that bring files and answers that are files."`
	UploadMemory    Size          `key:"upload_memory" doc:"How much memory requests that bring files may take together; one that finds none is told to come again."`
	IdleTimeout     time.Duration `key:"idle_timeout" doc:"How long a connection may be silent between requests."`
	MaxConnections  int           `key:"max_connections" doc:"How many connections may be open at once."`
}

// Sessions configures the linked devices.
type Sessions struct {
	StartParallel   int           `key:"start_parallel" doc:"How many sessions connect at once after a start."`
	StartJitter     time.Duration `key:"start_jitter" doc:"Each session's start waits a random time up to this."`
	ReadTimeout     time.Duration `key:"read_timeout" doc:"How long WhatsApp may take to answer a question."`
	WriteTimeout    time.Duration `key:"write_timeout" doc:"How long WhatsApp may take to confirm a change."`
	TransferTimeout time.Duration `key:"transfer_timeout" doc:"How long a file may take to or from WhatsApp's media servers; 20m is the most."`
	ReadRate        float64       `key:"read_rate" doc:"How many questions a second each session may ask WhatsApp, in the long run. Answers from the mirror are not counted."`
	ReadBurst       int           `key:"read_burst" doc:"How many questions at once, after a quiet time."`
	WriteRate       float64       `key:"write_rate" doc:"How many changes a second each session may make, messages included, in the long run."`
	WriteBurst      int           `key:"write_burst" doc:"How many changes at once, after a quiet time."`
	PaceWait        time.Duration `key:"pace_wait" doc:"How long a request waits for its turn before it is refused with 429."`
	SettleAfter     time.Duration `key:"settle_after" doc:"A new group whose creation was not answered, and that WhatsApp does not list this much later, was not made."`
	SilenceAfter    time.Duration `key:"silence_after" doc:"A connected session that received nothing for this long is probed."`
	ProbeTimeout    time.Duration `key:"probe_timeout" doc:"A session that does not answer the probe for this long is degraded."`
	ReconnectAfter  time.Duration `key:"reconnect_after" doc:"A session that is degraded for this long is reconnected."`
}

// Groups configures the mirror of the groups and their history.
type Groups struct {
	ReconcileEvery time.Duration `key:"reconcile_every" doc:"How often all groups of a connected session are compared with WhatsApp's although nothing seems to be missing. Each wait is up to a quarter shorter or longer."`
	HistoryAge     time.Duration `key:"history_age" doc:"How long a change stays in the history of its group."`
	HistoryCount   int           `key:"history_count" doc:"How many changes the history of one group has at most; the oldest are forgotten, within the hour."`
}

// Events configures the log of what happens to the sessions.
type Events struct {
	KeepFor   time.Duration `key:"keep_for" doc:"How long events can be read again."`
	Keep      int           `key:"keep" doc:"How many events can be read again, of all sessions together; the oldest go first."`
	StreamLag int           `key:"stream_lag" doc:"A stream's reader is disconnected when so many events come while it takes in a hundred."`
}

// Log configures the log on standard error.
type Log struct {
	Level  string `key:"level" doc:"trace, debug, info, warn or error."`
	Format string `key:"format" doc:"console (for people) or json (for machines)."`
}

// The worlds that a sandbox can start with.
const (
	WorldDemo  = "demo"
	WorldEmpty = "empty"
)

// Database drivers and log formats.
const (
	DriverSQLite   = "sqlite"
	DriverPostgres = "postgres"
	FormatConsole  = "console"
	FormatJSON     = "json"
)

// Default is the configuration of a server that was told nothing.
func Default() Config {
	return Config{
		Listen:          "127.0.0.1:3451",
		ShutdownTimeout: 20 * time.Second,
		Database:        Database{Driver: DriverSQLite},
		Sandbox:         Sandbox{Listen: "127.0.0.1:3452", World: WorldDemo},
		HTTP: HTTP{
			BodyLimit: 1 << 20, HeaderLimit: 16 << 10,
			ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
			TransferTimeout: 10 * time.Minute, UploadMemory: 512 << 20,
			MaxConnections: 4096,
		},
		Sessions: Sessions{
			StartParallel: 16, StartJitter: 250 * time.Millisecond,
			ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, TransferTimeout: 5 * time.Minute,
			ReadRate: 10, ReadBurst: 60, WriteRate: 5, WriteBurst: 30, PaceWait: 5 * time.Second,
			SettleAfter:  30 * time.Second,
			SilenceAfter: 50 * time.Second, ProbeTimeout: 10 * time.Second, ReconnectAfter: 2 * time.Minute,
		},
		Groups:   Groups{ReconcileEvery: 6 * time.Hour, HistoryAge: 90 * 24 * time.Hour, HistoryCount: 1000},
		Inbox:    defaultInbox(),
		Media:    defaultMedia(),
		Events:   Events{KeepFor: 7 * 24 * time.Hour, Keep: 1_000_000, StreamLag: 1000},
		Webhooks: defaultWebhooks(),
		Zoko:     defaultZoko(),
		NATS:     NATS{Stream: "MUSTER", Subject: "muster"},
		Log:      Log{Level: "info", Format: FormatConsole},
	}
}

// Simulated tells whether the server runs against a simulator, its own or a
// separate one, and never touches the real WhatsApp.
func (c Config) Simulated() bool { return c.Sandbox.Enabled || c.WA.Endpoint != "" }
