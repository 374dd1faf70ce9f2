-- 0002.sql - Counting what each recipient gets.

-- A row for each key that has been used lately; the key is a MAC, so that it tells nothing about anybody.
CREATE TABLE rate(
  key BLOB PRIMARY KEY,
  tat INTEGER NOT NULL,
  day INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- Which message a Message-ID to a recipient was.
CREATE TABLE once(
  key BLOB PRIMARY KEY,
  message INTEGER NOT NULL,
  at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE INDEX once_at ON once(at);

-- What this instance has one of.
CREATE TABLE instance(
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

INSERT INTO instance(name, value)
VALUES('rate_key', randomblob(32));
