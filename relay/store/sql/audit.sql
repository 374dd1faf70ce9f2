-- audit.sql - The audit trail, and how far each way of telling operators has come with it. Triggers of the schema
-- refuse to change or delete a row.

-- :name AUDIT_ADD
INSERT INTO audit(seq, at, who, what, about, hash)
VALUES(?, ?, ?, ?, ?, ?);

-- :name AUDIT_LAST
SELECT seq, at, who, what, about, hash
FROM audit
ORDER BY seq DESC
LIMIT 1;

-- :name AUDIT_ROWS
SELECT seq, at, who, what, about, hash
FROM audit
WHERE seq > ?1
ORDER BY seq
LIMIT ?2;

-- :name ALERTED
-- 'alerted' is from when there was one way only. No row when neither is there.
SELECT max(CAST(CAST(value AS TEXT) AS INTEGER))
FROM instance
WHERE name IN ('alerted', 'alerted:' || ?1)
HAVING count(*) > 0;

-- :name ALERTED_SET
INSERT INTO instance(name, value)
VALUES('alerted:' || ?2, CAST(CAST(?1 AS TEXT) AS BLOB))
ON CONFLICT(name) DO UPDATE SET value = excluded.value;
