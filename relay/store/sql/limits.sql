-- limits.sql - What is counted: what each recipient gets, whom each tenant has written to, what was refused. Names are
-- MACs; each is looked up alone, by the primary key. Housekeeping goes through them in the names' order, some thousand
-- at a time, and begins anew at the end: no index by time is written with each message.

-- :name RATE_KEY
SELECT value
FROM instance
WHERE name = 'rate_key';

-- :name SENT
SELECT until, value
FROM sent
WHERE name = ?
  AND message = 0;

-- :name SET_SENT
INSERT INTO sent(name, message, until, value)
VALUES(?1, 0, ?2, ?3)
ON CONFLICT(name, message) DO UPDATE SET until = ?2, value = ?3;

-- :name DROP_SENT
DELETE FROM sent
WHERE name = ?
  AND message = 0;

-- :name SENT_AFTER
-- Where the next part of housekeeping ends.
SELECT max(name)
FROM (
  SELECT name
  FROM sent
  WHERE name > ?1
  ORDER BY name
  LIMIT 20000);

-- :name FORGET_SENT
-- A count has two times.
DELETE FROM sent
WHERE name > ?1
  AND name <= ?2
  AND until < ?3
  AND (message <> 0 OR value < ?3);

-- :name HAS_OLDER
-- Of before there was `sent`.
SELECT EXISTS(SELECT 1 FROM rate)
  OR EXISTS(SELECT 1 FROM known)
  OR EXISTS(SELECT 1 FROM once)
  OR EXISTS(SELECT 1 FROM recipient WHERE fingerprint IS NOT NULL);

-- :name OLDER_RATE
SELECT tat, day
FROM rate
WHERE key = ?;

-- :name DROP_OLDER_RATE
DELETE FROM rate
WHERE key = ?;

-- :name OLDER_RATE_AFTER
SELECT max(key)
FROM (
  SELECT key
  FROM rate
  WHERE key > ?1
  ORDER BY key
  LIMIT 20000);

-- :name FORGET_OLDER_RATES
DELETE FROM rate
WHERE key > ?1
  AND key <= ?2
  AND tat < ?3
  AND day < ?3;

-- :name OLDER_KNOWN
SELECT 0, day
FROM known
WHERE key = ?;

-- :name OLDER_KNOWN_AFTER
SELECT max(key)
FROM (
  SELECT key
  FROM known
  WHERE key > ?1
  ORDER BY key
  LIMIT 20000);

-- :name FORGET_OLDER_KNOWN
DELETE FROM known
WHERE key > ?1
  AND key <= ?2
  AND day < ?3;

-- :name NEWCOMERS
-- A tenant's first day, how many today (?2), and the most on a day of the week before. The latest are in their events
-- only.
SELECT min(day),
  max(CASE WHEN day = ?2 THEN n END),
  max(CASE WHEN day < ?2 AND day >= ?2 - 7 THEN n END)
FROM (
  SELECT day, sum(count) AS n
  FROM (
    SELECT day, count
    FROM newcomers
    WHERE tenant = ?1
    UNION ALL
    SELECT at / 86400000, 1
    FROM event
    WHERE id > (SELECT up_to FROM indexed)
      AND first_time = ?1)
  GROUP BY day);

-- :name DROP_NEWCOMERS
-- The row stays: it may be the tenant's first day.
UPDATE newcomers
SET count = 0
WHERE tenant = ?1
  AND day = ?2;

-- :name FORGET_NEWCOMERS
-- All but a tenant's first day, by which a new tenant is known.
DELETE FROM newcomers
WHERE day < ?
  AND EXISTS (
    SELECT 1
    FROM newcomers o
    WHERE o.tenant = newcomers.tenant
      AND o.day < newcomers.day);

-- :name REFUSED
-- By recipient for the first 30 that a credential has in a minute, and for all others together: what is refused costs
-- it nothing.
INSERT INTO refused(minute, credential, recipient, count)
VALUES(?1, ?2,
  iif((SELECT count(*) FROM refused WHERE minute = ?1 AND credential = ?2) < 30
    OR EXISTS (SELECT 1 FROM refused WHERE minute = ?1 AND credential = ?2 AND recipient = ?3), ?3, '(others)'), 1)
ON CONFLICT DO UPDATE SET count = count + 1;

-- :name FORGET_REFUSED
-- The minute is first in the primary key.
DELETE FROM refused
WHERE (minute, credential, recipient) IN (
  SELECT minute, credential, recipient
  FROM refused
  WHERE minute < ?
  LIMIT 5000);

-- :name TOP
-- Who gets or sends most since ?2: by ?1, recipients, credentials, tenants or recipients' domains (counted_as() is in
-- relay/store/database.c). Events are read from the last one before that time on: ids are in the order of times.
SELECT who, sum(a), sum(p), sum(c), sum(n)
FROM (
  SELECT CASE ?1 WHEN 0 THEN counted_as(recipient, 0) WHEN 1 THEN credential WHEN 3 THEN
      coalesce((SELECT c.tenant FROM credential c WHERE c.name = event.credential), credential)
      ELSE counted_as(recipient, 1) END AS who,
    kind = 'accepted' AS a,
    kind = 'paced' AS p,
    kind = 'collapsed' AS c,
    0 AS n
  FROM event
  WHERE id > coalesce((SELECT id FROM event WHERE at < ?2 ORDER BY id DESC LIMIT 1), 0)
    AND credential <> ''
    AND kind IN ('accepted', 'paced', 'collapsed')
  UNION ALL
  SELECT CASE
      WHEN ?1 = 1 THEN credential
      WHEN ?1 = 3 THEN coalesce((SELECT c.tenant FROM credential c WHERE c.name = refused.credential), credential)
      WHEN ?1 = 0 OR recipient = '(others)' THEN recipient
      ELSE counted_as(recipient, 1)
    END, 0, 0, 0, count
  FROM refused
  WHERE minute >= ?2 / 60000)
GROUP BY who
ORDER BY sum(a) + sum(c) + sum(n) DESC, who
LIMIT ?3;
