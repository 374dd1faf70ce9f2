-- 0019.sql - Endpoints that are told of what becomes of a tenant's mail (webhooks), and what they are told.

CREATE TABLE webhook(
  id INTEGER PRIMARY KEY,
  tenant TEXT NOT NULL,
  url TEXT NOT NULL,
  types INTEGER NOT NULL, -- bits of enum webhook_type
  streams TEXT NOT NULL, -- names, with a comma before each and at the end; '': all
  hashed INTEGER NOT NULL, -- of addresses it is told a digest only
  secret TEXT NOT NULL,
  old_secret TEXT NOT NULL, -- signs, too, until old_until
  old_until INTEGER NOT NULL,
  created INTEGER NOT NULL,
  failing INTEGER NOT NULL, -- since when; 0: it takes what it is sent
  reply TEXT NOT NULL, -- of the last failure
  disabled TEXT NOT NULL, -- why; '': it is not
  lost INTEGER NOT NULL -- events that were dropped before they were sent
) STRICT;

-- One row for each event and endpoint, written in the event's transaction. What was sent stays to be replayed. Rows of
-- an endpoint that was removed go one after another.
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY,
  webhook INTEGER NOT NULL,
  event INTEGER NOT NULL,
  at INTEGER NOT NULL,
  due INTEGER, -- NULL: it is sent, or given up
  tries INTEGER NOT NULL,
  unreached INTEGER NOT NULL, -- at the last attempt
  end INTEGER NOT NULL, -- how many bytes the endpoint has had written for it, with this row
  body TEXT NOT NULL
) STRICT;

CREATE INDEX outbox_of ON outbox(webhook);
CREATE INDEX outbox_due ON outbox(webhook, due) WHERE due IS NOT NULL;

-- How often an endpoint was told that it is delayed.
ALTER TABLE recipient ADD COLUMN delays INTEGER NOT NULL DEFAULT 0;
