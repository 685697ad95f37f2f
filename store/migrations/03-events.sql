-- v2 -> v3: The log of events

-- One row, whose lock is the right to add to the log. It is taken at the end
-- of a transaction and kept until the commit, so that positions become visible
-- in their order: a reader that has seen one has seen all before it.
CREATE TABLE event_log (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	position BIGINT  NOT NULL, -- of the newest event
	pruned   BIGINT  NOT NULL  -- of the newest event that is no longer kept
);
INSERT INTO event_log (id, position, pruned) VALUES (1, 0, 0);

-- The number of each session's newest event. It outlives the session: one that
-- is made anew with the same id goes on counting.
CREATE TABLE event_counters (
	session_id TEXT   PRIMARY KEY,
	seq        BIGINT NOT NULL
);

CREATE TABLE events (
	position    BIGINT  PRIMARY KEY,
	id          TEXT    NOT NULL UNIQUE,
	session_id  TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	seq         BIGINT  NOT NULL,
	type        TEXT    NOT NULL,
	group_jid   TEXT    NOT NULL DEFAULT '',
	at          BIGINT  NOT NULL,
	recorded_at BIGINT  NOT NULL,
	offline     BOOLEAN NOT NULL DEFAULT false,
	request_id  TEXT    NOT NULL DEFAULT '',
	data        TEXT    NOT NULL -- JSON
);
CREATE UNIQUE INDEX events_seq ON events (session_id, seq);
CREATE INDEX events_session ON events (session_id, position);
CREATE INDEX events_age ON events (recorded_at, position);
CREATE INDEX events_group ON events (group_jid, position) WHERE group_jid <> '';

-- The events of a job's work carry the id of the request that asked for it.
ALTER TABLE bulk_jobs ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
