-- v5 -> v6: What other vendors' APIs let their clients keep

-- Templates, for example, or who was invited to a group: WhatsApp has no place
-- for them. Which kinds there are, and what an id is, each dialect says.
CREATE TABLE notes (
	session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	dialect    TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	id         TEXT   NOT NULL,
	value      TEXT   NOT NULL, -- JSON
	updated_at BIGINT NOT NULL, -- UNIX seconds
	PRIMARY KEY (session_id, dialect, kind, id)
);
