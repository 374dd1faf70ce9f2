-- 0018.sql - What the last answer about a recipient meant, for the report to its sender.

ALTER TABLE recipient ADD COLUMN category TEXT;
