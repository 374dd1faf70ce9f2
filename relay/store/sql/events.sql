-- events.sql - The history of messages. Rows are found by id and by message only (relay/store/events.c says why).

-- :part EVENT_COLUMNS
id, at, kind, message, recipient, code, enhanced, reply, remote, credential, message_id, sender,
tls_policy, tls_result, tlsa, category, rule, source

-- :part NOT_INDEXED
-- The latest some hundred, which are not in event_of yet.
id > (SELECT up_to FROM indexed)

-- :part EVENT_FITS
(?6 IS NULL OR t.sender = ?6 COLLATE NOCASE)
AND (?7 IS NULL OR t.message_id = ?7)
AND (?8 IS NULL OR t.credential = ?8)

-- :part EVENT_SEARCH
-- Ids from above ?1 to ?2, one step of a search: the rest is compared row by row. What became of a message is found by
-- what another of its events says (sender, Message-ID, credential: that of acceptance), too.
SELECT {EVENT_COLUMNS}
FROM event AS e
WHERE id > ?1
  AND id <= ?2
  AND at >= ?9
  AND at < ?10
  AND (?4 IS NULL OR kind = ?4)
  AND (?5 IS NULL
    OR recipient = ?5 COLLATE NOCASE
    OR (substr(?5, 1, 1) = '@' AND substr(recipient, -length(?5)) = ?5 COLLATE NOCASE))
  AND (coalesce(?6, ?7, ?8) IS NULL
    OR EXISTS (
      SELECT 1
      FROM event AS t
      WHERE t.id = e.id
        AND {EVENT_FITS})
    OR EXISTS (
      SELECT 1
      FROM event_of AS o
      JOIN event AS t ON t.id = o.event
      WHERE o.message = e.message
        AND {EVENT_FITS})
    OR e.message IN (
      SELECT message
      FROM event AS t
      WHERE {NOT_INDEXED}
        AND message <> 0
        AND {EVENT_FITS}))

-- :name ADD_EVENT
INSERT INTO event(
  at, kind, message, recipient, code, enhanced, reply, remote, credential, message_id, sender,
  first_time, tls_policy, tls_result, tlsa, category, rule, source)
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- :name EVENT_SHARES
-- How many bytes each tenant has: relay/store/event_shares.c.
SELECT substr(name, length('events:') + 1), value
FROM instance
WHERE substr(name, 1, length('events:')) = 'events:';

-- :name EVENT_SHARE_SET
INSERT INTO instance(name, value)
VALUES('events:' || ?1, ?2)
ON CONFLICT(name) DO UPDATE SET value = excluded.value;

-- :name EVENT_SHARE_DROP
DELETE FROM instance
WHERE name = 'events:' || ?1;

-- :name EVENTS
SELECT {EVENT_COLUMNS}
FROM event
WHERE id > ?1
ORDER BY id
LIMIT ?2;

-- :name TRACE
SELECT {EVENT_COLUMNS}
FROM event
WHERE id IN (
  SELECT event
  FROM event_of
  WHERE message = ?1
  UNION ALL
  SELECT id
  FROM event
  WHERE {NOT_INDEXED}
    AND message = ?1)
ORDER BY id;

-- :name INDEX_EVENTS
INSERT OR IGNORE INTO event_of(message, event)
SELECT message, id
FROM event
WHERE {NOT_INDEXED}
  AND id <= ?
  AND message <> 0;

-- :name COUNT_NEWCOMERS
-- Of the same events.
INSERT INTO newcomers(tenant, day, count)
SELECT first_time, at / 86400000, count(*)
FROM event
WHERE {NOT_INDEXED}
  AND id <= ?
  AND first_time IS NOT NULL
GROUP BY first_time, at / 86400000
ON CONFLICT(tenant, day) DO UPDATE SET count = count + excluded.count;

-- :name INDEXED
SELECT up_to
FROM indexed;

-- :name SET_INDEXED
UPDATE indexed
SET up_to = ?;

-- :name EVENT_AT
-- Ids are in the order of times, so that a time is found by halving.
SELECT id, at
FROM event
WHERE id >= ?
ORDER BY id
LIMIT 1;

-- :name SEARCH_BACK
{EVENT_SEARCH}
ORDER BY id DESC
LIMIT ?3;

-- :name SEARCH_ON
{EVENT_SEARCH}
ORDER BY id
LIMIT ?3;

-- :name EVENT_LAST
SELECT coalesce(max(id), 0)
FROM event;

-- :name EVENT_COUNT
SELECT count(*)
FROM event;

-- :name LAST_AT
SELECT at
FROM event
ORDER BY id DESC
LIMIT 1;

-- :name OLDEST_EVENTS
SELECT id, at
FROM event
WHERE id > ?
ORDER BY id
LIMIT 1000;

-- :name MEND_INDEXED
-- When all events were forgotten, ids begin anew.
UPDATE indexed
SET up_to = (SELECT coalesce(max(id), 0) FROM event)
WHERE up_to > (SELECT coalesce(max(id), 0) FROM event);

-- :name FORGET_INDEXED
DELETE FROM event_of
WHERE (message, event) IN (
  SELECT message, id
  FROM event
  WHERE id > ?1
    AND id <= ?2
    AND at < ?3);

-- :name FORGET_EVENTS
-- By ids, as no index has times.
DELETE FROM event
WHERE id > ?1
  AND id <= ?2
  AND at < ?3;
