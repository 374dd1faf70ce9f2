-- 0020.sql - Who has got mail with a return path of its own: what comes back of it is told of after the message's end.

CREATE TABLE return_path(
  message INTEGER NOT NULL,
  number INTEGER NOT NULL,
  until INTEGER NOT NULL, -- the last day on which it is taken, since 1970 (UTC)
  address TEXT NOT NULL,
  tenant TEXT NOT NULL,
  stream TEXT NOT NULL,
  credential TEXT NOT NULL,
  sender TEXT NOT NULL,
  author TEXT NOT NULL, -- the domain whose return path it is
  site TEXT NOT NULL, -- who has taken it, as its answers are counted
  told INTEGER NOT NULL, -- bits of enum returns_event: each counts once
  PRIMARY KEY(message, number)
) WITHOUT ROWID, STRICT;
