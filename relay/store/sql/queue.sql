-- queue.sql - The queue as commands see it and change it. They are rare, and read all that waits in the order of the
-- primary key, which is the order of pages, too; indexes for what they may ask would cost each message more.

-- :part NEED
-- Of which the hop is made (tls_need.h). A report on mail that was refused demands nothing.
iif(r.domain = '', 0, m.tls_need)

-- :part FIRST_RULE
-- Which of our addresses mail of a tenant and a stream leaves from, as the first rule of ?12 says that fits (queued.h).
SELECT value ->> 2
FROM json_each(?12)
WHERE coalesce(value ->> 0, m.tenant) = m.tenant
  AND coalesce(value ->> 1, m.stream) = m.stream
LIMIT 1

-- :part SOURCE
-- Of a row; for some rows.
iif(?12 IS NULL OR r.domain = '', '', coalesce(({FIRST_RULE}), ''))

-- :part WAYS
-- For all rows: worked out once for each tenant and stream.
WITH way AS MATERIALIZED (
  SELECT m.tenant, m.stream, ({FIRST_RULE}) AS source
  FROM (
    SELECT DISTINCT tenant, stream
    FROM message
    WHERE ?12 IS NOT NULL) AS m)

-- :part ALL
recipient r
JOIN message m ON m.id = r.message
LEFT JOIN way ON way.tenant = m.tenant AND way.stream = m.stream

-- :part WAY
iif(r.domain = '', '', coalesce(way.source, ''))

-- :part RECIPIENT_FILTER
-- Parameters 1 to 8 and 10 to 13; those that are NULL hold for all. (?7, ?8) is the last row of the page before.
(?1 IS NULL OR r.message = ?1)
  AND (?2 IS NULL OR r.address = ?2 COLLATE NOCASE)
  AND (?3 IS NULL OR r.domain = ?3)
  AND (?5 IS NULL OR r.state = ?5)
  AND r.state IN (0, 1)
  AND (r.message, r.number) > (?7, ?8)

-- :part QUEUE_FILTER
FROM recipient r
JOIN message m ON m.id = r.message
WHERE (?4 IS NULL OR m.sender = ?4 COLLATE NOCASE
       OR (?4 LIKE '@%' AND substr(m.sender, -length(?4)) = ?4 COLLATE NOCASE)) -- all of a domain's
  AND (?6 IS NULL OR m.credential = ?6)
  AND (?10 IS NULL OR (
    r.domain IN (SELECT value ->> 0 FROM json_each(?10))
    AND (r.domain, {NEED}, {SOURCE}) IN (
      SELECT value ->> 0, value ->> 1, value ->> 2
      FROM json_each(?10))))
  AND (?11 IS NULL OR m.tenant = ?11)
  AND (?13 IS NULL OR m.from_domain = ?13)
  AND {RECIPIENT_FILTER}

-- :name QUEUE_LIST
SELECT r.message, r.number, r.address, r.state, r.tries, r.due, r.code, r.enhanced, r.reply, r.remote, m.sender,
  m.credential, m.class, m.created, m.expires, m.length, m.tenant, {NEED}, m.stream, {SOURCE}
{QUEUE_FILTER}
ORDER BY r.message, r.number
LIMIT ?9;

-- :name QUEUE_COUNT
SELECT count(*)
{QUEUE_FILTER};

-- :name QUEUE_COUNT_RECIPIENTS
-- The same when nothing is asked of messages: then none is looked up.
SELECT count(*)
FROM recipient r
WHERE {RECIPIENT_FILTER};

-- :name QUEUE_MATCH
-- Those that a command is to change.
SELECT r.message, r.number, m.class, r.domain, r.address, m.tenant, m.expires, m.tls_need, m.stream
{QUEUE_FILTER}
ORDER BY r.message, r.number
LIMIT ?9;

-- :name QUEUE_DOMAINS
-- How many are due, are to wait, are held.
{WAYS}
SELECT r.domain,
  {NEED},
  {WAY},
  max(r.remote),
  sum(r.state = 0 AND r.due <= ?1),
  sum(r.state = 0 AND r.due > ?1),
  sum(r.state = 1),
  min(m.created),
  min(iif(r.state = 0, r.due, NULL))
FROM {ALL}
WHERE r.state IN (0, 1)
GROUP BY 1, 2, 3;

-- :name QUEUE_STATES
-- How many are due, are to wait, are held.
SELECT count(iif(state = 0 AND due <= ?1, 1, NULL)),
  count(iif(state = 0 AND due > ?1, 1, NULL)),
  count(iif(state = 1, 1, NULL))
FROM recipient
WHERE state IN (0, 1);

-- :name QUEUE_DEFERRED
-- Who is to wait in some domains.
{WAYS}
SELECT m.tenant, m.class, count(*)
FROM {ALL}
WHERE r.state = 0
  AND r.due > ?1
  AND (r.domain, {NEED}, {WAY}) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2
    FROM json_each(?2))
GROUP BY m.tenant, m.class;

-- :name QUEUE_REPLIES
-- What the first ones of those heard; or of all that are to wait.
{WAYS}
SELECT domain, need, source, remote, code, enhanced, reply, count(*)
FROM (
  SELECT r.domain, {NEED} AS need, {WAY} AS source, r.remote, r.code, r.enhanced, r.reply
  FROM {ALL}
  WHERE r.state = 0
    AND r.due > ?1
    AND r.code <> 0
    AND (?2 IS NULL OR (r.domain, {NEED}, {WAY}) IN (
      SELECT value ->> 0, value ->> 1, value ->> 2
      FROM json_each(?2)))
  LIMIT 20000)
GROUP BY domain, need, source, code, enhanced, reply;

-- :name QUEUE_EXPIRING
{WAYS}
SELECT count(*)
FROM {ALL}
WHERE r.state = 0
  AND m.expires <= ?2
  AND (r.domain, {NEED}, {WAY}) IN (
    SELECT value ->> 0, value ->> 1, value ->> 2
    FROM json_each(?1));

-- :name QUEUE_RETURN
-- With the reply that its sender is told.
UPDATE recipient
SET state = 0, due = ?3, tries = 0, code = ?4, enhanced = ?5, reply = ?6, remote = '', category = NULL
WHERE message = ?1
  AND number = ?2;

-- :name QUEUE_SET
UPDATE recipient
SET state = ?3, due = ?4
WHERE message = ?1
  AND number = ?2;
