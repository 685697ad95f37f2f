-- v4 -> v5: Webhooks

CREATE TABLE webhooks (
	id               TEXT    PRIMARY KEY,
	-- The number of the queue's lane that has its deliveries.
	lane             BIGINT  NOT NULL UNIQUE,
	url              TEXT    NOT NULL,
	events           TEXT    NOT NULL, -- JSON: patterns
	sessions         TEXT    NOT NULL, -- JSON: ids; [] is all
	group_jids       TEXT    NOT NULL, -- JSON; [] is all, and what is about none
	format           TEXT    NOT NULL,
	headers          TEXT    NOT NULL, -- JSON
	-- Requests are signed with it, so it is kept as it is, like the keys of the
	-- linked devices.
	secret           TEXT    NOT NULL,
	-- The secret before, which is valid until then as well (UNIX seconds).
	old_secret       TEXT    NOT NULL DEFAULT '',
	old_secret_until BIGINT  NOT NULL DEFAULT 0,
	enabled          BOOLEAN NOT NULL,
	disabled_reason  TEXT    NOT NULL DEFAULT '', -- '' by request, gone after a 410
	-- Attempts that have failed since the last one that did not; in UNIX
	-- milliseconds, since when, and how the last one failed.
	failures         BIGINT  NOT NULL DEFAULT 0,
	failing_since    BIGINT  NOT NULL DEFAULT 0,
	last_status      BIGINT  NOT NULL DEFAULT 0,
	last_error       TEXT    NOT NULL DEFAULT '',
	-- Since when nothing is sent because too much has failed, when it is tried
	-- next, and how often it was tried (UNIX milliseconds).
	paused_at        BIGINT  NOT NULL DEFAULT 0,
	probe_at         BIGINT  NOT NULL DEFAULT 0,
	probes           BIGINT  NOT NULL DEFAULT 0,
	created_at       BIGINT  NOT NULL,
	updated_at       BIGINT  NOT NULL
);

-- Every attempt to deliver, newest last by id.
CREATE TABLE webhook_attempts (
	webhook_id  TEXT    NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	id          TEXT    NOT NULL,
	event_id    TEXT    NOT NULL,
	message_id  TEXT    NOT NULL, -- what the request was called: webhook-id
	type        TEXT    NOT NULL,
	session_id  TEXT    NOT NULL,
	attempt     BIGINT  NOT NULL, -- from 1
	kind        TEXT    NOT NULL, -- delivery, probe or test
	at          BIGINT  NOT NULL, -- UNIX milliseconds
	took        BIGINT  NOT NULL, -- milliseconds
	result      TEXT    NOT NULL,
	status      BIGINT  NOT NULL, -- 0: no answer
	error       TEXT    NOT NULL,
	answer      TEXT    NOT NULL, -- its beginning
	PRIMARY KEY (webhook_id, id)
);
CREATE INDEX webhook_attempts_event ON webhook_attempts (webhook_id, event_id, id);
CREATE INDEX webhook_attempts_age ON webhook_attempts (at);

-- Deliveries that were given up.
CREATE TABLE webhook_dead_letters (
	webhook_id TEXT   NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
	id         TEXT   NOT NULL,
	delivery   TEXT   NOT NULL, -- JSON, as the queue had it
	event_id   TEXT   NOT NULL,
	type       TEXT   NOT NULL,
	session_id TEXT   NOT NULL,
	attempts   BIGINT NOT NULL,
	reason     TEXT   NOT NULL,
	status     BIGINT NOT NULL,
	error      TEXT   NOT NULL,
	failed_at  BIGINT NOT NULL, -- UNIX seconds
	PRIMARY KEY (webhook_id, id)
);
CREATE INDEX webhook_dead_letters_age ON webhook_dead_letters (failed_at);
