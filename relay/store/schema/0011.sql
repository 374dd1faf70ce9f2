-- 0011.sql - That a recipient is written to for the first time is said by its event, and counted when that is put into
-- the index, with many others.

ALTER TABLE event ADD COLUMN first_time TEXT; -- the tenant
