-- keys.sql - Signing keys, by domain and selector.

-- :name KEYS
-- Of one domain, or of all.
SELECT domain, selector, algorithm, state, public, created, delegated, since, seen, wait
FROM signing_key
WHERE (?1 IS NULL OR domain = ?1)
ORDER BY domain, created, selector;

-- :name ADD_KEY
INSERT INTO signing_key(domain, selector, algorithm, state, public, created, delegated, since)
VALUES(?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
RETURNING selector;

-- :name SET_KEY
UPDATE signing_key
SET state = ?3, since = ?4, seen = ?5, wait = ?6
WHERE domain = ?1
  AND selector = ?2
RETURNING selector;

-- :name DELETE_KEY
DELETE FROM signing_key
WHERE domain = ?1
  AND selector = ?2
RETURNING selector;

-- :name DELETE_KEYS
DELETE FROM signing_key
WHERE domain = ?;
