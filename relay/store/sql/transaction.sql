-- transaction.sql - Transactions, and what a store is asked before its first.

-- :name BEGIN
-- The lock for writing at once: who only reads first could not get it later, when another has written meanwhile.
BEGIN IMMEDIATE;

-- :name BEGIN_READING
BEGIN;

-- :name COMMIT
COMMIT;

-- :name ROLLBACK
ROLLBACK;

-- :name SAVEPOINT
-- Around a job of a transaction: one bad row harms nobody else's.
SAVEPOINT one_job;

-- :name RELEASE
RELEASE one_job;

-- :name UNDO
ROLLBACK TO one_job;

-- :name SAVEPOINT_INNER
-- Within that of a job: what is written of a message before one of its recipients has it refused.
SAVEPOINT one_mail;

-- :name RELEASE_INNER
RELEASE one_mail;

-- :name UNDO_INNER
ROLLBACK TO one_mail;

-- :name PROBE
-- A small write that changes nothing: does the disk take one again?
UPDATE clock
SET steps = steps;

-- :name VERSION
PRAGMA user_version;

-- :name HAS_CAPTURED
-- Version 4, whatever its number says.
SELECT 1
FROM pragma_table_info('domain')
WHERE name = 'captured';
