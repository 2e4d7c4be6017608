DROP INDEX drop_purchases_account;
DROP INDEX drop_purchases_person;
CREATE INDEX drop_purchases_of_account ON drop_purchases (account_id);
CREATE INDEX drop_purchases_account ON drop_purchases (drop_id, account_id) WHERE released_at IS NULL;
CREATE INDEX drop_purchases_person ON drop_purchases (drop_id, person_key) WHERE released_at IS NULL;
DROP INDEX chapter_organisers_public;
DROP INDEX audit_log_at;
DROP INDEX refund_lines_line;
