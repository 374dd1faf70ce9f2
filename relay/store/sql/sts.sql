-- sts.sql - MTA-STS policies by domain. All are in memory; here they outlive the relay.
-- Tenant "*": several have mail for it.

-- :name STS_ROWS
-- Once at the start; or one, by the primary key, for a command.
SELECT domain, tenant, id, mode, max_age, mx, raw, fetched_at, expires, last_used, failed_id, next_try, error
FROM sts_policy
WHERE domain >= ?1
ORDER BY domain
LIMIT ?2;

-- :name STS_PUT
INSERT INTO sts_policy(
  domain, tenant, id, mode, max_age, mx, raw, fetched_at, expires, last_used, failed_id, next_try, error)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT(domain) DO UPDATE SET
  tenant = ?2, id = ?3, mode = ?4, max_age = ?5, mx = ?6, raw = ?7, fetched_at = ?8, expires = ?9, last_used = ?10,
  failed_id = ?11, next_try = ?12, error = ?13;

-- :name STS_FAILED
-- What is there stays.
INSERT INTO sts_policy(domain, tenant, last_used, failed_id, next_try, error)
VALUES(?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT(domain) DO UPDATE SET tenant = ?2, failed_id = ?4, next_try = ?5, error = ?6;

-- :name STS_USED
UPDATE sts_policy
SET tenant = ?2, last_used = ?3
WHERE domain = ?1;

-- :name STS_DROP
DELETE FROM sts_policy
WHERE domain = ?1;
