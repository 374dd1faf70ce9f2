-- 0012.sql - What TLS with a receiver was judged by, and how, is said by the events about what became of its mail.

ALTER TABLE event ADD COLUMN tls_policy TEXT;
ALTER TABLE event ADD COLUMN tls_result TEXT;
