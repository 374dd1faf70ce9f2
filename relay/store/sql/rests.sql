-- rests.sql - Destinations that an operator has put to rest: a handful.

-- :name REST_SET
INSERT OR REPLACE INTO rest(destination, until, why)
VALUES(?1, ?2, ?3);

-- :name REST_END
DELETE FROM rest
WHERE destination = ?1;

-- :name REST_SWEEP
DELETE FROM rest
WHERE until <= ?1;

-- :name RESTS
SELECT destination, until, why
FROM rest
WHERE until > ?1;
