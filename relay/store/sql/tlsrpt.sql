-- tlsrpt.sql - Sessions counted for TLS reports, and the reports. A session that went as others did changes one row;
-- each statement on that way is served by the primary key of its table.
-- State 0 is counted or waits to be sent, 1 is mail in the queue, 2 is sent, 3 is not sent (enum tlsrpt_state).

-- :name TLSRPT_COUNT
UPDATE tlsrpt
SET n = n + 1
WHERE day = ?1
  AND domain = ?2
  AND policy_hash = ?3
  AND result = ?4
  AND src_ip = ?5
  AND mx = ?6
  AND helo = ?7
  AND dst_ip = ?8
  AND reason = ?9;

-- :name TLSRPT_ADD
INSERT INTO tlsrpt(day, domain, policy_hash, result, src_ip, mx, helo, dst_ip, reason, n)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1);

-- :name TLSRPT_ADD_POLICY
INSERT INTO tlsrpt_policy(hash, json, day)
VALUES(?1, ?2, ?3)
ON CONFLICT DO UPDATE SET day = max(day, excluded.day);

-- :name TLSRPT_REPORT
-- And whether it tells of that policy by now.
SELECT state, lines, units, tenant,
  EXISTS (SELECT 1 FROM tlsrpt t WHERE t.day = ?1 AND t.domain = ?2 AND t.policy_hash = ?3)
FROM tlsrpt_report
WHERE day = ?1
  AND domain = ?2;

-- :name TLSRPT_BEGIN
INSERT INTO tlsrpt_report(
  day, domain, tenant, units, lines, state, due, first, tries, failed, place, message, uri, ended, ok, bad, why)
VALUES(?1, ?2, ?3, 0, 0, 0, ?4, 0, 0, 0, 0, 0, '', 0, 0, 0, '');

-- :name TLSRPT_GROW
UPDATE tlsrpt_report
SET lines = lines + 1, units = units + ?3
WHERE day = ?1
  AND domain = ?2;

-- :name TLSRPT_ROOM
-- What all have on that day, and this tenant: a row for each tenant that sends, read when a new row is to be made.
SELECT coalesce(sum(units), 0), coalesce(sum(units) FILTER (WHERE tenant = ?2), 0)
FROM tlsrpt_share
WHERE day = ?1;

-- :name TLSRPT_CHARGE
INSERT INTO tlsrpt_share(day, tenant, units)
VALUES(?1, ?2, ?3)
ON CONFLICT DO UPDATE SET units = units + excluded.units;

-- :name TLSRPT_GIVE_BACK
-- What one report had.
UPDATE tlsrpt_share
SET units = max(0, tlsrpt_share.units - r.units)
FROM tlsrpt_report r
WHERE r.day = ?1
  AND r.domain = ?2
  AND tlsrpt_share.day = ?1
  AND tlsrpt_share.tenant = r.tenant;

-- :part REPORT_COLUMNS
day, domain, tenant, state, due, first, tries, failed, place, message, uri, ended, ok, bad, why

-- :name TLSRPT_DUE
-- By the index of those that are not sent.
SELECT {REPORT_COLUMNS}
FROM tlsrpt_report
WHERE state = 0
  AND due <= ?1
  AND tenant NOT IN (?3, ?4)
ORDER BY due
LIMIT ?2;

-- :name TLSRPT_COUNTS
SELECT p.json, t.result, t.src_ip, t.mx, t.helo, t.dst_ip, t.reason, t.n
FROM tlsrpt t
JOIN tlsrpt_policy p ON p.hash = t.policy_hash
WHERE t.day = ?1
  AND t.domain = ?2
ORDER BY t.day, t.domain, t.policy_hash;

-- :name TLSRPT_MARK
-- Only one that nobody has sent meanwhile.
UPDATE tlsrpt_report
SET state = ?3,
  due = ?4,
  first = ?5,
  tries = ?6,
  failed = ?7,
  place = ?8,
  message = ?9,
  uri = ?10,
  ended = ?11,
  ok = ?12,
  bad = ?13,
  why = ?14
WHERE day = ?1
  AND domain = ?2
  AND state = 0;

-- :name TLSRPT_DELIVERED
UPDATE tlsrpt_report
SET state = 2, ended = ?2
WHERE message = ?1
  AND state = 1;

-- :name TLSRPT_CARRIED
SELECT {REPORT_COLUMNS}
FROM tlsrpt_report
WHERE message = ?1
  AND state = 1;

-- :name TLSRPT_RETURNED
-- The mail has come back: another place is tried at once.
UPDATE tlsrpt_report
SET state = 0, message = 0, failed = failed | (1 << place), due = ?2, why = ?3
WHERE message = ?1
  AND state = 1;

-- :name TLSRPT_LATE
-- Nobody wants to read of that any more. Few rows are not sent, and the index has them.
UPDATE tlsrpt_report
SET state = 3, ended = ?2, why = ?3
WHERE state = 0
  AND due < ?4
  AND day < ?1;

-- :name TLSRPT_FORGET_POLICIES
-- Those that nothing else is counted under: by the index of counts under a policy.
DELETE FROM tlsrpt_policy
WHERE hash IN (SELECT policy_hash FROM tlsrpt WHERE day = ?1 AND domain = ?2)
  AND NOT EXISTS (
    SELECT 1 FROM tlsrpt t WHERE t.policy_hash = tlsrpt_policy.hash AND (t.day <> ?1 OR t.domain <> ?2));

-- :name TLSRPT_FORGET_COUNTS
DELETE FROM tlsrpt
WHERE day = ?1
  AND domain = ?2;

-- :name TLSRPT_FORGET_REPORT
DELETE FROM tlsrpt_report
WHERE day = ?1
  AND domain = ?2
  AND state = 0;

-- :name TLSRPT_SWEEP_COUNTS
DELETE FROM tlsrpt
WHERE day < ?1;

-- :name TLSRPT_SWEEP_SHARES
-- A handful of days, each with a row for each tenant.
DELETE FROM tlsrpt_share
WHERE day < ?1;

-- :name TLSRPT_SWEEP_POLICIES
-- Once a day, and all of them: they are as many as the counts allow.
DELETE FROM tlsrpt_policy
WHERE day < ?1;

-- :name TLSRPT_SWEEP_REPORTS
DELETE FROM tlsrpt_report
WHERE day < ?1;

-- :name TLSRPT_SWEEP_PLACES
DELETE FROM tlsrpt_place
WHERE bad_day < ?1;

-- :name TLSRPT_PLACE
SELECT bad_day, bad_days, until
FROM tlsrpt_place
WHERE domain = ?1
  AND uri = ?2;

-- :name TLSRPT_PLACE_BAD
-- Not more than ?6 on a day, by the index of days.
INSERT INTO tlsrpt_place(domain, uri, bad_day, bad_days, until)
SELECT ?1, ?2, ?3, ?4, ?5
WHERE (SELECT count(*) FROM tlsrpt_place WHERE bad_day = ?3) < ?6
ON CONFLICT DO UPDATE SET bad_day = excluded.bad_day, bad_days = excluded.bad_days, until = excluded.until;

-- :name TLSRPT_PLACE_GOOD
DELETE FROM tlsrpt_place
WHERE domain = ?1
  AND uri = ?2;

-- :name TLSRPT_LIST
-- For people, a page at a time: ?3 is 0 for all, 1 for those that are not sent yet.
SELECT r.day, r.domain, r.tenant, r.state, r.due, r.first, r.tries, r.failed, r.place, r.message, r.uri, r.ended,
  CASE r.state WHEN 0 THEN coalesce((
    SELECT sum(n) FROM tlsrpt WHERE day = r.day AND domain = r.domain AND result = 'ok'), 0) ELSE r.ok END,
  CASE r.state WHEN 0 THEN coalesce((
    SELECT sum(n) FROM tlsrpt WHERE day = r.day AND domain = r.domain AND result <> 'ok'), 0) ELSE r.bad END,
  r.why
FROM tlsrpt_report r
WHERE (r.day, r.domain) > (?1, ?2)
  AND (?3 = 0 OR r.state < 2)
ORDER BY r.day, r.domain
LIMIT ?4;
