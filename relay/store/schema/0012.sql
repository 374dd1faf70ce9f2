-- 0012.sql - What TLS with a receiver was judged by, how, and which TLSA record has fit, is said by the events about
-- what became of its mail.

ALTER TABLE event ADD COLUMN tls_policy TEXT;
ALTER TABLE event ADD COLUMN tls_result TEXT;
ALTER TABLE event ADD COLUMN tlsa TEXT;
