-- pauses.sql - Mail that waits as some was refused: some hundred rows, written where any has changed, seconds later.

-- :name PAUSE_SET
INSERT OR REPLACE INTO pause(destination, tenant, domain, kind, about, row, why, grows, since, until, lasts)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

-- :name PAUSE_DROP
DELETE FROM pause
WHERE destination = ?1 AND tenant = ?2 AND domain = ?3 AND kind = ?4 AND about = ?5;

-- :name PAUSE_SWEEP
-- No index: there are no more than it leaves.
DELETE FROM pause
WHERE until < ?1;

-- :name PAUSE_SHARE
-- Of too many the tenant for whom most are kept loses the oldest.
DELETE FROM pause
WHERE (destination, tenant, domain, kind, about) IN (
  SELECT destination, tenant, domain, kind, about
  FROM (SELECT destination, tenant, domain, kind, about, until,
               row_number() OVER (PARTITION BY tenant ORDER BY until DESC) AS place FROM pause)
  ORDER BY place, until DESC
  LIMIT -1 OFFSET ?1);

-- :name PAUSES
SELECT destination, tenant, domain, kind, about, row, why, grows, since, until, lasts
FROM pause
WHERE until >= ?1;
