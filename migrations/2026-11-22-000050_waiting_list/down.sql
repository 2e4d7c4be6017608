DROP TABLE waiting_entries;
DROP TABLE waiting_lines;
DROP INDEX f_codes_account;
ALTER TABLE f_codes DROP CONSTRAINT f_codes_offer_is_bound;
ALTER TABLE f_codes DROP CONSTRAINT f_codes_bound_once;
ALTER TABLE f_codes DROP COLUMN is_offer;
ALTER TABLE f_codes DROP COLUMN account_id;
