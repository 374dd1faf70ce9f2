-- 0022.sql - Which of our addresses an outcome is about: a receiver may refuse one and take mail from another.

ALTER TABLE event ADD COLUMN source TEXT; -- its name; NULL: none was set
