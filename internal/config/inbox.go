package config

import "time"

// Inbox says how long messages are kept.
type Inbox struct {
	KeepFor time.Duration `key:"keep_for" doc:"How long messages are kept in the inbox. 0 keeps none."`
	Keep    int           `key:"keep" doc:"How many messages of each session are kept, the newest. 0 keeps none."`
}

func defaultInbox() Inbox { return Inbox{KeepFor: 90 * 24 * time.Hour, Keep: 100_000} }
