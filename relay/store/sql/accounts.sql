-- accounts.sql - Credentials, where they have logged in from, and domains. Few rows, kept in memory by who needs them
-- for mail.

-- :part USER_COLUMNS
name, tenant, stream, hash, allowed, disabled, created, scram, streams

-- :name USER
SELECT {USER_COLUMNS}
FROM credential
WHERE name = ?;

-- :name USERS
SELECT {USER_COLUMNS}
FROM credential
ORDER BY name;

-- :name TENANTS
SELECT DISTINCT tenant
FROM credential
WHERE NOT disabled;

-- :name TENANTS_KNOWN
SELECT tenant FROM credential UNION SELECT tenant FROM domain ORDER BY 1;

-- :name ADD_USER
-- No row comes back when there is one of that name.
INSERT INTO credential(name, tenant, stream, hash, allowed, disabled, created, scram, streams)
VALUES(?, ?, ?, ?, ?, 0, ?, ?, ?)
ON CONFLICT DO NOTHING
RETURNING name;

-- :name SET_USER
-- NULL leaves what it has.
UPDATE credential
SET hash = coalesce(?2, hash), disabled = coalesce(?3, disabled), scram = coalesce(?4, scram)
WHERE name = ?1
RETURNING name;

-- :name CHANGE_USER
UPDATE credential
SET stream = ?2, streams = ?3, allowed = ?4
WHERE name = ?1
RETURNING name;

-- :name DELETE_USER
DELETE FROM credential
WHERE name = ?
RETURNING name;

-- :name ADD_LOGIN
INSERT INTO login(credential, network, at)
VALUES(?, ?, ?)
ON CONFLICT DO UPDATE SET at = excluded.at;

-- :name LOGINS
SELECT credential, network, at
FROM login
WHERE at > ?
ORDER BY at;

-- :name LAST_LOGIN
-- Of some dozens of networks at most (TRIM_LOGINS), which the primary key has together.
SELECT network, at
FROM login
WHERE credential = ?
ORDER BY at DESC
LIMIT 1;

-- :name TRIM_LOGINS
-- The ?2 latest stay, also of many at one time.
DELETE FROM login
WHERE credential = ?1
  AND network NOT IN (
    SELECT network
    FROM login
    WHERE credential = ?1
    ORDER BY at DESC, network
    LIMIT ?2);

-- :name FORGET_LOGINS
DELETE FROM login
WHERE credential = ?;

-- :name DOMAINS
SELECT name, tenant, created, captured
FROM domain
ORDER BY name;

-- :name ADD_DOMAIN
INSERT INTO domain(name, tenant, created, captured)
VALUES(?, ?, ?, ?)
ON CONFLICT DO NOTHING
RETURNING name;

-- :name SET_CAPTURED
UPDATE domain
SET captured = ?2
WHERE name = ?1
RETURNING name;

-- :name CAPTURED
SELECT captured
FROM domain
WHERE name = ?;

-- :name DELETE_DOMAIN
DELETE FROM domain
WHERE name = ?
RETURNING name;
