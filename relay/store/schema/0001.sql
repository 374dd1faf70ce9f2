-- 0001.sql - What the first release keeps: mail, who is to get it, what became of it; who may send what.

-- Mail that somebody still waits for. Its bytes are at (segment, offset) of the spool.
CREATE TABLE message(
  id INTEGER PRIMARY KEY,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  credential TEXT NOT NULL,
  stream TEXT NOT NULL,
  class INTEGER NOT NULL, -- enum stream_class
  sender TEXT NOT NULL,
  envelope_id TEXT NOT NULL,
  report INTEGER NOT NULL,
  smtputf8 INTEGER NOT NULL,
  from_domain TEXT NOT NULL,
  helo TEXT NOT NULL,
  peer TEXT NOT NULL,
  protocol TEXT NOT NULL,
  header_utf8 INTEGER NOT NULL,
  body_8bit INTEGER NOT NULL,
  dialogue INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL
) STRICT;

-- A message's recipients lie together, as they are always read and ended together.
CREATE TABLE recipient(
  message INTEGER NOT NULL,
  number INTEGER NOT NULL,
  address TEXT NOT NULL,
  domain TEXT NOT NULL,
  original TEXT NOT NULL,
  notify INTEGER NOT NULL,
  state INTEGER NOT NULL, -- enum mail_state
  tries INTEGER NOT NULL,
  due INTEGER NOT NULL,
  delay_told INTEGER NOT NULL,
  code INTEGER NOT NULL,
  enhanced TEXT NOT NULL,
  reply TEXT NOT NULL,
  remote TEXT NOT NULL,
  PRIMARY KEY(message, number)
) WITHOUT ROWID, STRICT;

-- The history of messages, which outlives them.
CREATE TABLE event(
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  message INTEGER NOT NULL, -- 0: of none
  recipient TEXT NOT NULL,
  code INTEGER NOT NULL,
  enhanced TEXT NOT NULL,
  reply TEXT NOT NULL,
  remote TEXT NOT NULL
) STRICT;

CREATE INDEX event_message ON event(message);

CREATE TABLE credential(
  name TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  stream TEXT NOT NULL,
  hash TEXT NOT NULL,
  allowed TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE domain(
  name TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- The private halves are files in keys/.
CREATE TABLE signing_key(
  domain TEXT NOT NULL,
  selector TEXT NOT NULL,
  algorithm INTEGER NOT NULL,
  state TEXT NOT NULL,
  public TEXT NOT NULL,
  created INTEGER NOT NULL,
  PRIMARY KEY(domain, selector)
) WITHOUT ROWID, STRICT;
