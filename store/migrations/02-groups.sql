-- v1 -> v2: The mirror of the groups, their history, repeatable requests and bulk jobs

-- What is known of a session's groups as a whole. seq numbers every change of
-- the mirror, for all groups of the session; account is whose groups they are.
CREATE TABLE mirror_state (
	session_id TEXT    PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
	account    TEXT    NOT NULL DEFAULT '',
	complete   BOOLEAN NOT NULL DEFAULT false,
	synced_at  BIGINT  NOT NULL DEFAULT 0,
	seq        BIGINT  NOT NULL DEFAULT 0
);

CREATE TABLE mirror_groups (
	session_id            TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	jid                   TEXT    NOT NULL,
	subject               TEXT    NOT NULL DEFAULT '',
	topic                 TEXT    NOT NULL DEFAULT '',
	topic_id              TEXT    NOT NULL DEFAULT '',
	topic_set_at          BIGINT  NOT NULL DEFAULT 0,
	owner                 TEXT    NOT NULL DEFAULT '',
	created_at            BIGINT  NOT NULL DEFAULT 0,
	addressing_mode       TEXT    NOT NULL DEFAULT '',
	participant_count     BIGINT  NOT NULL DEFAULT 0,
	membership_approval   TEXT    NOT NULL DEFAULT '',
	member_add            TEXT    NOT NULL DEFAULT '',
	member_link           TEXT    NOT NULL DEFAULT '',
	announce              BOOLEAN NOT NULL DEFAULT false,
	locked                BOOLEAN NOT NULL DEFAULT false,
	disappearing_seconds  BIGINT  NOT NULL DEFAULT 0,
	suspended             BOOLEAN NOT NULL DEFAULT false,
	incognito             BOOLEAN NOT NULL DEFAULT false,
	is_community          BOOLEAN NOT NULL DEFAULT false,
	parent                TEXT    NOT NULL DEFAULT '',
	is_announcement_group BOOLEAN NOT NULL DEFAULT false,
	my_role               TEXT    NOT NULL DEFAULT '',
	photo_id              TEXT    NOT NULL DEFAULT '',
	-- The version of the members that WhatsApp counts; what follows it names it.
	participant_version   TEXT    NOT NULL DEFAULT '',
	-- When each kind of change last happened by WhatsApp's clock, as JSON.
	event_times           TEXT    NOT NULL DEFAULT '{}',
	-- mirror_state.seq at the last change of this row or its members.
	rev                   BIGINT  NOT NULL DEFAULT 0,
	synced_at             BIGINT  NOT NULL DEFAULT 0,
	-- The row may be wrong, and WhatsApp is to be asked.
	stale                 BOOLEAN NOT NULL DEFAULT false,
	PRIMARY KEY (session_id, jid)
);
CREATE INDEX mirror_groups_parent ON mirror_groups (session_id, parent) WHERE parent <> '';

CREATE TABLE mirror_participants (
	session_id TEXT   NOT NULL,
	group_jid  TEXT   NOT NULL,
	position   BIGINT NOT NULL,
	pn         TEXT   NOT NULL DEFAULT '', -- JID
	lid        TEXT   NOT NULL DEFAULT '', -- JID
	role       TEXT   NOT NULL,
	PRIMARY KEY (session_id, group_jid, position),
	FOREIGN KEY (session_id, group_jid) REFERENCES mirror_groups (session_id, jid) ON DELETE CASCADE
);

-- People whose phone is not known yet: for when it is learnt.
CREATE INDEX mirror_participants_phoneless ON mirror_participants (session_id, lid) WHERE pn = '';

-- People of whom an event has told that they ask to be let in. It is not the list
-- of all who do: that is asked of WhatsApp.
CREATE TABLE mirror_requests (
	session_id TEXT NOT NULL,
	group_jid  TEXT NOT NULL,
	jid        TEXT NOT NULL, -- the LID, or the phone JID where it is not known
	pn         TEXT NOT NULL DEFAULT '',
	lid        TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (session_id, group_jid, jid),
	FOREIGN KEY (session_id, group_jid) REFERENCES mirror_groups (session_id, jid) ON DELETE CASCADE
);

-- The history outlives the group: it tells why the group is gone.
CREATE TABLE group_changes (
	session_id  TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	seq         BIGINT NOT NULL,
	group_jid   TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	recorded_at BIGINT NOT NULL,
	kind        TEXT   NOT NULL,
	actor_pn    TEXT   NOT NULL DEFAULT '',
	actor_lid   TEXT   NOT NULL DEFAULT '',
	source      TEXT   NOT NULL CHECK (source IN ('event', 'api', 'reconcile')),
	before      TEXT   NOT NULL DEFAULT 'null', -- JSON
	after       TEXT   NOT NULL DEFAULT 'null', -- JSON
	PRIMARY KEY (session_id, seq)
);
CREATE INDEX group_changes_group ON group_changes (session_id, group_jid, seq);

CREATE TABLE idempotency (
	session_id  TEXT   NOT NULL, -- '' for requests that are about no session
	key         TEXT   NOT NULL,
	fingerprint TEXT   NOT NULL,
	state       TEXT   NOT NULL CHECK (state IN ('running', 'done', 'unknown')),
	status      BIGINT NOT NULL DEFAULT 0,
	headers     TEXT   NOT NULL DEFAULT '{}', -- JSON
	-- only: sqlite (line commented)
--	body        BLOB   NOT NULL DEFAULT '',
	-- only: postgres (line commented)
--	body        BYTEA  NOT NULL DEFAULT '',
	-- What was asked for, as JSON: what settles an unknown outcome.
	intent      TEXT   NOT NULL DEFAULT '{}',
	created_at  BIGINT NOT NULL,
	finished_at BIGINT NOT NULL DEFAULT 0,
	PRIMARY KEY (session_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Requests about many people, which are worked off in small batches.
CREATE TABLE bulk_jobs (
	id            TEXT    PRIMARY KEY,
	session_id    TEXT    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	group_jid     TEXT    NOT NULL,
	kind          TEXT    NOT NULL,
	state         TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'completed', 'cancelled', 'failed')),
	on_private    TEXT    NOT NULL DEFAULT 'fail',
	batch_size    BIGINT  NOT NULL,
	pause_seconds BIGINT  NOT NULL,
	-- How many people there are, and how many of them have an outcome.
	total         BIGINT  NOT NULL,
	done          BIGINT  NOT NULL DEFAULT 0,
	-- River's job that works on it; 0 while an earlier job of the session does.
	queue_id      BIGINT  NOT NULL DEFAULT 0,
	cancelling    BOOLEAN NOT NULL DEFAULT false,
	-- Why a waiting job waits, since when, and when it tries again.
	wait_reason   TEXT    NOT NULL DEFAULT '',
	wait_since    BIGINT  NOT NULL DEFAULT 0,
	resume_at     BIGINT  NOT NULL DEFAULT 0,
	error_code    TEXT    NOT NULL DEFAULT '',
	error         TEXT    NOT NULL DEFAULT '',
	created_at    BIGINT  NOT NULL,
	updated_at    BIGINT  NOT NULL,
	finished_at   BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX bulk_jobs_session ON bulk_jobs (session_id, id);

CREATE TABLE bulk_items (
	job_id            TEXT   NOT NULL REFERENCES bulk_jobs (id) ON DELETE CASCADE,
	idx               BIGINT NOT NULL,
	input             TEXT   NOT NULL,
	pn                TEXT   NOT NULL DEFAULT '', -- digits
	lid               TEXT   NOT NULL DEFAULT '', -- JID
	-- How far the work on this person is: adding and inviting say that WhatsApp
	-- may have been asked and the answer is not known.
	state             TEXT   NOT NULL CHECK (state IN ('pending', 'adding', 'inviting', 'done')),
	status            TEXT   NOT NULL DEFAULT '', -- what became of the person
	code              TEXT   NOT NULL DEFAULT '',
	reason            TEXT   NOT NULL DEFAULT '',
	whatsapp_code     BIGINT NOT NULL DEFAULT 0,
	invite_code       TEXT   NOT NULL DEFAULT '',
	invite_expires_at BIGINT NOT NULL DEFAULT 0,
	invite_message    TEXT   NOT NULL DEFAULT '', -- the id of the invite message
	PRIMARY KEY (job_id, idx)
);
