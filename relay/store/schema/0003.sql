-- 0003.sql - What says the same and still waits; whom a tenant has written to before; who submitted, and how often a
-- limit refused it; who gets no mail; how far the clock has been set.

ALTER TABLE recipient ADD COLUMN fingerprint INTEGER;

-- Of mail that has one only: the mail of a stream that nothing replaces costs no entry.
CREATE INDEX recipient_fingerprint ON recipient(fingerprint) WHERE fingerprint IS NOT NULL;

ALTER TABLE event ADD COLUMN credential TEXT NOT NULL DEFAULT '';

-- The key is a MAC of a tenant and a recipient.
CREATE TABLE known(
  key BLOB PRIMARY KEY,
  day INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE newcomers(
  tenant TEXT NOT NULL,
  day INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(tenant, day)
) WITHOUT ROWID, STRICT;

CREATE TABLE refused(
  minute INTEGER NOT NULL,
  credential TEXT NOT NULL,
  recipient TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY(minute, credential, recipient)
) WITHOUT ROWID, STRICT;

CREATE TABLE suppression(
  address TEXT NOT NULL,
  tenant TEXT NOT NULL,
  stream TEXT NOT NULL,
  reason INTEGER NOT NULL, -- enum suppress_reason
  source TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL, -- 0: never
  PRIMARY KEY(address, tenant, stream, reason)
) WITHOUT ROWID, STRICT;

-- Housekeeping looks for those that have expired; most never do.
CREATE INDEX suppression_expires ON suppression(expires) WHERE expires <> 0;

-- One row: by how many ms the system's clock has been set since, in all.
CREATE TABLE clock(steps INTEGER NOT NULL) STRICT;

INSERT INTO clock(steps)
VALUES(0);
