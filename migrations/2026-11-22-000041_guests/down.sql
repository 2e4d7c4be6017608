DROP TABLE order_tokens;
ALTER TABLE accounts DROP CONSTRAINT accounts_guests;
ALTER TABLE accounts DROP COLUMN is_guest;
