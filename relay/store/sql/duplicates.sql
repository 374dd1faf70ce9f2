-- duplicates.sql - The same message again, by its Message-ID; and what says the same and still waits.

-- :part FAILED
-- CASE instead of IN: with IN, SQLite would build a table for the three words.
CASE kind WHEN 'bounced' THEN 1 WHEN 'expired' THEN 1 WHEN 'deleted' THEN 1 END

-- :part NOT_FAILED
-- Of message m.
NOT EXISTS (
  SELECT 1
  FROM event_of
  JOIN event ON id = event_of.event
  WHERE event_of.message = m
    AND {FAILED})
AND NOT EXISTS (
  SELECT 1
  FROM event
  WHERE id > (SELECT up_to FROM indexed)
    AND event.message = m
    AND {FAILED})

-- :name ONCE
-- Each recipient of each message asks.
SELECT message AS m, content
FROM sent
WHERE name = ?1
  AND until > ?2
  AND {NOT_FAILED}
ORDER BY message DESC
LIMIT 1;

-- :name OLDER_ONCE
SELECT message AS m, content
FROM once
WHERE key = ?1
  AND at > ?2
  AND {NOT_FAILED};

-- :name NOTE_SENT
INSERT INTO sent(name, message, until, value, content)
VALUES(?1, ?2, ?3, ?4, ?5)
ON CONFLICT(name, message) DO UPDATE SET until = ?3, value = ?4, content = ?5;

-- :name FORGET_OLDER_ONCE
-- The oldest by once_at, some thousand at a time: a 250 may wait for the end of it.
DELETE FROM once
WHERE key IN (
  SELECT key
  FROM once
  WHERE at < ?
  ORDER BY at
  LIMIT 5000);

-- :name ALIKE
-- Of one that does not wait any more, all is NULL.
SELECT r.message, r.number, r.due
FROM sent s
LEFT JOIN recipient r ON r.message = s.message AND r.number = s.value AND r.state = 0
WHERE s.name = ?1
  AND s.until > ?2
  AND s.message <> ?3;

-- :name FORGET_ALIKE
-- Those that do not wait any more, but for the message (?2) that is being accepted.
DELETE FROM sent
WHERE name = ?1
  AND message <> ?2
  AND NOT EXISTS (
    SELECT 1
    FROM recipient r
    WHERE r.message = sent.message
      AND r.number = sent.value
      AND r.state = 0);

-- :name OLDER_ALIKE
-- The last of those that were accepted before there was `sent`. One row always, of NULLs when there is none.
SELECT r.message, r.number, max(r.due)
FROM recipient r
JOIN message m ON m.id = r.message
WHERE r.fingerprint = ?1
  AND r.state = 0
  AND m.created > ?2;

-- :name REPLACE
-- It is done, as a newer one goes instead.
UPDATE recipient
SET state = 2
WHERE message = ?1
  AND number = ?2
  AND state = 0
RETURNING address, domain;
