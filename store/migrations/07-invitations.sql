-- v6 -> v7: Who was invited to a group or is gone from it, and the groups' invite links

-- WhatsApp keeps no history of those who were invited or have left. person is
-- the LID, or the phone JID where that is not known.
CREATE TABLE group_invitations (
	session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	group_jid  TEXT   NOT NULL,
	person     TEXT   NOT NULL,
	pn         TEXT   NOT NULL DEFAULT '', -- digits
	lid        TEXT   NOT NULL DEFAULT '', -- JID
	state      TEXT   NOT NULL CHECK (state IN ('invited', 'joined', 'left', 'removed')),
	-- The link that the last invitation had: it ends with that.
	link       TEXT   NOT NULL DEFAULT '',
	updated_at BIGINT NOT NULL, -- UNIX seconds
	PRIMARY KEY (session_id, group_jid, person)
);
CREATE INDEX group_invitations_pn ON group_invitations (session_id, group_jid, pn) WHERE pn <> '';

-- The links as they were last heard of; '' where WhatsApp does not tell the
-- account.
CREATE TABLE group_invite_links (
	session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	group_jid  TEXT   NOT NULL,
	link       TEXT   NOT NULL,
	known_at   BIGINT NOT NULL, -- UNIX seconds
	PRIMARY KEY (session_id, group_jid)
);
