-- speeds.sql - How fast destinations take mail: some hundred rows, written once a minute where any has changed.

-- :name SPEED_SET
INSERT OR REPLACE INTO speed(destination, tenant, why, level, good, bad, before, closed, hold, since, refused)
VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);

-- :name SPEED_DROP
DELETE FROM speed
WHERE destination = ?1;

-- :name SPEED_SWEEP
-- No index: there are no more than it leaves.
DELETE FROM speed
WHERE refused < ?1;

-- :name SPEED_SHARE
-- Of too many the tenant for whom most are kept loses the oldest.
DELETE FROM speed
WHERE destination IN (
  SELECT destination
  FROM (SELECT destination, refused, row_number() OVER (PARTITION BY tenant ORDER BY refused DESC) AS place FROM speed)
  ORDER BY place, refused DESC
  LIMIT -1 OFFSET ?1);

-- :name SPEEDS
SELECT destination, tenant, why, level, good, bad, before, closed, hold, since, refused
FROM speed
WHERE refused >= ?1;
