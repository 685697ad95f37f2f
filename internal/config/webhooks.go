package config

import "time"

// Webhooks says how events are delivered to HTTP endpoints.
type Webhooks struct {
	AllowPrivate bool          `key:"allow_private" doc:"Deliver to loopback, private and link-local addresses, too. Whoever may make webhooks can then reach what this machine can."`
	Timeout      time.Duration `key:"timeout" doc:"How long an endpoint may take to answer."`
	Concurrency  int           `key:"concurrency" doc:"How many requests to one endpoint are on their way at once."`
	FirstRetry   time.Duration `key:"first_retry" doc:"A delivery that failed is tried again after this, and then after twice as long each time, up to an hour."`
	RetryFor     time.Duration `key:"retry_for" doc:"A delivery that has failed for this long is given up: it becomes a dead letter, which can be replayed."`
	PauseAfter   int           `key:"pause_after" doc:"So many failures in a row pause an endpoint: its deliveries wait, and one of them is tried now and then."`
	ProbeEvery   time.Duration `key:"probe_every" doc:"A paused endpoint is tried at first after seconds, and in the end this often."`
	KeepAttempts int           `key:"keep_attempts" doc:"How many attempts of each endpoint are shown, the newest."`
	AttemptsFor  time.Duration `key:"attempts_for" doc:"How long attempts are shown."`
	KeepDead     int           `key:"keep_dead" doc:"How many dead letters of each endpoint are kept, the newest."`
	DeadFor      time.Duration `key:"dead_for" doc:"How long dead letters are kept."`
}

func defaultWebhooks() Webhooks {
	return Webhooks{
		Timeout: 15 * time.Second, Concurrency: 8, FirstRetry: 5 * time.Second, RetryFor: 72 * time.Hour,
		PauseAfter: 10, ProbeEvery: 5 * time.Minute,
		KeepAttempts: 10_000, AttemptsFor: 7 * 24 * time.Hour, KeepDead: 100_000, DeadFor: 30 * 24 * time.Hour,
	}
}
