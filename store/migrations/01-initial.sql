-- v0 -> v1: Sessions, tokens and the realm
CREATE TABLE realm (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	kind TEXT NOT NULL CHECK (kind IN ('whatsapp', 'sandbox'))
);

CREATE TABLE sessions (
	id                TEXT   PRIMARY KEY,
	name              TEXT   NOT NULL,
	jid               TEXT   NOT NULL DEFAULT '',
	lid               TEXT   NOT NULL DEFAULT '',
	phone_number      TEXT   NOT NULL DEFAULT '',
	push_name         TEXT   NOT NULL DEFAULT '',
	status            TEXT   NOT NULL,
	reason            TEXT   NOT NULL DEFAULT '',
	proxy             TEXT   NOT NULL DEFAULT '',
	desired           TEXT   NOT NULL DEFAULT 'connected' CHECK (desired IN ('connected', 'disconnected')),
	created_at        BIGINT NOT NULL,
	updated_at        BIGINT NOT NULL,
	last_connected_at BIGINT NOT NULL DEFAULT 0
);

-- One device belongs to one session; sessions that are not linked have no jid.
CREATE UNIQUE INDEX sessions_jid ON sessions (jid) WHERE jid <> '';

CREATE TABLE session_states (
	session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	seq        BIGINT NOT NULL,
	at         BIGINT NOT NULL,
	status     TEXT   NOT NULL,
	reason     TEXT   NOT NULL DEFAULT '',
	PRIMARY KEY (session_id, seq)
);

CREATE TABLE tokens (
	id           TEXT    PRIMARY KEY,
	name         TEXT    NOT NULL,
	-- only: sqlite (line commented)
--	hash         BLOB    NOT NULL UNIQUE,
	-- only: postgres (line commented)
--	hash         BYTEA   NOT NULL UNIQUE,
	admin        BOOLEAN NOT NULL,
	sessions     TEXT    NOT NULL DEFAULT '[]',
	created_at   BIGINT  NOT NULL,
	last_used_at BIGINT  NOT NULL DEFAULT 0,
	revoked_at   BIGINT  NOT NULL DEFAULT 0
);
