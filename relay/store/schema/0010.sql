-- 0010.sql - A message changes fewer pages: what each recipient has had lately lies together, and events are put into
-- the index of their messages many at a time.

-- The name is two MACs, of whom it is about and of what; relay/store/sent.c says which. The tables `rate`, `known`,
-- `once` and the index recipient_fingerprint, which had this, are read until what they have is too old to count.
CREATE TABLE sent(
  name BLOB NOT NULL,
  message INTEGER NOT NULL, -- 0: of none
  until INTEGER NOT NULL,
  value INTEGER NOT NULL,
  content BLOB,
  PRIMARY KEY(name, message)
) WITHOUT ROWID, STRICT;

-- In the place of an index of events by message: those up to `up_to`.
CREATE TABLE event_of(
  message INTEGER NOT NULL,
  event INTEGER NOT NULL,
  PRIMARY KEY(message, event)
) WITHOUT ROWID, STRICT;

CREATE TABLE indexed(up_to INTEGER NOT NULL) STRICT;

INSERT INTO event_of(message, event)
SELECT message, id
FROM event
WHERE message <> 0
ORDER BY message, id;

INSERT INTO indexed(up_to)
SELECT coalesce(max(id), 0)
FROM event;

DROP INDEX event_message;
