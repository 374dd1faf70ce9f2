-- 0008.sql - Contents are digested with a key of the instance; what was digested without one cannot be compared.

UPDATE once
SET content = NULL;
