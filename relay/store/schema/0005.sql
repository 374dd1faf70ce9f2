-- 0005.sql - Keys for SCRAM; from where a credential has logged in; the audit trail, which only grows.

ALTER TABLE credential ADD COLUMN scram TEXT NOT NULL DEFAULT '';

CREATE TABLE login(
  credential TEXT NOT NULL,
  network TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY(credential, network)
) WITHOUT ROWID, STRICT;

-- Each row's hash covers the row before it.
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  about TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;

CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit trail only grows');
END;

CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
BEGIN
  SELECT RAISE(ABORT, 'the audit trail only grows');
END;
