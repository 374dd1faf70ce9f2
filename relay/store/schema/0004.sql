-- 0004.sql - The life of a key; which domains are held back until their records are right.

ALTER TABLE signing_key ADD COLUMN delegated TEXT NOT NULL DEFAULT '';
ALTER TABLE signing_key ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_key ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_key ADD COLUMN wait INTEGER NOT NULL DEFAULT 0;

UPDATE signing_key
SET since = created;

ALTER TABLE domain ADD COLUMN captured INTEGER NOT NULL DEFAULT 0;
