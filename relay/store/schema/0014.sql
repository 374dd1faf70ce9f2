-- 0014.sql - What TLS with others was like, counted for the reports that they have asked for (RFC 8460).

-- Sessions of a UTC day (since 1970) that went alike; of those that went well only how many.
CREATE TABLE tlsrpt(
  day INTEGER NOT NULL,
  domain TEXT NOT NULL,
  policy_hash BLOB NOT NULL,
  result TEXT NOT NULL,
  src_ip TEXT NOT NULL,
  mx TEXT NOT NULL,
  helo TEXT NOT NULL,
  dst_ip TEXT NOT NULL,
  reason TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY(day, domain, policy_hash, result, src_ip, mx, helo, dst_ip, reason)
) WITHOUT ROWID, STRICT;

-- The policies that they were judged by, as a report has them; `day` is the last on which one was counted.
CREATE TABLE tlsrpt_policy(
  hash BLOB PRIMARY KEY,
  json TEXT NOT NULL,
  day INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- A report each day and domain, from the first session on.
CREATE TABLE tlsrpt_report(
  day INTEGER NOT NULL,
  domain TEXT NOT NULL,
  tenant TEXT NOT NULL, -- who sent to it first, and whose share it is counted in
  units INTEGER NOT NULL, -- what it takes of that
  lines INTEGER NOT NULL, -- rows of tlsrpt
  state INTEGER NOT NULL, -- enum tlsrpt_state
  due INTEGER NOT NULL,
  first INTEGER NOT NULL, -- when it was tried first; 0: never
  tries INTEGER NOT NULL, -- failures in sequence
  failed INTEGER NOT NULL, -- places that have failed for good, as bits
  place INTEGER NOT NULL, -- the one that has it
  message INTEGER NOT NULL, -- the mail that carries it; 0: none
  uri TEXT NOT NULL,
  ended INTEGER NOT NULL, -- when it was sent, or given up
  ok INTEGER NOT NULL, -- sessions, as it tells
  bad INTEGER NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY(day, domain)
) WITHOUT ROWID, STRICT;

CREATE INDEX tlsrpt_due ON tlsrpt_report(due) WHERE state = 0;
CREATE INDEX tlsrpt_message ON tlsrpt_report(message) WHERE message <> 0;

-- What each tenant has of the room for one day's counts.
CREATE TABLE tlsrpt_share(
  day INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  units INTEGER NOT NULL,
  PRIMARY KEY(day, tenant)
) WITHOUT ROWID, STRICT;

-- Places that reports could not be sent to: on how many days in sequence.
CREATE TABLE tlsrpt_place(
  uri TEXT PRIMARY KEY,
  bad_day INTEGER NOT NULL, -- the last one
  bad_days INTEGER NOT NULL,
  until INTEGER NOT NULL -- it is left alone; 0: it is not
) WITHOUT ROWID, STRICT;
