-- 0013.sql - MTA-STS policies (RFC 8461), and which could not be fetched. `id` is NULL where there is none; `next_try`
-- is when `failed_id` may be fetched again.

CREATE TABLE sts_policy(
  domain TEXT PRIMARY KEY,
  tenant TEXT NOT NULL, -- whose mail has led to it
  id TEXT,
  mode TEXT,
  max_age INTEGER,
  mx TEXT,
  raw BLOB,
  fetched_at INTEGER,
  expires INTEGER,
  last_used INTEGER NOT NULL,
  failed_id TEXT,
  next_try INTEGER,
  error TEXT
) WITHOUT ROWID, STRICT;
