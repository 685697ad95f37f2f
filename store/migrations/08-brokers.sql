-- v7 -> v8: How far message brokers have the log of events

CREATE TABLE broker_cursors (
	stream   TEXT   PRIMARY KEY,
	position BIGINT NOT NULL -- of the newest event that the broker has
);
