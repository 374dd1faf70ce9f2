-- 0021.sql - How fast destinations take mail, as they have shown by what they refuse: known again after a restart.

-- Levels are thousandths of a message a minute; 0: not known.
CREATE TABLE speed(
  destination TEXT PRIMARY KEY,
  tenant TEXT NOT NULL, -- whose mail was refused last
  why TEXT NOT NULL, -- the reply
  level INTEGER NOT NULL,
  good INTEGER NOT NULL,
  bad INTEGER NOT NULL,
  before INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  hold INTEGER NOT NULL, -- ms
  since INTEGER NOT NULL,
  refused INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
