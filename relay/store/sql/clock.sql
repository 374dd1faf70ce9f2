-- clock.sql - Times are those of the wall clock. When it has been set, all that is still to come moves with it: all
-- rows, in one transaction. Reports move by MOVE_REPORTS (reports.sql).

-- :name STEPS
SELECT steps
FROM clock;

-- :name MOVE_COUNTS
-- Counts keep the time of a clock that was never set; only the difference is written down.
UPDATE clock
SET steps = steps + ?;

-- :name MOVE_DUE
UPDATE recipient
SET due = due + ?;

-- :name MOVE_LIFE
UPDATE message
SET created = created + ?1, expires = expires + ?1;

-- :name MOVE_SPEEDS
UPDATE speed
SET since = since + ?1, refused = refused + ?1;

-- :name MOVE_PAUSES
UPDATE pause
SET since = since + ?1, until = until + ?1;

-- :name MOVE_RETURN_PATHS
-- By so many days.
UPDATE return_path
SET until = until + ?1;

-- :name MOVE_RESTS
UPDATE rest
SET until = until + ?1;
