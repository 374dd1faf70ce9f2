-- reports.sql - Reports that are owed to senders. A row of `report` says when: 0 is at once, AT_THE_END not before the
-- message has come to its end. What it is to say is in the recipients' rows (relay/store/reports.c).

-- :part AT_THE_END
9000000000000000000

-- :name REPORT_OWE
-- Within one report the earliest time counts.
INSERT INTO report(message, due)
VALUES(?1, coalesce(?2, {AT_THE_END}))
ON CONFLICT DO UPDATE SET due = min(due, excluded.due);

-- :name REPORT_AT_END
-- Nobody of the message waits any more.
SELECT 1
FROM report
WHERE message = ?1
  AND due <> 0
  AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1 AND state IN (0, 1));

-- :name REPORT_NOW
UPDATE report
SET due = 0
WHERE message = ?1;

-- :name REPORT_NEXT
-- report_due has the message's id behind the time: nothing is sorted, and the table is not read.
SELECT message, due
FROM report
ORDER BY due, message
LIMIT 1;

-- :name REPORTS_DUE
SELECT message, due
FROM report
WHERE due <= ?1
ORDER BY due, message
LIMIT ?2;

-- :name REPORTED
-- What one report tells: ?2 is 2 (failures and delays) or, at the message's end, 3 (what was passed on, too).
SELECT number, address, original, report, code, enhanced, reply, remote, category
FROM recipient
WHERE message = ?1
  AND report <> 0
  AND report <= ?2
ORDER BY report, number
LIMIT ?3;

-- :name REPORT_TOLD
UPDATE recipient
SET report = 0
WHERE message = ?1
  AND number = ?2;

-- :name REPORT_KEEP
-- What is left is told at the end.
UPDATE report
SET due = {AT_THE_END}
WHERE message = ?1
  AND due <> 0
  AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1 AND report IN (1, 2));

-- :name REPORT_DONE
DELETE FROM report
WHERE message = ?1
  AND NOT EXISTS (SELECT 1 FROM recipient WHERE message = ?1 AND report <> 0);

-- :name MOVE_REPORTS
-- With the clock: those that have a time.
UPDATE report
SET due = due + ?1
WHERE due <> 0
  AND due < {AT_THE_END};
