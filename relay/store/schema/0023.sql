-- 0023.sql - Mail that waits as a receiver has refused some for its source, its sending domain or its mailbox: known
-- again after a restart.

CREATE TABLE pause(
  destination TEXT NOT NULL,
  tenant TEXT NOT NULL, -- whose; '': everybody's
  domain TEXT NOT NULL, -- of its recipients; '': all there
  kind TEXT NOT NULL, -- mail, sender_domain, mailbox
  about TEXT NOT NULL, -- the sending domain, or the mailbox; or ''
  row TEXT NOT NULL, -- of actions.txt
  why TEXT NOT NULL, -- the reply
  grows INTEGER NOT NULL, -- some is taken again
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  lasts INTEGER NOT NULL, -- ms
  PRIMARY KEY(destination, tenant, domain, kind, about)
) WITHOUT ROWID, STRICT;
