-- 0006.sql - Which streams a credential may name (empty: all); the Message-ID of what was accepted or refused, and
-- whose mail was refused.

ALTER TABLE credential ADD COLUMN streams TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN message_id TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN sender TEXT NOT NULL DEFAULT '';
