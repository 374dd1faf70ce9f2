-- webhooks.sql - Endpoints (a handful for each tenant), and their outbox. Rows of the outbox are found by endpoint in
-- the order in which they were written (outbox_of), or by when they are due (outbox_due).

-- :name WEBHOOKS
SELECT id, tenant, url, types, streams, hashed, secret, old_secret, old_until, created, failing, reply, disabled, lost
FROM webhook
ORDER BY id;

-- :name WEBHOOK_COUNT
SELECT count(*)
FROM webhook
WHERE tenant = ?;

-- :name WEBHOOK_ADD
-- A number that nothing in the outbox has.
INSERT INTO webhook(
  id, tenant, url, types, streams, hashed, secret, old_secret, old_until, created, failing, reply, disabled, lost)
VALUES(
  1 + max((SELECT coalesce(max(id), 0) FROM webhook), (SELECT coalesce(max(webhook), 0) FROM outbox)),
  ?, ?, ?, ?, ?, ?, '', 0, ?, 0, '', '', 0)
RETURNING id;

-- :name WEBHOOK_REMOVE
DELETE FROM webhook
WHERE id = ?
RETURNING id;

-- :name WEBHOOK_SECRET
UPDATE webhook
SET old_secret = secret, secret = ?2, old_until = ?3
WHERE id = ?1
RETURNING id;

-- :name WEBHOOK_DISABLE
-- Why; or '', and it begins anew.
UPDATE webhook
SET disabled = ?2, failing = 0
WHERE id = ?1
RETURNING id;

-- :name WEBHOOK_FAILING
UPDATE webhook
SET failing = ?2, reply = ?3
WHERE id = ?1;

-- :name WEBHOOK_LOST
UPDATE webhook
SET lost = lost + ?2
WHERE id = ?1;

-- :name OUTBOX_ADD
INSERT INTO outbox(webhook, event, at, due, tries, unreached, end, body)
VALUES(?1, ?2, ?3, ?3, 0, 0, ?4, ?5);

-- :name OUTBOX_END
SELECT end
FROM outbox
WHERE webhook = ?
ORDER BY id DESC
LIMIT 1;

-- :name OUTBOX_BEGIN
SELECT end - length(body)
FROM outbox
WHERE webhook = ?
ORDER BY id
LIMIT 1;

-- :name OUTBOX_BYTES
-- Of each tenant, as an endpoint's first and last row tell it.
SELECT w.tenant, sum(
  coalesce((SELECT end FROM outbox WHERE webhook = w.id ORDER BY id DESC LIMIT 1), 0)
  - coalesce((SELECT end - length(body) FROM outbox WHERE webhook = w.id ORDER BY id LIMIT 1), 0))
FROM webhook w
GROUP BY w.tenant;

-- :name OUTBOX_OLDEST
SELECT id, at, due IS NOT NULL
FROM outbox
WHERE webhook = ?
ORDER BY id
LIMIT 256;

-- :name OUTBOX_FIRST_IS_SENT
-- No row: there is none at all.
SELECT due IS NULL
FROM outbox
WHERE webhook = ?
ORDER BY id
LIMIT 1;

-- :name OUTBOX_FORGET
DELETE FROM outbox
WHERE webhook = ?1
  AND id <= ?2;

-- :name OUTBOX_ORPHANS
-- Of an endpoint that was removed. From one endpoint to the next by the index: there are many rows, and few endpoints.
WITH RECURSIVE whose(id) AS (
  SELECT min(webhook)
  FROM outbox
  UNION ALL
  SELECT (SELECT min(webhook) FROM outbox WHERE webhook > whose.id)
  FROM whose
  WHERE whose.id IS NOT NULL)
DELETE FROM outbox
WHERE id IN (
  SELECT o.id
  FROM whose w
  JOIN outbox o ON o.webhook = w.id
  WHERE w.id NOT IN (SELECT id FROM webhook)
  LIMIT 1000);

-- :name OUTBOX_DUE
SELECT id, event, at, tries, body
FROM outbox
WHERE webhook = ?1
  AND due <= ?2
ORDER BY due, id
LIMIT ?3;

-- :name OUTBOX_WAITING
SELECT count(*)
FROM outbox
WHERE webhook = ?
  AND due IS NOT NULL;

-- :name OUTBOX_SETTLE
-- ?4 NULL: nothing more is sent of it.
UPDATE outbox
SET due = ?4, tries = ?5, unreached = ?6
WHERE id = ?1
  AND webhook = ?2
  AND event = ?3;

-- :name OUTBOX_RECOVER
-- What the endpoint has not heard of, as it could not be reached; not what has been sent so often that it may be the
-- cause.
UPDATE outbox
SET due = ?2
WHERE webhook = ?1
  AND due > ?2
  AND unreached = 1
  AND tries < 6;

-- :name OUTBOX_HURRY
UPDATE outbox
SET due = ?2
WHERE webhook = ?1
  AND due > ?2;

-- :name OUTBOX_AFTER
SELECT id, at, event
FROM outbox
WHERE webhook = ?1
  AND id > ?2
ORDER BY id
LIMIT ?3;

-- :name OUTBOX_REPLAY
UPDATE outbox
SET due = ?2, tries = 0
WHERE id = ?1;

-- :name MOVE_OUTBOX
UPDATE outbox
SET due = due + ?1
WHERE due IS NOT NULL;

-- :name MOVE_WEBHOOKS
UPDATE webhook
SET failing = failing + ?1
WHERE failing <> 0;

-- :name WEBHOOKS_UNASKED
-- For so long nothing was tried.
UPDATE webhook
SET failing = min(failing + ?1, ?2)
WHERE failing <> 0;

-- :name WEBHOOK_MESSAGE
-- What an event does not say of its message.
SELECT tenant, stream, credential, sender, created, expires, protocol = ''
FROM message
WHERE id = ?;

-- :name WEBHOOK_MESSAGE_ID
-- As the event of its acceptance has it, which may not be in the index yet.
SELECT e.message_id
FROM event_of AS o
JOIN event AS e ON e.id = o.event
WHERE o.message = ?1
  AND e.message_id <> ''
UNION ALL
SELECT message_id
FROM event
WHERE id > (SELECT up_to FROM indexed)
  AND message = ?1
  AND message_id <> ''
LIMIT 1;

-- :name WEBHOOK_DELAYS
SELECT delays
FROM recipient
WHERE message = ?1
  AND number = ?2;

-- :name WEBHOOK_DELAYED
UPDATE recipient
SET delays = delays + 1
WHERE message = ?1
  AND number = ?2;
