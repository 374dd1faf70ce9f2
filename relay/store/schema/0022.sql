-- 0022.sql - Nothing.
SELECT 0;
