-- By which reads find few rows of a large table.

-- What went back of a line: whoever looks at his membership asks for it, and so does the foreign key.
CREATE INDEX refund_lines_line ON refund_lines (line_id);

-- What happened since some day, and before another.
CREATE INDEX audit_log_at ON audit_log (at);

-- The few of all who applied that are named in public.
CREATE INDEX chapter_organisers_public ON chapter_organisers (id) WHERE state = 'approved' AND public_name IS NOT NULL;

-- What somebody has of a drop. By the person first, and without a condition: a plan that is made while a drop has sold little,
-- and is kept, must not go through all that it sells. Of a partial index PostgreSQL takes that for the shortest way, as long as
-- it has no statistics. The account's index serves an export as well.
DROP INDEX drop_purchases_person;
DROP INDEX drop_purchases_account;
DROP INDEX drop_purchases_of_account;
CREATE INDEX drop_purchases_person ON drop_purchases (person_key, drop_id);
CREATE INDEX drop_purchases_account ON drop_purchases (account_id, drop_id);
