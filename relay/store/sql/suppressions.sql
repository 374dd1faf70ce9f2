-- suppressions.sql - Who gets no mail, or no mail of a stream. The primary key begins with the address, in a mailbox's
-- own form, or in the form that counts for rows that hold for every spelling.

-- :part SUPPRESS_COLUMNS
address, tenant, stream, reason, source, created, expires, every_spelling, answers, needed

-- :part SUPPRESS_HOLDS
-- Of an address: ?1 is its own form, ?2 the form that counts.
(address = ?1 OR (address = ?2 AND every_spelling))

-- :name SUPPRESSED
-- Each recipient of each message asks. Two searches by the primary key; with OR instead of UNION ALL, SQLite would
-- build a table to find the same row only once.
SELECT {SUPPRESS_COLUMNS}
FROM suppression
WHERE address = ?1
UNION ALL
SELECT {SUPPRESS_COLUMNS}
FROM suppression
WHERE address = ?2
  AND every_spelling
  AND ?2 <> ?1;

-- :name SUPPRESS_ADD
-- No row comes back when there is one that holds. One that only counts answers, and holds nothing yet, becomes this.
INSERT INTO suppression({SUPPRESS_COLUMNS})
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT DO UPDATE SET needed = 1,
  answers = max(answers, excluded.answers),
  source = excluded.source,
  created = excluded.created,
  expires = CASE WHEN expires = 0 OR excluded.expires = 0 THEN 0 ELSE max(expires, excluded.expires) END
WHERE suppression.answers < suppression.needed
RETURNING address;

-- :name SUPPRESS_EXTEND
-- 0 is for ever, which nothing shortens.
UPDATE suppression
SET expires = CASE WHEN ?5 = 0 THEN 0 ELSE max(expires, ?5) END
WHERE address = ?1
  AND tenant = ?2
  AND stream = ?3
  AND reason = ?4
  AND expires <> 0;

-- :name SUPPRESS_AGAIN
UPDATE suppression
SET source = ?5, created = ?6, expires = ?7
WHERE address = ?1
  AND tenant = ?2
  AND stream = ?3
  AND reason = ?4;

-- :name SUPPRESS_END
DELETE FROM suppression
WHERE address = ?1
  AND tenant = ?2
  AND stream = ?3
  AND reason = ?4;

-- :name SUPPRESS_REMOVE
DELETE FROM suppression
WHERE {SUPPRESS_HOLDS}
  AND (?3 IS NULL OR tenant = ?3)
  AND (?4 IS NULL OR stream = ?4)
  AND (?5 IS NULL OR reason = ?5)
RETURNING tenant, stream, reason, address;

-- :name SUPPRESS_LIST
-- (?6, ?7, ?8, ?9) is the last row of the page before; pages are in the order of the primary key.
SELECT {SUPPRESS_COLUMNS}
FROM suppression
WHERE (?1 IS NULL OR {SUPPRESS_HOLDS})
  AND answers >= needed
  AND (?3 IS NULL OR tenant = ?3)
  AND (?4 IS NULL OR stream = ?4)
  AND (?5 IS NULL OR reason = ?5)
  AND (address, tenant, stream, reason) > (?6, ?7, ?8, ?9)
ORDER BY address, tenant, stream, reason
LIMIT ?10;

-- :name SUPPRESS_ANSWERS
-- How often servers have said that there is no such mailbox, and how often they must.
SELECT answers, answered, needed
FROM suppression
WHERE address = ?1
  AND tenant = ?2
  AND stream = ''
  AND reason = ?3
  AND (expires = 0 OR expires > ?4);

-- :name SUPPRESS_ANSWER
-- One more; ?9: it is the first, after none or one that has ended.
INSERT INTO suppression({SUPPRESS_COLUMNS}, answered)
VALUES(?1, ?2, '', ?3, ?4, ?5, ?6, 0, ?7, ?10, ?8)
ON CONFLICT DO UPDATE SET answers = ?7,
  answered = ?8,
  needed = ?10,
  created = CASE WHEN ?9 THEN ?5 ELSE created END,
  expires = CASE WHEN expires = 0 OR ?6 = 0 THEN 0 ELSE max(expires, ?6) END;

-- :name SUPPRESS_FORGET
-- By the index of those that expire.
DELETE FROM suppression
WHERE expires <> 0
  AND expires < ?;
