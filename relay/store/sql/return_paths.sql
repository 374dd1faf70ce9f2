-- return_paths.sql - Recipients that have a return path of their own, for as long as what comes back is taken. Rows are
-- found by their primary key only; there is no other index, as each commit would have to write it.

-- :name RETURN_PATH_ADD
-- Of a message that is still there, until fourteen days after it expires; ?3 is known when it is delivered. Returns
-- what is counted: shares count it for ?5 days from today, ?4; as it lives longer, it is so many times its size. No
-- row: it is there, and counted.
INSERT INTO return_path(message, number, until, address, tenant, stream, credential, sender, author, site, told)
SELECT r.message, r.number, m.expires / 86400000 + 14, r.address, m.tenant, m.stream, m.credential, m.sender,
  m.from_domain, ?3, 0
FROM recipient r
JOIN message m ON m.id = r.message
WHERE r.message = ?1
  AND r.number = ?2
ON CONFLICT DO NOTHING
RETURNING (60 + length(CAST(address || tenant || stream || credential || sender || author || site AS BLOB)))
  * max(until + 1 - ?4, ?5) / ?5, tenant;

-- :name RETURN_PATH_SITE
UPDATE return_path
SET site = ?3
WHERE message = ?1
  AND number = ?2
  AND site <> ?3;

-- :name RETURN_PATH
-- ?3 is the day on which something came.
SELECT address, tenant, stream, credential, sender, site, told, author
FROM return_path
WHERE message = ?1
  AND number = ?2
  AND until >= ?3;

-- :name RETURN_PATH_SOON
-- One that is not settled yet.
SELECT 1
FROM recipient r
JOIN message m ON m.id = r.message
WHERE r.message = ?1
  AND r.number = ?2
  AND (m.protocol <> '' OR m.dialogue);

-- :name RETURN_PATH_TOLD
UPDATE return_path
SET told = told | ?3
WHERE message = ?1
  AND number = ?2;

-- :name RETURN_PATHS_AFTER
-- The last message of the next 20,000 rows before ?2.
SELECT max(message)
FROM (
  SELECT message
  FROM return_path
  WHERE message > ?1
    AND message < ?2
  ORDER BY message
  LIMIT 20000);

-- :name RETURN_PATHS_FORGET
DELETE FROM return_path
WHERE message > ?1
  AND message <= ?2
  AND until < ?3;
