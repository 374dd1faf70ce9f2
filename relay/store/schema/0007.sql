-- 0007.sql - Suppressions hold for exactly one mailbox, where they were made for all that counts as it; a repetition is
-- one of the content, too; reports are gathered.

ALTER TABLE suppression ADD COLUMN every_spelling INTEGER NOT NULL DEFAULT 0;
ALTER TABLE suppression ADD COLUMN answers INTEGER NOT NULL DEFAULT 1;
ALTER TABLE suppression ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;

UPDATE suppression
SET answered = created;

-- What people have asked for goes on to hold for every spelling.
UPDATE OR IGNORE suppression
SET every_spelling = 1, address = counted_as(address, 0)
WHERE reason <> 1;

-- All that servers have said expires.
UPDATE suppression
SET expires = created + 90 * 86400000
WHERE reason = 1 AND expires = 0;

-- The mailbox that a server spoke of is found again by its event of the same moment; the rest stands for the form that
-- was written down.
UPDATE OR IGNORE suppression
SET address = counted_as(e.recipient, 2)
FROM event e
WHERE e.kind = 'bounced'
  AND e.at = suppression.created
  AND suppression.reason = 1
  AND suppression.address = counted_as(e.recipient, 0);

-- Reports are owed by the recipient's row until one message tells all of them, at `due` or at the end.
ALTER TABLE recipient ADD COLUMN report INTEGER NOT NULL DEFAULT 0;

CREATE TABLE report(
  message INTEGER PRIMARY KEY,
  due INTEGER NOT NULL
) STRICT;

CREATE INDEX report_due ON report(due);

ALTER TABLE once ADD COLUMN content BLOB;
