-- mail.sql - Messages and their recipients, from acceptance to the end. A message is found by its id, a recipient by
-- the primary key of its table, (message, number). There is no other index, as each commit would have to write it:
-- what waits is in memory. That of fingerprints is of mail from before there was the table `sent`.
-- State 0 waits, 1 is held, 2 is done, 3 has bounced (enum mail_state).

-- :part MESSAGE_COLUMNS
id, created, expires, tenant, credential, stream, class, sender, envelope_id, report, smtputf8, from_domain,
helo, peer, protocol, header_utf8, body_8bit, dialogue, segment, offset, length, tls_need

-- :name LAST_ID
-- The highest id ever given to a message that somebody may still ask for.
SELECT max(
  (SELECT coalesce(max(id), 0) FROM message),
  (SELECT coalesce(max(message), 0) FROM event_of),
  (SELECT coalesce(max(message), 0) FROM return_path),
  (SELECT coalesce(max(message), 0) FROM event WHERE id > (SELECT up_to FROM indexed)));

-- :name MESSAGES
-- Which bytes of the spool live, and whose they are: once, at the start, side by side with WAITING.
SELECT id, class, tenant, expires, segment, offset, length, tls_need, stream
FROM message
ORDER BY id;

-- :name WAITING
-- All that waits or is held. What only waits to be returned to its sender goes nowhere.
SELECT message, number, due, domain, state, tries = 0 AND code >= 500
FROM recipient
WHERE state IN (0, 1)
ORDER BY message, number;

-- :name ADD_MESSAGE
INSERT INTO message({MESSAGE_COLUMNS})
VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- :name ADD_RECIPIENT
INSERT INTO recipient(
  message, number, address, domain, original, notify, state, tries, due, delay_told, code, enhanced, reply, remote)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?11, 0, ?7, 0, ?8, ?9, ?10, '');

-- :name RECIPIENT_WAITS
-- Why, while no server has said anything: then there is no code.
UPDATE recipient
SET reply = ?3
WHERE message = ?1
  AND number = ?2;

-- :name MESSAGE
SELECT {MESSAGE_COLUMNS}
FROM message
WHERE id = ?;

-- :name RECIPIENTS
SELECT number, address, domain, original, notify, state, tries, due, delay_told, code, enhanced, reply, remote
FROM recipient
WHERE message = ?
ORDER BY number;

-- :name SETTLED
-- What an outcome is about; no row when a person has ended it meanwhile.
SELECT r.address, r.domain, r.state, m.tenant, m.expires, r.tries = 0 AND r.code >= 500,
  m.protocol = '' AND m.stream = ?3, m.tls_need, m.stream
FROM recipient r
JOIN message m ON m.id = r.message
WHERE r.message = ?1
  AND r.number = ?2
  AND r.state IN (0, 1);

-- :name SETTLE
-- ?6 is the report that it owes (enum store_report; 2: on a delay, told once). What is done and owes nothing new owes
-- nothing, but what goes on waiting may owe one already.
UPDATE recipient
SET state = ?3,
  tries = ?4,
  due = ?5,
  delay_told = delay_told OR ?6 = 2,
  report = CASE WHEN ?6 = 0 AND ?3 <> 2 THEN report ELSE ?6 END,
  code = ?7,
  enhanced = ?8,
  reply = ?9,
  remote = ?10,
  category = coalesce(?11, CASE WHEN code = ?7 AND reply = ?9 THEN category END)
WHERE message = ?1
  AND number = ?2;

-- :name ENDED
-- The message, if nobody waits for it any more and no report is owed. Both are looked up by the message's id.
SELECT segment, offset, length, tenant
FROM message
WHERE id = ?1
  AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1 AND state IN (0, 1))
  AND NOT EXISTS (SELECT 1 FROM report WHERE message = ?1);

-- :name END_MESSAGE
DELETE FROM message
WHERE id = ?;

-- :name END_RECIPIENTS
DELETE FROM recipient
WHERE message = ?;

-- :part STILL_WAITING
-- Recipients of a message m that wait or are held.
FROM recipient r
WHERE r.message = m.id
  AND r.state IN (0, 1)

-- :name STORED
-- For people: what is counted in memory is counted once, at the start.
SELECT tenant,
  sum(length),
  sum((SELECT count(*) {STILL_WAITING})),
  sum((SELECT sum(length(r.domain)) {STILL_WAITING}))
FROM message m
GROUP BY tenant;

-- :name PLACES_FROM
-- For compaction, in steps.
SELECT id, segment, offset, length
FROM message
WHERE id > ?1
ORDER BY id
LIMIT ?2;

-- :name MOVE
UPDATE message
SET segment = ?2, offset = ?3
WHERE id = ?1;
