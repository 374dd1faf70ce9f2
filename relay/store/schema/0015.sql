-- 0015.sql - What a message demands of TLS with its receivers.

ALTER TABLE message ADD COLUMN tls_need INTEGER NOT NULL DEFAULT 0; -- enum tls_need
