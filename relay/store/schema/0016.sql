-- 0016.sql - Places of TLS reports are judged for each domain that names them: nobody's record pauses others'
-- reports. And their policies are found by what is counted under them.

DROP TABLE tlsrpt_place;

-- Places that reports on a domain could not be sent to: on how many days in sequence.
CREATE TABLE tlsrpt_place(
  domain TEXT NOT NULL,
  uri TEXT NOT NULL,
  bad_day INTEGER NOT NULL, -- the last one
  bad_days INTEGER NOT NULL,
  until INTEGER NOT NULL, -- it is left alone; 0: it is not
  PRIMARY KEY(domain, uri)
) WITHOUT ROWID, STRICT;

-- How many were bad on a day is bounded.
CREATE INDEX tlsrpt_place_bad ON tlsrpt_place(bad_day);

-- A policy goes with the last of what is counted under it.
CREATE INDEX tlsrpt_under ON tlsrpt(policy_hash);
