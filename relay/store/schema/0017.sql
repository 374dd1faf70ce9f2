-- 0017.sql - What a receiver meant by its answer is said by the events about what became of the mail; and a mailbox
-- that is only disabled is suppressed once that was said on several days.

ALTER TABLE event ADD COLUMN category TEXT;
ALTER TABLE event ADD COLUMN rule TEXT; -- by which it was judged: policy/reply/rules.txt

-- On so many days it must have been said (answers) before the row keeps anything back.
ALTER TABLE suppression ADD COLUMN needed INTEGER NOT NULL DEFAULT 1;
