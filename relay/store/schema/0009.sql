-- 0009.sql - Which destinations an operator has put to rest.

CREATE TABLE rest(
  destination TEXT PRIMARY KEY,
  until INTEGER NOT NULL,
  why TEXT NOT NULL
) WITHOUT ROWID, STRICT;
